"""Makes a table of rows of cells, and rows of cells of a table."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import msgspec

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.ordering import kind_of
from atomiton_runtime.values import Value

Cells = Sequence[Value]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table whose rows are alike."""

    rows: list[Value]
    """Objects with the keys `columns`, or lists that are as long as those."""
    columns: list[str]
    named: bool
    """Whether `columns` are the table's own names; else they are only counted: column_1, column_2 ..."""

    def cells(self) -> Iterator[Cells]:
        """Yield the values of each row, in the order of the columns; a list may be shorter."""
        for row in self.rows:
            yield [row.get(name) for name in self.columns] if isinstance(row, dict) else cast(Cells, row)


def assembled(rows: Iterable[Cells], *, has_headers: bool, skip_empty_rows: bool) -> Table:
    """Return a table of `rows`; the first one has the names of the columns if `has_headers`.

    What a short row lacks is None. A row with more values than there are columns adds columns to the whole table.
    """
    if skip_empty_rows:
        rows = (row for row in rows if any(cell is not None for cell in row))
    return _named(iter(rows)) if has_headers else _counted(rows)


def column_names(header: Cells) -> list[str]:
    """Return a name for each cell of a header, no two alike, without white space around.

    Column 3 without a name is `column_3`. A name that was there before is `name_2`, then `name_3`, and never
    one that another column has by itself.
    """
    written = [_as_name(cell) or f"column_{number}" for number, cell in enumerate(header, start=1)]
    taken = set(written)
    used: set[str] = set()
    next_numbers: dict[str, int] = {}
    names: list[str] = []
    for wanted in written:
        name = wanted
        if name in used:
            number = next_numbers.get(wanted, 2)
            while (name := f"{wanted}_{number}") in taken:
                number += 1
            next_numbers[wanted] = number + 1
            taken.add(name)
        used.add(name)
        names.append(name)
    return names


def table_to_write(value: Value) -> Table:
    """Return the table that a node is to write; the columns of objects are in the order in which they come.

    Raises:
        NodeError: it is no list of objects, and no list of lists (SHEET-007); the message has the item's index.
    """
    if not isinstance(value, list):
        hint = "give `input` the `rows` of a spreadsheet, or another list of objects or lists"
        raise NodeError("SHEET-007", f"the input must be a list of rows, not {kind_of(value)}", hint=hint)
    columns: dict[str, None] = {}
    width = 0
    for index, row in enumerate(value):
        if not isinstance(row, dict | list) or type(row) is not type(value[0]):
            wanted = kind_of(value[0]) if index else "an object or a list"
            message = f"item {index} of the input is {kind_of(row)}, and a row must be {wanted}"
            raise NodeError("SHEET-007", message, hint="all rows are objects, or all are lists")
        if isinstance(row, dict):
            columns.update(dict.fromkeys(row))
        else:
            width = max(width, len(row))
    named = bool(value) and isinstance(value[0], dict)
    names = list(columns) if named else _counted_names(width)
    return Table(rows=value, columns=names, named=named)


def _named(rows: Iterator[Cells]) -> Table:
    names = column_names(next(rows, ()))
    complete_from = 0
    objects: list[Value] = []
    for row in rows:
        if len(row) > len(names) and any(cell is not None for cell in row[len(names) :]):
            names = column_names([*names, *[None] * (len(_without_end(row)) - len(names))])
            complete_from = len(objects)
        lacking = len(names) - len(row)
        objects.append(dict(zip(names, [*row, *[None] * lacking] if lacking > 0 else row, strict=False)))
    for each in objects[:complete_from]:
        _complete(cast("dict[str, Value]", each), names)
    return Table(rows=objects, columns=names, named=True)


def _complete(row: dict[str, Value], names: Sequence[str]) -> None:
    for name in names[len(row) :]:
        row[name] = None


def _counted(rows: Iterable[Cells]) -> Table:
    lists = [list(row) for row in rows]
    width = max(map(len, lists), default=0)
    for row in lists:
        row.extend([None] * (width - len(row)))
    return Table(rows=cast("list[Value]", lists), columns=_counted_names(width), named=False)


def _counted_names(width: int) -> list[str]:
    return [f"column_{number}" for number in range(1, width + 1)]


def _without_end(row: Cells) -> Cells:
    end = len(row)
    while row[end - 1] is None:
        end -= 1
    return row[:end]


def _as_name(cell: Value) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case _:
            return str(cell).strip()
