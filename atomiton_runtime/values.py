"""Carries values between nodes: JSON-like data and bytes, encoded once, decoded fresh by each reader.

A value that leaves a node is encoded at once; whoever reads it decodes a copy of its own. So no node can
change another's data, and what the journal keeps is exactly what the next node saw.
"""

import base64
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec

from atomiton_runtime.errors import AtomitonError

if TYPE_CHECKING:
    Value: TypeAlias = "None | bool | int | float | str | bytes | list[Value] | dict[str, Value]"
else:
    # msgspec builds decoders from annotations and refuses a union of text and bytes: to it a value is Any.
    Value = Any

BYTES_KEY = "$bytes"
FILE_KEY = "$file"
SIZE_KEY = "size_bytes"
LARGE_VALUE_BYTES = 1024 * 1024
"""A value whose encoded form is larger than this travels as a file."""

_MANY = 1_000
"""Entries of a list."""
_MAX_DEPTH = 200
_ROOMY_CHARS = 100
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_LONG_CHARS = 256 * 1024
"""A text of more characters is encoded in pieces of this length."""
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_BYTES_MARK = b'"$bytes"'


class LargeValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A marker: what travels in the place of a large value."""

    path: str = msgspec.field(name=FILE_KEY)
    size_bytes: int
    """Of the value's JSON."""

    @property
    def name(self) -> str:
        """The file's name: the SHA-256 of the value's JSON, in hex."""
        return Path(self.path).name


class Encoded:
    """Stands for a value that was encoded before, and is read again only where it is written.

    A node that passes on what others gave (a loop its results) so never holds all of it.
    """

    __slots__ = ("read",)

    def __init__(self, read: Callable[[], bytes]) -> None:
        """Prepare for the value whose JSON `read` returns."""
        self.read = read


class UnsupportedValue(AtomitonError):
    """A value cannot travel between nodes (VALUE-001)."""

    def __init__(self, path: str, reason: str) -> None:
        place = f"at {path}: " if path else ""
        super().__init__(
            "VALUE-001",
            f"the value {place}{reason}",
            hint="return null, true/false, numbers, text, bytes, lists and tables with text keys",
        )


def encode(value: object) -> bytes:
    """Return `value` as JSON in UTF-8; bytes become `{"$bytes": "<base64>"}`.

    Tuples become lists, dates and times ISO 8601 text, paths text.

    Raises:
        UnsupportedValue: it holds something that has no JSON form (VALUE-001).
    """
    return b"".join(_pieces(value)) if _is_long(value) else _encoded(value)


def encoded_pieces(value: object) -> Iterator[bytes]:
    """Return what `encode` returns in pieces: those of a long list or text are small, and the whole may be large.

    Raises:
        UnsupportedValue: as `encode` does, here or at the piece in question.
    """
    return _pieces(value) if _is_long(value) else iter((_encoded(value),))


def _is_long(value: object) -> bool:
    return type(value) is list or (type(value) is str and len(value) > _LONG_CHARS)


def _encoded(value: object) -> bytes:
    try:
        return _ENCODER.encode(to_document(value))
    except UnicodeEncodeError as exc:
        raise _half_a_character() from exc


def _pieces(value: object) -> Iterator[bytes]:
    try:
        if type(value) is str:
            yield from _pieces_of_text(value)
        else:
            yield from _pieces_of_list(cast("list[object]", value))
    except UnicodeEncodeError as exc:
        raise _half_a_character() from exc


def _half_a_character() -> UnsupportedValue:
    return UnsupportedValue("", "holds text with half a character (a lone surrogate), which no file can keep")


def _pieces_of_text(text: str) -> Iterator[bytes]:
    """Yield a long text as JSON: while it is written as a whole, several times as much memory is needed."""
    yield b'"'
    for begin in range(0, len(text), _LONG_CHARS):
        yield _ENCODER.encode(text[begin : begin + _LONG_CHARS])[1:-1]
    yield b'"'


def _pieces_of_list(entries: list[object]) -> Iterator[bytes]:
    """Yield a list as JSON: entries by the thousand, and those that were encoded before by themselves.

    A copy of the whole would take ten times what is written.
    """
    if len(entries) <= _MANY and not any(type(entry) is Encoded for entry in entries):
        yield _ENCODER.encode(to_document(entries))
        return
    separator, begin = b"[", 0
    while begin < len(entries):
        end = begin
        while end < min(begin + _MANY, len(entries)) and type(entries[end]) is not Encoded:
            end += 1
        yield separator
        separator = b","
        entry = entries[begin]
        if type(entry) is Encoded:
            yield entry.read()
            begin += 1
            continue
        piece = enumerate(entries[begin:end], begin)
        yield _ENCODER.encode([to_document(each, f"[{index}]", 1) for index, each in piece])[1:-1]
        begin = end
    yield b"]"


def to_document(value: object, path: str = "", depth: int = 0) -> Value:
    """Return a copy of `value` in the form documents show (JSON only; see `encode`).

    Raises:
        UnsupportedValue: it holds something that has no JSON form (VALUE-001).
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return cast(Value, value)
    if kind is int:
        if not _INT_MIN <= cast(int, value) <= _INT_MAX:
            raise UnsupportedValue(path, "is an integer of more than 64 bits")
        return cast(int, value)
    if kind is float:
        if not math.isfinite(cast(float, value)):
            raise UnsupportedValue(path, f"is {value}, which JSON cannot express")
        return cast(float, value)
    if depth >= _MAX_DEPTH:
        raise UnsupportedValue("", f"is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, dict | list | tuple):
        return _container(
            cast("dict[object, object] | list[object] | tuple[object, ...]", value), path, depth
        )
    return _converted(value, path, depth)


def _container(
    value: dict[object, object] | list[object] | tuple[object, ...], path: str, depth: int
) -> Value:
    if not isinstance(value, dict):
        return [to_document(entry, f"{path}[{index}]", depth + 1) for index, entry in enumerate(value)]
    copy: dict[str, Value] = {}
    for key, entry in value.items():
        if not isinstance(key, str):
            raise UnsupportedValue(path, f"has the key {key!r}, which is not text")
        copy[str.__str__(key)] = to_document(entry, f"{path}.{key}" if path else key, depth + 1)
    return copy


def _converted(value: object, path: str, depth: int) -> Value:
    match value:
        case bytes() | bytearray() | memoryview():
            return {BYTES_KEY: base64.b64encode(cast(bytes, value)).decode("ascii")}
        case datetime() | date() | time():
            return value.isoformat()
        case PurePath():
            return str(value)
        case Encoded():
            return cast(Value, msgspec.Raw(value.read()))
        case Mapping():
            return _container(dict(cast("Mapping[object, object]", value)), path, depth)
        case bool() | int():
            return to_document(int(value), path, depth)
        case float():
            return to_document(float(value), path, depth)
        case str():
            return str.__str__(value)  # an enum's `str()` would be its name
        case _:
            raise UnsupportedValue(path, f"is a {type(value).__name__}, which cannot travel between nodes")


def decode(raw: bytes | msgspec.Raw) -> Value:
    """Return a fresh copy of the value that `encode` wrote; `{"$bytes": ...}` becomes bytes again."""
    value = cast(Value, _DECODER.decode(raw))
    return _restored(value) if _BYTES_MARK in memoryview(raw).tobytes() else value


def _restored(value: Value) -> Value:
    match value:
        case {"$bytes": str(text), **rest} if not rest:
            try:
                return base64.b64decode(text, validate=True)
            except ValueError:  # not base64: the table only looks like bytes
                return value
        case dict():
            return {key: _restored(entry) for key, entry in value.items()}
        case list():
            return [_restored(entry) for entry in value]
        case _:
            return value


def copied(value: Value) -> Value:
    """Return a copy of a value that shares no list and no table with it."""
    match value:
        case dict():
            return {key: copied(entry) for key, entry in value.items()}
        case list():
            return [copied(entry) for entry in value]
        case _:
            return value


def preview(value: object, limit_chars: int = 200) -> str:
    """Return `value` as one line of at most `limit_chars` characters; a cut is marked.

    The mark is `…`, and where there is room for it says how much there is: `… (100000 items)`.
    """
    text = value if isinstance(value, str) else encode(value).decode()
    line = " ".join(text.split())
    if len(line) <= limit_chars:
        return line
    mark = f"… ({_extent(value)})" if limit_chars >= _ROOMY_CHARS else "…"
    return f"{line[: max(limit_chars - len(mark), 0)]}{mark}"[:limit_chars]


def _extent(value: object) -> str:
    """Return how much a value holds; it may also be in the form of documents."""
    if isinstance(value, str):
        return _counted(len(value), "character")
    if isinstance(value, bytes | bytearray):
        return _counted(len(value), "byte")
    if isinstance(value, list | tuple):
        return _counted(len(cast("list[object]", value)), "item")
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value)
        shown = entries.get(BYTES_KEY) if len(entries) == 1 else None
        if isinstance(shown, str):
            return _counted(len(shown) * 3 // 4 - shown[-2:].count("="), "byte")
        return _counted(len(entries), "key")
    return "cut"


def _counted(count: int, one: str) -> str:
    return f"{count} {one}" if count == 1 else f"{count} {one}s"
