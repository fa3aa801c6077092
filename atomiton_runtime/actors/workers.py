"""Knows which node execution is idle, starts another where none is, and lets orders wait beyond the limit."""

from collections import deque
from collections.abc import Callable

from atomiton_runtime.actors.base import Address
from atomiton_runtime.actors.messages import NodeMessage, Order

MAX_WORKERS = 32
"""Attempts at once, over all runs."""


class Workers:
    """The node executions. Only the conductor touches it."""

    def __init__(self, start: Callable[[int], Address], limit: int = MAX_WORKERS) -> None:
        self._start = start
        """Starts the node execution of this number and returns where it is reached."""
        self._limit = limit
        self._addresses: list[Address] = []
        self._idle: list[int] = []
        """Used from the end: the one that was busy last is the warmest."""
        self._waiting: deque[NodeMessage] = deque()

    def place(self, order: NodeMessage) -> Order | None:
        """Return where the order is to go, or None: it waits until `is_idle` gives it back."""
        if self._idle:
            return self._addresses[self._idle.pop()].tell
        if len(self._addresses) < self._limit:
            address = self._start(len(self._addresses))
            self._addresses.append(address)
            return address.tell
        self._waiting.append(order)
        return None

    def is_idle(self, number: int) -> tuple[Order, NodeMessage] | None:
        """Take a worker back; return the order that waited longest, and where it goes. Twice is as good as once."""
        if number in self._idle:
            return None
        if not self._waiting:
            self._idle.append(number)
            return None
        return self._addresses[number].tell, self._waiting.popleft()
