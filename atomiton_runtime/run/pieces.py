"""Puts a difference into lines that people read: each with a sign, a path and a few words."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from atomiton_runtime.run.difference import (
    BytesChanged,
    Counts,
    Difference,
    Entry,
    EntryChanged,
    FileChanged,
    ListChanged,
    NumberChanged,
    ObjectChanged,
    TableChanged,
    TextChanged,
    ValueChanged,
)
from atomiton_runtime.values import Value, encode, preview

SHOWN_CHARS = 60
"""Of a value."""
_CONTEXT_CHARS = 15
"""So much of what two long values have in common is shown before the place where they part."""

Sign: TypeAlias = Literal["-", "+", "~", "…"]


class Piece(NamedTuple):
    """A line of a difference."""

    sign: Sign
    """What is only in the old run, only in the new one, in both but other, and what is not listed."""
    path: str
    """From the value that was compared: `rows[id=7].price`; empty for the value itself."""
    words: str
    stands_for: int = 1
    """So many lines."""


def pieces(difference: Difference, path: str = "") -> Iterator[Piece]:
    """Yield the lines of a difference; before the parts of a table, list or text, what they are in sum."""
    match difference:
        case ObjectChanged():
            for group in pieces_by_key(difference, path):
                yield from group
        case TextChanged():
            yield from _text(difference, path)
        case ListChanged() | TableChanged():
            yield from _list(difference, path)
        case _:
            yield Piece("~", path, change_words(difference))


def pieces_by_key(told: ObjectChanged, path: str = "") -> Iterator[list[Piece]]:
    """Yield the lines of each key of an object; what is not listed of it comes last."""
    for key, difference in told.changed.items():
        yield list(pieces(difference, step(path, key)))
    for key, value in told.removed.items():
        yield [Piece("-", step(path, key), worded(value))]
    for key, value in told.added.items():
        yield [Piece("+", step(path, key), worded(value))]
    yield list(_rest(path, told.counts.total - len(told.changed) - len(told.removed) - len(told.added)))


def shortened(group: list[Piece], most: int) -> list[Piece]:
    """Return the first lines of a group, and one for how many more there are."""
    if len(group) <= most:
        return group
    hidden = sum(piece.stands_for for piece in group[most:])
    return [*group[:most], *_rest(group[0].path, hidden)]


def change_words(
    difference: ValueChanged | NumberChanged | BytesChanged | FileChanged,
) -> str:
    """Return `10 -> 20 (+10)`, or what else a reader needs of one change."""
    match difference:
        case NumberChanged():
            return f"{worded(difference.old)} -> {worded(difference.new)} ({difference.delta:+})"
        case BytesChanged():
            return f"other bytes: {_sizes(difference.old_size_bytes, difference.new_size_bytes)}"
        case FileChanged():
            return f"another large value: {_sizes(difference.old_size_bytes, difference.new_size_bytes)}"
        case _:
            return arrow(difference.old, difference.new)


def arrow(old: Value, new: Value) -> str:
    """Return `old -> new`; of long values what is around the place where they part."""
    old_text, new_text = _plain(old), _plain(new)
    if max(len(old_text), len(new_text)) > SHOWN_CHARS:
        start = _common_chars(old_text, new_text) - _CONTEXT_CHARS
        if start > 0:
            old_text, new_text = f"…{old_text[start:]}", f"…{new_text[start:]}"
    return f"{_cut(old_text)} -> {_cut(new_text)}"


def worded(value: Value) -> str:
    """Return the value in one line: a text as it is where that is clear, everything else as JSON."""
    text = _plain(value)
    return text if len(text) <= SHOWN_CHARS else preview(value, SHOWN_CHARS)


def step(path: str, key: str) -> str:
    """Return the path of a key."""
    name = key if key.replace("_", "").replace("-", "").isalnum() else f'["{key}"]'
    return f"{path}.{name}" if path and not name.startswith("[") else f"{path}{name}"


def _text(told: TextChanged, path: str) -> Iterator[Piece]:
    yield Piece("~", path, _in_sum(told.counts, "line"))
    lines = [(line.line, "-", line.text) for line in told.removed]
    lines += [(line.line, "+", line.text) for line in told.added]
    for number, sign, text in sorted(lines, key=lambda line: line[0]):
        yield Piece("-" if sign == "-" else "+", f"{path}:{number}", _line(text))
    yield from _rest(path, told.counts.total - len(lines))


def _line(text: str) -> str:
    """Return a line of a text, its indentation included."""
    return _cut(text if text.isprintable() else encode(text).decode())


def _list(told: ListChanged | TableChanged, path: str) -> Iterator[Piece]:
    in_sum = _table_words(told) if isinstance(told, TableChanged) else [_in_sum(told.counts, "entry")]
    if told.counts.total != 1 or len(in_sum) > 1:
        yield Piece("~", path, ", ".join(in_sum))
    key = told.key if isinstance(told, TableChanged) else None
    for changed in told.changed:
        yield from pieces(changed.difference, f"{path}[{_changed_name(changed, key)}]")
    for entry in told.removed:
        yield Piece("-", f"{path}[{_name(entry, key)}]", worded(entry.value))
    for entry in told.added:
        yield Piece("+", f"{path}[{_name(entry, key)}]", worded(entry.value))
    yield from _rest(path, told.counts.total - len(told.changed) - len(told.removed) - len(told.added))


def _changed_name(entry: EntryChanged, key: str | None) -> str:
    return str(entry.new_index) if isinstance(entry.key, msgspec.UnsetType) else f"{key}={worded(entry.key)}"


def _name(entry: Entry, key: str | None) -> str:
    if key is None or not isinstance(entry.value, dict):
        return str(entry.index)
    return f"{key}={worded(entry.value[key])}"


def _table_words(told: TableChanged) -> list[str]:
    parts = [_in_sum(told.counts, "row")] if told.counts.total else []
    parts += [f"column {name} added" for name in told.columns_added]
    parts += [f"column {name} removed" for name in told.columns_removed]
    return [*parts, "rows in another order"] if told.reordered else parts


def _in_sum(counts: Counts, one: str) -> str:
    """Return `3 rows changed, 1 added`."""
    said = ((counts.changed, "changed"), (counts.added, "added"), (counts.removed, "removed"))
    (first, word), *others = [(count, word) for count, word in said if count]
    many = "entries" if one == "entry" else f"{one}s"
    return ", ".join(
        [f"{first} {one if first == 1 else many} {word}", *(f"{count} {other}" for count, other in others)]
    )


def _rest(path: str, count: int) -> Iterator[Piece]:
    if count:
        yield Piece("…", path, f"and {count} more", count)


def _plain(value: Value) -> str:
    """Return a text as it is, unless its borders or its kind would then be unclear; everything else as JSON."""
    written = encode(value).decode()
    if not isinstance(value, str) or not value.isprintable() or " ".join(value.split()) != value:
        return written
    return written if not value or " -> " in value or _is_json(value) else value


def _is_json(text: str) -> bool:
    """Return whether a text reads like another value: `5`, `true`, `[]`."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _common_chars(old: str, new: str) -> int:
    """Return how many characters both texts begin with."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(old), len(new)))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"


def _sizes(old: int, new: int) -> str:
    return f"{old:,} bytes" if old == new else f"{old:,} -> {new:,} bytes"
