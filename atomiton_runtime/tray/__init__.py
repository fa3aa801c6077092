"""Is the desktop client: an icon and a menu that speak to a `Runtime`."""
