"""Reads a flow's file once more, where it is still the one that was loaded."""

import hashlib
from pathlib import Path

from atomiton_runtime.flow.model import Flow


def content_of(flow: Flow) -> bytes | None:
    """Return the bytes of the flow's file; None: they are others than those that were loaded."""
    try:
        content = Path(flow.path).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == flow.hash else None
