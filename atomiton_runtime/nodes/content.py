"""Turns values into the bytes of a file or a stream, and back."""

import codecs
import json

import msgspec

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.values import Value, encode

BINARY = "binary"
_SHOWN_CHARS = 20


def is_text_encoding(name: str) -> bool:
    """Return whether Python has an encoding of this name that turns text into bytes."""
    try:
        "".encode(name)  # A LookupError for what is no encoding, or none of texts.
        return codecs.lookup(name).name not in ("idna", "punycode")
    except (LookupError, ValueError):
        return False


def as_bytes(value: Value, encoding: str) -> bytes:
    """Return text encoded, bytes as they are, and anything else as indented JSON with a line's end.

    Raises:
        NodeError: the text has a character that the encoding has not, or is to be written as binary (FILE-009).
    """
    match value:
        case bytes():
            return value
        case str():
            return _encoded(value, encoding)
        case _:
            text = msgspec.json.format(encode(value), indent=2).decode() + "\n"
            return _encoded(text, "utf-8" if encoding == BINARY else encoding)


def as_text(data: bytes, encoding: str, source: str) -> str:
    """Return the text that `data` is; `source` names it in messages.

    Raises:
        NodeError: it is none in this encoding (FILE-009).
    """
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = data[error.start : error.start + 1].hex()
        message = f"{source} is not {encoding}: byte {error.start} is 0x{wrong}"
        raise NodeError(
            "FILE-009", message, hint='try encoding = "latin-1", or "binary" for bytes'
        ) from error
    except UnicodeError as error:
        raise NodeError("FILE-009", f"{source} is not {encoding}: {error}") from error


def _encoded(text: str, encoding: str) -> bytes:
    if encoding == BINARY:
        hint = 'encoding = "utf-8" writes text'
        raise NodeError("FILE-009", 'encoding = "binary" needs bytes as content, not text', hint=hint)
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        around = json.dumps(text[error.start : error.start + _SHOWN_CHARS], ensure_ascii=False)
        message = f"{encoding} has no {text[error.start]!r} (character {error.start}: {around})"
        raise NodeError("FILE-009", message, hint='encoding = "utf-8" has every character') from error
    except UnicodeError as error:
        raise NodeError("FILE-009", f"the text cannot be written as {encoding}: {error}") from error
