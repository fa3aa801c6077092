"""Writes a table as an .xlsx workbook, a row at a time."""

import contextlib
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.cell_ranges import MAX_COLUMNS
from atomiton_runtime.nodes.csv_cells import finite, nested_text
from atomiton_runtime.nodes.tables import Cells, Table
from atomiton_runtime.nodes.workbook_formats import MAX_ROWS
from atomiton_runtime.scratch import ScratchFolder
from atomiton_runtime.values import Value

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

DEFAULT_SHEET = "Sheet1"
MAX_CELL_CHARS = 32_767
MAX_SHEET_NAME_CHARS = 31

_EXACT = 2**53
_ROWS_BETWEEN_CHECKS = 256
_REFUSED_IN_NAMES = "[]:*?/\\"


class _Outlet:
    """Passes on to a file what XlsxWriter writes, until it is shut.

    XlsxWriter (3.3) leaves its archive open when the system refuses a write; the archive then ends itself whenever it
    is collected, and must find something to write to.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_shut = False

    def shut(self) -> None:
        """Let what is written from now on be lost."""
        self._is_shut = True

    def write(self, data: bytes) -> int:
        return len(data) if self._is_shut else self._file.write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0 if self._is_shut else self._file.seek(offset, whence)

    def tell(self) -> int:
        return 0 if self._is_shut else self._file.tell()

    def flush(self) -> None:
        if not self._is_shut:
            self._file.flush()


class _Exact(float):
    """A number that XlsxWriter (3.3) writes with all its digits, not with 16 of them, as it would."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return float.__repr__(self)


def sheet_name_fault(name: str) -> str | None:
    """Return what keeps `name` from being that of a sheet, or None."""
    if len(name) > MAX_SHEET_NAME_CHARS:
        return f"has {len(name)} characters, and {MAX_SHEET_NAME_CHARS} are possible"
    if found := next((each for each in name if each in _REFUSED_IN_NAMES or not each.isprintable()), None):
        return f"has {found!r}, which no sheet's name may"
    if name[:1] == "'" or name[-1:] == "'":
        return "begins or ends with an apostrophe"
    if not name.strip():
        return "is empty"
    return "is kept for Excel itself" if name.casefold() == "history" else None


def write_workbook(
    table: Table, file: BinaryIO, *, sheet: str, has_headers: bool, pulse: Callable[[], None]
) -> None:
    """Write a table as the only sheet of a workbook.

    Text stays text, whatever it looks like: no formula, link or date is made of it.

    Raises:
        NodeError: it has more rows or columns than a sheet (SHEET-009), or a value that no cell can hold
            (SHEET-008); the message has the index of the item and the column.
        OSError: as the system says.
    """
    header = has_headers and table.named
    _require_room(len(table.rows) + header, len(table.columns))
    with _workbook(file) as book:
        worksheet = book.add_worksheet(sheet)  # pyright: ignore[reportUnknownMemberType]  # its hints are not whole
        if header:
            _write_row(worksheet, 0, table.columns, ["the name of a column"] * len(table.columns))
        for row, cells in enumerate(table.cells(), start=int(header)):
            if row % _ROWS_BETWEEN_CHECKS == 0:
                pulse()
            _write_row(worksheet, row, cells, table.columns, item=row - header)


@contextlib.contextmanager
def _workbook(file: BinaryIO) -> Generator["Workbook"]:
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import FileCreateError

    with ScratchFolder() as scratch:
        # Written row by row to a file in the folder; so strings are not kept to be shared.
        outlet = _Outlet(file)
        book = Workbook(
            cast(str, outlet), {"constant_memory": True, "tmpdir": str(scratch.path), "use_zip64": True}
        )
        try:
            yield book
            book.close()
        except FileCreateError as error:
            raise cast(OSError, error.args[0]) from error  # As XlsxWriter was told it.
        finally:
            outlet.shut()
            _let_go(book)


def _let_go(book: "Workbook") -> None:
    """Close the files that XlsxWriter (3.3) leaves open when a workbook is not closed."""
    for worksheet in book.worksheets():
        rows = cast("TextIO | None", worksheet.row_data_fh)  # pyright: ignore[reportUnknownMemberType]  # as above
        if rows is not None:
            rows.close()
    book.fileclosed = True


def _write_row(
    worksheet: "Worksheet", row: int, cells: Cells, columns: list[str], *, item: int | None = None
) -> None:
    for column, value in enumerate(cells):
        if value is None or value == "":
            continue
        try:
            failed = _write_cell(worksheet, row, column, value)
        except ValueError as error:
            place = f"item {item}, `{columns[column]}`" if item is not None else columns[column]
            raise NodeError("SHEET-008", f"{place} is {error}") from error
        assert not failed, f"XlsxWriter answers {failed} for row {row}, column {column}"


def _write_cell(worksheet: "Worksheet", row: int, column: int, value: Value) -> int:
    match value:
        case bool():
            return worksheet.write_boolean(row, column, value)
        case int() if abs(value) > _EXACT:
            return worksheet.write_string(row, column, str(value))
        case int():
            return worksheet.write_number(row, column, value)
        case float():
            return worksheet.write_number(row, column, _Exact(finite(value)))
        case bytes():
            raise ValueError("bytes, which a table cannot hold")
        case str():
            return worksheet.write_string(row, column, _fitting(value))
        case _:
            return worksheet.write_string(row, column, _fitting(nested_text(value)))


def _fitting(text: str) -> str:
    if len(text.encode("utf-16-le")) // 2 > MAX_CELL_CHARS:
        raise ValueError(f"text of {len(text)} characters, and a cell can hold {MAX_CELL_CHARS}")
    return text


def _require_room(rows: int, columns: int) -> None:
    for count, limit, what in ((rows, MAX_ROWS, "rows"), (columns, MAX_COLUMNS, "columns")):
        if count > limit:
            hint = (
                'format = "csv" has no such limit' if what == "rows" else "are these rows, and not columns?"
            )
            raise NodeError("SHEET-009", f"there are {count} {what}, and a sheet can hold {limit}", hint=hint)
