"""Makes and names the identifiers that the whole package shares."""

import os
import threading
import time
from datetime import UTC, datetime
from typing import NewType

RunId = NewType("RunId", str)
FlowId = NewType("FlowId", str)
NodeId = NewType("NodeId", str)
"""A node's path inside its run: `read`, or `each/3/resize` for a child."""
ScopeId = NewType("ScopeId", int)
"""Names, within a run, the flow itself or one execution of a body; never used twice."""
ROOT = ScopeId(0)
"""The flow itself."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 26
_TIME_LETTERS = 10
_RANDOM_BITS = 80
_lock = threading.Lock()
_last = 0


def new_run_id() -> RunId:
    """Return a ULID: 26 characters that sort by time, also within one millisecond of one process.

    Source: the ULID specification (48 bits of Unix milliseconds, 80 random bits, Crockford's base 32).
    """
    global _last  # noqa: PLW0603  # one counter a process is what makes the order total
    with _lock:
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | int.from_bytes(os.urandom(10))
        # A second id of the same millisecond, or a clock that went back, continues from the last one.
        _last = fresh if fresh >> _RANDOM_BITS > _last >> _RANDOM_BITS else _last + 1
        number = _last
    return RunId("".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)))


def time_of(run_id: RunId) -> datetime | None:
    """Return when an id was made, which is when its run was accepted; None: it is no ULID."""
    if not is_run_id(run_id):
        return None
    milliseconds = 0
    for letter in run_id[:_TIME_LETTERS]:
        milliseconds = milliseconds << 5 | _CROCKFORD.index(letter)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # a year that no calendar of Python has


def is_run_id(text: str) -> bool:
    """Return whether `text` is written as `new_run_id` writes ids."""
    return len(text) == _LENGTH and text[0] <= "7" and all(letter in _CROCKFORD for letter in text)
