"""Moves the bytes of a request: sockets that a cancel ends at once, and TLS over them.

This is what httpcore2 calls a network backend. Its own one blocks inside the system, where nothing can end it but
closing a socket that another thread is using.
"""

import errno
import math
import selectors
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import httpcore2

from atomiton_runtime.nodes.base import CancelToken, NodeError
from atomiton_runtime.nodes.http.connecting import connected
from atomiton_runtime.nodes.http.names import Names, addresses
from atomiton_runtime.nodes.http.waking import Waker

_CHUNK_BYTES = 64 * 1024
_MORE_TIME = "set `timeout` of the node to wait longer"
_T = TypeVar("_T")


class Network(httpcore2.NetworkBackend):
    """All connections of one attempt, used by its thread alone; `close` leaves none of them."""

    def __init__(
        self,
        cancel: CancelToken,
        trust: Callable[[], ssl.SSLContext],
        names: Names,
        *,
        connect_s: float,
        silence_s: float,
    ) -> None:
        self.trust = trust
        """Gives what checks the certificates of servers, also that of a proxy."""
        self.connect_s = connect_s
        self.silence_s = silence_s
        """A connection on which nothing moves for so long is given up; may be changed at any time."""
        self.waker = Waker(cancel)
        self._cancel = cancel
        self._names = names
        self._sockets: list[socket.socket] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Return a connection to a host.

        Raises:
            NodeError: there is no such host (HTTP-002), or no way to it (HTTP-003), or not in time (HTTP-004).
            NodeCancelledError: the attempt was told to stop.
        """
        del timeout, local_address, socket_options
        found = addresses(host, port, self._cancel, timeout_s=self.connect_s, names=self._names)
        try:
            made = connected(found, self.waker, timeout_s=self.connect_s)
        except OSError as error:
            raise _no_connection(host, port, error, self.connect_s) from error
        self._sockets.append(made)
        return _Plain(made, f"{host}:{port}", self)

    def close(self) -> None:
        """Close every connection."""
        for each in self._sockets:
            each.close()
        self.waker.close()


class _Plain(httpcore2.NetworkStream):
    """A connection whose bytes are sent as they are."""

    def __init__(self, connection: socket.socket, peer: str, network: Network) -> None:
        self._socket = connection
        self._peer = peer
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        while True:
            try:
                return self._socket.recv(max_bytes)
            except BlockingIOError:
                self._wait(selectors.EVENT_READ, "sent nothing")
            except OSError as error:
                raise httpcore2.ReadError(error.strerror) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        unsent = memoryview(buffer)
        while unsent:
            try:
                unsent = unsent[self._socket.send(unsent[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                self._wait(selectors.EVENT_WRITE, "took nothing of what is sent to it")
            except OSError as error:
                raise httpcore2.WriteError(error.strerror) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        del ssl_context, timeout  # See `Network.trust`.
        return _Encrypted(self, self._network, server_hostname or "")

    def get_extra_info(self, info: str) -> Any:
        del info
        return None

    def _wait(self, event: int, what: str) -> None:
        silence_s = self._network.silence_s
        if not self._network.waker.wait({self._socket: event}, silence_s):
            raise NodeError("HTTP-006", f"{self._peer} {what} for {silence_s:g} s", hint=_MORE_TIME)


class _Encrypted(httpcore2.NetworkStream):
    """TLS over another stream, which may be encrypted itself: so does a proxy that is reached by TLS."""

    def __init__(self, inner: httpcore2.NetworkStream, network: Network, host: str) -> None:
        self._inner = inner
        self._network = network
        self._host = host
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = network.trust()
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            self._performed(self._tls.do_handshake)
        except (ssl.SSLError, ValueError) as error:
            raise _no_trust(host, error) from error
        except (httpcore2.ReadError, httpcore2.WriteError) as error:
            raise _no_trust(host, error) from error

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        try:
            return self._performed(lambda: self._tls.read(max_bytes))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""  # That a body is not complete is seen by its length or its last chunk.
        except ssl.SSLError as error:
            raise httpcore2.ReadError(error.reason) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        unsent = memoryview(buffer)
        try:
            while unsent:
                part = unsent[:_CHUNK_BYTES]
                unsent = unsent[self._performed(lambda part=part: self._tls.write(part)) :]
        except ssl.SSLError as error:
            raise httpcore2.WriteError(error.reason) from error

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        del ssl_context, timeout  # See `Network.trust`.
        return _Encrypted(self, self._network, server_hostname or "")

    def get_extra_info(self, info: str) -> Any:
        return self._tls if info == "ssl_object" else None

    def _performed(self, act: Callable[[], _T]) -> _T:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._flush()
                received = self._inner.read(_CHUNK_BYTES)
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        while self._outgoing.pending:
            self._inner.write(self._outgoing.read(_CHUNK_BYTES))


def _no_connection(host: str, port: int, error: OSError, connect_s: float) -> NodeError:
    place = f"{host}:{port}"
    if isinstance(error, TimeoutError):
        waited = "" if math.isinf(connect_s) else f" within {connect_s:g} s"
        hint = f"does the server run, and does a firewall let it be reached? {_MORE_TIME}"
        return NodeError("HTTP-004", f"{place} did not answer{waited}", hint=hint)
    if error.errno == errno.ECONNREFUSED:
        return NodeError(
            "HTTP-003", f"{place} refused the connection", hint="does the server run, at this port?"
        )
    hint = "is this machine connected to the network?"
    return NodeError("HTTP-003", f"{place} cannot be reached: {error.strerror or error}", hint=hint)


def _no_trust(host: str, error: Exception) -> NodeError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"its certificate is not trusted: {error.verify_message}"
        hint = 'verify = "ca.pem" trusts the authorities in this file; verify = false trusts everybody'
    elif isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        reason, hint = "it does not speak TLS", "does the URL begin with http:// instead?"
    else:
        reason = getattr(error, "reason", None) or str(error) or "it closed the connection"
        hint = "the server and this system may have no version of TLS in common"
    return NodeError("HTTP-005", f"no secure connection to {host}: {reason}", hint=hint)
