"""Says what became of a node before its run began: in the run that this one continues, or as a test wants it."""

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import RunId


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
