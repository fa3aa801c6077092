"""No file, however wrong or hostile, gives anything but an error with its name, a reason and a hint."""

import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from atomiton_runtime.nodes import csv_rows, spreadsheet_sources, workbook_process
from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.cell_ranges import CellRange
from atomiton_runtime.nodes.workbook_process import Request, Said, answers
from tests.doubles import workbooks
from tests.doubles.attempts import complaints, executed, failure

FIXTURES = Path(__file__).parent / "spreadsheets"
BOOK_FORMATS = ("xlsx", "xls", "xlsb", "ods")
LOUD = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;">]>'
SPARSE = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
REPEATED = (
    '<table:table-row table:number-rows-repeated="1048576">'
    '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="16384"/>'
    "</table:table-row>"
)


def fixture(name: str) -> bytes:
    """Return the content of a fixture."""
    return (FIXTURES / name).read_bytes()


def refused(folder: Path, name: str, content: bytes, **written: Any) -> NodeError:
    """Return the error of reading a file with this content, which names the file."""
    (folder / name).write_bytes(content)
    error = failure("spreadsheet", folder, operation="read", path=name, **written)
    assert str(folder / name) in str(error)
    return error


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("a.csv", b"", "SHEET-001", "not one byte"),
        ("a.xlsx", b"", "SHEET-001", "not one byte"),
        ("a.xlsx", b"a,b\n", "SHEET-001", "is not xlsx"),
        ("a.xls", b"<html><table>", "SHEET-001", "is not xls"),
        ("a.csv", fixture("book.xlsx"), "SHEET-001", "zip archive"),
        ("a.tsv", fixture("book.xls"), "SHEET-001", "the kind of xls"),
        ("a.ods", fixture("book.xlsx"), "SHEET-001", "its content is xlsx"),
        ("a.xlsx", fixture("book.xlsb"), "SHEET-001", "its content is xlsb"),
        ("a.xlsb", fixture("book.ods"), "SHEET-001", "its content is ods"),
        ("a.xlsx", fixture("book.xls"), "SHEET-001", "its content is xls"),
        ("a.xls", fixture("book.xlsx"), "SHEET-001", "its content is xlsx"),
        ("a.xlsx", workbooks.zipped({"word/document.xml": b"<a/>"}), "SHEET-001", "no workbook"),
        ("a.xlsx", b"PK\x05\x06" + bytes(18), "SHEET-001", "no workbook"),
        ("a.xlsx", b"PK\x03\x04" + bytes(100), "SHEET-002", "damaged"),
        ("a.xls", fixture("book.xls")[:8] + bytes(600), "SHEET-002", "damaged"),
        ("a.xlsx", workbooks.with_parts({"xl/workbook.xml": b"<a"}), "SHEET-002", "damaged"),
        ("a.xlsx", workbooks.zipped({"xl/a": b"x"}, zipfile.ZIP_LZMA), "SHEET-002", "unknown way"),
        ("a.ods", workbooks.ods("<table:table-row>"), "SHEET-002", "damaged"),
        ("a.xlsx", workbooks.with_sheet('<row><c r="A1"><v>1e999</v></c></row>'), "SHEET-002", "in A1"),
        (
            "a.xlsx",
            workbooks.with_sheet('<row><c r="A9999999"><v>1</v></c></row>'),
            "SHEET-002",
            "row 9999999",
        ),
        (
            "a.xlsx",
            workbooks.with_sheet('<row><c r="A1" t="str"><v>&d;</v></c></row>', LOUD),
            "SHEET-002",
            "entity",
        ),
        ("locked.xlsx", fixture("locked.xlsx"), "SHEET-003", "password"),
        ("locked.xls", fixture("locked.xls"), "SHEET-003", "password"),
        ("locked.ods", fixture("locked.ods"), "SHEET-003", "password"),
        ("a.csv", b'a\n"b', "SHEET-005", "line 2: a quote"),
        ("a.csv", b'a\n"b"c\n', "SHEET-005", "line 2"),
        ("a.csv", "a\nb\n".encode("utf-16-le"), "SHEET-005", "NUL"),
        ("a.csv", b"a\nb\xff\n", "FILE-009", "line 1"),
        ("a.csv", b"\xff\xfea\n\0\0\0", "FILE-009", "UTF"),
        ("a.csv", b"," * 1_000_000, "SHEET-006", "1000001 columns"),
        ("a.xlsx", workbooks.saying(fixture("book.xlsx"), "xl/workbook.xml", 2**31), "SHEET-006", "unpacks"),
        ("a.xlsx", workbooks.saying(fixture("book.xlsx"), "xl/workbook.xml", 10), "SHEET-002", "size"),
        ("a.ods", workbooks.saying(fixture("book.ods"), "content.xml", 10), "SHEET-002", "size"),
        ("a.xlsx", workbooks.with_sheet(SPARSE), "SHEET-010", "SIGABRT"),
        ("a.ods", workbooks.ods(REPEATED), "SHEET-002", "more cells"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, content: bytes, code: str, words: str) -> None:
    """Each has its code, names the file, and says what is wrong with it."""
    error = refused(tmp_path, name, content)

    assert (code, words in str(error)) == (error.code, True), error


@pytest.mark.parametrize("name", ["book.xlsx", "book.xls", "book.xlsb", "book.ods"])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    """Wherever it was cut, and however its bytes are damaged, there is an error or a table: never a crash."""
    whole = fixture(name)
    request = Request(format=Path(name).suffix[1:], sheet=0, cells=CellRange())
    for end in range(1, len(whole), max(len(whole) // 40, 1)):
        flipped = whole[:end] + bytes([whole[end] ^ 0xFF]) + whole[end + 1 :]
        for content in (whole[:end], flipped):
            last = list(answers(content, request))[-1]
            assert last.done or last.refused is not None
    assert refused(tmp_path, name, whole[: len(whole) // 2]).code == "SHEET-002"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link_round(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "FILE-001"),
        (Path.mkdir, "FILE-003"),
        (_fifo, "FILE-008"),
        (_link_round, "FILE-007"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.parametrize("operation", ["read", "write"])
def test_what_is_no_file_is_refused(
    tmp_path: Path, make: Callable[[Path], None], code: str, name: str, operation: str
) -> None:
    """Nothing, a folder, a pipe and a link in a circle are errors for both operations; nothing is left."""
    make(tmp_path / name)
    if operation == "write" and code in ("FILE-001", "FILE-007"):
        return  # These are places to write to, or the file system's own matter.
    error = failure("spreadsheet", tmp_path, [{"a": 1}], operation=operation, path=name)

    assert (code, True) == (error.code, str(tmp_path / name) in str(error))
    assert {name} >= {path.name for path in tmp_path.iterdir()}


def test_a_line_without_an_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line, all text, and all cells together have limits, and the messages name them."""
    monkeypatch.setattr(csv_rows, "MAX_LINE_CHARS", 100)
    assert "line 2 does not end" in str(refused(tmp_path, "a.csv", b"a\n" + b"x" * 200))

    monkeypatch.setattr(csv_rows, "MAX_FILE_BYTES", 50)
    assert "50 characters" in str(refused(tmp_path, "a.csv", b"a\n" * 40))

    monkeypatch.setattr(csv_rows, "MAX_CELLS", 5)
    error = refused(tmp_path, "a.csv", b"a,b\n" * 4)
    assert ("SHEET-006", True) == (error.code, "6 cells up to line 3" in str(error))

    monkeypatch.setattr(spreadsheet_sources, "MAX_FILE_BYTES", 5)
    assert refused(tmp_path, "a.csv", b"a,b\n1,2\n").code == "FILE-013"


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("MAX_ENTRIES", "parts"),
        ("MAX_UNPACKED_BYTES", "unpacks"),
        ("MAX_CELLS", "its cells are in A1:B19"),
        ("MAX_FILE_BYTES", "characters of text"),
    ],
)
def test_a_workbook_has_limits(monkeypatch: pytest.MonkeyPatch, limit: str, words: str) -> None:
    """More parts, bytes, cells or text than can be held are refused before they are."""
    monkeypatch.setattr(workbook_process, limit, 5)
    said = list(answers(fixture("book.xlsx"), Request(format="xlsx", sheet=None, cells=CellRange())))[-1]

    assert said.refused is not None
    assert ("SHEET-006", True) == (said.refused.code, words in said.refused.message)


def test_no_memory_is_an_error_not_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that needs too much is refused, also where the system says so before it kills."""

    def exhausted(data: bytes, wanted: str) -> None:
        raise MemoryError

    monkeypatch.setattr(workbook_process, "require_sound", exhausted)
    assert "memory" in str(list(answers(b"", Request(format="xlsx", sheet=0, cells=CellRange()))))


def test_a_sheet_that_is_not_there_names_the_others(tmp_path: Path) -> None:
    """The hint lists the sheets by index and name."""
    for sheet in ("Nope", 4):
        error = refused(tmp_path, "book.xlsx", fixture("book.xlsx"), sheet=sheet)
        assert ("SHEET-004", True) == (error.code, str(sheet) in str(error))
        assert '0 "Kinds", 1 "Merged", 2 "Empty", 3 "Ünïcode ✓"' in (error.hint or "")


def test_a_reader_that_is_killed_is_an_error(tmp_path: Path) -> None:
    """Whatever ends the process that reads, the node fails, says how it ended, and leaves nothing."""
    (tmp_path / "a.xlsx").write_bytes(fixture("book.xlsx"))
    errors: list[NodeError] = []

    def read() -> None:
        try:
            while not errors:
                executed("spreadsheet", tmp_path, operation="read", path="a.xlsx")
        except NodeError as error:
            errors.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    while reading.is_alive():
        for child in psutil.Process().children(recursive=True):
            try:
                if any("workbook_process" in word for word in child.cmdline()[:5]):
                    child.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue
    reading.join()

    assert ("SHEET-010", True) == (errors[0].code, "SIGKILL" in str(errors[0]))


@pytest.mark.parametrize("operation", ["read", "write"])
@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_cancel_is_seen_at_once_and_leaves_nothing(tmp_path: Path, operation: str, name: str) -> None:
    """An attempt that is told to stop while it works stops, and no file or process of it stays."""
    (tmp_path / "b").mkdir()
    rows = [{"a": index, "b": "x" * 50} for index in range(30_000)]
    if operation == "read":
        executed("spreadsheet", tmp_path, rows, operation="write", path=name)
    cancel = CancelAfter(20)
    with pytest.raises(NodeCancelledError):
        executed("spreadsheet", tmp_path, rows, operation=operation, path=name, cancel=cancel)

    assert {"b", name} if operation == "read" else {"b"} == {path.name for path in tmp_path.iterdir()}


class CancelAfter(CancelToken):
    """A token that is cancelled when it has been looked at so many times, or as soon as somebody listens."""

    __slots__ = ("_looks",)

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def raise_if_cancelled(self) -> None:
        """Count, then do what any token does."""
        self._looks -= 1
        if self._looks == 0:
            self.cancel()
        super().raise_if_cancelled()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Cancel as soon as the process is there."""
        super().on_cancel(callback)
        self.cancel()


@pytest.mark.parametrize(
    ("toml", "code", "words"),
    [
        ('operation = "read"', "PARAM-007", "needs `path` or `data`"),
        ("sheet = 0", "PARAM-007", "needs `path` or `data`"),
        ('operation = "read"\npath = "a.csv"\ndata = "{{ input }}"', "PARAM-007", "not both"),
        ('operation = "read"\npath = "a.txt"', "PARAM-007", "needs `format`"),
        ('operation = "read"\npath = "a.csv"\nsheet = 1', "PARAM-007", "csv does not use `sheet`"),
        (
            'operation = "read"\npath = "a.xlsx"\ndelimiter = ";"',
            "PARAM-007",
            "xlsx does not use `delimiter`",
        ),
        (
            'operation = "read"\ndata = "x"\nformat = "ods"\ninfer_types = true',
            "PARAM-007",
            "ods does not use",
        ),
        ('operation = "read"\npath = "a.csv"\nrange = "B"', "PARAM-003", "`range` must have two ends"),
        ('operation = "read"\npath = "a.csv"\nrange = "C1:B1"', "PARAM-003", '`range` "C1:B1" ends before'),
        ('operation = "read"\npath = "a.csv"\ndelimiter = "\\n"', "PARAM-003", "`delimiter`"),
        ('operation = "read"\npath = "a.csv"\ndelimiter = ";;"', "PARAM-003", "`delimiter`"),
        ('operation = "read"\npath = "a.xlsx"\nsheet = -1', "PARAM-003", "`sheet`"),
        ('operation = "write"', "PARAM-007", "needs `path`"),
        ('operation = "write"\npath = "a.xls"', "PARAM-007", "does not make xls"),
        ('operation = "write"\npath = "a"\nformat = "xlsb"', "PARAM-007", "does not make xlsb"),
        ('operation = "write"\npath = "a.xlsm"', "PARAM-007", "needs `format`"),
        ('operation = "write"\npath = "a.csv"\nrange = "A1:B2"', "PARAM-007", "does not use `range`"),
        ('operation = "write"\npath = "a.xlsx"\nsheet = 1', "PARAM-003", "needs a name"),
        ('operation = "write"\npath = "a.xlsx"\nsheet = "a/b"', "PARAM-003", "'/'"),
        ('operation = "write"\npath = "a.xlsx"\nsheet = " "', "PARAM-003", "empty"),
        ('operation = "write"\npath = "a.xlsx"\nsheet = "\'a"', "PARAM-003", "apostrophe"),
        ('operation = "write"\npath = "a.xlsx"\nsheet = "History"', "PARAM-003", "Excel"),
        (f'operation = "write"\npath = "a.xlsx"\nsheet = "{"x" * 32}"', "PARAM-003", "32 characters"),
    ],
)
def test_wrong_parameters_are_found_before_a_run(toml: str, code: str, words: str) -> None:
    """What does not fit together, or cannot be written, is a problem of the flow."""
    found = complaints("spreadsheet", toml)

    assert [(code, True)] == [(each.code, words in each.message) for each in found], found


@pytest.mark.parametrize("operation", ["read", "write", "{{ vars.a }}"])
@pytest.mark.parametrize("path", ["{{ vars.a }}", "x.{{ vars.a }}"])
def test_what_is_known_later_is_no_problem(operation: str, path: str) -> None:
    """A template may become anything."""
    assert [] == complaints("spreadsheet", f'operation = "{operation}"\npath = "{path}"\nsheet = "{path}"')


@pytest.mark.parametrize("name", ["book.xlsx", "book.xls", "book-1904.ods", "book.xlsb"])
def test_the_process_speaks_lines_of_json(name: str) -> None:
    """Run as a program, it reads a workbook from its input, and writes rows until it is done."""
    kind = name.rpartition(".")[2]
    request = Request(format=kind, sheet="Kinds", cells=CellRange(1, 3, 0, 1))
    program = "import sys; from atomiton_runtime.nodes.workbook_process import main; main(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", program, msgspec.json.encode(request).decode()],
        input=fixture(name),
        capture_output=True,
        cwd=Path(__file__).parents[2],
        timeout=50,
        check=True,
    )
    said = [msgspec.json.decode(line, type=Said) for line in done.stdout.splitlines()]
    third = ["percent", 0.125] if kind != "xlsb" else ["true", True]

    assert [Said(rows=[["integer", 3], ["decimal", -2.5], third]), Said(done=True)] == said


@pytest.mark.parametrize(
    ("name", "sheet", "code"),
    [
        ("locked.xlsx", 0, "SHEET-003"),
        ("locked.xls", 0, "SHEET-003"),
        ("locked.ods", 0, "SHEET-003"),
        ("book.xlsx", "No", "SHEET-004"),
        ("book.xls", 9, "SHEET-004"),
    ],
)
def test_the_process_says_why_it_refuses(name: str, sheet: str | int, code: str) -> None:
    """A refusal is the only thing it says."""
    request = Request(format=name.rpartition(".")[2], sheet=sheet, cells=CellRange())
    said = list(answers(fixture(name), request))

    assert [code] == [each.refused.code for each in said if each.refused is not None]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ("a", "a"),
        (True, True),
        (3, 3),
        (3.0, 3),
        (2.0**53, 2**53),
        (2.0**60, 2.0**60),
        (0.5, 0.5),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29), "2024-02-29T00:00:00"),
        (datetime(2024, 2, 29, 1, 2, 3, 4000), "2024-02-29T01:02:03.004"),
        (time(1, 2), "01:02:00"),
        (timedelta(days=2, seconds=1), "PT48H0M1S"),
        (timedelta(seconds=-1.5), "-PT0H0M1.500S"),
        (timedelta(0), "PT0H0M0S"),
    ],
    ids=repr,
)
def test_cells_become_plain_values(value: Any, expected: Any) -> None:
    """Dates, times and durations are ISO 8601, whole numbers integers while they are exact."""
    found = workbook_process.plain(value, "A1")

    assert (expected, type(expected)) == (found, type(found))


def test_many_rows_come_in_pieces() -> None:
    """More cells than go into one line are told in several."""
    content = workbooks.xlsx(*([index, "x", 1.5] for index in range(4000)))
    said = list(answers(content, Request(format="xlsx", sheet=0, cells=CellRange())))

    assert [True, True, True, True] == [bool(each.rows) ^ each.done for each in said]
    assert [[index, "x", 1.5] for index in range(4000)] == [row for each in said for row in each.rows]


def test_a_process_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that is not there any more, or cannot be executed, is told with the file."""
    for wrong in (tmp_path / "gone", tmp_path):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(wrong))
            error = refused(tmp_path, "a.xlsx", fixture("book.xlsx"))
        assert ("SHEET-010", True) == (error.code, "did not start" in str(error))
