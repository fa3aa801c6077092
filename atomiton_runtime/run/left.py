"""Says what keeps a run from being cancelled.

The status of such a run is still `running`: nothing is called cancelled before nothing of it is left.
"""

from collections.abc import Iterable, Sequence

from atomiton_runtime.ids import NodeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent, is_final
from atomiton_runtime.run.state import RunState

_LEAVES_RUNNING = (
    ev.NodeSucceeded, ev.NodeReused, ev.NodeRetrying, ev.NodeFailed, ev.NodeSkipped, ev.NodeCancelled
)  # fmt: skip


def left_of(state: RunState) -> tuple[NodeId, ...]:
    """Return the nodes of a run that are executed: the flow's own in file order, then those of bodies."""
    return _innermost(
        [
            scope.id_of(scope.graph.nodes[index])
            for scope in state.scopes.values()
            for index, node in enumerate(scope.nodes)
            if node.status == "running"
        ]
    )


def left_to_end(journal: Sequence[RunEvent]) -> tuple[NodeId, ...] | None:
    """Return the nodes that keep a run from being cancelled, in the order in which they began; None: it is not."""
    if is_final(journal[-1]) or not any(isinstance(event, ev.RunCancelRequested) for event in journal):
        return None
    running: dict[NodeId, None] = {}
    for event in journal:
        if isinstance(event, ev.NodeStarted):
            running[event.node] = None
        elif isinstance(event, _LEAVES_RUNNING):
            running.pop(event.node, None)
    return _innermost(running)


def _innermost(running: Iterable[NodeId]) -> tuple[NodeId, ...]:
    """Return the nodes without those around them: a body is under way because of what is in it."""
    nodes = tuple(running)
    around: set[str] = set()
    for node in nodes:
        place = node.rfind("/")
        while place > 0 and node[:place] not in around:
            around.add(node[:place])
            place = node.rfind("/", 0, place)
    return tuple(node for node in nodes if node not in around)
