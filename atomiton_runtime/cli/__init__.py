"""Is the terminal client: commands that speak to a `Runtime`."""
