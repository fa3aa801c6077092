"""Waits for sockets until they are ready, the time is over, or the attempt is told to stop."""

import contextlib
import math
import selectors
import socket
import threading
from collections.abc import Mapping

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
# Not the default one: epoll would open one more file for each wait.


class Waker:
    """Belongs to one attempt and its thread; only the wake-up comes from another thread.

    Sockets are closed by the thread that waits for them and by no other, so that no number of a closed file is
    ever used for another one's.
    """

    def __init__(self, cancel: CancelToken) -> None:
        self._cancel = cancel
        self._lock = threading.Lock()
        self._open = True
        self._ear, self._voice = socket.socketpair()
        self._voice.setblocking(False)
        cancel.on_cancel(self._wake)

    def wait(self, events: Mapping[socket.socket, int], timeout_s: float = math.inf) -> list[socket.socket]:
        """Return the sockets that are ready; none: the time is over.

        Args:
            events: socket -> `selectors.EVENT_READ` or `EVENT_WRITE`.
            timeout_s: 0 or more; for ever by default.

        Raises:
            NodeCancelledError: the attempt was told to stop, before or meanwhile.
        """
        with _Selector() as selector:
            selector.register(self._ear, selectors.EVENT_READ)
            for each, wanted in events.items():
                selector.register(each, wanted)
            self._cancel.raise_if_cancelled()
            ready = selector.select(None if math.isinf(timeout_s) else max(timeout_s, 0.0))
        found = [key.fileobj for key, _ in ready]
        if self._ear in found:
            raise NodeCancelledError
        return [each for each in events if each in found]

    def close(self) -> None:
        """Close what was needed to be woken; a cancel that comes later finds nobody."""
        with self._lock:
            self._open = False
            self._ear.close()
            self._voice.close()

    def _wake(self) -> None:
        with self._lock:
            if self._open:
                with contextlib.suppress(OSError):
                    self._voice.send(b"\0")
