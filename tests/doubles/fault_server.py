"""A web server on 127.0.0.1 that does to its clients what a test tells it to: byte by byte, well or badly."""

import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PATIENCE_S = 20.0
"""No thread of the server waits longer for anything."""


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None."""
        return next((value for other, value in self.headers if other.lower() == name), None)


@dataclass
class Client:
    """The connection of a client, for a behaviour to work on."""

    connection: socket.socket
    server: "FaultServer"

    def send(self, data: bytes | str) -> None:
        """Send bytes; whether the client still listens is its own matter."""
        with contextlib.suppress(OSError):
            self.connection.sendall(data.encode() if isinstance(data, str) else data)

    def read_request(self, *, with_body: bool = True) -> Received:
        """Return the next request, and note it as received."""
        raw = self.connection.makefile("rb")
        method, target, _ = raw.readline().decode().split(" ", 2)
        headers = list[tuple[str, str]]()
        while line := raw.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        received = Received(method, target, headers, raw.read(length) if with_body else b"")
        self.server.requests.append(received)
        return received

    def reach(self, stage: str) -> None:
        """Tell the test that this point is reached."""
        self.server.stages.put(stage)

    def wait_until_gone(self) -> None:
        """Read until the client has closed the connection, then tell the test `gone`."""
        with contextlib.suppress(OSError):
            while self.connection.recv(65536):
                pass
        self.reach("gone")

    def reset(self) -> None:
        """Break the connection so that the client gets an error, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()


Behaviour = Callable[[Client], None]


def answer(
    body: bytes | str = b"",
    status: str = "200 OK",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
) -> bytes:
    """Return an answer as it is written on the wire; `length` lies about the body's."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def answering(*answers: bytes) -> Behaviour:
    """Return a behaviour: each connection gets the next of these answers, the last one again and again."""
    left = list(answers)
    lock = threading.Lock()

    def behave(client: Client) -> None:
        client.read_request()
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        client.send(chosen)

    return behave


class FaultServer:
    """Accepts connections and lets a behaviour deal with each, in a thread of its own; `with` ends all of them."""

    def __init__(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        """In the order in which they were read."""
        self.stages: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.go = threading.Event()
        """For behaviours that wait for the test; set at the end in any case."""
        self.behave = behave
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = False

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def wait_for(self, stage: str) -> None:
        """Wait until a behaviour has reached this stage; fail if it does not."""
        while True:
            try:
                if self.stages.get(timeout=PATIENCE_S) == stage:
                    return
            except queue.Empty:
                raise AssertionError(f"the server never came to {stage!r}") from None

    def __enter__(self) -> "FaultServer":
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        with self._lock:
            self._closing = True
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="fault-server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_S)
            with self._lock:
                if self._closing:
                    connection.close()
                    return
                self._open.add(connection)
                self._start(lambda connection=connection: self._serve(connection))

    def _serve(self, connection: socket.socket) -> None:
        wrapped = connection
        try:
            # A client may go away at any moment; what it got is seen from its side.
            with contextlib.suppress(OSError, ValueError):
                if self._tls is not None:
                    wrapped = self._tls.wrap_socket(connection, server_side=True)
                    with self._lock:
                        self._open.discard(connection)
                        self._open.add(wrapped)
                self.behave(Client(wrapped, self))
                _end(wrapped)
        finally:
            with self._lock:
                self._open -= {connection, wrapped}
            wrapped.close()
            connection.close()


def _end(connection: socket.socket) -> None:
    """Say that nothing more comes and read what is left, so that the close breaks nothing that was sent."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
