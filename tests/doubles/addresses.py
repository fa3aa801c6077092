"""An address behind which no actor stands: what it is told is kept, in order, for the test to read."""

import queue
import time

from atomiton_runtime.actors.base import Address, Rank

PATIENCE_S = 10.0


class Collected(Address):
    """Keeps what it is told."""

    def __init__(self, name: str = "Collected", rank: Rank = Rank.CLIENT) -> None:
        super().__init__(name, rank)
        self._told: queue.SimpleQueue[object] = queue.SimpleQueue()

    def tell(self, message: object) -> None:
        """Keep a message."""
        self._told.put(message)

    def next(self, timeout_s: float = PATIENCE_S) -> object:
        """Return the next message, once it comes; fail after `timeout_s`."""
        try:
            return self._told.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"nothing was told to {self.name} within {timeout_s:g} s") from None

    def until(self, wanted: object, timeout_s: float = PATIENCE_S) -> list[object]:
        """Return all that comes before the message that equals `wanted`, once that has come."""
        deadline = time.monotonic() + timeout_s
        before = list[object]()
        while (message := self.next(max(deadline - time.monotonic(), 0.001))) != wanted:
            before.append(message)
        return before

    def all_so_far(self) -> list[object]:
        """Return what was told and not yet read, without waiting."""
        told = list[object]()
        while not self._told.empty():
            told.append(self._told.get())
        return told
