"""Turns what a server answered into the outputs of the node."""

import codecs
import json
import re
from collections.abc import Sequence
from email.message import Message
from typing import Any

import msgspec

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.content import is_text_encoding
from atomiton_runtime.values import Value, preview

_JSON = re.compile(r"(application|text)/json|[^/]+/[^/]+\+json")
_TEXT = re.compile(
    r"text/.+|[^/]+/[^/]+\+(xml|yaml)"
    r"|application/(xml|xml-dtd|yaml|x-yaml|toml|javascript|x-javascript|ecmascript|graphql|sql|x-sh"
    r"|x-www-form-urlencoded|x-ndjson|ndjson|jsonl|json-seq|xhtml\+xml)"
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The first bytes of a text -> its encoding; the longer marks come before those that they begin with."""
_SHOWN_CHARS = 30


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered to the last of the requests that redirects led to."""

    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    """Names in lower case, in the order in which they came."""
    url: str
    """Where it came from, without user and password."""
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, those of several joined; nothing if there is none."""
        return ", ".join(value for other, value in self.headers if other == name)


def header_values(headers: Sequence[tuple[str, str]]) -> dict[str, Value]:
    """Return name -> value, repeated ones joined by commas (RFC 9110, 5.3).

    `set-cookie` is always a list of texts: its values hold commas themselves.
    """
    values: dict[str, Value] = {}
    for name, value in headers:
        known = values.get(name)
        if name == "set-cookie":
            values[name] = [*known, value] if isinstance(known, list) else [value]
        else:
            values[name] = f"{known}, {value}" if isinstance(known, str) else value
    return values


def body_value(answer: Answer) -> Value:
    """Return the body as its content type says: JSON's value, a text, or bytes; None when there is none.

    A text that says nothing about its charset and is not UTF-8 comes as bytes: they are what is known of it.

    Raises:
        NodeError: a JSON body is no JSON (HTTP-014), or a text is not in its charset (HTTP-015).
    """
    if not answer.body:
        return None
    media_type, charset = _content_type(answer.header("content-type"))
    if _JSON.fullmatch(media_type):
        return _json(_text(answer.body, charset or _marked(answer.body) or "utf-8", media_type))
    if not _TEXT.fullmatch(media_type):
        return answer.body
    encoding = charset or _marked(answer.body)
    if encoding is not None:
        return _text(answer.body, encoding, media_type)
    try:
        return answer.body.decode()
    except UnicodeDecodeError:
        return answer.body


def beginning(answer: Answer, limit_chars: int) -> str:
    """Return the first characters of the body on one line, whatever it is; cut with a visible mark."""
    media_type, charset = _content_type(answer.header("content-type"))
    if not (_TEXT.fullmatch(media_type) or _JSON.fullmatch(media_type) or not media_type):
        return f"({media_type})" if answer.body else ""
    known = charset is not None and is_text_encoding(charset)
    text = answer.body.decode(charset if known and charset else "utf-8", errors="replace")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit_chars else f"{line[: limit_chars - 1]}…"


def _content_type(value: str) -> tuple[str, str | None]:
    message = Message()
    message["content-type"] = value
    charset = message.get_param("charset")
    media_type = value.partition(";")[0].strip().lower()
    return media_type, charset.strip().lower() if isinstance(charset, str) and charset.strip() else None


def _marked(body: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if body.startswith(mark)), None)


def _text(body: bytes, charset: str, media_type: str) -> str:
    if not is_text_encoding(charset):
        hint = 'on_error = "continue" goes on without the body; `headers.accept` may ask for another form'
        raise NodeError(
            "HTTP-015", f"the {media_type} body says its charset is `{charset}`: there is none", hint=hint
        )
    encoding = "utf-8-sig" if charset in ("utf-8", "utf8") else charset
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = body[error.start : error.start + 1].hex()
        message = f"the {media_type} body is not {charset}: byte {error.start} is 0x{wrong}"
        raise NodeError(
            "HTTP-015", message, hint="the server declares a charset that it does not use"
        ) from error


def _json(text: str) -> Value:
    try:
        value: Any = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        around = preview(text[error.pos : error.pos + _SHOWN_CHARS], _SHOWN_CHARS) or "the end"
        place = f"line {error.lineno}, column {error.colno}"
        message = f"the body is no JSON, though its content type says so: {error.msg} at {place}: {around}"
        raise NodeError("HTTP-014", message) from error
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise NodeError("HTTP-014", f"the body is no JSON that can be used: {what}") from error
    return value


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")
