"""Reads the cells of a workbook: a program of its own, so that no file can take more than this process with it.

A kilobyte of a workbook can ask its reader for 500 GB, and python-calamine (0.9) then aborts the process; a file that
nobody thought of may make it panic, or work for hours. So this program has a limit of memory and may be killed.

It gets a `Request` as its argument, as JSON, and the workbook from its standard input. It writes lines of JSON:
`{"rows": [...]}` with the next rows as lists of cells, then either `{"done": true}` or `{"refused": {...}}`.
"""

import contextlib
import datetime
import io
import math
import os
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from atomiton_runtime.nodes.cell_ranges import MAX_COLUMNS, CellRange, cell_name
from atomiton_runtime.nodes.workbook_formats import MAX_CELLS, MAX_FILE_BYTES, MAX_ROWS, container_of

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
"""Of this process; where the system knows such a limit."""
MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
"""Of all that is packed in a workbook together."""
MAX_ENTRIES = 10_000
"""Files that are packed in a workbook."""

_CELLS_PER_LINE = 5_000
_EXACT = 2**53
_PIECE_BYTES = 1024 * 1024
_LOCKED_OOXML = "EncryptedPackage".encode("utf-16-le")
_BIFF_BOF = b"\x09\x08\x10\x00\x00\x06\x05\x00"
_BIFF_FILEPASS = 0x2F

Cell = str | int | float | bool | None
_Read = str | int | float | bool | datetime.time | datetime.date | datetime.timedelta


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to read."""

    format: str
    sheet: str | int | None
    """A name, or an index from 0 on; None is the first."""
    cells: CellRange


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing, or nothing more, can be read; the message goes on from the name of the file."""

    code: str
    message: str
    hint: str | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of what this program writes."""

    rows: list[list[Cell]] = []
    refused: Refusal | None = None
    done: bool = False


class Refused(Exception):
    """The workbook is not read."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.refusal = Refusal(code=code, message=message, hint=hint)


def main(request: str) -> None:
    """Read the workbook of the standard input and write its rows to the standard output."""
    _limit()
    out = sys.stdout.buffer
    encoder = msgspec.json.Encoder()
    with contextlib.suppress(BrokenPipeError):  # Nobody wants the rest.
        for said in answers(sys.stdin.buffer.read(), msgspec.json.decode(request, type=Request)):
            out.write(encoder.encode(said) + b"\n")
        out.flush()


def answers(data: bytes, request: Request) -> Iterator[Said]:
    """Yield what there is to say of a workbook."""
    try:
        require_sound(data, request.format)
        for rows in read(data, request):
            yield Said(rows=rows)
        yield Said(done=True)
    except Refused as refused:
        yield Said(refused=refused.refusal)
    except MemoryError:
        limit = MAX_MEMORY_BYTES // 1024**3
        yield Said(
            refused=Refusal(code="SHEET-006", message=f"needs more than {limit} GiB of memory to be read")
        )


def require_sound(data: bytes, wanted: str) -> None:
    """Raise unless `data` is a workbook of the format `wanted` that is not locked and does not lie about its size.

    Raises:
        Refused: it is none (SHEET-001, SHEET-002), has a password (SHEET-003), or is too large (SHEET-006).
    """
    if container_of(data[:8]) == "ole":
        if _LOCKED_OOXML in data or _is_locked_biff(data):
            raise _locked()
        found: str | None = "xls"
    else:
        with _opened(data) as archive:
            found = _kind(archive.namelist())
            _require_size(archive)
            _require_truth(archive, data)
            if found == "ods" and _is_locked_ods(archive):
                raise _locked()
    if found is None:
        raise Refused("SHEET-001", "is a zip archive, but no workbook")
    if found != wanted:
        hint = f'format = "{found}" reads it'
        raise Refused("SHEET-001", f"is not {wanted}: its content is {found}", hint)


def read(data: bytes, request: Request) -> Iterator[list[list[Cell]]]:
    """Yield the rows of a sheet within the range, some at a time.

    Raises:
        Refused: there is no such sheet (SHEET-004), it is too large (SHEET-006), or the workbook cannot be read
            (SHEET-002).
    """
    # Loaded late: whoever only wants the names of this module, in another process, has no need of it.
    from python_calamine import CalamineWorkbook

    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheet = _sheet(book, request.sheet)
            if sheet.start is not None and sheet.end is not None:
                yield from _batches(_rows(sheet, sheet.start, sheet.end, request.cells))
    except (Refused, MemoryError, GeneratorExit):
        raise
    except BaseException as error:  # Rust's panics are no Exception; any of them means this file
        hint = "does a spreadsheet program open it? Save it anew there"
        raise Refused("SHEET-002", f"cannot be read as {request.format}: {_reason(error)}", hint) from error


def plain(value: _Read, place: str) -> Cell:
    """Return a cell's value as it travels: dates, times and durations as ISO 8601, whole numbers as integers.

    Raises:
        Refused: the cell `place` has a number that is infinite (SHEET-002).
    """
    match value:
        case "":
            return None
        case str() | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise Refused("SHEET-002", f"has a number in {place} that is too large to be one")
            return int(value) if value.is_integer() and abs(value) <= _EXACT else value
        case datetime.timedelta():
            return iso_duration(value)
        case datetime.datetime() | datetime.time():
            return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
        case _:
            return value.isoformat()


def iso_duration(duration: datetime.timedelta) -> str:
    """Return a duration in the form of ISO 8601, without days: `PT49H30M15S`."""
    total_ms = round(duration / datetime.timedelta(milliseconds=1))
    minutes, rest_ms = divmod(abs(total_ms), 60_000)
    seconds, rest_ms = divmod(rest_ms, 1000)
    fraction = f".{rest_ms:03}" if rest_ms else ""
    return f"{'-' if total_ms < 0 else ''}PT{minutes // 60}H{minutes % 60}M{seconds}{fraction}S"


def _reason(error: BaseException) -> str:
    words = str(error).strip() or type(error).__name__
    # All that calamine says where it tries one format after the other; the format was made sure of before.
    if words == "Cannot detect file format":
        return "it is damaged, or has more cells than can be read"
    return f"it may be damaged ({words})"


def _sheet(book: "CalamineWorkbook", wanted: str | int | None) -> "CalamineSheet":
    names = book.sheet_names
    if isinstance(wanted, str) and wanted in names:
        return book.get_sheet_by_name(wanted)
    index = wanted or 0
    if isinstance(index, int) and index < len(names):
        return book.get_sheet_by_index(index)
    shown = ", ".join(f'{number} "{name}"' for number, name in enumerate(names)) or "none"
    raise Refused("SHEET-004", f"has no sheet {wanted!r}".replace("'", '"'), f"its sheets are: {shown}")


def _rows(
    sheet: "CalamineSheet", start: tuple[int, int], end: tuple[int, int], cells: CellRange
) -> Iterator[list[Cell]]:
    if end[0] >= MAX_ROWS or end[1] >= MAX_COLUMNS:
        raise Refused(
            "SHEET-002", f"has a cell in row {end[0] + 1}, column {end[1] + 1}: no sheet has that many"
        )
    if (end[0] - start[0] + 1) * (end[1] - start[1] + 1) > MAX_CELLS:
        corners = f"{cell_name(*start)}:{cell_name(*end)}"
        message = f"is too large: its cells are in {corners}, and {MAX_CELLS} can be read"
        raise Refused("SHEET-006", message, "is there a stray value far away from the table?")
    first = start[0] if cells.first_row is None else cells.first_row
    last = end[0] if cells.last_row is None else cells.last_row
    text_chars = 0
    # The rows come from row 0 on, their cells from the first used column on.
    for index, row in enumerate(sheet.iter_rows()):
        if index > last:
            return
        if index < first:
            continue
        found = [plain(value, cell_name(index, start[1] + at)) for at, value in enumerate(row)]
        text_chars += sum(len(value) for value in found if isinstance(value, str))
        if text_chars > MAX_FILE_BYTES:
            raise Refused("SHEET-006", f"is too large: it has more than {MAX_FILE_BYTES} characters of text")
        yield cells.cut(found, start[1])


def _batches(rows: Iterable[list[Cell]]) -> Iterator[list[list[Cell]]]:
    batch: list[list[Cell]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row)
        if size >= _CELLS_PER_LINE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise _damaged(str(error)) from error


def _kind(names: list[str]) -> str | None:
    if "xl/workbook.bin" in names:
        return "xlsb"
    if any(name.startswith("xl/") for name in names):
        return "xlsx"
    return "ods" if "content.xml" in names else None


def _require_size(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise Refused(
            "SHEET-006", f"is too large: it has {len(entries)} parts, and {MAX_ENTRIES} can be read"
        )
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES:
        message = f"is too large: it unpacks to {unpacked} bytes, and {MAX_UNPACKED_BYTES} can be read"
        raise Refused("SHEET-006", message)


def _require_truth(archive: zipfile.ZipFile, data: bytes) -> None:
    """Unpack everything once, as calamine would: it does not stop where a part should end."""
    for entry in archive.infolist():
        head = data[entry.header_offset : entry.header_offset + 30]
        begin = (
            entry.header_offset
            + 30
            + int.from_bytes(head[26:28], "little")
            + int.from_bytes(head[28:30], "little")
        )
        packed = memoryview(data)[begin : begin + entry.compress_size]
        if entry.compress_type == zipfile.ZIP_STORED:
            size = len(packed)
        elif entry.compress_type == zipfile.ZIP_DEFLATED:
            size = _inflated_size(packed, entry.file_size, entry.filename)
        else:
            raise _damaged(f"its part {entry.filename} is packed in an unknown way")
        if size != entry.file_size:
            raise _damaged(f"its part {entry.filename} has not the size that it should have")


def _inflated_size(packed: memoryview, expected: int, name: str) -> int:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    try:
        while not inflate.eof and size <= expected and (packed or inflate.unconsumed_tail):
            piece = inflate.unconsumed_tail or packed[:_PIECE_BYTES]
            if not inflate.unconsumed_tail:
                packed = packed[_PIECE_BYTES:]
            size += len(inflate.decompress(piece, _PIECE_BYTES))
    except zlib.error as error:
        raise _damaged(f"its part {name}: {error}") from error
    return size if inflate.eof or size > expected else -1


def _is_locked_ods(archive: zipfile.ZipFile) -> bool:
    if "META-INF/manifest.xml" not in archive.namelist():
        return False
    try:
        return b"encryption-data" in archive.read("META-INF/manifest.xml")
    except (zipfile.BadZipFile, OSError, zlib.error, RuntimeError) as error:
        raise _damaged(str(error)) from error


def _is_locked_biff(data: bytes) -> bool:
    """Return whether the second record of an .xls says that the others are encrypted."""
    begin = data.find(_BIFF_BOF)
    after = begin + 4 + int.from_bytes(data[begin + 2 : begin + 4], "little")
    return begin >= 0 and int.from_bytes(data[after : after + 2], "little") == _BIFF_FILEPASS


def _locked() -> Refused:
    hint = "save it without a password; there is no parameter for one"
    return Refused("SHEET-003", "is protected with a password", hint)


def _damaged(words: str) -> Refused:
    return Refused("SHEET-002", f"is damaged: {words}", "was it copied or downloaded whole?")


def _limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # A lower limit is there already, or the system has none.
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # What Rust has to say of a panic is for nobody.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
