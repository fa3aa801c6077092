"""Lets only so many attempts do something at once; those that wait for their turn can be cancelled."""

import contextlib
import threading
from collections import deque
from collections.abc import Generator

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError


class Turns:
    """Gives turns, in the order in which they were asked for. Usable from every thread."""

    def __init__(self, count: int) -> None:
        """Let `count` have a turn at the same time."""
        self._free = count
        self._waiting: deque[_Waiting] = deque()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self, cancel: CancelToken) -> Generator[None]:
        """Have a turn for as long as the block lasts.

        Raises:
            NodeCancelledError: the attempt was told to stop before it had one.
        """
        self._wait(cancel)
        try:
            yield
        finally:
            with self._lock:
                self._pass_on()

    def _wait(self, cancel: CancelToken) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = _Waiting()
            self._waiting.append(mine)
        cancel.on_cancel(mine.woken.set)
        mine.woken.wait()
        with self._lock:
            if not cancel.cancelled:
                return
            if mine.granted:
                self._pass_on()
            else:
                self._waiting.remove(mine)
        raise NodeCancelledError

    def _pass_on(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        following = self._waiting.popleft()
        following.granted = True
        following.woken.set()


class _Waiting:
    def __init__(self) -> None:
        self.woken = threading.Event()
        self.granted = False
