"""Waits for what must become true, with a deadline."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_S = 0.01


def eventually(ask: Callable[[], T], what: str = "", timeout_s: float = 8.0) -> T:
    """Return the first truthy answer of `ask`; its last answer or error is in the message of a failure."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while True:
        try:
            answer, last = ask(), None
        except Exception as exc:  # noqa: BLE001  # the desktop answers with errors until it is ready
            answer, last = None, exc
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} did not happen in {timeout_s} s; last: {last or answer!r}")
        pause.wait(_POLL_S)
