"""Reads what lies in files: a flow that is still the one that was loaded, and large values of a run."""

import hashlib
from pathlib import Path

import msgspec

from atomiton_runtime.flow.model import Flow
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.values import FILE_KEY, SIZE_KEY, Value


def content_of(flow: Flow) -> bytes | None:
    """Return the bytes of the flow's file; None: they are others than those that were loaded."""
    try:
        content = Path(flow.path).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == flow.hash else None


def whole(run: RunDocument) -> RunDocument:
    """Return a run's document with its large outputs themselves, in place of what says where these are kept."""
    nodes = {
        name: msgspec.structs.replace(
            node, outputs=node.outputs and {port: _whole(value) for port, value in node.outputs.items()}
        )
        for name, node in run.nodes.items()
    }
    return msgspec.structs.replace(run, nodes=nodes)


def _whole(value: Value) -> Value:
    # The store sees to it that no other value looks like that.
    if isinstance(value, dict) and value.keys() == {FILE_KEY, SIZE_KEY}:
        return msgspec.json.decode(Path(str(value[FILE_KEY])).read_bytes())
    return value
