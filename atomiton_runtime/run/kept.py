"""Says what became of a node before its run began: in an earlier run, or as a test wants it."""

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.reuse import Digest, Key


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of a node. Either it is settled, or it has a body of which some nodes are."""

    source: RunId
    """The run that executed it; of a test, the run itself."""
    attempt: int = 0
    """The last attempt that began."""
    outputs: dict[str, msgspec.Raw] | None = None
    error: ErrorInfo | None = None
    """Why it failed. Of a run that is continued, only failures that were handled stand."""
    skipped: str | None = None
    """Why it was skipped."""
    items_hash: str | None = None
    """Not None: it has a body whose executions were under way, with the items of this hash. The node itself is
    executed again; what is kept of the nodes within counts as long as the items are the same."""
    hashes: dict[str, Digest] = {}
    key: Key | None = None
    left: dict[str, str] = {}
    wrote: bool = False
    """These four: see `NodeSucceeded`."""
    executed_as: NodeId | None = None
    """Its whole id there; None: the same."""


def kept_of(event: ev.NodeSucceeded | ev.NodeReused) -> Kept:
    """Return what stands of a node whose journal says this of it last."""
    reused = isinstance(event, ev.NodeReused)
    return Kept(
        source=event.source if reused else event.run_id,
        attempt=event.attempt,
        outputs=event.outputs,
        error=event.error if reused else None,
        hashes=event.hashes,
        key=event.key,
        left=event.left,
        wrote=event.wrote,
        executed_as=(event.executed_as if reused else None) or event.node,
    )
