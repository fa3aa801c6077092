"""Understands flow files: text in, a `Flow` or problems with places out. Pure."""
