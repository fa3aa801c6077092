"""Says what a journal tells of each node: what became of it, and how its body was executed."""

from collections.abc import Iterable

import msgspec

from atomiton_runtime.ids import NodeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept, kept_of


class RecordedBody(msgspec.Struct, frozen=True, kw_only=True):
    """How the body of a node was executed last."""

    items_hash: str
    numbered: bool
    """Whether there are iterations."""
    started: int = 0
    """Executions that began."""


class Recorded:
    """What became of each node of a run in the end, by its whole id."""

    def __init__(self, journal: Iterable[RunEvent]) -> None:
        self.kept: dict[NodeId, Kept] = {}
        """What stands of the nodes that gave something, failed or were skipped; it is no result of this run."""
        self.bodies: dict[NodeId, RecordedBody] = {}
        for event in journal:
            self._take(event)

    def _take(self, event: RunEvent) -> None:
        match event:
            case ev.NodeSucceeded() | ev.NodeReused() | ev.NodeFailed() | ev.NodeSkipped():
                self.kept[event.node] = _kept(event)
            case ev.BodyOpened():
                body = RecordedBody(items_hash=event.items_hash, numbered=event.plan.numbered)
                self.bodies[event.node] = body
            case ev.BodyStarted():
                body = self.bodies[event.node]
                self.bodies[event.node] = msgspec.structs.replace(body, started=event.index + 1)
            case _:
                return


def _kept(event: ev.NodeSucceeded | ev.NodeReused | ev.NodeFailed | ev.NodeSkipped) -> Kept:
    match event:
        case ev.NodeFailed():
            return Kept(source=event.run_id, attempt=event.attempt, error=event.error)
        case ev.NodeSkipped():
            return Kept(source=event.run_id, skipped=event.reason)
        case _:
            # Without its key: who finds results by their keys must not take an old one for the newest.
            return msgspec.structs.replace(kept_of(event), key=None, left={}, wrote=False)
