"""Who knocks, as each system tells it."""

import os
import socket
import struct

import pytest

from atomiton_runtime.control.peer import is_same_user, user_at


class Answering(socket.socket):
    """A socket of a system that answers like this."""

    told = b""

    def getsockopt(self, level: int, name: int, size: int = 0) -> bytes:  # type: ignore[override]
        assert (level, name, size) == (0, 1, len(self.told))
        return self.told


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="this system does not tell who knocks")
def test_linux_tells_who_knocks() -> None:
    """The other end of a pair is ours."""
    here, there = socket.socketpair()
    with here, there:
        assert user_at(here) == os.geteuid()


def test_macos_tells_who_knocks() -> None:
    """The second number of its record is the user's."""
    with Answering() as door:
        door.told = struct.pack("2Ih16I", 0, 501, 1, *[20] * 16)
        assert user_at(door, "darwin") == 501


def test_where_nobody_tells_the_token_decides() -> None:
    """On other systems, and behind a port."""
    with socket.socket() as port:
        assert user_at(port, "win32") is None
        assert is_same_user(port)
