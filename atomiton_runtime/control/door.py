"""Answers other processes, several at once, as long as this one lives."""

import contextlib
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hmac import compare_digest
from pathlib import Path
from typing import TypeAlias

import msgspec
from filelock import FileLock, Timeout

from atomiton_runtime.control.peer import is_same_user
from atomiton_runtime.control.presence import Sign, remove_files
from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable
from atomiton_runtime.requests import MESSAGE_LIMIT_BYTES, Refused, Request, Response, decode_request
from atomiton_runtime.run.events import RunEvent, encode_event

Answer: TypeAlias = Response | Iterator[Response | Sequence[RunEvent]]
"""What a request gets: a response; or a response, and then the events of a run as they come (none: nothing yet)."""

_LONGEST_SOCKET_PATH_BYTES = 100
"""Of 108 on Linux and 104 on macOS, with the closing NUL."""
_CONVERSATIONS_LIMIT = 256
_FOLLOWERS_LIMIT = 192
"""With more conversations than this, who follows a run is sent to the store: others have to be heard as well."""
_WAITING_LIMIT = 1024
"""Clients that may wait for the door to be opened."""
_PATIENCE_S = 10.0
"""A client that has not sent its request by then is sent away."""
_START_TIMEOUT_S = 5.0
_STOP_TIMEOUT_S = 5.0


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

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """Close the door, end the conversations, leave no file and release the lock; may be called twice.

        Args:
            timeout_s: so long the conversations may take to end.
        """
        deadline = time.monotonic() + timeout_s
        if self._admitting.is_alive():
            self._wake.send(b".")
            self._admitting.join(timeout_s)
        if self._lock.is_locked:
            self._file("door").unlink(missing_ok=True)
        if self._listener is not None:
            self._listener.close()
        with self._guard:
            conversations = dict(self._conversations)
        for client in conversations.values():
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)
        for thread in conversations:
            thread.join(max(deadline - time.monotonic(), 0))
        self._wake.close()
        self._woken.close()
        if self._lock.is_locked:
            remove_files(self._folder, self._process)
            self._lock.release()

    def _open(self) -> tuple[socket.socket, Sign]:
        path = self._file("sock")
        path.unlink(missing_ok=True)
        if hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH_BYTES:
            door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            door.bind(str(path))
            path.chmod(0o600)
            sign = Sign(self._token, path=str(path), pid=os.getpid())
        else:
            door = socket.create_server(("127.0.0.1", 0))
            sign = Sign(self._token, port=door.getsockname()[1], pid=os.getpid())
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
                if not is_same_user(client):
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
