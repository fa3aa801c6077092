"""Asks another process, and hears what it says."""

import contextlib
import socket
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Self

import msgspec

from atomiton_runtime.control.presence import Sign, processes_folder
from atomiton_runtime.errors import RuntimeUnusable
from atomiton_runtime.requests import MESSAGE_LIMIT_BYTES, Request, Response, decode_response
from atomiton_runtime.run.events import RunEvent, decode_event, is_final

_PATIENCE_S = 10.0
_SILENCE_HINT = "it may have ended just now; `atomiton history` shows what became of its runs"


class Unreached(RuntimeUnusable):
    """Nothing was asked: the process is gone, or its door is not open yet, or not any more."""


def request(data: Path, process: str, request: Request, *, timeout_s: float = _PATIENCE_S) -> Response:
    """Return what the runtime of `process` (see `RunSummary.process`) answers.

    Raises:
        Unreached: nothing was asked: the process is gone (CLI-020), or the request is too large (CLI-021).
        RuntimeUnusable: no answer came within `timeout_s` seconds (CLI-020); what was asked for may be done or not.
    """
    with converse(data, process, request, timeout_s=timeout_s) as conversation:
        return conversation.response


class Conversation:
    """A request that was answered, and what is said afterwards; a context manager that ends it."""

    def __init__(self, door: socket.socket, lines: BufferedReader, response: Response) -> None:
        """Go on with what `door` says, line by line, after `response`."""
        self.response = response
        self._door = door
        self._lines = lines

    def events(self) -> Iterator[RunEvent]:
        """Wait for the events of the run, and yield them until its last, or until the other process hangs up."""
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            for line in self._lines:
                event = decode_event(line)
                yield event
                if is_final(event):
                    return

    def close(self) -> None:
        """Hang up: `events`, in whatever thread, ends."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def converse(data: Path, process: str, request: Request, *, timeout_s: float = _PATIENCE_S) -> Conversation:
    """Return the answer of the runtime of `process`, and what follows it.

    Raises:
        Unreached: nothing was asked: nobody opens (CLI-020), or the request is too large (CLI-021).
        RuntimeUnusable: no answer came within `timeout_s` seconds (CLI-020); what was asked for may be done or not.
    """
    message = msgspec.json.encode(request)
    if len(message) > MESSAGE_LIMIT_BYTES:
        raise Unreached("CLI-021", f"the request is larger than {MESSAGE_LIMIT_BYTES} bytes")
    door = _knock(data, process, message, timeout_s)
    lines = door.makefile("rb")
    try:
        response = decode_response(lines.readline())
        door.settimeout(None)
    except (OSError, msgspec.DecodeError) as exc:
        lines.close()
        door.close()
        raise RuntimeUnusable("CLI-020", _silence(process, exc), hint=_SILENCE_HINT) from exc
    return Conversation(door, lines, response)


def _knock(data: Path, process: str, message: bytes, timeout_s: float) -> socket.socket:
    """Return the door of a process after asking there."""
    try:
        sign = msgspec.json.decode((processes_folder(data) / f"{process}.door").read_bytes(), type=Sign)
        door = _connect(sign, timeout_s)
    except (OSError, msgspec.DecodeError) as exc:
        raise Unreached("CLI-020", _silence(process, exc), hint=_SILENCE_HINT) from exc
    try:
        door.sendall(b"%b %b\n" % (sign.token.encode(), message))
    except OSError as exc:  # without its end a request is none
        door.close()
        raise Unreached("CLI-020", _silence(process, exc), hint=_SILENCE_HINT) from exc
    return door


def _silence(process: str, why: Exception) -> str:
    return f"the process {process} does not answer: {why or type(why).__name__}"


def _connect(sign: Sign, timeout_s: float) -> socket.socket:
    if sign.path is None:
        return socket.create_connection(("127.0.0.1", sign.port or 0), timeout=timeout_s)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.settimeout(timeout_s)
    try:
        door.connect(sign.path)
    except OSError:
        door.close()
        raise
    return door
