"""Whatever a network does, an attempt ends: by itself, by a limit, or at once by a cancel; nothing of it is left."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme

from atomiton_runtime import Runtime
from atomiton_runtime.flow.expressions import Scope
from atomiton_runtime.nodes import http_request
from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeContext, NodeError
from atomiton_runtime.nodes.http.parameters import HttpRequestParameters
from atomiton_runtime.nodes.http_request import HttpRequest
from atomiton_runtime.run.events import NodeRetrying
from tests.doubles.attempts import executed, failure
from tests.doubles.fault_server import Behaviour, Client, FaultServer, answer, answering
from tests.nodes.http.test_names import Told

DEADLINE_S = 20.0
TEXT = {"Content-Type": "text/plain"}
OK = answer("fine", headers=TEXT)
HOME = Path("/tmp")
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
FILLERS = 8
LARGE = "x" * 20_000_000
"""More than the buffers of two sockets hold."""


def never_answering(client: Client) -> None:
    client.read_request()
    client.reach("stuck")
    client.wait_until_gone()


def slow_headers(client: Client) -> None:
    client.read_request()
    client.reach("stuck")
    for byte in HEADERS + b"X-Long: " + b"y" * 100_000:
        try:
            client.connection.sendall(bytes([byte]))
        except OSError:
            break
        if client.server.go.wait(0.01):  # Nobody sets it yet: one byte at a time, slowly.
            break
    client.reach("gone")


def stalled_body(client: Client) -> None:
    client.read_request()
    client.send(HEADERS + b"Content-Length: 100\r\n\r\nabc")
    client.reach("stuck")
    client.wait_until_gone()


def stalled_error(client: Client) -> None:
    client.read_request()
    client.send(answer("no", "500 Oh", length=9))
    client.reach("stuck")
    client.wait_until_gone()


def endless_body(client: Client) -> None:
    client.read_request()
    client.send(HEADERS + b"Transfer-Encoding: chunked\r\n\r\n")
    client.reach("stuck")
    with contextlib.suppress(OSError):
        while True:
            client.connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    client.reach("gone")


def not_reading(client: Client) -> None:
    client.read_request(with_body=False)
    client.reach("stuck")
    client.server.go.wait(DEADLINE_S)
    client.wait_until_gone()


def silent_from_the_start(client: Client) -> None:
    client.reach("stuck")
    client.wait_until_gone()


STUCK: dict[str, tuple[Behaviour, dict[str, Any], str]] = {
    "no answer": (never_answering, {}, "http"),
    "slow headers": (slow_headers, {}, "http"),
    "a stalled body": (stalled_body, {}, "http"),
    "an endless body": (endless_body, {"max_size": 2**50}, "http"),
    "a body nobody reads": (not_reading, {"method": "POST", "body": LARGE}, "http"),
    "no TLS handshake": (silent_from_the_start, {}, "https"),
    "a stalled error": (stalled_error, {}, "http"),
}


class Attempt:
    """An attempt in a thread of its own."""

    def __init__(self, **parameters: Any) -> None:
        self.token = CancelToken()
        self.ended: list[BaseException | dict[str, Any]] = []
        self._thread = threading.Thread(target=self._run, kwargs=parameters)
        self._thread.start()

    def cancel(self) -> None:
        """Cancel it and wait for its end."""
        self.token.cancel()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _run(self, **parameters: Any) -> None:
        try:
            self.ended.append(executed("http-request", HOME, cancel=self.token, **parameters))
        except (NodeError, NodeCancelledError) as error:
            self.ended.append(error)


@pytest.mark.parametrize("case", STUCK)
def test_a_cancel_ends_an_attempt_in_any_state(case: str) -> None:
    """Wherever the attempt is, a cancel ends it at once and the server sees the connection closed."""
    behave, parameters, scheme = STUCK[case]
    with FaultServer(behave) as server:
        attempt = Attempt(url=f"{scheme}://127.0.0.1:{server.port}/", **parameters)
        server.wait_for("stuck")
        attempt.cancel()
        server.go.set()
        server.wait_for("gone")

    assert [NodeCancelledError] == [type(each) for each in attempt.ended]


def test_a_cancelled_attempt_sends_nothing() -> None:
    """A token that is set already keeps the request from being sent."""
    token = CancelToken()
    token.cancel()
    with FaultServer(never_answering) as server, pytest.raises(NodeCancelledError):
        executed("http-request", HOME, cancel=token, url=server.url)

    assert server.requests == []


def test_a_cancel_after_the_end_finds_nobody() -> None:
    """A token may be set when the attempt is long over."""
    token = CancelToken()
    with FaultServer(answering(answer())) as server:
        executed("http-request", HOME, cancel=token, url=server.url)
    token.cancel()

    assert token.cancelled


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Give a port at which connections are neither made nor refused: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(FILLERS):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def wait_for_connecting(port: int) -> None:
    """Wait until somebody of this process has an attempt at the port, besides those who filled its queue."""
    deadline = time.monotonic() + DEADLINE_S
    while (
        len([each for each in psutil.Process().net_connections() if each.raddr and each.raddr.port == port])
        <= FILLERS
    ):
        assert time.monotonic() < deadline


def test_a_cancel_ends_connecting(black_hole: int) -> None:
    """A connection that is being made is given up at once."""
    attempt = Attempt(url=f"http://127.0.0.1:{black_hole}/")
    wait_for_connecting(black_hole)
    attempt.cancel()

    assert [NodeCancelledError] == [type(each) for each in attempt.ended]


def test_a_connection_is_not_waited_for_for_ever(black_hole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a timeout of the node, connecting has a limit of its own."""
    monkeypatch.setattr(http_request, "CONNECT_S", 0.05)
    error = failure("http-request", HOME, url=f"http://127.0.0.1:{black_hole}/")

    assert error.code == "HTTP-004"
    assert f"127.0.0.1:{black_hole} did not answer within 0.05 s" in error.message


@pytest.mark.parametrize("case", ["no answer", "a stalled body", "a body nobody reads", "no TLS handshake"])
def test_silence_is_not_waited_for_for_ever(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a timeout of the node, a server that neither sends nor takes anything is given up."""
    monkeypatch.setattr(http_request, "SILENCE_S", 0.1)
    behave, parameters, scheme = STUCK[case]
    with FaultServer(behave) as server:
        error = failure("http-request", HOME, url=f"{scheme}://127.0.0.1:{server.port}/", **parameters)
        server.go.set()
        server.wait_for("gone")

    assert error.code == "HTTP-006"
    assert "for 0.1 s" in error.message


@pytest.mark.parametrize("case", STUCK)
def test_the_timeout_of_the_node_ends_the_attempt(case: str, tmp_path: Path) -> None:
    """The runtime's `timeout` ends a stuck request, and the run fails with NODE-010."""
    behave, parameters, scheme = STUCK[case]
    size, method = parameters.get("max_size", 2**20), parameters.get("method", "GET")
    body = 'input = "large"\nbody = "{{ input }}"' if "body" in parameters else ""
    (tmp_path / "large").write_text(LARGE, encoding="utf-8")
    with FaultServer(behave) as server:
        text = (
            '[nodes.large]\ntype = "file-system"\noperation = "read"\npath = "large"\n'
            f'[nodes.ask]\ntype = "http-request"\ntimeout = "300ms"\nmax_size = {size}\nmethod = "{method}"\n'
            f'url = "{scheme}://127.0.0.1:{server.port}/"\n{body}\n'
        )
        (tmp_path / "ask.toml").write_text(text, encoding="utf-8")
        with Runtime(tmp_path, "memory:", data=tmp_path / "data") as runtime:
            document = runtime.run("ask").result(DEADLINE_S)
        server.go.set()
        server.wait_for("gone")

    assert document.error is not None
    assert document.error.code == "NODE-010"


def test_a_retry_waits_as_long_as_the_server_asks(tmp_path: Path) -> None:
    """The runtime's `retry` waits for `Retry-After`, and then gets the answer."""
    busy = answer("busy", "503 Busy", {"Retry-After": "1"})
    with FaultServer(answering(busy, answer("[1]", headers={"Content-Type": "application/json"}))) as server:
        (tmp_path / "ask.toml").write_text(
            f'[nodes.ask]\ntype = "http-request"\nurl = "{server.url}"\nretry = {{ attempts = 3, delay = 0 }}\n',
            encoding="utf-8",
        )
        with Runtime(tmp_path, "memory:", data=tmp_path / "data") as runtime:
            run = runtime.run("ask")
            (retrying,) = [each for each in run.events(DEADLINE_S) if isinstance(each, NodeRetrying)]
            document = run.result(DEADLINE_S)

    assert ([1], 2) == (document.outputs["ask"]["body"], document.nodes["ask"].attempts)
    assert ("HTTP-010", 1.0) == (retrying.error.code, retrying.delay_s)


def test_a_host_that_cannot_be_reached_is_named() -> None:
    """The system's reason is told with the address."""
    elsewhere = HttpRequest(Told([(socket.AF_INET6, ("127.0.0.1", 80))]))  # no address of this family
    context = NodeContext(input=None, scope=Scope({}), folder=HOME, cancel=CancelToken())
    with pytest.raises(NodeError) as caught:
        elsewhere.execute(HttpRequestParameters(url="http://far.example/"), context)

    assert caught.value.code == "HTTP-003"
    assert "far.example:80 cannot be reached: " in caught.value.message


def test_a_server_may_answer_before_it_has_read_the_body() -> None:
    """The answer to a request that the server does not want counts, though the body was not taken whole."""

    def refusing(client: Client) -> None:
        client.read_request(with_body=False)
        client.send(answer("too large", "413 No", TEXT))

    with FaultServer(refusing) as server:
        error = failure("http-request", HOME, url=server.url, method="POST", body=LARGE)

    assert "413 No: too large" in error.message


def test_a_reset_while_the_body_is_sent() -> None:
    """A server that goes away in the middle of what it is sent has not answered."""

    def leaving(client: Client) -> None:
        client.read_request(with_body=False)
        client.reset()

    with FaultServer(leaving) as server:
        assert failure("http-request", HOME, url=server.url, method="POST", body=LARGE).code == "HTTP-007"


def test_nobody_listening_is_a_refusal() -> None:
    """A closed port is named, with what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure("http-request", HOME, url=f"http://127.0.0.1:{port}/")

    assert error.code == "HTTP-003"
    assert error.message == f"GET http://127.0.0.1:{port}/: 127.0.0.1:{port} refused the connection"


# -- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The file that makes it trusted."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return what a server with a certificate for these names needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_what_breaks_the_encryption_is_no_answer(authority: trustme.CA, ca_file: Path) -> None:
    """Bytes that are no part of the encrypted stream end it: nobody may put anything in."""

    def garbage(client: Client) -> None:
        client.read_request()
        os.write(client.connection.fileno(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with FaultServer(garbage, tls=server_context(authority, "127.0.0.1")) as server:
        assert failure("http-request", HOME, url=server.url, verify=str(ca_file)).code == "HTTP-007"


def test_a_known_authority_is_trusted(authority: trustme.CA, ca_file: Path) -> None:
    """With its file in `verify`, relative to the flow's folder, a server of one's own is trusted."""
    with FaultServer(answering(OK), tls=server_context(authority, "127.0.0.1")) as server:
        for path in (str(ca_file), "ca.pem"):
            assert executed("http-request", ca_file.parent, url=server.url, verify=path)["body"] == "fine"


def test_large_bodies_pass_through_tls(authority: trustme.CA, ca_file: Path) -> None:
    """Bodies of many records go both ways."""

    def echo(client: Client) -> None:
        request = client.read_request()
        client.send(answer(request.body, headers={"Content-Type": "text/plain"}))

    with FaultServer(echo, tls=server_context(authority, "127.0.0.1")) as server:
        outputs = executed(
            "http-request", HOME, method="POST", url=server.url, verify=str(ca_file), body="ab" * 1_000_000
        )

    assert outputs["body"] == "ab" * 1_000_000


@pytest.mark.parametrize("verify", [False, "other"])
def test_verify_false_trusts_everybody(authority: trustme.CA, verify: bool | str, tmp_path: Path) -> None:
    """`verify = false` asks no questions; the file of another authority does not help."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other")
    with FaultServer(answering(OK), tls=server_context(authority, "127.0.0.1")) as server:
        if verify is False:
            assert executed("http-request", tmp_path, url=server.url, verify=False)["body"] == "fine"
        else:
            assert failure("http-request", tmp_path, url=server.url, verify=verify).code == "HTTP-005"


def test_an_unknown_authority_is_not_trusted(authority: trustme.CA) -> None:
    """A certificate of nobody knows whom fails, and the hint says how to trust it."""
    with FaultServer(answering(OK), tls=server_context(authority, "127.0.0.1")) as server:
        error = failure("http-request", HOME, url=server.url)

    assert error.code == "HTTP-005"
    assert "its certificate is not trusted: unable to get local issuer certificate" in error.message
    assert 'verify = "ca.pem"' in (error.hint or "")
    assert server.requests == []


def test_a_certificate_for_another_host_is_not_trusted(authority: trustme.CA, ca_file: Path) -> None:
    """The name in the certificate must be the one that was asked for."""
    with FaultServer(answering(OK), tls=server_context(authority, "example.org")) as server:
        error = failure("http-request", HOME, url=server.url, verify=str(ca_file))

    assert error.code == "HTTP-005"
    assert "127.0.0.1" in error.message


def closing(client: Client) -> None:
    client.connection.recv(1)


def resetting(client: Client) -> None:
    client.connection.recv(1)
    client.reset()


@pytest.mark.parametrize("behave", [closing, resetting, lambda client: client.send(b"SSH-2.0-x\r\n" * 9)])
def test_what_is_no_tls_is_no_secure_connection(behave: Callable[[Client], None]) -> None:
    """A server that closes, resets or talks otherwise in the handshake is told from one that is not trusted."""
    with FaultServer(behave) as server:
        error = failure("http-request", HOME, url=f"https://127.0.0.1:{server.port}/")

    assert error.code == "HTTP-005"
    assert "certificate" not in error.message


def test_a_server_may_close_tls_without_saying_so(authority: trustme.CA, ca_file: Path) -> None:
    """The end of the connection is the end of a body that has no length, as browsers see it."""
    raw = HEADERS + b"\r\nall of it"

    def abrupt(client: Client) -> None:
        client.read_request()
        client.send(raw)
        client.connection.shutdown(socket.SHUT_RDWR)

    with FaultServer(abrupt, tls=server_context(authority, "127.0.0.1")) as server:
        assert executed("http-request", HOME, url=server.url, verify=str(ca_file))["body"] == "all of it"


@pytest.mark.parametrize(
    ("content", "code"), [(None, "FILE-001"), ("no certificate", "HTTP-018"), ("", "HTTP-018")]
)
def test_a_file_of_no_certificates_is_named(content: str | None, code: str, tmp_path: Path) -> None:
    """A file that is missing or holds something else fails before anything is sent."""
    if content is not None:
        (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    with FaultServer(answering(OK)) as server:
        error = failure("http-request", tmp_path, url=f"https://127.0.0.1:{server.port}/", verify="ca.pem")

    assert code == error.code
    assert "ca.pem" in error.message


def test_certificates_of_the_system_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What SSL_CERT_FILE names must be there."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with FaultServer(answering(OK)) as server:
        error = failure("http-request", HOME, url=f"https://127.0.0.1:{server.port}/")

    assert error.code == "HTTP-018"
    assert "SSL_CERT_FILE=/nowhere/ca.pem" in error.message
