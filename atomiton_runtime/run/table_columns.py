"""Reads the columns of two tables: which one names the rows, and which are in one table only."""

from collections.abc import Sequence
from typing import TypeAlias

from atomiton_runtime.run.leaf_difference import is_marker
from atomiton_runtime.values import Value

Row: TypeAlias = "dict[str, Value]"
Key: TypeAlias = "str | int"

_ENOUGH_IN_BOTH = 0.5
"""A column that names rows has at least this share of its values in both tables, by whatever name it goes."""
_SEVERAL = 2
_NAMES = ("id", "key", "uuid", "guid")
"""Columns that name rows by their very name: nothing has to be in both tables."""


def is_row(value: Value) -> bool:
    """Return whether the value may be a row of a table."""
    return isinstance(value, dict) and not is_marker(value)


def row_key(old: Sequence[Row], new: Sequence[Row]) -> str | None:
    """Return the column that has a text or an integer in every row, each once in each table; None: there is none.

    Of several, one called `id` or so is taken, else the one with the most values that are in both tables.
    """
    if not old or not new:
        return None
    best, most_in_both = None, 0
    for column in old[0]:
        old_keys = _keys(old, column)
        new_keys = _keys(new, column) if old_keys is not None else None
        if old_keys is None or new_keys is None:
            continue
        if column.casefold() in _NAMES:
            return column
        in_both = len(old_keys & new_keys)
        if in_both > most_in_both and in_both >= _ENOUGH_IN_BOTH * min(len(old), len(new)):
            best, most_in_both = column, in_both
    return best


def _keys(rows: Sequence[Row], column: str) -> set[Key] | None:
    """Return the values of a column; None: it names no rows."""
    keys: set[Key] = set()
    for row in rows:
        value = row.get(column)
        if type(value) not in (str, int) or value in keys:
            return None
        keys.add(value)  # pyright: ignore[reportArgumentType]  # its type was looked at
    return keys


def other_columns(old: Sequence[Row], new: Sequence[Row]) -> tuple[list[str], list[str]]:
    """Return the columns of only the old table, and those of only the new one.

    A column is in every one of several rows: what only some have is part of these rows, and shown there.
    """
    return _only_in(old, new), _only_in(new, old)


def _only_in(rows: Sequence[Row], others: Sequence[Row]) -> list[str]:
    if len(rows) < _SEVERAL or not others:
        return []
    in_others = {column for row in others for column in row}
    return [column for column in rows[0] if column not in in_others and all(column in row for row in rows)]


def without(rows: list[Row], columns: Sequence[str]) -> list[Row]:
    """Return the rows without these columns."""
    if not columns:
        return rows
    left_out = set(columns)
    return [{name: cell for name, cell in row.items() if name not in left_out} for row in rows]
