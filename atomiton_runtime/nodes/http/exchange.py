"""Sends a request, follows where it is redirected to, and reads the answer, within the limits it is given."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import cast

import httpcore2
import httpx2
import msgspec

from atomiton_runtime.nodes.base import CancelToken, NodeError
from atomiton_runtime.nodes.http.answer import Answer
from atomiton_runtime.nodes.http.decoding import decoded
from atomiton_runtime.nodes.http.failures import named
from atomiton_runtime.nodes.http.names import Names
from atomiton_runtime.nodes.http.network import Network
from atomiton_runtime.nodes.http.proxies import proxy_for
from atomiton_runtime.nodes.http.redirects import (
    MAX_REDIRECTS,
    is_trusted,
    kept_headers,
    next_method,
    next_url,
)
from atomiton_runtime.nodes.http.sending import Request

_ERROR_BODY_BYTES = 4096
_ERROR_BODY_SILENCE_S = 5.0
"""What an error says is worth no longer pause."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How far an exchange may go."""

    follow_redirects: bool
    max_size: int
    """Of the body, in bytes, before and after it is decompressed."""
    whole_errors: bool
    """False: of the body of an error only the beginning is read."""
    connect_s: float
    silence_s: float
    """A server that sends or takes nothing for so long is given up."""


def exchange(
    request: Request,
    limits: Limits,
    cancel: CancelToken,
    *,
    trust: Callable[[], ssl.SSLContext],
    names: Names,
) -> Answer:
    """Return the answer to a request; no connection is left open, however this ends.

    Raises:
        NodeError: there is no answer that can be used (HTTP-0xx).
        NodeCancelledError: the attempt was told to stop.
    """
    network = Network(cancel, trust, names, connect_s=limits.connect_s, silence_s=limits.silence_s)
    with contextlib.closing(network):
        return _Exchange(network, limits, cancel).run(request)


class _Exchange:
    """One request and those that it is redirected to."""

    def __init__(self, network: Network, limits: Limits, cancel: CancelToken) -> None:
        self._network = network
        self._limits = limits
        self._cancel = cancel
        self._cookies: dict[str, httpx2.Cookies] = {}
        """Those that a server sets stay with this server: scheme, host and port -> cookies."""

    def run(self, request: Request) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            try:
                found = self._answered(request)
            except NodeError as error:
                raise named(error, request) from error
            if isinstance(found, Answer):
                return found
            request = _redirected(request, *found)
        hint = "does the site want a cookie or a login? follow_redirects = false shows the first answer"
        raise NodeError("HTTP-012", f"{request}: more than {MAX_REDIRECTS} redirects", hint=hint)

    def _answered(self, request: Request) -> "Answer | tuple[int, httpx2.URL]":
        with self._pool(request.url) as pool:
            response = self._responded(pool, request)
            headers = [(_text(name).lower(), _text(value)) for name, value in response.headers]
            self._take_cookies(request, response)
            try:
                if self._limits.follow_redirects:
                    location = next((value for name, value in headers if name == "location"), "")
                    target = next_url(request.url, response.status, location)
                    if target is not None:
                        return response.status, target
                return Answer(
                    status=response.status,
                    reason=_text(_extension(response, "reason_phrase")),
                    headers=headers,
                    url=str(request.url),
                    body=self._body(request, response, dict(headers)),
                )
            finally:
                response.close()

    def _pool(self, url: httpx2.URL) -> httpcore2.ConnectionPool:
        proxy = proxy_for(url)
        if proxy is None:
            return httpcore2.ConnectionPool(ssl_context=_unused_context(), network_backend=self._network)
        return httpcore2.HTTPProxy(
            proxy_url=httpcore2.URL(
                scheme=proxy.raw_scheme, host=proxy.raw_host, port=proxy.port, target=b"/"
            ),
            proxy_auth=(proxy.username.encode(), proxy.password.encode()) if proxy.userinfo else None,
            ssl_context=_unused_context(),
            proxy_ssl_context=_unused_context() if proxy.scheme == "https" else None,
            network_backend=self._network,
        )

    def _responded(self, pool: httpcore2.ConnectionPool, request: Request) -> httpcore2.Response:
        headers = self._sent_headers(request)
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore2.Request(request.method, url, headers=headers, content=request.body)
        try:
            return pool.handle_request(sent)
        except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
            raise _no_answer(error) from error
        except httpcore2.LocalProtocolError as error:
            raise NodeError("HTTP-009", f"this cannot be sent as a request of HTTP: {error}") from error
        except httpcore2.ProxyError as error:
            hint = "see HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the environment"
            raise NodeError("HTTP-017", f"the proxy refused: {error}", hint=hint) from error

    def _sent_headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        given = {name.lower(): value for name, value in request.headers}
        cookies = "; ".join(filter(None, [given.get("cookie", ""), self._cookies_for(request)]))
        headers = [(name, value) for name, value in request.headers if name.lower() != "cookie"]
        if "host" not in given:
            headers.insert(0, ("Host", request.url.netloc.decode("ascii")))
        if cookies:
            headers.append(("Cookie", cookies))
        if request.body is not None:
            headers.append(("Content-Length", str(len(request.body))))
        return [(name.encode("ascii"), value.encode()) for name, value in headers]

    def _body(self, request: Request, response: httpcore2.Response, headers: dict[str, str]) -> bytes:
        if request.method == "HEAD" or response.status in (204, 304):
            return b""
        encoding = headers.get("content-encoding", "")
        if response.status >= 400 and not self._limits.whole_errors:
            return self._beginning(response, encoding)
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._limits.max_size:
            raise _too_large(f"{declared} bytes", self._limits.max_size)
        pieces: list[bytes] = []
        size = 0
        for piece in decoded(self._raw(response), encoding):
            self._cancel.raise_if_cancelled()
            size += len(piece)
            if size > self._limits.max_size:
                raise _too_large("more", self._limits.max_size)
            pieces.append(piece)
        return b"".join(pieces)

    def _beginning(self, response: httpcore2.Response, encoding: str) -> bytes:
        """Return the first bytes of what an error says; that they cannot be had is no failure beside it."""
        start = bytearray()
        self._network.silence_s = min(self._network.silence_s, _ERROR_BODY_SILENCE_S)
        with contextlib.suppress(NodeError):
            for piece in decoded(self._raw(response), encoding):
                start += piece
                if len(start) >= _ERROR_BODY_BYTES:
                    break
        return bytes(start[:_ERROR_BODY_BYTES])

    def _raw(self, response: httpcore2.Response) -> Iterator[bytes]:
        size = 0
        try:
            for chunk in response.iter_stream():
                size += len(chunk)
                if size > self._limits.max_size:
                    raise _too_large("more", self._limits.max_size)
                yield chunk
        except httpcore2.RemoteProtocolError as error:
            if "peer closed" not in str(error):
                raise _not_http(error) from error
            message = f"the server closed the connection in the middle of the body, after {size} bytes"
            raise NodeError("HTTP-008", message, hint="`retry` asks again") from error
        except httpcore2.NetworkError as error:
            message = f"the connection broke in the middle of the body, after {size} bytes: {error}"
            raise NodeError("HTTP-008", message, hint="`retry` asks again") from error

    def _take_cookies(self, request: Request, response: httpcore2.Response) -> None:
        asked = httpx2.Request(request.method, request.url)
        told = httpx2.Response(response.status, headers=response.headers, request=asked)
        self._cookies.setdefault(_origin(request.url), httpx2.Cookies()).extract_cookies(told)

    def _cookies_for(self, request: Request) -> str:
        asked = httpx2.Request(request.method, request.url)
        if cookies := self._cookies.get(_origin(request.url)):
            cookies.set_cookie_header(asked)
        return asked.headers.get("cookie", "")


@lru_cache(maxsize=1)
def _unused_context() -> ssl.SSLContext:
    """Return what httpcore2 wants to have, and changes with each connection.

    Threads that share a context could not bear that; so the connections take theirs from the network.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _redirected(request: Request, status: int, target: httpx2.URL) -> Request:
    method = next_method(request.method, status)
    body = request.body if method == request.method else None
    trusted = is_trusted(request.url, target)
    headers = kept_headers(request.headers, trusted=trusted, with_body=body is not None)
    return msgspec.structs.replace(request, method=method, url=target, headers=headers, body=body)


def _origin(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _no_answer(error: Exception) -> NodeError:
    if isinstance(error, httpcore2.RemoteProtocolError) and "disconnected" not in str(error):
        return _not_http(error)
    reset = isinstance(error, httpcore2.NetworkError)
    what = f"broke the connection ({error})" if reset else "closed the connection"
    return NodeError("HTTP-007", f"the server {what} without an answer", hint="`retry` asks again")


def _not_http(error: Exception) -> NodeError:
    hint = "does the server speak HTTP at this port, and without TLS?"
    return NodeError("HTTP-009", f"what the server sent is no HTTP: {error}", hint=hint)


def _too_large(what: str, max_size: int) -> NodeError:
    message = f"the body has {what}, and `max_size` allows {max_size} bytes"
    return NodeError(
        "HTTP-011", message, hint="raise `max_size`, or let a program download it: `shell-command`"
    )


def _extension(response: httpcore2.Response, name: str) -> bytes:
    known = cast("dict[str, bytes]", response.extensions)  # pyright: ignore[reportUnknownMemberType]  # left open
    return known.get(name, b"")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
