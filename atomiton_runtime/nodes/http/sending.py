"""Makes a request of the parameters: its URL, headers and body."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from functools import lru_cache
from urllib.parse import quote, unquote, urlencode

import httpx2
import msgspec
from msgspec import UNSET

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.content import is_text_encoding
from atomiton_runtime.nodes.http.checks import STANDARD_METHODS
from atomiton_runtime.nodes.http.decoding import ACCEPTED
from atomiton_runtime.nodes.http.parameters import Fields, HttpRequestParameters, Scalar
from atomiton_runtime.nodes.http.secrecy import is_credential, shown_url
from atomiton_runtime.values import encode

_WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it is sent."""

    method: str
    url: httpx2.URL
    """Absolute, of http or https, without user, password and fragment."""
    headers: list[tuple[str, str]]
    """Without `host`, unless the flow's author gives one, `content-length` and cookies of the server."""
    body: bytes | None
    secrets: frozenset[str]
    """What no message may show."""

    def __str__(self) -> str:
        return f"{self.method} {shown_url(str(self.url))}"


def request_of(parameters: HttpRequestParameters) -> Request:
    """Return the request that `parameters` describe.

    Raises:
        NodeError: the URL cannot be used (HTTP-001), or a text cannot be encoded as its headers say (HTTP-015).
        UnsupportedValue: `json` has no form as JSON.
    """
    url, user = _url(parameters.url, parameters.query)
    headers = {name.lower(): (name, value) for name, value in _header_items(parameters.headers)}
    body, content_type = _body(parameters, headers.get("content-type", ("", ""))[1])
    authorization = _authorization(parameters.auth, user)
    defaults = {
        "User-Agent": f"atomiton-runtime/{_version()}",
        "Accept": "*/*",
        "Accept-Encoding": ACCEPTED,
        "Content-Type": content_type,
        "Authorization": authorization,
    }
    given = {name.lower() for name in parameters.headers}
    sent = [(name, value) for name, value in defaults.items() if value and name.lower() not in given]
    sent += headers.values()
    method = parameters.method
    return Request(
        method=method.upper() if method.upper() in STANDARD_METHODS else method,
        url=url,
        headers=sent,
        body=b"" if body is None and method.upper() in _WITH_A_BODY else body,
        secrets=frozenset(_secrets(parameters, sent, user)),
    )


def text_of(value: Scalar) -> str:
    """Return a value as it stands in a URL, a header or a form."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def encoded_fields(fields: Fields) -> str:
    """Return names and values as a URL holds them; a list repeats its name, null leaves it out."""
    return urlencode(
        [
            (name, text_of(value))
            for name, entry in fields.items()
            for value in _each(entry)
            if value is not None
        ],
        quote_via=quote,
        safe="",
    )


def _each(entry: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return entry if isinstance(entry, tuple) else (entry,)


def _url(text: str, query: Fields) -> tuple[httpx2.URL, tuple[str, str] | None]:
    try:
        url = httpx2.URL(text)
        if more := encoded_fields(query):
            old = url.query.decode("ascii")
            url = url.copy_with(query=(f"{old}&{more}" if old else more).encode("ascii"))
        user = (url.username, url.password) if url.userinfo else None
        url = url.copy_with(userinfo=b"", fragment=None)
    except (httpx2.InvalidURL, ValueError) as error:
        raise NodeError(
            "HTTP-001", f"`url` is no URL: {shown_url(text)!r}", hint="look at the host"
        ) from error
    if url.scheme not in ("http", "https") or not url.host or url.port == 0:
        raise NodeError("HTTP-001", f"`url` is no URL of http or https: {shown_url(text)!r}")
    return url, user


def _header_items(headers: Mapping[str, Scalar]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if value is not None:
            yield name, text_of(value).strip(" \t")


def _authorization(auth: Mapping[str, Scalar] | None, user: tuple[str, str] | None) -> str:
    if auth is not None and "token" in auth:
        return f"Bearer {text_of(auth['token'])}"
    if auth is not None:
        user = (text_of(auth["username"]), text_of(auth["password"]))
    if user is None:
        return ""
    return f"Basic {base64.b64encode(':'.join(user).encode()).decode()}"


def _secrets(
    parameters: HttpRequestParameters, headers: Sequence[tuple[str, str]], user: tuple[str, str] | None
) -> Iterator[str]:
    for name, value in headers:
        if is_credential(name):
            yield value
            yield value.rpartition(" ")[2]
    for name, value in (parameters.auth or {}).items():
        if name != "username":
            yield text_of(value)
    if user is not None:
        yield user[1]
        yield quote(user[1], safe="")
        yield unquote(user[1])


def _body(parameters: HttpRequestParameters, content_type: str) -> tuple[bytes | None, str]:
    if parameters.json is not UNSET:
        return encode(parameters.json), "application/json"
    if parameters.form is not None:
        return encoded_fields(parameters.form).encode("ascii"), "application/x-www-form-urlencoded"
    if parameters.body is UNSET:
        return None, ""
    if isinstance(parameters.body, bytes):
        return parameters.body, "application/octet-stream"
    return _text_body(parameters.body, content_type), "text/plain; charset=utf-8"


def _text_body(text: str, content_type: str) -> bytes:
    message = Message()
    message["content-type"] = content_type
    charset = str(message.get_param("charset") or "utf-8")
    if not is_text_encoding(charset):
        raise NodeError("HTTP-015", f"`headers.content-type` names the charset `{charset}`: there is none")
    try:
        return text.encode(charset)
    except UnicodeEncodeError as error:
        place = f"character {error.start} of `body`"
        message_ = (
            f"{charset} has no {text[error.start]!r} ({place}), and `headers.content-type` asks for {charset}"
        )
        raise NodeError("HTTP-015", message_, hint="charset=utf-8 has every character") from error


@lru_cache(maxsize=1)
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("atomiton-runtime")
    except PackageNotFoundError:  # Run from a folder that was never installed.
        return "unknown"
