"""Says in which state the nodes of a picture are, one by one and counted."""

from collections import Counter

from atomiton_runtime.cli.live.picture import Picture, Row
from atomiton_runtime.cli.wording import counted
from atomiton_runtime.run.events import NodeStatus

RAN: tuple[NodeStatus, ...] = ("running", "failed", "succeeded", "cancelled")
"""What a node is that this run has executed."""
URGENCY: tuple[NodeStatus, ...] = (
    "running",
    "failed",
    "cancelled",
    "succeeded",
    "pending",
    "skipped",
    "reused",
)
"""Which nodes are shown where not all of them fit, the first ones first."""


def state(row: Row) -> NodeStatus:
    """Return the status of a node; of one in a loop, the most urgent that one of its executions has."""
    if not row.is_many:
        return row.status
    if row.running:
        return "running"
    found: list[NodeStatus] = [status for status in URGENCY if row.counts[status]]
    return found[0] if found else row.status


def summary(picture: Picture) -> str:
    """Return what became of the nodes of the flow itself in few words: `3 run (1 failed), 7 reused, 1 skipped`."""
    found: Counter[NodeStatus] = Counter(
        state(picture.rows[place.key]) for place in picture.places if "/" not in place.key
    )
    failed = f" ({found['failed']} failed)" if found["failed"] else ""
    ran = sum(found.pop(status, 0) for status in RAN)
    words = [f"{ran} run{failed}"] if ran else []
    return ", ".join([*words, *_by_state(found)])


def iterations(row: Row) -> str:
    """Return how many executions of a loop's body there were, of how many."""
    if row.is_endless or (row.status == "succeeded" and row.ended == row.total):
        return counted(row.ended, "iteration")
    return f"{row.ended}/{row.total}"


def executions(row: Row) -> str:
    """Return what became of a node in a loop: `2 running, 15 succeeded`."""
    running = [f"{len(row.running)} running"] if row.running else []
    return ", ".join([*running, *_by_state(row.counts)])


def more_nodes(hidden: Counter[NodeStatus]) -> str:
    """Return how many nodes are not shown, and in which states: `180 more nodes, all reused`."""
    nodes = counted(hidden.total(), "more node")
    if len(hidden) > 1:
        return f"{nodes}: {', '.join(_by_state(hidden))}"
    return f"{nodes}, {'all ' if hidden.total() > 1 else ''}{next(iter(hidden))}"


def _by_state(found: Counter[NodeStatus]) -> list[str]:
    return [f"{found[status]} {status}" for status in URGENCY if found[status]]
