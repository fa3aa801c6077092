"""A request says what its parameters say, and its answer becomes data, text or bytes as its content type says."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.http.parameters import HttpRequestParameters
from atomiton_runtime.nodes.http_request import HttpRequest
from tests.doubles.attempts import complaints, executed, failure
from tests.doubles.fault_server import Behaviour, FaultServer, Received, answer, answering

OK = answer("fine", headers={"Content-Type": "text/plain"})
HOME = Path("/tmp")
BAD_UTF8 = b"gr\xfc\xdfe"


def sent(**parameters: Any) -> Received:
    """Return the request that a server gets."""
    path = parameters.pop("path", "/")
    with FaultServer(answering(OK)) as server:
        executed("http-request", HOME, url=f"{server.url}{path}", **parameters)
        (received,) = server.requests
    return received


def answered(raw: bytes, **parameters: Any) -> dict[str, Any]:
    """Return the outputs when a server answers these bytes."""
    with FaultServer(answering(raw)) as server:
        return executed("http-request", HOME, url=f"{server.url}/data", **parameters)


@contextmanager
def failing(behave: Behaviour, **parameters: Any) -> Iterator[NodeError]:
    """Give the error of a request to a server that behaves like this."""
    with FaultServer(behave) as server:
        yield failure("http-request", HOME, url=f"{server.url}/data", **parameters)


@pytest.mark.parametrize(
    ("written", "method"),
    [(name, name) for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "M-SEARCH")]
    + [("get", "GET"), ("Delete", "DELETE"), ("purge", "purge")],
)
def test_every_method_is_sent(written: str, method: str) -> None:
    """A standard method is sent in upper case, any other as it is written."""
    assert method == sent(method=written).method


def test_head_has_no_body_though_it_has_a_length() -> None:
    """The answer to HEAD says how long the body would be, and there is none."""
    outputs = answered(answer(length=1234), method="HEAD")

    assert (outputs["body"], outputs["headers"]["content-length"]) == (None, "1234")


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/", {}, "/"),
        ("/a b", {}, "/a%20b"),
        ("/?a=1", {"b": 2}, "/?a=1&b=2"),
        ("/", {"q": "a&b=c d/ü+%"}, "/?q=a%26b%3Dc%20d%2F%C3%BC%2B%25"),
        ("/", {"id": [1, 2], "none": [], "flag": True, "ratio": 0.5}, "/?id=1&id=2&flag=true&ratio=0.5"),
        ("/", {"left out": "{{ none }}", "empty": ""}, "/?empty="),
        ("/?#top", {"a": 1}, "/?a=1"),
    ],
)
def test_the_query_is_encoded(path: str, query: dict[str, Any], target: str) -> None:
    """What is in `query` arrives as it is, whatever characters it has."""
    assert target == sent(path=path, query=query).target


@pytest.mark.parametrize(
    ("parameters", "content_type", "body"),
    [
        ({"json": {"a": [1, None, "ü"]}}, "application/json", '{"a":[1,null,"ü"]}'.encode()),
        ({"json": "{{ none }}"}, "application/json", b"null"),
        (
            {"form": {"a b": "ü&=", "n": [1, 2]}},
            "application/x-www-form-urlencoded",
            b"a%20b=%C3%BC%26%3D&n=1&n=2",
        ),
        ({"body": "grüße"}, "text/plain; charset=utf-8", "grüße".encode()),
        ({"body": b"\0\1"}, "application/octet-stream", b"\0\1"),
        (
            {"body": "grüße", "headers": {"content-type": "text/csv; charset=latin-1"}},
            "text/csv; charset=latin-1",
            b"gr\xfc\xdfe",
        ),
        (
            {"json": 1, "headers": {"Content-Type": "application/vnd.api+json"}},
            "application/vnd.api+json",
            b"1",
        ),
        ({}, None, b""),
    ],
)
def test_a_body_has_its_content_type(
    parameters: dict[str, Any], content_type: str | None, body: bytes
) -> None:
    """Each kind of body is encoded as its content type says, which the author may change."""
    received = sent(method="POST", **parameters)

    assert (content_type, body) == (received.header("content-type"), received.body)
    assert str(len(body)) == received.header("content-length")


def test_a_body_that_its_charset_cannot_hold_is_refused() -> None:
    """A character that the charset lacks is named, and nothing is sent."""
    headers = {"content-type": "text/plain; charset=latin-1"}
    with failing(answering(OK), method="POST", body="5 €", headers=headers) as error:
        assert error.code == "HTTP-015"
        assert "'€' (character 2 of `body`)" in error.message
    with failing(
        answering(OK), method="POST", body="5", headers={"content-type": "a/b; charset=none"}
    ) as error:
        assert error.code == "HTTP-015"


def test_default_headers_can_be_replaced_and_left_out() -> None:
    """The runtime names itself and what it takes, unless the author wants otherwise."""
    usual = sent()
    changed = sent(
        headers={"user-agent": "me", "Accept": None, "X-Number": 7, "x-flag": True, "x-text": " a ü "}
    )

    assert (usual.header("user-agent") or "").startswith("atomiton-runtime/")
    assert (usual.header("accept"), usual.header("accept-encoding")) == ("*/*", "gzip, deflate")
    assert usual.header("content-length") is None
    assert (changed.header("user-agent"), changed.header("accept")) == ("me", None)
    assert (changed.header("x-number"), changed.header("x-flag")) == ("7", "true")
    assert changed.header("x-text") == "a ü".encode().decode("latin-1")


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (
            {"username": "ada", "password": "pä:ss"},
            "Basic " + base64.b64encode("ada:pä:ss".encode()).decode(),
        ),
        ({"username": "ada", "password": 7}, "Basic " + base64.b64encode(b"ada:7").decode()),
        ({"token": "abc"}, "Bearer abc"),
    ],
)
def test_auth_becomes_a_header(auth: dict[str, Any], header: str) -> None:
    """Basic and bearer credentials are sent as their standards say."""
    assert header == sent(auth=auth).header("authorization")


def test_the_user_of_a_url_is_sent_and_not_shown() -> None:
    """A user in the URL is basic authentication; neither outputs nor errors repeat it."""
    with FaultServer(answering(OK, answer("no", "403 Forbidden"))) as server:
        url = f"http://ada:s%C3%A9cret@127.0.0.1:{server.port}/x?key=k3y"
        outputs = executed("http-request", HOME, url=url)
        error = failure("http-request", HOME, url=url)

    expected = "Basic " + base64.b64encode("ada:sécret".encode()).decode()
    assert expected == server.requests[0].header("authorization")
    assert f"{server.url}/x?key=k3y" == outputs["url"]
    assert f"GET {server.url}/x?… answered 403 Forbidden: no" == error.message


@pytest.mark.parametrize(
    "parameters",
    [
        {"auth": {"username": "ada", "password": "s3cret"}},
        {"auth": {"token": "s3cret"}, "headers": {"X-Token": ""}},
        {"headers": {"X-Api-Key": "s3cret", "Cookie": "s3cret"}},
        {"headers": {"Authorization": "Token s3cret"}},
    ],
)
def test_a_server_that_repeats_a_credential_does_not_get_it_shown(parameters: dict[str, Any]) -> None:
    """An error shows the beginning of the body, but no secret that was sent, in no form of it."""
    encoded = base64.b64encode(b"ada:s3cret").decode()
    raw = answer(f"you sent s3cret, that is {encoded}", "500 Oh s3cret", {"Content-Type": "text/plain"})
    with failing(answering(raw), **parameters) as error:
        assert "you sent ***" in error.message
        assert "s3cret" not in error.message
        assert "password" not in parameters.get("auth", {}) or encoded not in error.message


def test_headers_of_the_answer_are_lower_case_and_joined() -> None:
    """Names are in lower case, repeated ones are joined, and `set-cookie` is a list."""
    lines = [
        b"HTTP/1.1 200 OK",
        b"X-A: 1",
        b"x-a: 2",
        b"Set-Cookie: a=1, x",
        b"Set-Cookie: b=2",
        b"X-L: \xfc",
    ]
    raw = b"\r\n".join([*lines, b"Content-Length: 0", b"", b""])
    outputs = answered(raw)

    assert outputs["headers"] == {
        "x-a": "1, 2", "set-cookie": ["a=1, x", "b=2"], "x-l": "ü", "content-length": "0",
    }  # fmt: skip
    assert answered(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n")["headers"][
        "set-cookie"
    ] == ["a=1"]


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b'{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ("application/problem+json; charset=utf-8", b'"x"', "x"),
        ("Application/JSON", b"\xef\xbb\xbf[1]", [1]),
        ("application/json", '"ü"'.encode("utf-16"), "ü"),
        ("application/json; charset=latin-1", b'"\xfc"', "ü"),
        ("application/json", b"", None),
        ("text/plain", "grüße".encode(), "grüße"),
        ("text/plain; charset=iso-8859-1", BAD_UTF8, "grüße"),
        ('text/html; charset="windows-1252"', b"5 \x80", "5 €"),
        ("text/plain", "ü".encode("utf-16"), "ü"),
        ("text/plain", b"\xef\xbb\xbfa", "a"),
        ("text/plain; charset=utf-8", b"\xef\xbb\xbfa", "a"),
        ("text/plain; charset=utf-8", b"", None),
        ("text/plain", BAD_UTF8, BAD_UTF8),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/x-ndjson", b"{}\n{}\n", "{}\n{}\n"),
        ("image/png", b"\x89PNG", b"\x89PNG"),
        ("application/octet-stream", b"text", b"text"),
        ("", b"text", b"text"),
    ],
)
def test_the_content_type_decides_what_a_body_is(content_type: str, body: bytes, expected: Any) -> None:
    """JSON is data, text is text, and all else is bytes."""
    headers = {"Content-Type": content_type} if content_type else {}

    assert expected == answered(answer(body, headers=headers))["body"]


@pytest.mark.parametrize(
    ("content_type", "body", "code", "words"),
    [
        ("application/json", b'{"a": 1,\n "b": }', "HTTP-014", "Expecting value at line 2, column 7: }"),
        ("application/json", b'{"a": 1', "HTTP-014", "at line 1, column 8: the end"),
        ("application/json", b"[NaN]", "HTTP-014", "NaN is no number of JSON"),
        ("application/json", b"[" * 100_000, "HTTP-014", "nested too deeply"),
        ("application/json", b"<html>", "HTTP-014", "at line 1, column 1: <html>"),
        ("application/json", b'"\xfc"', "HTTP-015", "not utf-8: byte 1 is 0xfc"),
        ("text/plain; charset=utf-8", BAD_UTF8, "HTTP-015", "not utf-8: byte 2 is 0xfc"),
        ("text/plain; charset=klingon", b"x", "HTTP-015", "its charset is `klingon`"),
        ("text/plain; charset=rot13", b"x", "HTTP-015", "its charset is `rot13`"),
        ("text/plain; charset=utf-7", b"+//", "HTTP-015", "is not utf-7"),
    ],
)
def test_a_body_that_is_not_what_it_says_fails_with_its_place(
    content_type: str, body: bytes, code: str, words: str
) -> None:
    """Wrong JSON and wrong text name where they are wrong."""
    with failing(answering(answer(body, headers={"Content-Type": content_type}))) as error:
        assert code == error.code
        assert words in error.message


def test_204_and_304_have_no_body() -> None:
    """An answer without content is null, whatever its content type says."""
    headers = {"Content-Type": "application/json"}

    assert answered(answer(status="204 No Content", headers=headers))["body"] is None
    assert answered(answer(status="304 Not Modified", headers=headers))["status"] == 304


def test_without_check_an_error_is_an_answer() -> None:
    """`check = false` gives status and body of an error whole."""
    raw = answer("x" * 10_000, "500 Oh", {"Content-Type": "text/plain"})
    outputs = answered(raw, check=False)

    assert (500, "x" * 10_000) == (outputs["status"], outputs["body"])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (answer("no\n  such\tpage", "404 Not Found"), "answered 404 Not Found: no such page"),
        (answer("", "500 "), "answered 500 Internal Server Error"),
        (answer("", "599 "), "answered 599"),
        (answer("y" * 9000, "400 Bad"), f"answered 400 Bad: {'y' * 299}…"),
        (answer(b"\x89PNG", "400 Bad", {"Content-Type": "image/png"}), "answered 400 Bad: (image/png)"),
        (answer(b"", "400 Bad", {"Content-Type": "image/png"}), "answered 400 Bad"),
        (answer(BAD_UTF8, "400 Bad", {"Content-Type": "text/plain; charset=none"}), "400 Bad: gr��e"),
        (answer(BAD_UTF8, "400 Bad", {"Content-Type": "text/plain; charset=latin-1"}), "400 Bad: grüße"),
        (answer("abc", "400 Bad", length=10), "400 Bad: abc"),
        (answer(b"junk", "400 Bad", {"Content-Encoding": "gzip"}), "answered 400 Bad"),
        (answer("big", "413 Too Large", length=10**12), "answered 413 Too Large: big"),
    ],
)
def test_an_error_status_shows_what_the_server_said(raw: bytes, words: str) -> None:
    """Status, reason and the beginning of the body are in the message, whatever the body is."""
    with failing(answering(raw)) as error:
        assert error.code == "HTTP-010"
        assert error.message.endswith(words)


WRONG = {
    "a line break in a header": (
        'headers = { x-a = "b\\nc" }',
        "PARAM-003",
        "`headers.x-a` holds a line break at character 1: 'b\\\\nc'",
    ),
    "CR in a header": ('headers = { x-a = "b\\rc" }', "PARAM-003", "a carriage return at character 1"),
    "NUL in a header": ('headers = { x-a = "\\u0000" }', "PARAM-003", "a NUL character at character 0"),
    "ESC in a header": ('headers = { x-a = "\\u001b" }', "PARAM-003", "the control character '\\x1b'"),
    "a secret header": ('headers = { Authorization = "s3cret\\n" }', "PARAM-003", "holds a line break at character 6"),
    "a header's name": ('headers = { "x a" = "b" }', "PARAM-003", "a name that no header can have: 'x a'"),
    "CR in a header's name": ('headers = { "x\\r\\ny" = "b" }', "PARAM-003", "'x\\r\\ny'"),
    "a length": ('headers = { Content-Length = 3 }', "PARAM-003", "`headers.Content-Length` cannot be set"),
    "a header twice": ('headers = { accept = "a", Accept = "b" }', "PARAM-003", "which are the same header"),
    "a method of two words": ('method = "GET /"', "PARAM-003", "one word such as GET or PURGE, not 'GET /'"),
    "CONNECT": ('method = "connect"', "PARAM-003", "no request but a tunnel"),
    "two bodies": ('json = 1\nform = { a = 1 }', "PARAM-007", "`json` and `form` are given"),
    "data as a body": ("body = { a = 1 }", "PARAM-002", "`body` must be text or bytes, not an object"),
    "half an auth": ('auth = { username = "a" }', "PARAM-007", "`auth` needs `username` and `password`"),
    "a wrong auth": ('auth = { user = "a", password = "b" }', "PARAM-001", "no parameter `auth.user`"),
    "a token of two lines": ('auth = { token = "s3cret\\n" }', "PARAM-003", "`auth.token` holds a line break"),
    "a colon in a user": ('auth = { username = "a:b", password = "c" }', "PARAM-003", "holds a colon"),
    "auth twice": ('auth = { token = "a" }\nheaders = { authorization = "b" }', "PARAM-007", "twice"),
    "no CA file": ('verify = " "', "PARAM-003", "`verify` must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_parameters_are_complained_about(case: str) -> None:
    """What no request can be made of is said when the flow is loaded, with parameter and value, but no secret."""
    toml, code, words = WRONG[case]
    found = complaints("http-request", f'url = "http://127.0.0.1/"\n{toml}')

    assert [code] == [complaint.code for complaint in found]
    assert words.replace("\\\\", "\\") in found[0].message
    assert "s3cret" not in f"{found[0].message}{found[0].hint}"


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("ftp://x/", "HTTP-001", "must begin with http:// or https://"),
        ("example.com/a", "HTTP-001", "but is 'example.com/a'"),
        ("/a", "HTTP-001", "must begin with"),
        (f"ftp://x/{'y' * 200}", "HTTP-001", "yyy…'"),
        ("http://", "HTTP-001", "names no host"),
        ("http:///a", "HTTP-001", "names no host"),
        ("http://127.0.0.1:0/", "HTTP-001", "none of its ports"),
        ("http://x:99999/", "HTTP-001", "is no URL"),
        ("http://x:s3cret/", "HTTP-001", "is no URL"),
        ("http://[::1/", "HTTP-001", "is no URL"),
        ("http://ada:s3cret@[::1/?k=s3cret", "HTTP-001", "'http://***@[::1/?…'"),
        ("http://x/\\r\\nHost: y", "PARAM-003", "a carriage return at character 9"),
        ("http://x/?a=s3cret\\u0000", "PARAM-003", "a NUL character at character 18: 'http://x/?…'"),
    ],
)
def test_a_url_that_cannot_be_used_is_complained_about(url: str, code: str, words: str) -> None:
    """Only http and https with a host pass; the message shows the URL without what it may hide."""
    found = complaints("http-request", f'url = "{url}"')

    assert [code] == [complaint.code for complaint in found]
    assert words in found[0].message
    assert "s3cret" not in found[0].message.replace("x:s3cret", "")  # a port, as far as anybody can tell


def test_a_url_with_a_user_and_auth_is_complained_about() -> None:
    """Credentials are given once."""
    found = complaints("http-request", 'url = "http://a:b@x/"\nauth = { token = "c" }')

    assert ["PARAM-007"] == [complaint.code for complaint in found]


@pytest.mark.parametrize("url", ["http://999.1.1.1/", "http://ex ample..com/", "http://\u2603\u00ad.-x-/"])
def test_a_url_that_only_the_request_finds_wrong_fails(url: str) -> None:
    """What the short look at load time lets pass is found before anything is sent."""
    assert failure("http-request", HOME, url=url).code in ("HTTP-001", "HTTP-002")


def test_values_of_templates_cannot_break_out() -> None:
    """A line break that comes from a template is refused with the parameter and the value."""
    with pytest.raises(NodeError) as caught:
        executed(
            "http-request",
            HOME,
            "Ada\r\nX-Role: admin",
            url="http://127.0.0.1/",
            headers={"x-name": "{{ input }}"},
        )

    assert caught.value.code == "PARAM-003"
    assert (
        "`headers.x-name` holds a carriage return at character 3: 'Ada\\r\\nX-Role: admin'"
        in caught.value.message
    )


@pytest.mark.parametrize(
    ("method", "effect", "repeats"),
    [
        ("GET", "reads", True),
        ("head", "reads", True),
        ("OPTIONS", "reads", True),
        ("PUT", "writes", True),
        ("DELETE", "writes", True),
        ("POST", "writes", False),
        ("PATCH", "writes", False),
        ("PURGE", "writes", False),
    ],
)
def test_a_method_says_what_it_does(method: str, effect: str, repeats: bool) -> None:
    """What only reads is `reads`, and what may be sent twice may be repeated (RFC 9110, 9.2)."""
    parameters = HttpRequestParameters(url="http://x/", method=method)

    assert (effect, repeats) == (HttpRequest().effect(parameters), HttpRequest().may_repeat(parameters))
