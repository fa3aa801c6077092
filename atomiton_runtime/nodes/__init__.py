"""Holds the node types: one file a type, and the registry that finds them."""
