"""Says what is wrong with the parameters of a request before anything is sent.

Values may come from templates, and so from strangers: what would break out of its place (a line break in a header)
is refused. What proves who is asking is never shown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.http.secrecy import is_credential, shown_url
from atomiton_runtime.nodes.scalars import known_later
from atomiton_runtime.nodes.type_check import closest, described
from atomiton_runtime.values import preview

STANDARD_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BODIES = ("json", "form", "body")
_FRAMING = frozenset({"content-length", "transfer-encoding", "trailer", "te", "upgrade"})
_CONTROL_NAMES = {"\r": "a carriage return", "\n": "a line break", "\0": "a NUL character", "\t": "a tab"}
_TRIM = "`| trim` takes line breaks off the ends of a text"
_SHOWN_CHARS = 60


def request_complaints(parameters: Mapping[str, object]) -> Sequence[Complaint]:
    """Return what no request can be made of; see `NodeType.complaints`."""
    return [
        *_method_complaints(parameters.get("method")),
        *_url_complaints(parameters.get("url")),
        *_header_complaints(parameters.get("headers")),
        *_body_complaints(parameters),
        *_auth_complaints(parameters),
        *_verify_complaints(parameters.get("verify")),
    ]


def control_in(text: str) -> tuple[int, str] | None:
    """Return the place (from 0) and the name of the first control character of a text, tabs aside, or None."""
    for place, char in enumerate(text):
        if (char < " " and char != "\t") or char == "\x7f":
            return place, _CONTROL_NAMES.get(char, f"the control character {char!r}")
    return None


def _method_complaints(method: object) -> Iterator[Complaint]:
    if not isinstance(method, str):
        return
    if not _TOKEN.fullmatch(method):
        message = f"`method` must be one word such as GET or PURGE, not {preview(repr(method), _SHOWN_CHARS)}"
        yield Complaint(code="PARAM-003", message=message, path=("method",))
    elif method.upper() == "CONNECT":
        message = "`method` cannot be CONNECT, which makes no request but a tunnel"
        yield Complaint(code="PARAM-003", message=message, path=("method",))


def _url_complaints(url: object) -> Iterator[Complaint]:
    if not isinstance(url, str):
        return
    shown = shown_url(url)
    if found := control_in(url):
        message = f"`url` holds {found[1]} at character {found[0]}: {shown!r}"
        yield Complaint(code="PARAM-003", message=message, path=("url",), hint=_TRIM)
        return
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        message = f"`url` is no URL: {shown!r}"
        yield Complaint(code="HTTP-001", message=message, path=("url",), hint=_reason(error))
        return
    if scheme not in ("http", "https"):
        message = f"`url` must begin with http:// or https://, but is {shown!r}"
        hint = f'did you mean "https://{shown}"?' if re.match(r"[\w-]+(\.[\w-]+)+([:/?]|$)", url) else None
        yield Complaint(code="HTTP-001", message=message, path=("url",), hint=hint)
    elif not host or port == 0:
        yield Complaint(
            code="HTTP-001", message=f"`url` names no host, or none of its ports: {shown!r}", path=("url",)
        )


def _reason(error: ValueError) -> str:
    # Its text may quote the URL, password and all.
    return "the port must be a number up to 65535" if "ort" in str(error) else "look at the host"


def _header_complaints(headers: object) -> Iterator[Complaint]:
    if not isinstance(headers, Mapping):
        return
    seen: dict[str, str] = {}
    for name, value in cast("Mapping[str, object]", headers).items():
        path = ("headers", name)
        if not _TOKEN.fullmatch(name):
            message = f"`headers` has a name that no header can have: {preview(repr(name), _SHOWN_CHARS)}"
            yield Complaint(code="PARAM-003", message=message, path=("headers",))
        elif name.lower() in _FRAMING:
            message = f"`headers.{name}` cannot be set: it is made of the body and the connection"
            yield Complaint(code="PARAM-003", message=message, path=path)
        elif name.lower() in seen:
            message = f"`headers` has `{seen[name.lower()]}` and `{name}`, which are the same header"
            yield Complaint(code="PARAM-003", message=message, path=path)
        elif isinstance(value, str) and (found := control_in(value)):
            kept_secret = is_credential(name)
            shown = "" if kept_secret else f": {preview(repr(value), _SHOWN_CHARS)}"
            message = f"`headers.{name}` holds {found[1]} at character {found[0]}{shown}"
            yield Complaint(code="PARAM-003", message=message, path=path, hint=_TRIM)
        seen.setdefault(name.lower(), name)


def _body_complaints(parameters: Mapping[str, object]) -> Iterator[Complaint]:
    given = [
        name for name in _BODIES if name in parameters and (name != "form" or parameters[name] is not None)
    ]
    if len(given) > 1:
        message = f"a request has one body, but `{'` and `'.join(given)}` are given"
        yield Complaint(code="PARAM-007", message=message, path=(given[1],), hint="keep one of them")
    body = parameters.get("body", "")
    if not known_later(body) and not isinstance(body, str | bytes):
        message = f"`body` must be text or bytes, not {described(body)}"
        yield Complaint(code="PARAM-002", message=message, path=("body",), hint="`json` sends data as JSON")


def _auth_complaints(parameters: Mapping[str, object]) -> Iterator[Complaint]:
    auth = parameters.get("auth")
    if not isinstance(auth, Mapping):
        return
    entries = cast("Mapping[str, object]", auth)
    for name in entries:
        if name not in ("username", "password", "token"):
            hint = closest(name, ["username", "password", "token"])
            message = f"there is no parameter `auth.{name}`"
            yield Complaint(code="PARAM-001", message=message, path=("auth", name), hint=hint)
            return
    if set(entries) not in ({"username", "password"}, {"token"}):
        hint = 'for example { username = "ada", password = "{{ secrets.ada }}" }'
        message = "`auth` needs `username` and `password`, or `token` alone"
        yield Complaint(code="PARAM-007", message=message, path=("auth",), hint=hint)
    for name, value in entries.items():
        if isinstance(value, str) and (found := control_in(value)):
            message = f"`auth.{name}` holds {found[1]} at character {found[0]}"
            yield Complaint(code="PARAM-003", message=message, path=("auth", name), hint=_TRIM)
    username = entries.get("username")
    if isinstance(username, str) and ":" in username:
        message = "`auth.username` holds a colon, which no user name of basic authentication can"
        yield Complaint(code="PARAM-003", message=message, path=("auth", "username"))
    yield from _twice_complaints(parameters)


def _twice_complaints(parameters: Mapping[str, object]) -> Iterator[Complaint]:
    headers, url = parameters.get("headers"), parameters.get("url")
    names = cast("Mapping[str, object]", headers if isinstance(headers, Mapping) else {})
    if any(name.lower() == "authorization" for name in names):
        message = "`auth` and `headers.authorization` say the same thing twice"
        yield Complaint(code="PARAM-007", message=message, path=("auth",), hint="keep one of them")
    if isinstance(url, str) and re.match(r"[^/?#]*//[^/?#]*@", url):
        message = "`auth` and the user in `url` say the same thing twice"
        yield Complaint(code="PARAM-007", message=message, path=("auth",), hint="keep `auth`")


def _verify_complaints(verify: object) -> Iterator[Complaint]:
    if isinstance(verify, str) and (not verify.strip() or "\0" in verify):
        message = f"`verify` must be true, false or the path of a file, not {described(verify)}"
        yield Complaint(code="PARAM-003", message=message, path=("verify",))
