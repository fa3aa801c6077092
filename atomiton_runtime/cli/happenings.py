"""Is what a command that goes on for ever waits for: signals, and facts as fast as the terminal takes them."""

import queue
import signal
import threading

from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.notices import Notice

LIMIT = 100
"""Facts that may wait here (count); who brings one more waits, and with it the rest: where that is bounded."""


class Happenings:
    """Takes signals in signal handlers, and facts in the thread of one subscriber; gives both to one reader."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[RunEvent | Notice | signal.Signals] = queue.SimpleQueue()
        self._room = threading.Semaphore(LIMIT)
        self._closed = False

    def put(self, item: signal.Signals) -> None:
        """Take a signal; may be called in a signal handler, and never waits."""
        self._queue.put(item)

    def bring(self, fact: RunEvent | Notice) -> None:
        """Take a fact; return when there is room for it."""
        if not self._closed:
            self._room.acquire()
            self._queue.put(fact)

    def get(self, timeout_s: float) -> RunEvent | Notice | signal.Signals | None:
        """Return what came first; None: nothing within `timeout_s` seconds."""
        try:
            item = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if not isinstance(item, signal.Signals):
            self._room.release()
        return item

    def close(self) -> None:
        """Let nobody wait for room any more: there is no reader."""
        self._closed = True
        self._room.release()
