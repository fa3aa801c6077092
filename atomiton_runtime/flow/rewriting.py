"""Replaces values in the bytes of a flow file, and nothing else: comments and formatting stay as they are."""

import copy
import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import msgspec

from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.positions import Positions, Span
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.flow.source import read_source
from atomiton_runtime.flow.toml_values import NotToml, toml_value
from atomiton_runtime.values import Value

_NO_NULL = "TOML has no null: expect it by `when`"
_SCATTERED = "it is not written as one value, so it has to be changed by hand"


class Change(msgspec.Struct, frozen=True):
    """A value of a flow file that is to be another one."""

    path: KeyPath
    value: Value
    """In the form of documents."""


class Rewritten(msgspec.Struct, frozen=True):
    """A flow file with other values."""

    content: bytes
    refused: Sequence[tuple[Change, str]]
    """The changes that were not made, and why."""


def rewrite(content: bytes, changes: Sequence[Change]) -> Rewritten:
    """Return a file with other values. That it says nothing else than before, but for these, is made sure of.

    Args:
        content: the bytes of a flow file that is TOML.
        changes: no two about the same value, or about values within each other.
    """
    source = read_source(content, "")
    assert not isinstance(source, Problem)
    positions = Positions(source.text)
    wanted: dict[str, Any] = copy.deepcopy(source.data)
    pieces: list[tuple[Span, str]] = []
    refused: list[tuple[Change, str]] = []
    for change in changes:
        place = positions.find(change.path)
        if place is None or not _is_whole(source.text[slice(*place.value)], _at(wanted, change.path)):
            refused.append((change, _SCATTERED))
            continue
        try:
            written = toml_value(change.value)
        except NotToml:
            refused.append((change, _NO_NULL))
            continue
        pieces.append((place.value, written))
        _at(wanted, change.path[:-1])[change.path[-1]] = _parsed(written)
    after = _replaced(content, source.text, pieces)
    assert tomllib.loads(after.decode().removeprefix("\ufeff")) == wanted
    return Rewritten(after, tuple(refused))


def _is_whole(text: str, value: object) -> bool:
    """Return whether a piece of the file is all that says this value: dotted keys and headers spread one."""
    try:
        return _parsed(text) == value
    except tomllib.TOMLDecodeError:
        return False


def _parsed(text: str) -> object:
    return tomllib.loads(f"value = {text}")["value"]


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        data = data[key]
    return data


def _replaced(content: bytes, text: str, pieces: Sequence[tuple[Span, str]]) -> bytes:
    """Return the bytes with pieces of their text replaced; each line keeps the end that it has."""
    raw = content.decode()
    of = _RawOffsets(raw, text)
    newline = "\r\n" if "\r\n" in raw else "\n"
    for span, written in sorted(pieces, reverse=True):
        raw = raw[: of.of(span.start)] + written.replace("\n", newline) + raw[of.of(span.end) :]
    return raw.encode()


class _RawOffsets:
    """Converts places in the text of a source, whose lines end with LF, to places in the file as it is."""

    def __init__(self, raw: str, text: str) -> None:
        self._head = 1 if raw.startswith("\ufeff") else 0
        self._added: list[int] = []
        """Where in the text lines end that end with CR LF in the file."""
        place = self._head
        for offset, char in enumerate(text):
            if char == "\n" and raw[place] == "\r":
                self._added.append(offset)
                place += 1
            place += 1

    def of(self, offset: int) -> int:
        return self._head + offset + bisect_left(self._added, offset)
