"""Gathers the events that are on their way to the keeper: they go together, as one message."""

from collections.abc import Sequence

from atomiton_runtime.actors.messages import Append, NodeMessage, Order
from atomiton_runtime.run.events import NodeSucceeded, RunEvent, is_final

GATHER_S = 0.002
"""How long an event may wait for others before it goes to the keeper. Waking another thread for each event costs
more than deciding it; nobody is told of an event before it is kept. What a node that changes the outside did is
never gathered: it goes at once, so that a crash leaves as little in doubt as can be."""
GATHER_LONG_S = 0.01
"""The same while many come: each group costs the keeper a commit, however few events it has."""
MANY_EVENTS = 8
GATHER_EVENTS = 128
UNKEPT_BYTES = 256 * 1024
"""Whenever events of so many bytes are on their way to the keeper, the next attempt begins when they are kept: what
comes faster than a disk takes it would fill the memory, and whoever asks the keeper would wait for a long commit."""
EVENT_BYTES = 512
"""What counts for an event besides its outputs: to keep one takes as long as so many bytes."""


class Gathered:
    """Events that are to be sent, and how much of those before is not kept yet. Only the conductor touches it."""

    def __init__(self) -> None:
        self._events: list[RunEvent] = []
        self._sent_last = 0
        """Events of the last message."""
        self._unkept_bytes = 0
        """Of the events that there were since an attempt was last made to wait for the keeper."""

    def __len__(self) -> int:
        return len(self._events)

    def add(self, events: Sequence[RunEvent]) -> None:
        """Take events in."""
        self._events.extend(events)

    def must_go(self) -> bool:
        """Return whether they are to be sent at once: a run ends with the last one, or they are many."""
        return len(self._events) >= GATHER_EVENTS or is_final(self._events[-1])

    def pause_s(self) -> float:
        """Return how long they may wait for others."""
        return GATHER_LONG_S if self._sent_last > MANY_EVENTS else GATHER_S

    def taken(self, then: tuple[tuple[Order, NodeMessage], ...] = ()) -> Append:
        """Return the message with all of them, and `then` what begins when they are kept; none is left."""
        events = tuple(self._events)
        self._events.clear()
        self._sent_last = len(events)
        return Append(events=events, then=then)

    def weigh(self, events: Sequence[RunEvent]) -> None:
        """Count what is to be kept of events that have been decided."""
        self._unkept_bytes += _size_bytes(events)

    def makes_wait(self, *, may_write: bool) -> bool:
        """Return whether an attempt begins only when all before it is kept; if so, that is counted anew.

        So does what changes the outside: after a crash it is known to be in doubt. And what comes after large
        outputs, or after many events.
        """
        waits = may_write or self._unkept_bytes > UNKEPT_BYTES
        if waits:
            self._unkept_bytes = 0
        return waits


def _size_bytes(events: Sequence[RunEvent]) -> int:
    """Return about what is kept of events: their outputs are what can be large."""
    return len(events) * EVENT_BYTES + sum(
        len(memoryview(raw))
        for event in events
        if isinstance(event, NodeSucceeded)
        for raw in event.outputs.values()
    )
