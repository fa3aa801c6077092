"""Runs flows: TOML files that recompute on save. Importing this starts nothing."""
