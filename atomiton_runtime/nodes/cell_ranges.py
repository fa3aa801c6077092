"""Reads ranges of cells such as `B2:D10`, and cuts rows to them."""

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

MAX_COLUMNS = 16_384
"""Columns of a sheet, and of a text table: the last one is XFD."""

_CORNER = r"\$?([A-Za-z]{1,3})?\$?([0-9]{1,9})?"
_RANGE = re.compile(f"{_CORNER}(:{_CORNER})?")
_T = TypeVar("_T")


class CellRange(msgspec.Struct, frozen=True):
    """A rectangle of cells; all numbers count from 0, the last ones are included, None leaves a side open."""

    first_row: int | None = None
    last_row: int | None = None
    first_column: int | None = None
    last_column: int | None = None

    def width(self) -> int | None:
        """Return how many columns it has, or None if it is open on the right or the left."""
        if self.first_column is None or self.last_column is None:
            return None
        return self.last_column - self.first_column + 1

    def cut(self, cells: Sequence[_T], begin: int = 0) -> list[_T | None]:
        """Return the cells of a row that are within; what the row lacks is None.

        Args:
            cells: of one row.
            begin: the column of the first of them; an open left side begins there.
        """
        first = begin if self.first_column is None else self.first_column
        end = None if self.last_column is None else max(self.last_column + 1 - begin, 0)
        found = [*[None] * (begin - first), *cells[max(first - begin, 0) : end]]
        width = self.width()
        return found if width is None else found[:width] + [None] * (width - len(found))


def parse_range(text: str) -> CellRange:
    """Return the range that `text` means: `B2:D10`, `B:D`, `2:10`, `B2:` (to the end), `:D10`, or one cell `B2`.

    Raises:
        ValueError: it means none; the message goes on from "the range".
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or not any(found.group(1, 2, 4, 5)):
        raise ValueError("must be like B2:D10, B:D, 2:10, B2: or B2")
    first_letters, first_digits, colon, last_letters, last_digits = found.groups()
    if colon is None:
        if first_letters is None or first_digits is None:
            raise ValueError(f"must have two ends: {text.strip()}:{text.strip()}")
        last_letters, last_digits = first_letters, first_digits
    cells = CellRange(_row(first_digits), _row(last_digits), _column(first_letters), _column(last_letters))
    for first, last in ((cells.first_row, cells.last_row), (cells.first_column, cells.last_column)):
        if first is not None and last is not None and first > last:
            raise ValueError("ends before it begins")
    return cells


def cell_name(row: int, column: int) -> str:
    """Return what the cell is called, such as `B2`; both numbers count from 0."""
    return f"{column_letters(column)}{row + 1}"


def column_letters(column: int) -> str:
    """Return what the column is called: 0 is A, 26 is AA."""
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def _row(digits: str | None) -> int | None:
    if digits is None:
        return None
    if int(digits) == 0:
        raise ValueError("has a row 0; the first row is 1")
    return int(digits) - 1


def _column(letters: str | None) -> int | None:
    if letters is None:
        return None
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    if number > MAX_COLUMNS:
        raise ValueError(f"has a column {letters.upper()}; the last one is XFD")
    return number - 1
