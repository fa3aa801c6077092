"""Finds what differs between two versions of a flow's file, key by key."""

import tomllib
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias, cast

import msgspec

from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.run.compare import compare
from atomiton_runtime.run.leaf_difference import form
from atomiton_runtime.run.pieces import Piece, pieces, step, worded
from atomiton_runtime.values import UnsupportedValue, Value, to_document

MOST_KEYS = 200
"""So many keys are listed."""

_Table: TypeAlias = "dict[str, object]"


class KeyChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the file with another value, or a key or table that only one version has."""

    path: str
    """As it would be written in the file: `nodes.fetch.url`."""
    side: Literal["added", "removed", "changed"]
    old: Value | msgspec.UnsetType = msgspec.UNSET
    new: Value | msgspec.UnsetType = msgspec.UNSET
    line: int
    """Of the key, counted from 1: in the new file, or in the old one of what was removed."""


class DefinitionChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The two runs are of different versions of the flow's file."""

    keys: tuple[KeyChanged, ...] | None
    """What differs, in the order of the new file; empty: only comments, layout or the order of keys. None: it is not
    known, because a version was not kept."""
    left_out: int = 0
    """So many more are not listed."""


def compare_definitions(old_source: str | None, new_source: str | None) -> DefinitionChanged:
    """Return what differs between two versions of a flow's file; None for the text of one that was not kept."""
    if old_source is None or new_source is None:
        return DefinitionChanged(keys=None)
    found = changes(old_source, new_source)
    if found is None:
        return DefinitionChanged(keys=None)
    old_lines, new_lines = _Lines(old_source), _Lines(new_source)
    listed = [
        msgspec.structs.replace(change, line=(old_lines if change.side == "removed" else new_lines).of(path))
        for path, change in found[:MOST_KEYS]
    ]
    return DefinitionChanged(keys=tuple(listed), left_out=len(found) - len(listed))


def changes(old_source: str, new_source: str) -> Sequence[tuple[KeyPath, KeyChanged]] | None:
    """Return what differs between two texts, each with its path, lines left out; None: one is no TOML."""
    try:
        return list(_changes(tomllib.loads(old_source), tomllib.loads(new_source), ()))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def key_pieces(key: KeyChanged) -> Iterator[Piece]:
    """Yield the lines in which people read about one key."""
    if key.side == "removed":
        yield Piece("-", key.path, worded(cast(Value, key.old)))
    elif key.side == "added":
        yield Piece("+", key.path, worded(cast(Value, key.new)))
    else:
        difference = compare(cast(Value, key.old), cast(Value, key.new))
        yield from pieces(difference, key.path) if difference is not None else ()


def _changes(old: _Table, new: _Table, path: KeyPath) -> Iterator[tuple[KeyPath, KeyChanged]]:
    for key, value in new.items():
        here, before = (*path, key), old.get(key)  # TOML has no null: None is a key that is not there
        if before is None:
            yield here, KeyChanged(path=_written(here), side="added", new=_plain(value), line=0)
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            yield from _changes(cast(_Table, before), cast(_Table, value), here)
            continue
        old_value, new_value = _plain(cast(object, before)), _plain(value)
        if form(old_value) != form(new_value):
            yield here, KeyChanged(path=_written(here), side="changed", old=old_value, new=new_value, line=0)
    for key, value in old.items():
        if key not in new:
            here = (*path, key)
            yield here, KeyChanged(path=_written(here), side="removed", old=_plain(value), line=0)


def _plain(value: object) -> Value:
    """Return a value of TOML as JSON can say it: dates, `inf`, `nan` and integers of more than 64 bits as texts."""
    match value:
        case dict():
            return {key: _plain(entry) for key, entry in cast(_Table, value).items()}
        case list():
            return [_plain(entry) for entry in cast("list[object]", value)]
        case _:
            try:
                return to_document(value)
            except UnsupportedValue:
                return str(value)


def _written(path: KeyPath) -> str:
    text = ""
    for key in path:
        text = step(text, str(key))
    return text


class _Lines:
    """Where the keys of a file are."""

    def __init__(self, source: str) -> None:
        # The second parser is loaded only when there is a place to be shown.
        from atomiton_runtime.flow.positions import Positions

        self._source = source
        self._positions = Positions(source)

    def of(self, path: KeyPath) -> int:
        """Return the line of a key, or of the nearest thing around it, counted from 1."""
        place = self._positions.find(path)
        return self._source.count("\n", 0, place.key.start) + 1 if place is not None else 1
