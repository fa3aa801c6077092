"""Looks up the addresses of a host, without waiting longer than its caller wants to.

The system's look-up cannot be interrupted. So a process of ours does it (`resolver`), and who is told to stop ends
that.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from atomiton_runtime.nodes.base import CancelToken, NodeError

Address: TypeAlias = tuple[int, tuple[Any, ...]]
"""The family and what `socket.connect` takes."""


class Question:
    """One look-up and those who wait for it. Usable from every thread."""

    def __init__(self, host: bytes, port: int) -> None:
        self.host = host
        """As it is asked for: in ASCII."""
        self.port = port
        self.askers = 0
        self.answered = False
        self.found: list[Address] = []
        self.failure: OSError | None = None
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def on_answer(self, listener: Callable[[], None]) -> None:
        """Call `listener` once there is an answer, in whichever thread it comes; now, if it is there already."""
        with self._lock:
            if not self.answered:
                self._listeners.append(listener)
                return
        listener()

    def answer(self, found: list[Address], failure: OSError | None = None) -> None:
        """Take the answer; a second one changes nothing."""
        with self._lock:
            if self.answered:
                return
            self.found, self.failure, self.answered = found, failure, True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()


class Names(Protocol):
    """Who can be asked for the addresses of hosts, by every thread."""

    def ask(self, host: bytes, port: int) -> Question:
        """Return a question that will be answered; `leave` it in the end."""
        ...

    def leave(self, question: Question) -> None:
        """Want the answer no more; if nobody else does, return when nothing works on it any longer."""
        ...


def addresses(host: str, port: int, cancel: CancelToken, *, timeout_s: float, names: Names) -> list[Address]:
    """Return where `host` can be reached, in the order in which the system prefers it.

    Raises:
        NodeError: nobody knows the name (HTTP-002), or the answer takes too long (HTTP-004).
        NodeCancelledError: the attempt was told to stop.
    """
    if _is_address(host):
        return _numeric(host, port)
    try:
        question = names.ask(host.encode("idna"), port)
    except UnicodeError as error:
        raise _unknown(host, None) from error
    woken = threading.Event()
    try:
        cancel.on_cancel(woken.set)
        question.on_answer(woken.set)
        woken.wait(min(timeout_s, threading.TIMEOUT_MAX))
    finally:
        names.leave(question)
    cancel.raise_if_cancelled()
    if not question.answered:
        hint = "does the name server answer? `timeout` of the node gives it more time"
        raise NodeError("HTTP-004", f"looking up {host} took longer than {timeout_s:g} s", hint=hint)
    if question.failure is not None:
        raise _unknown(host, question.failure) from question.failure
    return question.found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _numeric(host: str, port: int) -> list[Address]:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError as error:  # a zone that is none of this machine's
        raise _unknown(host, error) from error
    return [(family, address) for family, _, _, _, address in answers]


def _unknown(host: str, failure: OSError | None) -> NodeError:
    if isinstance(failure, socket.gaierror) and failure.errno == socket.EAI_AGAIN:
        message = f"the name of the host {host} cannot be looked up now: {failure.strerror}"
        return NodeError("HTTP-002", message, hint="is this machine connected to the network?")
    if failure is not None and not isinstance(failure, socket.gaierror):
        return NodeError("HTTP-002", f"{host} cannot be looked up: {failure.strerror or failure}")
    return NodeError(
        "HTTP-002", f"there is no host of the name {host}", hint="is it spelled as it should be?"
    )
