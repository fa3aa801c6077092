"""Looks up the addresses of hosts: a program of its own, for a process can be ended and a look-up cannot.

A line of its standard input asks `NUMBER PORT HOST`, the host's name in ASCII and each byte as two hex digits. A
line of its standard output answers: a Python literal, either `(NUMBER, [(FAMILY, ADDRESS), ...])` or `(NUMBER, ERRNO,
WORDS)`, where ERRNO is one of getaddrinfo(3), and None for a failure of another kind. Answers come in any order. It
ends when nobody can ask any more, and when nobody has asked for some minutes.
"""

import _thread  # `threading`, and `socket` below, take longer to load than Python itself (10 of 16 ms, CPython 3.11).
import os
import time

TYPE_CHECKING = False  # As type checkers know it, without loading `typing`.
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any
else:
    import _socket as socket

IDLE_S = 300.0


class Service:
    """Answers questions, each in a thread of its own."""

    def __init__(self, lookup: "Callable[..., list[Any]]") -> None:
        self._lookup = lookup
        self._speaking = _thread.allocate_lock()
        self._answering = 0
        self._active_at = time.monotonic()

    def serve(self) -> None:
        """Answer what is asked until the standard input ends."""
        unread = b""
        while piece := os.read(0, 65536):
            *lines, unread = (unread + piece).split(b"\n")
            for line in lines:
                with self._speaking:
                    self._answering += 1
                try:
                    _thread.start_new_thread(self._answer, (line,))
                except RuntimeError as error:
                    self._say((int(line.split()[0]), None, str(error)))

    def end_when_idle(self, idle_s: float) -> None:
        """End the process once nobody has asked for so long."""
        while True:
            with self._speaking:
                rest_s = idle_s if self._answering else self._active_at + idle_s - time.monotonic()
            if rest_s <= 0:
                os._exit(0)  # Who asks just now sees it, and asks another process.
            time.sleep(rest_s)

    def _answer(self, line: bytes) -> None:
        number, port, host = line.split()
        try:
            found = self._lookup(bytes.fromhex(host.decode()), int(port), 0, socket.SOCK_STREAM)
            self._say((int(number), [(int(family), address) for family, _, _, _, address in found]))
        except socket.gaierror as error:
            self._say((int(number), error.errno, error.strerror))
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for an answer
            self._say((int(number), None, str(error)))

    def _say(self, answer: "tuple[Any, ...]") -> None:
        unsaid = f"{answer!r}\n".encode()
        with self._speaking:
            self._answering -= 1
            self._active_at = time.monotonic()
            while unsaid:
                unsaid = unsaid[os.write(1, unsaid) :]


def main(lookup: "Callable[..., list[Any]]" = socket.getaddrinfo, idle_s: float = IDLE_S) -> None:
    """Serve until nobody asks any more; `lookup` is what a test puts in the place of the system's."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # Nobody reads what could be said there.
    service = Service(lookup)
    _thread.start_new_thread(service.end_when_idle, (idle_s,))
    try:
        service.serve()
    finally:
        os._exit(0)  # Without waiting for what is still being looked up.


if __name__ == "__main__":
    main()
