"""Finds secrets by name, and keeps their values out of everything that is kept or shown."""
