"""Reads and writes tables of text (CSV, TSV), a row at a time."""

import csv
import io
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import BinaryIO, TextIO

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.cell_ranges import MAX_COLUMNS, CellRange
from atomiton_runtime.nodes.csv_cells import Scalar, cell_text, inferred
from atomiton_runtime.nodes.tables import Cells, Table
from atomiton_runtime.nodes.workbook_formats import MAX_CELLS, MAX_FILE_BYTES
from atomiton_runtime.values import Value

MAX_LINE_CHARS = 16 * 1024 * 1024
"""A longer line, or value, is not read: it is the sign of a quote that is not closed, or of no table at all."""

_ROWS_BETWEEN_CHECKS = 256
_REMEMBERED = 16_384
_BOMS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}

Pulse = Callable[[], None]
"""Called now and then; raises to end the work."""


def decoded(file: BinaryIO) -> TextIO:
    """Return the text of a file that can seek: UTF-8, or what its byte order mark says."""
    head = file.read(4)
    file.seek(0)
    encoding = next((name for mark, name in _BOMS.items() if head.startswith(mark)), "utf-8-sig")
    return io.TextIOWrapper(file, encoding, newline="")


def read_rows(
    text: TextIO, source: str, *, delimiter: str, infer_types: bool, cells: CellRange, pulse: Pulse
) -> Generator[list[Scalar]]:
    """Yield the cells of each row within `cells`.

    Args:
        text: opened with `newline=""`.
        source: what messages call it.
        delimiter: one character.
        infer_types: see `csv_cells.inferred`; without it, everything but an empty cell is text.
        cells: which ones; rows are counted as the table has them, a value may go over several lines.
        pulse: called between rows.

    Raises:
        NodeError: it is no such table (SHEET-005), is too large (SHEET-006, FILE-013), or is not in UTF-8
            (FILE-009); the message has the line.
    """
    # The limit is one of the process; it is only ever raised, and lines are limited here.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_CHARS))
    read = csv.reader(_lines(text, source), delimiter=delimiter, strict=True)
    meaning = _Meanings(infer_types)
    first, count = cells.first_row or 0, 0
    try:
        for index, row in enumerate(read):
            if index % _ROWS_BETWEEN_CHECKS == 0:
                pulse()
            if cells.last_row is not None and index > cells.last_row:
                return
            if len(row) > MAX_COLUMNS:
                raise _too_large(source, f"line {read.line_num} has {len(row)} columns", str(MAX_COLUMNS))
            if index < first:
                continue
            count += len(row)
            if count > MAX_CELLS:
                raise _too_large(
                    source, f"there are {count} cells up to line {read.line_num}", str(MAX_CELLS)
                )
            yield cells.cut([meaning[text] for text in row])
    except csv.Error as error:
        raise _broken(source, read.line_num, error) from error


def write_rows(table: Table, file: BinaryIO, *, delimiter: str, has_headers: bool, pulse: Pulse) -> None:
    """Write a table as UTF-8 with a line feed after each row; see `csv_cells.cell_text` for its values.

    Raises:
        NodeError: a value has no text (SHEET-008); the message has the index of the item and the column.
    """
    writer = csv.writer(_LineFeeds(file), delimiter=delimiter, lineterminator="\r\n")
    if not table.rows or (
        has_headers and table.named
    ):  # Of no rows a line is left: a file without any is broken.
        writer.writerow([_text_of(name, "the name of a column") for name in table.columns])
    for index, row in enumerate(table.cells()):
        if index % _ROWS_BETWEEN_CHECKS == 0:
            pulse()
        writer.writerow(_texts_of(row, index, table.columns))


class _Meanings(dict[str, Scalar]):
    """Text of a cell -> what it means. Keeps some, so that equal texts of a column share one object."""

    def __init__(self, infer_types: bool) -> None:
        self._mean: Callable[[str], Scalar] = inferred if infer_types else _plain

    def __missing__(self, text: str) -> Scalar:
        value = self._mean(text)
        if len(self) < _REMEMBERED:
            self[text] = value
        return value


class _LineFeeds:
    """Takes lines that end with CR LF and writes them with LF.

    The `csv` module quotes a CR within a value only if the ends of its lines have one (CPython before 3.13).
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        self._file.write(f"{line[:-2]}\n".encode())


def _plain(text: str) -> Scalar:
    return text or None


def _lines(text: TextIO, source: str) -> Iterator[str]:
    number, size = 0, 0
    while True:
        try:
            line = text.readline(MAX_LINE_CHARS + 1)
        except UnicodeError as error:
            message = f"{source} is not UTF-8: there is a wrong byte in line {number + 1} or soon after it"
            hint = 'save it as UTF-8, or let `file-system` read it (encoding = "cp1252") and give its text as `data`'
            raise NodeError("FILE-009", message, hint=hint) from error
        if not line:
            return
        number += 1
        size += len(line)
        if len(line) > MAX_LINE_CHARS:
            raise _too_large(source, f"line {number} does not end", f"{MAX_LINE_CHARS} characters of a line")
        if size > MAX_FILE_BYTES:
            raise _too_large(source, f"it goes on after line {number}", f"{MAX_FILE_BYTES} characters")
        if "\0" in line:
            hint = "is it a table of text? UTF-16 is read if a byte order mark says so"
            raise NodeError("SHEET-005", f"{source}, line {number}: there is a NUL character", hint=hint)
        yield line


def _too_large(source: str, what: str, limit: str) -> NodeError:
    message = f"{source} is too large: {what}, and {limit} can be read"
    return NodeError("SHEET-006", message, hint="is it a table, with the right `delimiter`?")


def _broken(source: str, line: int, error: csv.Error) -> NodeError:
    words = str(error)
    if words.startswith(("unexpected end", "field larger")):
        words = "a quote before this is not closed"
    hint = 'a value in quotes ends with a quote; a quote within it is doubled: "5"" disk"'
    return NodeError("SHEET-005", f"{source}, line {line}: {words}", hint=hint)


def _texts_of(row: Cells, index: int, columns: list[str]) -> Iterable[str]:
    try:
        return [cell_text(value) for value in row]
    except ValueError:
        # Looked for again, so that all the others need not be counted.
        return [
            _text_of(value, f"item {index}, `{column}`") for value, column in zip(row, columns, strict=False)
        ]


def _text_of(value: Value, place: str) -> str:
    try:
        return cell_text(value)
    except ValueError as error:
        raise NodeError("SHEET-008", f"{place} is {error}") from error
