"""Holds the parts of the node type `http-request`; what imports httpx2 is itself imported at the first request."""
