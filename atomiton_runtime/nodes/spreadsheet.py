"""Is the node type `spreadsheet`."""

import contextlib
import errno
import json
import os
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
from msgspec import UNSET, Meta

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes import files
from atomiton_runtime.nodes.base import Effect, Example, NodeContext, NodeType, Outside, Port
from atomiton_runtime.nodes.cell_ranges import CellRange, parse_range
from atomiton_runtime.nodes.csv_rows import decoded, read_rows, write_rows
from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.paths import resolved
from atomiton_runtime.nodes.spreadsheet_complaints import complaints_about
from atomiton_runtime.nodes.spreadsheet_sources import Source, opened
from atomiton_runtime.nodes.tables import Cells, Table, assembled, table_to_write
from atomiton_runtime.nodes.workbook_formats import TEXT_FORMATS, Format, format_of
from atomiton_runtime.nodes.workbook_writing import DEFAULT_SHEET, write_workbook
from atomiton_runtime.values import Value, preview

_OTHER_DELIMITERS = ";\t|,"


class SpreadsheetParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `spreadsheet` takes."""

    operation: Annotated[
        Literal["read", "write"],
        Meta(
            description=(
                "`read` gives the rows of a sheet; `write` makes the input, a list of objects or of lists, the whole "
                "content of a file. Missing folders on the way to it are created."
            )
        ),
    ] = "read"
    path: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="The file, relative to the flow's folder; `~` is your home."),
    ] = None
    data: Annotated[
        Any,
        Meta(description="read: text or bytes to read instead of a file, such as the body of a response."),
    ] = UNSET
    format: Annotated[
        Format | None,
        Meta(
            description=(
                "Without it, the extension of `path` says it (.tab is tsv, .xlsm is read as xlsx), and for `data` the "
                "content. `write` makes csv, tsv and xlsx."
            )
        ),
    ] = None
    sheet: Annotated[
        Annotated[str, Meta(min_length=1)] | Annotated[int, Meta(ge=0)] | None,
        Meta(
            description=(
                "Of a workbook, the sheet by name, or by index: 0 is the first, which is also the default. "
                'write: its name, "Sheet1" by default.'
            )
        ),
    ] = None
    has_headers: Annotated[
        bool,
        Meta(
            description=(
                "Whether the first row has the names of the columns. A column without a name is `column_3` by its "
                "place, one whose name was there before is `name_2`. false: rows are lists; write: objects are "
                "written without their keys."
            )
        ),
    ] = True
    range: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description=(
                "read: these cells only: `B2:D10`, columns `B:D`, rows `2:10`, or open ends, `B2:`. Without it, all "
                "that is used; a workbook's first used row and column are the first."
            )
        ),
    ] = None
    delimiter: Annotated[
        Annotated[str, Meta(min_length=1, max_length=1)] | None,
        Meta(description="csv, tsv: the character between values; a comma for csv, a tab for tsv."),
    ] = None
    skip_empty_rows: Annotated[
        bool, Meta(description="read: whether rows without any value are left out.")
    ] = True
    infer_types: Annotated[
        bool,
        Meta(
            description=(
                "csv, tsv: integers, decimals and true/false become what they look like, if no digit is lost by it: "
                "`007`, `+5`, `1e5`, `1,5`, ` 5 ` and numbers too long to be exact stay text. An empty value is null "
                "in any case."
            )
        ),
    ] = True


class Spreadsheet(NodeType):
    """Reads and writes tables: CSV, TSV and Excel workbooks; reads OpenDocument workbooks as well.

    Text is read as UTF-8, or as UTF-16 with a byte order mark. A row with fewer values than there are columns gets
    nulls, one with more adds columns. Of a workbook, dates, times and durations become ISO 8601 text
    (`2024-02-29`, `2024-02-29T13:45:30`, `13:45:30`, `PT49H30M15S`), whole numbers integers, percentages and amounts
    plain numbers; a formula is the value it had when the file was saved; merged cells have their value in the first
    one; a cell that is empty, or whose value is an error such as `#DIV/0!`, is null.

    Written text never becomes a formula, a link or a date. In xlsx it is text as it is, of at most 32 767
    characters; integers beyond 2**53, which would lose digits, are text as well. In csv and tsv, which are UTF-8
    with line feeds, a text that begins with `=`, `+`, `-`, `@`, a tab or a line's end gets an apostrophe in front,
    unless it is a number such as `-5`; reading does not take the apostrophe away. Nested data is written as JSON
    text. A null and an empty text are empty cells, and read as null.

    A file is replaced whole or not at all. Workbooks are read in a process of their own, with at most 2 GiB of memory;
    10 million cells and 256 MiB of text can be read.
    """

    name = "spreadsheet"
    ports = (
        Port(
            "rows", "Objects with a key for each column, or lists without headers; write: what was written."
        ),
        Port("columns", "The names of the columns in order; without headers column_1, column_2 and so on."),
        Port("row_count", "How many rows there are, the one with the headers not counted."),
    )
    Parameters = SpreadsheetParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Read a CSV",
            toml='path = "customers.csv"',
            files={"customers.csv": "id,name,total,active\n007,Ada,12.5,true\n008,Grace,3,\n"},
            outputs={
                "rows": [
                    {"id": "007", "name": "Ada", "total": 12.5, "active": True},
                    {"id": "008", "name": "Grace", "total": 3, "active": None},
                ],
                "columns": ["id", "name", "total", "active"],
                "row_count": 2,
            },
        ),
        Example(
            title="A part of a table without headers, separated by semicolons",
            toml='operation = "read"\npath = "a.csv"\ndelimiter = ";"\nhas_headers = false\nrange = "B2:C3"',
            files={"a.csv": "a;b;c;d\n1;2;3;4\n5;6;7;8\n9;10;11;12\n"},
            outputs={"rows": [[2, 3], [6, 7]], "columns": ["column_1", "column_2"], "row_count": 2},
        ),
        Example(
            title="Headers that are missing or there twice",
            toml='operation = "read"\npath = "a.csv"',
            files={"a.csv": "name,name,\nAda,Lovelace,1815\n"},
            outputs={"columns": ["name", "name_2", "column_3"]},
        ),
        Example(
            title="Read what another node gives",
            toml='operation = "read"\ndata = "{{ input }}"\nformat = "tsv"\ninfer_types = false',
            input="city\tzip\nBern\t3000\n",
            outputs={"rows": [{"city": "Bern", "zip": "3000"}]},
        ),
        Example(
            title="Write a CSV that harms nobody who opens it",
            toml='operation = "write"\npath = "out/notes.csv"',
            input=[{"id": 1, "note": "=1+1"}, {"id": -2, "tags": ["a", "b"]}],
            outputs={"columns": ["id", "note", "tags"], "row_count": 2},
            files_after={"out/notes.csv": 'id,note,tags\n1,\'=1+1,\n-2,,"[""a"",""b""]"\n'},
        ),
        Example(
            title="Write an Excel workbook",
            toml='operation = "write"\npath = "out/totals.xlsx"\nsheet = "Totals"',
            input=[["north", 3], ["south", 4.5]],
            outputs={"rows": [["north", 3], ["south", 4.5]], "row_count": 2},
        ),
        Example(
            title="A text is no workbook, whatever its name says",
            toml='operation = "read"\npath = "a.xlsx"',
            files={"a.xlsx": "a,b\n1,2\n"},
            error="SHEET-001",
        ),
        Example(
            title="A quote that is not closed",
            toml='operation = "read"\npath = "a.csv"',
            files={"a.csv": 'a,b\n1,"2\n3,4\n'},
            error="SHEET-005",
        ),
        Example(
            title="What is no row cannot be written",
            toml='operation = "write"\npath = "a.csv"',
            input=[{"a": 1}, "b"],
            error="SHEET-007",
        ),
        Example(
            title="OpenDocument is only read", toml='operation = "write"\npath = "a.ods"', error="PARAM-007"
        ),
        Example(
            title="Either a path or data",
            toml='operation = "read"\npath = "a.csv"\ndata = "a,b"',
            error="PARAM-007",
        ),
    )

    def effect(self, parameters: SpreadsheetParameters) -> Effect:
        """Return `reads` for `read` and `writes` for `write`."""
        return "reads" if parameters.operation == "read" else "writes"

    def outside(self, parameters: SpreadsheetParameters, context: NodeContext) -> Outside:
        """Return the file that is read or written; nothing for `data`."""
        if parameters.operation == "read":
            read = parameters.path
            return Outside(reads=() if read is None else (resolved(read, context.folder, "path"),))
        assert parameters.path is not None
        written = resolved(parameters.path, context.folder, "path")
        return Outside(leaves=(written,), does=preview(f"writes {parameters.path}"))

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return what the operation or the format lacks or would not use, and what is wrong with a text."""
        return tuple(complaints_about(parameters))

    def execute(self, parameters: SpreadsheetParameters, context: NodeContext) -> dict[str, Value]:
        """Read or write a table."""
        context.cancel.raise_if_cancelled()
        act = _read if parameters.operation == "read" else _write
        try:
            table = act(parameters, context)
        except OSError as error:
            raise explained(error, parameters.path or "`data`") from error
        return {"rows": table.rows, "columns": list[Value](table.columns), "row_count": len(table.rows)}


def _read(parameters: SpreadsheetParameters, context: NodeContext) -> Table:
    cells = CellRange() if parameters.range is None else parse_range(parameters.range)
    with (
        opened(parameters.path, parameters.data, parameters.format, context) as source,
        contextlib.closing(_rows(source, parameters, cells, context)) as rows,
    ):
        table = assembled(
            rows, has_headers=parameters.has_headers, skip_empty_rows=parameters.skip_empty_rows
        )
    _wonder_about_delimiter(table, source, context)
    return table


def _wonder_about_delimiter(table: Table, source: Source, context: NodeContext) -> None:
    if source.format in TEXT_FORMATS and table.named and len(table.columns) == 1:
        name = table.columns[0]
        found = next((each for each in _OTHER_DELIMITERS if each in name), None)
        if found:
            context.log(
                f"{source.name} has one column, {name!r}: is delimiter = {json.dumps(found)} meant?\n"
            )


def _rows(
    source: Source, parameters: SpreadsheetParameters, cells: CellRange, context: NodeContext
) -> Generator[Cells]:
    if source.format in TEXT_FORMATS:
        return read_rows(
            decoded(source.file),
            source.name,
            delimiter=parameters.delimiter or TEXT_FORMATS[source.format],
            infer_types=parameters.infer_types,
            cells=cells,
            pulse=context.cancel.raise_if_cancelled,
        )
    from atomiton_runtime.nodes.workbook_process import Request
    from atomiton_runtime.nodes.workbooks import read_workbook

    request = Request(format=source.format, sheet=parameters.sheet, cells=cells)
    return read_workbook(source.file, source.name, request, context.cancel)


def _write(parameters: SpreadsheetParameters, context: NodeContext) -> Table:
    assert parameters.path is not None
    kind = parameters.format or format_of(parameters.path, "write")
    path = resolved(parameters.path, context.folder, "path")
    table = table_to_write(context.input)
    pulse = context.cancel.raise_if_cancelled
    _make_folder(path.parent)
    with files.replacing(path, overwrite=True) as file:
        if kind == "xlsx":
            sheet = cast("str | None", parameters.sheet) or DEFAULT_SHEET
            write_workbook(table, file, sheet=sheet, has_headers=parameters.has_headers, pulse=pulse)
        else:
            assert kind is not None
            delimiter = parameters.delimiter or TEXT_FORMATS[kind]
            write_rows(table, file, delimiter=delimiter, has_headers=parameters.has_headers, pulse=pulse)
        pulse()
    return table


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
