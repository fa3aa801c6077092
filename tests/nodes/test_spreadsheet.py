"""Tables of every format are read as they were meant, and written so that they come back."""

import csv
import errno
import gc
import io
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atomiton_runtime.flow.expressions import Scope
from atomiton_runtime.nodes import tables, workbook_writing
from atomiton_runtime.nodes.base import CancelToken, NodeContext, NodeError
from atomiton_runtime.values import decode, encode
from tests.doubles import workbooks
from tests.doubles.attempts import executed, failure, node_type

FIXTURES = Path(__file__).parent / "spreadsheets"
KINDS = {
    "integer": 3,
    "decimal": -2.5,
    "percent": 0.125,
    "currency": 9.99,
    "true": True,
    "date": "2024-02-29",
    "date and time": "2024-02-29T13:45:30",
    "time": "13:45:30",
    "duration": "PT49H30M15S",
    "formula": 7,
    "text of a formula": "ab",
    "error": None,
    "text of digits": "007",
    "unicode": "Zoë 東京 🎉",
    "lines": "a\nb",
    "empty": None,
    "last": 1000000,
}
BOOKS = [f"book{epoch}.{kind}" for kind in ("xlsx", "xls", "ods") for epoch in ("", "-1904")]


def read(folder: Path, name: str, value: Any = None, **written: Any) -> dict[str, Any]:
    """Return the outputs of reading a file, as they travel."""
    outputs = executed("spreadsheet", folder, value, operation="read", path=name, **written)
    return {port: decode(encode(output)) for port, output in outputs.items()}


def write(folder: Path, name: str, rows: Any, **written: Any) -> dict[str, Any]:
    """Return the outputs of writing a file."""
    return executed("spreadsheet", folder, rows, operation="write", path=name, **written)


def names(folder: Path) -> list[str]:
    """Return the names in a folder, so that a temporary file that stayed would be seen."""
    return sorted(path.name for path in folder.iterdir())


def read_text(folder: Path, content: bytes | str, name: str = "a.csv", **written: Any) -> list[Any]:
    """Return the rows of a table of text."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(folder, name, **written)["rows"]


@pytest.mark.parametrize("name", BOOKS)
def test_all_kinds_of_cells_are_read(name: str) -> None:
    """A workbook of LibreOffice gives the same values in every format and with both epochs."""
    read_kinds = {row["kind"]: row["value"] for row in read(FIXTURES, name)["rows"]}
    # LibreOffice 7.4 writes 0 for the text of a formula into .xls.
    expected = KINDS | ({"text of a formula": 0} if name.endswith("xls") else {})

    assert expected == read_kinds
    assert [type(value) for value in expected.values()] == [type(value) for value in read_kinds.values()]


def test_an_xlsb_is_read() -> None:
    """The binary format of Excel gives the same values."""
    rows = read(FIXTURES, "book.xlsb")["rows"]

    assert all(row["value"] == KINDS[row["kind"]] for row in rows)
    assert ["integer", "decimal", "true", "unicode", "empty", "date", "error"] == [
        row["kind"] for row in rows
    ]


@pytest.mark.parametrize("name", BOOKS)
def test_sheets_are_found_by_name_and_index(name: str) -> None:
    """Merged cells have their value in the first one; a table begins where it begins; a sheet may be empty."""
    merged = [
        {"name": "both", "name_2": None, "column_3": "x", "total": 1},
        {"name": None, "name_2": None, "column_3": None, "total": 2},
    ]

    assert merged == read(FIXTURES, name, sheet=1)["rows"] == read(FIXTURES, name, sheet="Merged")["rows"]
    assert {"rows": [], "columns": [], "row_count": 0} == read(FIXTURES, name, sheet="Empty")
    assert [{"größe": 1}] == read(FIXTURES, name, sheet="Ünïcode ✓")["rows"]


@pytest.mark.parametrize("name", ["book.xlsx", "book.xls", "book.ods"])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("B3:E5", [["name", "name", None, "total"], ["both", None, "x", 1], [None, None, None, 2]]),
        ("A4:B4", [[None, "both"]]),
        ("D:E", [[None, "total"], ["x", 1], [None, 2]]),
        ("4:4", [["both", None, "x", 1]]),
        ("D4:", [["x", 1], [None, 2]]),
        (":B4", [["name"], ["both"]]),
        ("E5", [[2]]),
        ("E5:G6", [[2, None, None]]),
        ("G1:H2", []),
        ("A100:B200", []),
    ],
)
def test_a_range_is_that_of_the_sheet(name: str, cells: str, expected: list[Any]) -> None:
    """A range counts from A1, wherever the table begins; open sides end with what is used."""
    assert expected == read(FIXTURES, name, sheet=1, range=cells, has_headers=False)["rows"]


def test_empty_rows_of_a_workbook_are_kept_if_asked_for() -> None:
    """The empty row of the sheet is there, as nulls."""
    outputs = read(FIXTURES, "book.ods", skip_empty_rows=False)

    assert ({"kind": None, "value": None}, 18) == (outputs["rows"][16], outputs["row_count"])


@pytest.mark.parametrize(
    ("content", "written", "expected"),
    [
        ("a,b\n1,x\n", {}, [{"a": 1, "b": "x"}]),
        ("\ufeffa,b\r\n1,x\r\n", {}, [{"a": 1, "b": "x"}]),
        ("a\r1\r", {}, [{"a": 1}]),
        ("ä,b\n1,ü\n".encode("utf-16"), {}, [{"ä": 1, "b": "ü"}]),
        (b"\xfe\xff" + "ä\n1\n".encode("utf-16-be"), {}, [{"ä": 1}]),
        ("a\n1\n".encode("utf-32"), {}, [{"a": 1}]),
        ("a;b\n1,5;x\n", {"delimiter": ";"}, [{"a": "1,5", "b": "x"}]),
        ("a|b\n1|2\n", {"delimiter": "|"}, [{"a": 1, "b": 2}]),
        ("a\tb\n1\t2\n", {"format": "tsv"}, [{"a": 1, "b": 2}]),
        ('a\n"x\ny, ""z"""\n', {}, [{"a": 'x\ny, "z"'}]),
        ('a\n5" disk\n', {}, [{"a": '5" disk'}]),
        (
            "a,b\n1\n\n,\n3,4,5\n",
            {},
            [{"a": 1, "b": None, "column_3": None}, {"a": 3, "b": 4, "column_3": 5}],
        ),
        ("a\n\n1\n", {"skip_empty_rows": False}, [{"a": None}, {"a": 1}]),
        ("1,2\n3\n", {"has_headers": False}, [[1, 2], [3, None]]),
        ("a,b\n1,true\n", {"infer_types": False}, [{"a": "1", "b": "true"}]),
        ("x\nx,a,b\nx,1,2\n", {"range": "B2:"}, [{"a": 1, "b": 2}]),
        ("a\n1\n2\n3\n", {"range": "1:3"}, [{"a": 1}, {"a": 2}]),
        ("\n", {}, []),
        ("'=1\n'=2\n", {}, [{"'=1": "'=2"}]),
    ],
)
def test_text_is_read(tmp_path: Path, content: bytes | str, written: dict[str, Any], expected: Any) -> None:
    """Encodings, delimiters, quotes, ragged and empty rows, ranges."""
    assert expected == read_text(tmp_path, content, **written)


@pytest.mark.parametrize("suffix", ["tab", "TSV"])
def test_a_tab_separates_the_values_of_tsv(tmp_path: Path, suffix: str) -> None:
    """The extension says so, in any case of letters."""
    assert [{"a,b": 1, "c": 2}] == read_text(tmp_path, "a,b\tc\n1\t2\n", f"a.{suffix}")


@pytest.mark.parametrize("name", ["book.xlsx", "book.xls", "book.xlsb", "book.ods"])
def test_data_is_read_like_a_file(tmp_path: Path, name: str) -> None:
    """Bytes of a workbook are known by their content, or by `format`; messages call them `data`."""
    content = (FIXTURES / name).read_bytes()
    for more in ({}, {"format": name.rpartition(".")[2]}):
        outputs = executed("spreadsheet", tmp_path, content, operation="read", data="{{ input }}", **more)
        assert {"kind": "integer", "value": 3} == outputs["rows"][0]
    assert "`data` is not csv" in str(
        failure("spreadsheet", tmp_path, content, operation="read", data="{{ input }}", format="csv")
    )


def test_text_as_data_is_a_csv(tmp_path: Path) -> None:
    """Text, and bytes that are no workbook, are csv unless `format` says something else."""
    for text in ("a\nä\n", "a\nä\n".encode()):
        assert [{"a": "ä"}] == executed("spreadsheet", tmp_path, text, operation="read", data="{{ input }}")[
            "rows"
        ]
    for value, code in ((7, "DATA-001"), ("", "SHEET-001"), (b"PK\x03\x04", "SHEET-002")):
        assert code == failure("spreadsheet", tmp_path, value, operation="read", data="{{ input }}").code


def test_another_delimiter_is_suggested(tmp_path: Path) -> None:
    """One column whose name has a semicolon in it is worth a line in the log, not a failure."""
    (tmp_path / "a.csv").write_text("a;b\n1;2\n")
    (tmp_path / "b.csv").write_text("a\n1\n")
    said: list[str] = []
    catalogued = node_type("spreadsheet")
    for name in ("a.csv", "b.csv"):
        context = NodeContext(
            input=None, scope=Scope({}), folder=tmp_path, cancel=CancelToken(), log=said.append
        )
        catalogued.node_type.execute(catalogued.prepare({"operation": "read", "path": name}), context)

    assert [True] == ['delimiter = ";"' in line and "a.csv" in line for line in said]


@pytest.mark.parametrize("operation", ["read", "write"])
def test_effects_are_declared(operation: str) -> None:
    """Reading reads, writing writes, and both may be repeated: a file is replaced as a whole."""
    catalogued = node_type("spreadsheet")
    parameters = catalogued.prepare({"operation": operation, "path": "a.csv"})

    assert f"{operation}s" == catalogued.node_type.effect(parameters)
    assert catalogued.node_type.may_repeat(parameters)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["=1+1", "=HYPERLINK(1)", "@a", "-5", "007", "http://a.b", "_x0041_", "{=1}", "a\rb", " x "]
    )
    | TEXT
)
KEYS = st.sampled_from(["a", "b", "ä", "a b", "=x"])
RECORDS = st.lists(st.dictionaries(KEYS, SCALARS, min_size=1), min_size=1, max_size=6)
ROUND_TRIP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def came_back(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records as they are after a round trip: all keys, no empty texts, no rows of nulls."""
    columns = dict.fromkeys(key for record in records for key in record)
    rows = [
        {key: None if record.get(key) == "" else record.get(key) for key in columns} for record in records
    ]
    return [row for row in rows if any(value is not None for value in row.values())]


@ROUND_TRIP
@given(records=RECORDS)
def test_a_workbook_comes_back(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    """Text is the same text, whatever it looks like; numbers are exact, and whole ones integers."""
    write(tmp_path, "a.xlsx", records)
    rows = read(tmp_path, "a.xlsx")["rows"]

    assert came_back(records) == rows
    numbers = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert [] == [number for number in numbers if number.is_integer() and abs(number) < 2**53]


@ROUND_TRIP
@given(
    records=RECORDS,
    name=st.sampled_from(["a.csv", "a.tsv"]),
    delimiter=st.sampled_from([None, ";", "|", " "]),
)
def test_a_table_of_text_comes_back(
    tmp_path: Path, records: list[dict[str, Any]], name: str, delimiter: str | None
) -> None:
    """Without types every text is the same, but for the apostrophe of what could act; rows end with a line feed."""
    more = {} if delimiter is None else {"delimiter": delimiter}
    outputs = write(tmp_path, name, records, **more)
    rows = read(tmp_path, name, infer_types=False, **more)["rows"]

    assert [list(row.values()) for row in rows] == [
        [_text(value) for value in row.values()] for row in came_back(records)
    ]
    assert len(records) == outputs["row_count"]
    assert b"\n" == (tmp_path / name).read_bytes()[-1:]


def _text(value: Any) -> str | None:
    from atomiton_runtime.nodes.csv_cells import cell_text

    return None if value is None else cell_text(value)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.xlsx"])
def test_lists_come_back(tmp_path: Path, name: str) -> None:
    """Lists are written as they are, without headers; the columns are counted."""
    outputs = write(tmp_path, f"new/folder/{name}", [[1, "x"], [2.5], [None, True, "z"]])
    rows = read(tmp_path, f"new/folder/{name}", has_headers=False)["rows"]

    assert [[1, "x", None], [2.5, None, None], [None, True, "z"]] == rows
    assert (["column_1", "column_2", "column_3"], 3) == (outputs["columns"], outputs["row_count"])
    assert [name] == names(tmp_path / "new/folder")


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_nothing_comes_back_as_nothing(tmp_path: Path, name: str) -> None:
    """A table without rows is a file without rows."""
    for has_headers in (True, False):
        assert {"rows": [], "columns": [], "row_count": 0} == write(
            tmp_path, name, [], has_headers=has_headers
        )
        assert {"rows": [], "columns": [], "row_count": 0} == read(tmp_path, name, has_headers=has_headers)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_objects_may_be_written_without_their_keys(tmp_path: Path, name: str) -> None:
    """With has_headers = false there are only values."""
    write(tmp_path, name, [{"a": 1, "b": 2}, {"b": 3}], has_headers=False)

    assert [[1, 2], [None, 3]] == read(tmp_path, name, has_headers=False)["rows"]


def test_a_workbook_of_ours_has_no_formula_and_no_link(tmp_path: Path) -> None:
    """What looks like one is text in the file itself, and large integers are text with all their digits."""
    write(
        tmp_path,
        "a.xlsx",
        [{"=a": "=1+1", "b": "http://x.y", "c": "{=1}", "d": 2**60, "e": [1]}],
        sheet="Ü 1",
    )
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
        names = archive.namelist()

    assert ("<f>" in xml, "hyperlink" in xml, "drawing" in " ".join(names)) == (False, False, False)
    expected = [{"=a": "=1+1", "b": "http://x.y", "c": "{=1}", "d": str(2**60), "e": "[1]"}]
    assert expected == read(tmp_path, "a.xlsx", sheet="Ü 1")["rows"]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ([{"a": 1}, {"a": b"x"}], "SHEET-008", "item 1, `a` is bytes"),
        ([[1, math.nan]], "SHEET-008", "item 0, `column_2` is nan"),
        ([{"a": -math.inf}], "SHEET-008", "item 0, `a` is -inf"),
        ([{"a": 1}, 7], "SHEET-007", "item 1"),
        ("a,b", "SHEET-007", "not text"),
        (None, "SHEET-007", "not null"),
    ],
    ids=repr,
)
def test_what_cannot_be_written_leaves_the_old_file(
    tmp_path: Path, name: str, rows: Any, code: str, words: str
) -> None:
    """The message names item and column; the file is as it was, and nothing lies beside it."""
    (tmp_path / name).write_bytes(b"old")
    # Not through the input, whose own rules know no NaN.
    error = failure("spreadsheet", tmp_path, rows, operation="write", path=name)

    assert (code, True) == (error.code, words in str(error)), error
    assert (b"old", [name]) == ((tmp_path / name).read_bytes(), names(tmp_path))


def test_a_workbook_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too long a text, too many columns and too many rows are errors, and no workbook is made."""
    cases: list[tuple[Any, str]] = [
        ([{"a": "x" * 32_768}], "SHEET-008"),
        ([{"x" * 40_000: 1}], "SHEET-008"),
        ([[1] * 16_385], "SHEET-009"),
        ([[1]] * 6, "SHEET-009"),
        ([{"a": 1}] * 5, "SHEET-009"),
    ]
    monkeypatch.setattr(workbook_writing, "MAX_ROWS", 5)
    assert [code for _, code in cases] == [
        failure("spreadsheet", tmp_path, rows, operation="write", path="a.xlsx").code for rows, _ in cases
    ]
    assert [] == names(tmp_path)
    assert 5 == write(tmp_path, "a.xlsx", [["x" * 32_767]] * 5)["row_count"]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_full_disk_is_explained(tmp_path: Path, name: str) -> None:
    """A write that the system refuses is an error with the path, and the old file stays."""
    program = """if True:
        import resource, signal, sys
        from pathlib import Path
        from tests.doubles.attempts import failure
        rows = [{"a": str(index) * 20} for index in range(20_000)]
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        print(failure("spreadsheet", Path(sys.argv[1]), rows, operation="write", path=sys.argv[2]))
    """
    done = _python(program, str(tmp_path), name)

    assert ("", True) == (
        done.stderr,
        done.stdout.startswith(f"{tmp_path / name} cannot be used: File too large"),
    )
    assert [] == names(tmp_path)


@pytest.mark.parametrize(("name", "count"), [("big.csv", 200_000), ("big.xlsx", 40_000)])
def test_many_rows_stay_under_300_mb(tmp_path: Path, name: str, count: int) -> None:
    """Rows are read and written one after the other: ten columns of 200 000 rows fit into 300 MB, process and all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f"c{column}" for column in range(10)])
    for index in range(count):
        writer.writerow(
            [
                index,
                f"name {index}",
                index / 7,
                index * 1009,
                "true",
                f"city{index % 99}",
                "",
                "x",
                -index,
                f"{index:09}",
            ]
        )
    (tmp_path / "source.csv").write_text(text.getvalue())
    program = """if True:
        import sys
        from pathlib import Path
        from tests.doubles.attempts import executed
        folder, name = Path(sys.argv[1]), sys.argv[2]
        rows = executed("spreadsheet", folder, operation="read", path="source.csv")["rows"]
        executed("spreadsheet", folder, rows, operation="write", path=name)
        last = rows[-1]
        count = len(rows)
        del rows
        again = executed("spreadsheet", folder, operation="read", path=name)["rows"]
        assert len(again) == count and list(again[-1]) == list(last), again[-1]
        print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]))
    """
    done = _python(program, str(tmp_path), name)

    assert done.stderr == ""
    assert int(done.stdout) < 300_000, f"{int(done.stdout) / 1000} MB"


def _python(program: str, *args: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    # Without the measuring of coverage, which takes memory and writes files of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(
        [sys.executable, "-c", program, *args],
        capture_output=True,
        text=True,
        cwd=root,
        env={**environment, "PYTHONPATH": str(root)},
        timeout=55,
        check=False,
    )


class FullDisk(io.BytesIO):
    """A file on a disk without space."""

    def write(self, data: Any) -> int:
        """Refuse, as the system does."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_the_system_s_own_error_comes_out() -> None:
    """XlsxWriter hides an error of the system in one of its own; who calls us sees the system's."""
    with pytest.raises(OSError, match="No space") as full:
        workbook_writing.write_workbook(
            tables.table_to_write([[1]]), FullDisk(), sheet="A", has_headers=True, pulse=lambda: None
        )
    assert errno.ENOSPC == full.value.errno
    del full
    gc.collect()  # Whatever XlsxWriter left open is ended now, and must have nothing to complain of.


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    """The message names the file that is no folder."""
    (tmp_path / "file").write_text("old")
    error = failure("spreadsheet", tmp_path, [[1]], operation="write", path="file/below.csv")

    assert ("FILE-004", True) == (error.code, str(tmp_path / "file") in str(error))


def test_a_row_has_a_cell_for_each_column() -> None:
    """What is to be written is a table, also if its lists are short."""
    table = tables.table_to_write([[1], [1, 2]])

    assert ([[1], [1, 2]], 2) == ([list(row) for row in table.cells()], len(table.columns))


def test_a_sound_workbook_of_the_double_is_read(tmp_path: Path) -> None:
    """The double that damages workbooks begins with one that is sound, in both formats."""
    (tmp_path / "a.xlsx").write_bytes(workbooks.xlsx(["a"], [1]))
    cell = '<table:table-cell office:value-type="float" office:value="1"/>'
    (tmp_path / "a.ods").write_bytes(workbooks.ods(f"<table:table-row>{cell}</table:table-row>"))

    assert [{"a": 1}] == read(tmp_path, "a.xlsx")["rows"]
    assert [[1]] == read(tmp_path, "a.ods", has_headers=False)["rows"]


def test_an_error_keeps_its_cause(tmp_path: Path) -> None:
    """A refusal of the system is the cause of what the author reads."""
    with pytest.raises(NodeError) as refused:
        read(tmp_path, "missing.csv")
    assert isinstance(refused.value.__cause__, FileNotFoundError)
