"""Connects to the first of a host's addresses that answers.

Where an address does not answer at once, the next one is tried beside it (RFC 8305, "Happy Eyeballs"): so a
network whose IPv6 leads nowhere costs a quarter of a second, and not the whole time there is.
"""

import errno
import math
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence

from atomiton_runtime.nodes.http.names import Address
from atomiton_runtime.nodes.http.waking import Waker

HEAD_START_S = 0.25
_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)})


def connected(addresses: Sequence[Address], waker: Waker, *, timeout_s: float) -> socket.socket:
    """Return a connected, non-blocking socket, which the caller closes.

    Args:
        addresses: at least one, the preferred first.
        waker: waits, and is told of a cancel.
        timeout_s: for all of them together.

    Raises:
        TimeoutError: the time was over first; its `errno` is None.
        OSError: every address failed; this is the last one's failure.
        NodeCancelledError: the attempt was told to stop.
    """
    untried = deque(_alternating(addresses))
    trying: set[socket.socket] = set()
    failure = OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    deadline = time.monotonic() + timeout_s
    try:
        while untried or trying:
            if untried:
                try:
                    trying.add(_begun(untried.popleft()))
                except OSError as error:
                    failure = error
                    continue
            pause_s = min(HEAD_START_S if untried else math.inf, deadline - time.monotonic())
            for each in waker.wait(dict.fromkeys(trying, selectors.EVENT_WRITE), pause_s):
                trying.discard(each)
                number = each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not number:
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return each
                each.close()
                failure = OSError(number, os.strerror(number))
            if time.monotonic() >= deadline:
                raise TimeoutError
    finally:
        for each in trying:
            each.close()
    raise failure


def _begun(address: Address) -> socket.socket:
    family, place = address
    begun = socket.socket(family, socket.SOCK_STREAM)
    try:
        begun.setblocking(False)
        number = begun.connect_ex(place)
        if number not in _UNDER_WAY:
            raise OSError(number, os.strerror(number))
    except BaseException:
        begun.close()
        raise
    return begun


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses so that a family that leads nowhere does not come in a row."""
    preferred = [each for each in addresses if each[0] == addresses[0][0]]
    others = [each for each in addresses if each[0] != addresses[0][0]]
    mixed: list[Address] = []
    for place in range(max(len(preferred), len(others))):
        mixed += [*preferred[place : place + 1], *others[place : place + 1]]
    return mixed
