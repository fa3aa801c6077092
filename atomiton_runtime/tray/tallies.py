"""Counts what becomes of the nodes of runs where their events come in: the worker only gets the sums."""

from collections.abc import Callable

import msgspec

from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import Event, RunEvent, RunQueued, is_final
from atomiton_runtime.run.notices import Notice
from atomiton_runtime.run.tally import Tally, counted_in
from atomiton_runtime.tray.state import KINDS

NODE_KINDS = ("NodeSucceeded", "NodeReused", "NodeFailed", "NodeSkipped", "NodeCancelled")
"""What is counted, besides the beginnings and ends of runs."""
_SHOWN = frozenset(KINDS)


class Tallied(msgspec.Struct, frozen=True):
    """What became of the nodes of a run is known; it comes right before the run's end."""

    run_id: RunId
    words: str


class Tallies:
    """Hands on what changes the tray, and keeps the events of nodes from it: there may be millions. Of one thread."""

    def __init__(self, take: Callable[[RunEvent | Notice | Tallied], object]) -> None:
        """Hand on to `take`."""
        self._take = take
        self._runs: dict[RunId, Tally] = {}

    def hear(self, fact: RunEvent | Notice) -> None:
        """Take a fact of the runtime."""
        if isinstance(fact, Event):
            self._count(fact)
        if type(fact).__name__ in _SHOWN:
            self._take(fact)

    def _count(self, event: RunEvent) -> None:
        """Count an event of a run whose beginning was heard."""
        if isinstance(event, RunQueued):
            self._runs[event.run_id] = Tally()
        tally = self._runs.get(event.run_id)
        if tally is None:
            return
        tally = self._runs[event.run_id] = counted_in(tally, event)
        if is_final(event):
            del self._runs[event.run_id]
            if tally.words:
                self._take(Tallied(event.run_id, tally.words))
