"""Says who knocks at a door."""

import os
import socket
import struct
import sys

_LINUX_CREDENTIALS = "3i"
"""`struct ucred` of unix(7): process, user, group."""
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1
_MACOS_CREDENTIALS = "2Ih16I"
"""`struct xucred` of <sys/ucred.h>: version, user, number of groups, groups."""


def is_same_user(client: socket.socket) -> bool:
    """Return whether a process of the same user knocks, or of root; where that cannot be asked, the token decides."""
    if client.family != getattr(socket, "AF_UNIX", None):
        return True
    return user_at(client) in (None, 0, os.geteuid())


def user_at(client: socket.socket, platform: str = sys.platform) -> int | None:
    """Return the number of the user at the other end of a local socket; None: this system does not tell.

    Source: SO_PEERCRED of socket(7), LOCAL_PEERCRED of unix(4) on macOS.
    """
    if platform == "linux":
        size = struct.calcsize(_LINUX_CREDENTIALS)
        told = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack(_LINUX_CREDENTIALS, told)[1])
    if platform == "darwin":
        told = client.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, struct.calcsize(_MACOS_CREDENTIALS))
        return int(struct.unpack_from("2I", told)[1])
    return None
