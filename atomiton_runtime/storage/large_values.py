"""Keeps large values as files named by their hash."""
