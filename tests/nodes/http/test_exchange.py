"""Redirects lead no further than they should, bodies get no larger than they may, and broken answers are named."""

import base64
import gzip
import re
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from atomiton_runtime.flow.expressions import Scope
from atomiton_runtime.nodes.base import CancelToken, NodeContext, NodeError
from atomiton_runtime.nodes.http.parameters import HttpRequestParameters
from atomiton_runtime.nodes.http_request import HttpRequest
from tests.doubles.attempts import executed, failure
from tests.doubles.example_web import without_proxies
from tests.doubles.fault_server import Client, FaultServer, answer, answering
from tests.nodes.http.test_names import Told
from tests.nodes.http.test_network import server_context

HOME = Path("/tmp")
TEXT = {"Content-Type": "text/plain"}
OK = answer("fine", headers=TEXT)
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


def raw(data: bytes) -> Callable[[Client], None]:
    """Return a behaviour: send these bytes to a request, then close the connection."""

    def behave(client: Client) -> None:
        client.read_request()
        client.send(data)

    return behave


# -- answers that are none


BROKEN = {
    "closed at once": (b"", "HTTP-007", "closed the connection without an answer"),
    "closed in the headers": (
        b"HTTP/1.1 200 OK\r\nX-",
        "HTTP-007",
        "closed the connection without an answer",
    ),
    "no HTTP": (b"SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP-009", "is no HTTP"),
    "endless headers": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, "HTTP-009", "is no HTTP"),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "HTTP-009", "is no HTTP"),
    "less than announced": (answer("abc", length=10), "HTTP-008", "in the middle of the body, after 3 bytes"),
    "no last chunk": (CHUNKED + b"3\r\nabc\r\n", "HTTP-008", "in the middle of the body, after 3 bytes"),
    "no chunk": (CHUNKED + b"xyz\r\n", "HTTP-009", "is no HTTP"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP-009",
        "no HTTP",
    ),
    "a length that is none": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "HTTP-009", "no HTTP"),
    "cut gzip": (
        answer(gzip.compress(b"abc" * 99)[:-9], headers={"Content-Encoding": "gzip"}),
        "HTTP-016",
        "too early",
    ),
    "no gzip": (answer(b"abcdef", headers={"Content-Encoding": "gzip"}), "HTTP-016", "is not the gzip data"),
    "brotli": (answer(b"abcdef", headers={"Content-Encoding": "br"}), "HTTP-016", "in the encoding `br`"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_answer_is_named(case: str) -> None:
    """Each way in which an answer can be broken has its code and says what was broken."""
    data, code, words = BROKEN[case]
    with FaultServer(raw(data)) as server:
        error = failure("http-request", HOME, url=f"{server.url}/")

    assert code == error.code
    assert words in error.message
    assert error.message.startswith(f"GET {server.url}/: ")


def test_a_reset_before_the_answer() -> None:
    """A connection that breaks before anything came says so."""

    def behave(client: Client) -> None:
        client.read_request()
        client.reset()

    with FaultServer(behave) as server:
        error = failure("http-request", HOME, url=server.url)

    assert error.code == "HTTP-007"
    assert "broke the connection" in error.message


def test_a_reset_in_the_body() -> None:
    """A connection that breaks in the middle of a body says how much had come."""

    def behave(client: Client) -> None:
        client.read_request()
        # More than the buffers of two sockets hold: when it is sent, the client has read the beginning.
        client.send(answer(b"x" * 20_000_000, length=30_000_000))
        client.reset()

    with FaultServer(behave) as server:
        error = failure("http-request", HOME, url=server.url)

    assert error.code == "HTTP-008"
    assert re.search("the connection broke in the middle of the body, after [0-9]+ bytes", error.message)


def test_more_than_announced_is_not_read() -> None:
    """What follows the announced length belongs to no answer."""
    with FaultServer(raw(answer("abcdef", headers=TEXT, length=3))) as server:
        assert executed("http-request", HOME, url=server.url)["body"] == "abc"


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """An old server says the end by closing."""
    with FaultServer(raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold")) as server:
        assert executed("http-request", HOME, url=server.url)["body"] == "old"


# -- sizes


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    """`max_size` is the largest size that is allowed."""
    with FaultServer(answering(answer("x" * 100, headers=TEXT))) as server:
        assert executed("http-request", HOME, url=server.url, max_size=100)["body"] == "x" * 100
        assert failure("http-request", HOME, url=server.url, max_size=99).code == "HTTP-011"


def test_an_announced_size_is_refused_at_once() -> None:
    """A length beyond the limit needs no byte of the body."""

    def behave(client: Client) -> None:
        client.read_request()
        client.send(answer(length=10 * 2**30))
        client.wait_until_gone()

    with FaultServer(behave) as server:
        error = failure("http-request", HOME, url=server.url)
        server.wait_for("gone")

    assert error.code == "HTTP-011"
    assert "has 10737418240 bytes, and `max_size` allows 52428800" in error.message


def test_an_endless_body_is_stopped_at_the_limit() -> None:
    """A body that never ends is left when it is too large."""

    def behave(client: Client) -> None:
        client.read_request()
        client.send(CHUNKED)
        while True:
            client.connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with FaultServer(behave) as server:
        assert failure("http-request", HOME, url=server.url, max_size="256KiB").code == "HTTP-011"


def compressed_zeros(size_bytes: int, window_bits: int) -> bytes:
    """Return the compressed form of so many zeros."""
    engine = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    block = bytes(2**20)
    parts = [engine.compress(block) for _ in range(size_bytes // len(block))]
    return b"".join([*parts, engine.flush()])


@pytest.mark.parametrize(
    ("encoding", "window_bits", "layers"),
    [("gzip", 31, 1), ("deflate", 15, 1), ("deflate", -15, 1), ("gzip, gzip", 31, 2)],
)
def test_a_bomb_does_not_go_off(encoding: str, window_bits: int, layers: int) -> None:
    """A small body that would become huge is stopped at the limit, with little memory."""
    bomb = compressed_zeros(512 * 2**20, window_bits)
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb, 9)
    with FaultServer(answering(answer(bomb, headers={"Content-Encoding": encoding}))) as server:
        failure("http-request", HOME, url=server.url, max_size="64KiB")  # Loads what it needs.
        tracemalloc.start()
        try:
            error = failure("http-request", HOME, url=server.url, max_size="4MiB")
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert len(bomb) < 4 * 2**20
    assert error.code == "HTTP-011"
    assert peak_bytes < 16 * 2**20


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"abc")),
        ("x-gzip", gzip.compress(b"a") + gzip.compress(b"bc")),
        ("deflate", zlib.compress(b"abc")),
        ("gzip, identity, deflate", zlib.compress(gzip.compress(b"abc"))),
        ("identity", b"abc"),
    ],
)
def test_compressed_bodies_are_decompressed(encoding: str, body: bytes) -> None:
    """What was asked for in a compressed form arrives as it was."""
    with FaultServer(answering(answer(body, headers={**TEXT, "Content-Encoding": encoding}))) as server:
        assert executed("http-request", HOME, url=server.url)["body"] == "abc"


# -- redirects


def moved(location: str, status: int = 302, **headers: str) -> bytes:
    """Return an answer that leads elsewhere."""
    return answer("", f"{status} Moved", {"Location": location, **headers})


@pytest.mark.parametrize(
    ("status", "method", "followed_by", "with_body"),
    [
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (303, "POST", "GET", False),
        (303, "PUT", "GET", False),
        (307, "POST", "POST", True),
        (308, "POST", "POST", True),
        (302, "PUT", "PUT", True),
        (301, "GET", "GET", False),
    ],
)
def test_a_redirect_keeps_or_changes_the_method(
    status: int, method: str, followed_by: str, with_body: bool
) -> None:
    """Method and body follow RFC 9110: what asks for a page becomes GET, what must be done there is done there."""
    body = {} if method == "GET" else {"json": [1]}
    with FaultServer(answering(moved("/there?x=1", status), OK)) as server:
        outputs = executed("http-request", HOME, url=f"{server.url}/here", method=method, **body)

    second = server.requests[1]
    assert (followed_by, "/there?x=1") == (second.method, second.target)
    assert (b"[1]" if with_body else b"", "application/json" if with_body else None) == (
        second.body,
        second.header("content-type"),
    )
    assert (f"{server.url}/there?x=1", "fine") == (outputs["url"], outputs["body"])


def test_a_redirect_that_is_not_followed_is_the_answer() -> None:
    """`follow_redirects = false` gives the first answer, which is no failure."""
    with FaultServer(answering(moved("/there"), OK)) as server:
        outputs = executed("http-request", HOME, url=server.url, follow_redirects=False)

    assert (302, "/there") == (outputs["status"], outputs["headers"]["location"])


def test_a_redirect_to_nowhere_is_the_answer() -> None:
    """Without a location there is nothing to follow."""
    with FaultServer(answering(answer("x", "302 Found", TEXT))) as server:
        assert executed("http-request", HOME, url=server.url)["status"] == 302


def test_a_circle_of_redirects_ends() -> None:
    """A site that leads round in a circle is left after 20 redirects."""
    with FaultServer(answering(moved("/again"))) as server:
        error = failure("http-request", HOME, url=server.url)

    assert ("HTTP-012", 21) == (error.code, len(server.requests))


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "http://[::1/", "http://127.0.0.1:0/"],
)
def test_a_redirect_out_of_the_web_is_refused(location: str) -> None:
    """No server sends the runtime to a file or to another scheme."""
    with FaultServer(answering(moved(location))) as server:
        error = failure("http-request", HOME, url=server.url)

    assert error.code == "HTTP-013"
    assert len(server.requests) == 1


CREDENTIALS: list[dict[str, Any]] = [
    {"auth": {"token": "s3cret"}},
    {"auth": {"username": "a", "password": "s3cret"}},
    {"headers": {"Cookie": "s3cret", "X-Api-Key": "s3cret", "Private-Token": "s3cret", "Host": "s3cret"}},
]


@pytest.mark.parametrize("parameters", CREDENTIALS)
def test_credentials_do_not_go_to_another_server(parameters: dict[str, Any]) -> None:
    """Another port is another server: it gets what asks, and not who asks; nor does the first one afterwards."""
    with FaultServer(answering(OK)) as other, FaultServer(answering(moved(f"{other.url}/x"))) as first:
        kept = {"x-kind": "kept", **parameters.get("headers", {})}
        executed("http-request", HOME, url=first.url, **{**parameters, "headers": kept})

    names = {"authorization", "cookie", "x-api-key", "private-token"}
    sent = {name.lower() for name, _ in other.requests[0].headers}
    assert (set(), "kept") == (sent & names, other.requests[0].header("x-kind"))
    assert other.requests[0].header("host") == f"127.0.0.1:{other.port}"
    assert "s3cret" not in str(other.requests)
    assert base64.b64encode(b"a:s3cret").decode() not in str(other.requests)
    assert "s3cret" in str(first.requests) or base64.b64encode(b"a:s3cret").decode() in str(first.requests)


def test_credentials_stay_with_their_own_server() -> None:
    """On the same server they are sent again."""
    with FaultServer(answering(moved("/x"), OK)) as server:
        executed("http-request", HOME, url=server.url, auth={"token": "t"}, headers={"Cookie": "a=1"})

    assert [("Bearer t", "a=1")] * 2 == [
        (each.header("authorization"), each.header("cookie")) for each in server.requests
    ]


def test_cookies_last_for_the_redirects_of_one_request() -> None:
    """What a login sets is there for the page it leads to, on its server alone, and for no other request."""
    with FaultServer(answering(OK)) as other, FaultServer(answering(OK)) as server:
        pages = [
            moved("/b", 303, **{"Set-Cookie": "sid=1; Path=/"}),
            moved("/c", **{"Set-Cookie": "x=2"}),
            OK,
        ]
        server.behave = answering(*pages, moved(f"{other.url}/"))
        executed("http-request", HOME, url=f"{server.url}/a", headers={"Cookie": "mine=0"})
        executed("http-request", HOME, url=f"{server.url}/d")

    assert [each.header("cookie") for each in server.requests] == [
        "mine=0",
        "mine=0; sid=1",
        "mine=0; sid=1; x=2",
        None,
    ]
    assert other.requests[0].header("cookie") is None


# -- names and proxies


def context(folder: Path = HOME) -> NodeContext:
    """Return the surroundings of an attempt."""
    return NodeContext(input=None, scope=Scope({}), folder=folder, cancel=CancelToken())


def test_an_unknown_name_is_named() -> None:
    """A host that nobody knows fails with its name."""
    nobody = Told([], socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    with pytest.raises(NodeError) as caught:
        HttpRequest(nobody).execute(HttpRequestParameters(url="http://no.such.host/x?key=1"), context())

    assert caught.value.code == "HTTP-002"
    assert caught.value.message == "GET http://no.such.host/x?…: there is no host of the name no.such.host"


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without proxies, to be changed."""
    without_proxies(monkeypatch)
    return monkeypatch


def test_a_proxy_of_the_environment_is_used(no_proxies: pytest.MonkeyPatch) -> None:
    """A request for http goes to the proxy whole, with who asks the proxy."""
    with FaultServer(answering(OK)) as proxy:
        no_proxies.setenv("http_proxy", f"http://ada:p%40w@127.0.0.1:{proxy.port}")
        executed("http-request", HOME, url="http://shop.example/a?b=1")

    request = proxy.requests[0]
    assert request.target == "http://shop.example/a?b=1"
    assert request.header("host") == "shop.example"
    assert request.header("proxy-authorization") == "Basic " + base64.b64encode(b"ada:p@w").decode()


def tunnelling(target: FaultServer) -> Callable[[Client], None]:
    """Return the behaviour of a proxy that connects to this server, whatever it is asked for."""

    def behave(client: Client) -> None:
        client.read_request()
        with socket.create_connection(("127.0.0.1", target.port)) as onward:
            client.send("HTTP/1.1 200 Connected\r\n\r\n")
            client.connection.settimeout(0.05)
            onward.settimeout(0.05)
            open_ends = True
            while open_ends and not client.server.go.is_set():
                for source, sink in ((client.connection, onward), (onward, client.connection)):
                    try:
                        data = source.recv(65536)
                    except TimeoutError:
                        continue
                    open_ends = open_ends and bool(data)
                    sink.sendall(data)

    return behave


@pytest.mark.parametrize("proxy_by_tls", [False, True])
def test_https_goes_through_a_tunnel(
    proxy_by_tls: bool, no_proxies: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A request for https is encrypted through the proxy, also where the proxy itself is reached by TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = server_context(authority, "127.0.0.1") if proxy_by_tls else None
    with (
        FaultServer(answering(OK), tls=server_context(authority, "shop.example")) as server,
        FaultServer(tunnelling(server), tls=tls) as proxy,
    ):
        no_proxies.setenv("HTTPS_PROXY", proxy.url)
        outputs = executed(
            "http-request", tmp_path, url="https://shop.example/a", verify="ca.pem", auth={"token": "t"}
        )

    assert ("fine", "CONNECT") == (outputs["body"], proxy.requests[0].method)
    assert proxy.requests[0].header("authorization") is None
    assert (server.requests[0].target, server.requests[0].header("authorization")) == ("/a", "Bearer t")


def test_a_proxy_that_refuses_is_named(no_proxies: pytest.MonkeyPatch) -> None:
    """What a proxy says to a tunnel is told from what a server says."""
    with FaultServer(answering(answer("", "407 Who are you"))) as proxy:
        no_proxies.setenv("https_proxy", proxy.url)
        error = failure("http-request", HOME, url="https://shop.example/a")

    assert error.code == "HTTP-017"
    assert "the proxy refused: 407 Who are you" in error.message
