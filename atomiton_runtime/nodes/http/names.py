"""Looks up the addresses of a host, without waiting longer than its caller wants to.

The system's look-up cannot be interrupted. So a thread does it, and who is told to stop goes away at once. There
is never more than one such thread for a name: whoever asks meanwhile shares its answer.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from atomiton_runtime.nodes.base import CancelToken, NodeError

Address: TypeAlias = tuple[int, tuple[Any, ...]]
"""The family and what `socket.connect` takes."""
Lookup: TypeAlias = Callable[..., list[tuple[Any, Any, Any, Any, Any]]]
"""`socket.getaddrinfo`, or what a test puts in its place."""

_pending: "dict[tuple[str, int, Lookup], _Question]" = {}
_pending_lock = threading.Lock()


def addresses(
    host: str, port: int, cancel: CancelToken, *, timeout_s: float, lookup: Lookup = socket.getaddrinfo
) -> list[Address]:
    """Return where `host` can be reached, in the order in which the system prefers it.

    Raises:
        NodeError: nobody knows the name (HTTP-002), or the answer takes too long (HTTP-004).
        NodeCancelledError: the attempt was told to stop.
    """
    question = _asked(host, port, lookup)
    woken = threading.Event()
    cancel.on_cancel(woken.set)
    question.on_answer(woken.set)
    woken.wait(min(timeout_s, threading.TIMEOUT_MAX))
    cancel.raise_if_cancelled()
    if not question.answered:
        hint = "does the name server answer? `timeout` of the node gives it more time"
        raise NodeError("HTTP-004", f"looking up {host} took longer than {timeout_s:g} s", hint=hint)
    if question.failure is not None:
        raise _unknown(host, question.failure) from question.failure
    return question.found


class _Question:
    """One look-up and those who wait for it."""

    def __init__(self) -> None:
        self.found: list[Address] = []
        self.failure: OSError | UnicodeError | None = None
        self.answered = False
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def on_answer(self, listener: Callable[[], None]) -> None:
        with self._lock:
            if not self.answered:
                self._listeners.append(listener)
                return
        listener()

    def ask(self, host: str, port: int, lookup: Lookup, *, flags: int = 0) -> None:
        try:
            answers = lookup(host, port, type=socket.SOCK_STREAM, flags=flags)
            self.found = [(family, address) for family, _, _, _, address in answers]
        except (OSError, UnicodeError) as error:
            self.failure = error
        with self._lock:
            self.answered = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()


def _asked(host: str, port: int, lookup: Lookup) -> _Question:
    question = _Question()
    if _is_address(host):
        question.ask(host, port, lookup, flags=socket.AI_NUMERICHOST)
        return question
    key = (host, port, lookup)
    with _pending_lock:
        if key in _pending:
            return _pending[key]
        _pending[key] = question

    def ask() -> None:
        try:
            question.ask(host, port, lookup)
        finally:
            with _pending_lock:
                del _pending[key]

    try:
        threading.Thread(target=ask, name=f"look-up-{host}", daemon=True).start()
    except RuntimeError as error:  # The system gives no thread.
        with _pending_lock:
            del _pending[key]
        raise NodeError("HTTP-002", f"{host} cannot be looked up: {error}") from error
    return question


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _unknown(host: str, failure: OSError | UnicodeError) -> NodeError:
    if isinstance(failure, socket.gaierror) and failure.errno == socket.EAI_AGAIN:
        message = f"the name of the host {host} cannot be looked up now: {failure.strerror}"
        return NodeError("HTTP-002", message, hint="is this machine connected to the network?")
    return NodeError(
        "HTTP-002", f"there is no host of the name {host}", hint="is it spelled as it should be?"
    )
