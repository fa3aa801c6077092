"""Lets one process ask another's runtime: a door per process, found beside the lock that says the process lives.

In `<data>/processes`, for a process named `P`: `P.lock` is held as an OS lock for the life of the process (so
liveness needs no process id, which another program may inherit), `P.door` says where to knock and with which token,
`P.sock` is the door itself. Where a Unix socket is impossible (Windows, or a path longer than the kernel's 107
bytes) the door is a port on 127.0.0.1. The folder is for its owner only, and so are its files.

A conversation is two lines: the token, a blank and the request (JSON) one way, the response (JSON) the other. Where the
request asks for that, the run's events follow the response, a line each (`run.events.encode_event`), until its last.
"""

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hmac import compare_digest
from io import BufferedReader
from pathlib import Path
from typing import Self, TypeAlias

import msgspec
from filelock import FileLock, Timeout

from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable
from atomiton_runtime.requests import Refused, Request, Response, decode_request, decode_response
from atomiton_runtime.run.events import RunEvent, decode_event, encode_event, is_final

Answer: TypeAlias = Response | Iterator[Response | Sequence[RunEvent]]
"""What a request gets: a response; or a response, and then the events of a run as they come (none: nothing yet)."""

MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024
"""Of a request: more than fits into a command line, even if each character has to be written as `\\u0000`."""
STOPPED = "RUN-011"
"""The code of the refusal by a runtime that is ending: nothing was done."""
_FOLDER = "processes"
_LONGEST_SOCKET_PATH_BYTES = 100
"""Of 108 on Linux and 104 on macOS, with the closing NUL."""
_CONVERSATIONS_LIMIT = 256
_FOLLOWERS_LIMIT = 192
"""With more conversations than this, who follows a run is sent to the store: others have to be heard as well."""
_WAITING_LIMIT = 1024
"""Clients that may wait for the door to be opened."""
_PATIENCE_S = 10.0
"""A client that has not sent its request by then is sent away."""
_SILENCE_HINT = "it may have ended just now; `atomiton history` shows what became of its runs"
_START_TIMEOUT_S = 5.0
_STOP_TIMEOUT_S = 5.0


class _Sign(msgspec.Struct, frozen=True):
    """What a `.door` file says."""

    token: str
    path: str | None = None
    port: int | None = None
    pid: int = 0
    """Of the process; only that there is none of this number says anything, see `_is_gone`."""


def processes_folder(data: Path) -> Path:
    """Return the folder where the processes that use the data folder `data` keep their locks and doors."""
    return data / _FOLDER


class Unreached(RuntimeUnusable):
    """Nothing was asked: the process is gone, or its door is not open yet, or not any more."""


class ControlDoor:
    """The door of this process, and the lock that says it lives.

    Owns two kinds of daemon threads: one that admits, and one for each conversation (256 at most); `submit` is called
    in the latter, several at once. A client that does not read costs its own conversation, and that for 10 s only.
    """

    def __init__(self, folder: Path, process: str, submit: Callable[[Request], Answer]) -> None:
        """Prepare the door of `process` in `folder` (see `processes_folder`); nothing happens before `start`."""
        self._folder = folder
        self._process = process
        self._submit = submit
        self._lock = FileLock(folder / f"{process}.lock", thread_local=False)
        self._token = os.urandom(16).hex()
        self._listener: socket.socket | None = None
        self._wake, self._woken = socket.socketpair()
        self._admitting = threading.Thread(target=self._admit, name=f"control-{process}", daemon=True)
        self._conversations: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()

    def start(self) -> None:
        """Hold the lock and open the door; when it returns, `request` finds it.

        Raises:
            RuntimeUnusable: the folder cannot be used, or the name is taken by a living process (CLI-023).
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._lock.acquire(timeout=_START_TIMEOUT_S, poll_interval=0.01)
            self._listener, sign = self._open()
            self._listener.setblocking(False)
            _write_private(self._file("door"), msgspec.json.encode(sign))
        except (OSError, Timeout) as exc:
            self.stop()
            raise RuntimeUnusable(
                "CLI-023",
                f"this process cannot be reached by others: {exc}",
                hint=f"see whether {self._folder} can be written, or choose another folder with --data",
            ) from exc
        self._admitting.start()

    def stop(self) -> None:
        """Close the door, end the conversations, leave no file and release the lock; may be called twice."""
        if self._admitting.is_alive():
            self._wake.send(b".")
            self._admitting.join(_STOP_TIMEOUT_S)
        if self._lock.is_locked:
            self._file("door").unlink(missing_ok=True)
        if self._listener is not None:
            self._listener.close()
        with self._guard:
            conversations = dict(self._conversations)
        for client in conversations.values():
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for thread in conversations:
            thread.join(max(deadline - time.monotonic(), 0))
        self._wake.close()
        self._woken.close()
        if self._lock.is_locked:
            _remove_files(self._folder, self._process)
            self._lock.release()

    def _open(self) -> tuple[socket.socket, _Sign]:
        path = self._file("sock")
        path.unlink(missing_ok=True)
        if hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH_BYTES:
            door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            door.bind(str(path))
            path.chmod(0o600)
            sign = _Sign(self._token, path=str(path), pid=os.getpid())
        else:
            door = socket.create_server(("127.0.0.1", 0))
            sign = _Sign(self._token, port=door.getsockname()[1], pid=os.getpid())
        door.listen(_WAITING_LIMIT)
        return door, sign

    def _file(self, kind: str) -> Path:
        return self._folder / f"{self._process}.{kind}"

    def _admit(self) -> None:
        assert self._listener is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                if any(key.fileobj is self._woken for key, _ in selector.select()):
                    return
                try:
                    client, _ = self._listener.accept()
                except BlockingIOError:
                    continue
                except OSError:
                    # No descriptor is free: the client stays in the queue, and we do not spin meanwhile.
                    time.sleep(0.05)
                    continue
                self._begin(client)

    def _begin(self, client: socket.socket) -> None:
        thread = threading.Thread(target=self._converse, args=(client,), name="control-client", daemon=True)
        with self._guard:
            if len(self._conversations) >= _CONVERSATIONS_LIMIT:
                client.close()
                return
            self._conversations[thread] = client
        try:
            thread.start()
        except RuntimeError:
            # No thread is free: this client must come back, the next one may be luckier.
            self._end(thread, client)

    def _converse(self, client: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                if not _is_ours(client):
                    return
                token, _, message = _receive_line(client, time.monotonic() + _PATIENCE_S).partition(b" ")
                # Who has given up was told that nothing answers: then nothing may happen either.
                if compare_digest(token, self._token.encode()) and not _has_left(client):
                    client.settimeout(_PATIENCE_S)
                    for piece in self._answers(message):
                        if piece:
                            client.sendall(piece)
                        elif _has_left(client):
                            return
        finally:
            self._end(threading.current_thread(), client)

    def _end(self, thread: threading.Thread, client: socket.socket) -> None:
        client.close()
        with self._guard:
            self._conversations.pop(thread, None)

    def _answers(self, message: bytes) -> Iterator[bytes]:
        """Yield what to send, in pieces; an empty one where there is nothing yet."""
        try:
            request = decode_request(message)
        except msgspec.DecodeError as exc:
            yield _written(_refused("CLI-021", f"the request cannot be understood: {exc}"))
            return
        try:
            answer = self._submit(request)
            for said in answer if isinstance(answer, Iterator) else (answer,):
                if isinstance(said, Response):
                    yield _written(said)
                    if len(self._conversations) > _FOLLOWERS_LIMIT:
                        return
                else:
                    yield b"".join(encode_event(event) + b"\n" for event in said)
        except Exception as exc:  # noqa: BLE001  # the border of the process: the client gets an answer in any case
            yield _written(_refused("CLI-022", f"the request failed: {type(exc).__name__}: {exc}"))


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


def is_live(data: Path, process: str) -> bool:
    """Return whether the process of this name lives now."""
    folder = processes_folder(data)
    return (
        (folder / f"{process}.lock").exists() and not _bury(folder, process) and not _is_gone(folder, process)
    )


def live_processes(data: Path) -> set[str]:
    """Return the names of the processes that live now, and remove what dead ones left behind."""
    folder = processes_folder(data)
    names = [lock.stem for lock in folder.glob("*.lock")]
    return {name for name in names if not _bury(folder, name) and not _is_gone(folder, name)}


def _bury(folder: Path, process: str) -> bool:
    """Remove the files of a dead process; return whether it is dead."""
    lock = FileLock(folder / f"{process}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError:
        # Without a right to look we cannot say that it is dead; and its files are not ours to remove.
        return False
    try:
        _remove_files(folder, process)
    finally:
        lock.release()
    return True


def _is_gone(folder: Path, process: str) -> bool:
    """Return whether a process is dead although its lock is held.

    A child that it was starting when it was killed has the lock as well, until it becomes another program: some
    milliseconds in which a dead process would look alive. That its number is free proves its death; that the number is
    in use proves nothing, and the lock decides.
    """
    try:
        pid = msgspec.json.decode((folder / f"{process}.door").read_bytes(), type=_Sign).pid
    except (OSError, msgspec.DecodeError):
        return False
    if not pid or os.name == "nt":
        return False  # there, asking a process whether it lives may end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _remove_files(folder: Path, process: str) -> None:
    # The caller holds the lock. Its file goes last; on Windows an open file stays until the next look.
    for kind in ("door", "sock", "lock"):
        with contextlib.suppress(OSError):
            (folder / f"{process}.{kind}").unlink(missing_ok=True)


def _is_ours(client: socket.socket) -> bool:
    """Return whether a process of the same user knocks, or of root; where that cannot be asked, the token decides."""
    if not hasattr(socket, "SO_PEERCRED") or client.family != getattr(socket, "AF_UNIX", None):
        return True
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user in (0, os.geteuid())


def _write_private(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _knock(data: Path, process: str, message: bytes, timeout_s: float) -> socket.socket:
    """Return the door of a process after asking there."""
    try:
        sign = msgspec.json.decode((processes_folder(data) / f"{process}.door").read_bytes(), type=_Sign)
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


def _connect(sign: _Sign, timeout_s: float) -> socket.socket:
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


def _receive_line(peer: socket.socket, deadline: float) -> bytes:
    """Return the one line that `peer` sends, without its end; empty when it is cut off or too long.

    Raises:
        TimeoutError: it is not there whole at `deadline` (of the monotonic clock).
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        peer.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = peer.recv(65536)
        line += piece
        if not piece or len(line) > MESSAGE_LIMIT_BYTES + 64:
            return b""
    return bytes(line[:-1])


def _has_left(client: socket.socket) -> bool:
    """Return whether the client has hung up; it says nothing after its request."""
    timeout_s = client.gettimeout()
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        client.settimeout(timeout_s)


def _written(response: Response) -> bytes:
    return msgspec.json.encode(response) + b"\n"


def _refused(code: str, message: str) -> Refused:
    return Refused(errors=(ErrorInfo(code, message),))
