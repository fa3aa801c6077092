"""Looks up names in a process of the resolver, by asking a name server of the test that answers when it likes to.

Started as `python -c START PORT [IDLE_S]`: PORT is that of a UDP socket on 127.0.0.1. Every look-up sends `PID NAME` to
it and waits for whatever comes. The address that is found has the process's id as its port.
"""

import os
import socket
import sys
from typing import Any

from atomiton_runtime.nodes.http.resolver_process import IDLE_S, main

START = "import sys; sys.path[:0] = {path!r}; from tests.doubles.slow_names import serve; serve()"
DEADLINE_S = 20.0


class SlowServer:
    """The name server, on the test's side."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(DEADLINE_S)

    def program(self, *more: str) -> tuple[str, ...]:
        """Return the command of a resolver's process that asks this server."""
        port = str(self._socket.getsockname()[1])
        return (sys.executable, "-c", START.format(path=sys.path), port, *more)

    def asked(self) -> tuple[int, str, Any]:
        """Wait for a question; return the process that asks, the name, and whom to answer."""
        said, asker = self._socket.recvfrom(512)
        pid, name = said.decode().split()
        return int(pid), name, asker

    def answer(self, asker: Any) -> None:
        """Let a look-up find what it is for."""
        self._socket.sendto(b"!", asker)

    def close(self) -> None:
        """Answer nobody any more."""
        self._socket.close()


def lookup(host: bytes, *_: object) -> list[Any]:
    """Answer as `socket.getaddrinfo` does."""
    if host == b"unknown.example":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if host == b"broken.example":
        raise ValueError("a fault of its own")
    if host == b"chatty.example":
        os.write(1, b"a module of the system says hello\n[1]\n('x',)\n")
    elif host != b"quick.example":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(("127.0.0.1", int(sys.argv[1])))
            asking.send(b"%d %s" % (os.getpid(), host))
            asking.recv(16)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", os.getpid()))]


def serve() -> None:
    """Be the process."""
    main(lookup, float(sys.argv[2]) if sys.argv[2:] else IDLE_S)
