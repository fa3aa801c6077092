"""Says what a difference of two values is: of objects by key, of tables by row, of lists by entry, of texts by line.

Each has a `kind`, which is its tag in JSON. `compare.py` finds them.
"""

from typing import TypeAlias

import msgspec

from atomiton_runtime.values import Value


class Counts(msgspec.Struct, frozen=True):
    """How many entries differ, the ones that are not listed included."""

    added: int = 0
    removed: int = 0
    changed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.added + self.removed + self.changed


class ValueChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="value"):
    """One value instead of another, of whatever types."""

    old: Value
    new: Value


class NumberChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="number"):
    """One number instead of another."""

    old: int | float
    new: int | float
    delta: int | float
    """What has to be added to the old one."""


class BytesChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="bytes"):
    """Other bytes."""

    old_size_bytes: int
    new_size_bytes: int


class FileChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="file"):
    """Another large value; the store names its files by their content, so another name is another value."""

    old: str
    """The path of the file."""
    new: str
    old_size_bytes: int
    """Of the value's JSON."""
    new_size_bytes: int


class Line(msgspec.Struct, frozen=True):
    """A line of a text."""

    line: int
    """Counted from 1: in the old text of what was removed, in the new one of what was added."""
    text: str


class TextChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="text"):
    """A text of several lines in which some are others."""

    counts: Counts
    removed: tuple[Line, ...]
    added: tuple[Line, ...]


class ObjectChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="object"):
    """An object with other keys, or other values."""

    counts: Counts
    removed: dict[str, Value]
    added: dict[str, Value]
    changed: dict[str, "Difference"]


class Entry(msgspec.Struct, frozen=True):
    """An entry of a list, or a row of a table."""

    index: int
    """Counted from 0: in the old list of what was removed, in the new one of what was added."""
    value: Value


class EntryChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is in both lists and differs."""

    old_index: int
    new_index: int
    key: Value | msgspec.UnsetType = msgspec.UNSET
    """In the key column of the table, if it has one."""
    difference: "Difference"


class ListChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="list"):
    """A list with other entries."""

    counts: Counts
    removed: tuple[Entry, ...]
    added: tuple[Entry, ...]
    changed: tuple[EntryChanged, ...]


class TableChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="table"):
    """A list of objects with other rows.

    A column that every row of one table has, and no row of the other, is named once, not cell by cell.
    """

    counts: Counts
    key: str | None
    """The column by which rows were recognized; None: by their order."""
    reordered: bool
    """Whether rows that are in both tables, recognized by their key, are in another order."""
    columns_removed: tuple[str, ...]
    columns_added: tuple[str, ...]
    removed: tuple[Entry, ...]
    added: tuple[Entry, ...]
    changed: tuple[EntryChanged, ...]


Difference: TypeAlias = (
    ValueChanged
    | NumberChanged
    | BytesChanged
    | FileChanged
    | TextChanged
    | ObjectChanged
    | ListChanged
    | TableChanged
)
