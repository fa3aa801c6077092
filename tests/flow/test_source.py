"""Tests what of a file's bytes is text and TOML, and where it is not."""

import pytest

from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.flow.source import MAX_BYTES, Source, header_lines, read_source


@pytest.mark.parametrize(
    ("content", "text", "data"),
    [
        (b"a = 1\n", "a = 1\n", {"a": 1}),
        (b"\xef\xbb\xbfa = 1\n", "a = 1\n", {"a": 1}),
        (b"#!/usr/bin/env -S atomiton run\r\na = 1\r\n", "#!/usr/bin/env -S atomiton run\na = 1\n", {"a": 1}),
        (
            b'a = "1"\r\nb = 2\nc = """\r\nx\r\n"""',
            'a = "1"\nb = 2\nc = """\nx\n"""',
            {"a": "1", "b": 2, "c": "x\n"},
        ),
        (b"", "", {}),
        (b'a = "' + b"x." * 300 + b'"', 'a = "' + "x." * 300 + '"', {"a": "x." * 300}),
    ],
)
def test_reads_what_editors_save(content: bytes, text: str, data: dict[str, object]) -> None:
    """Byte order marks, every kind of line end and a first line for the shell are no trouble."""
    assert Source(text, data) == read_source(content, "a.toml")


UNREADABLE: list[tuple[bytes, str, int, int, str, str]] = [
    (b"a = 1\nb = '\xc3\xa4\xff'", "TOML-002", 2, 7, "the byte 0xFF is not UTF-8", "b = 'ä\ufffd'"),
    (b"\xef\xbb\xbfb = '\xe4'\r\nx", "TOML-002", 1, 6, "the byte 0xE4 is not UTF-8", "b = '\ufffd'"),
    ("a = 1".encode("utf-16"), "TOML-003", 1, 1, "the file is UTF-16, not UTF-8", ""),
    ("a = 1".encode("utf-16-le"), "TOML-003", 1, 1, "the file is UTF-16, not UTF-8", ""),
    (b"a = 1\nb = '\0'", "TOML-004", 2, 6, "the file holds a NUL character", "b = '\0'"),
    (
        b"#" * (MAX_BYTES + 1),
        "TOML-005",
        1,
        1,
        "the file has 1,048,577 bytes; a flow has at most 1,048,576",
        "",
    ),
    (b"a = " + b"[" * 10_000, "TOML-006", 1, 5, "lists or tables are nested too deep", "a = " + "[" * 10_000),
    (b"x.'a b'." * 60 + b"y = 1", "TOML-006", 1, 1, "a key has at most 100 parts", "x.'a b'." * 60 + "y = 1"),
    (
        b"[" + b"a." * 400_000 + b"a]",
        "TOML-006",
        1,
        2,
        "a key has at most 100 parts",
        "[" + "a." * 400_000 + "a]",
    ),
    (
        b"a = { " + b"a." * 10_000 + b"a = 1 }",
        "TOML-006",
        1,
        7,
        "a key has at most 100 parts",
        "a = { " + "a." * 10_000 + "a = 1 }",
    ),
    (b"a = " + b"9" * 5000, "TOML-008", 1, 5, "an integer of TOML has at most 64 bits", "a = " + "9" * 5000),
    (b"a = 1\n\n a = 2\n", "TOML-007", 3, 2, "this key or table is there already", " a = 2"),
    (b"a = {b = 1, b = 2}\n", "TOML-007", 1, 1, "this key or table is there already", "a = {b = 1, b = 2}"),
    (b"[a]\n[a]\n", "TOML-007", 2, 1, "this key or table is there already", "[a]"),
    (b"a = 1\na.b = 2", "TOML-007", 2, 1, "this key or table is there already", "a.b = 2"),
    (b"[[a]]\nx = 1\n[a]\n", "TOML-007", 3, 1, "this key or table is there already", "[a]"),
    (
        b"a = 1\rb = 2",
        "TOML-001",
        1,
        6,
        "expected newline or end of document after a statement",
        "a = 1\rb = 2",
    ),
    (b"a\xc2\xa0= 1", "TOML-001", 1, 2, "expected '=' after a key in a key/value pair", "a\u00a0= 1"),
    (b"a", "TOML-001", 1, 2, "expected '=' after a key in a key/value pair", "a"),
    (b"[[a]\n", "TOML-001", 1, 4, "expected ']]' at the end of an array declaration", "[[a]"),
    (b"a = 2024-02-30", "TOML-001", 1, 5, "invalid date or datetime", "a = 2024-02-30"),
]


@pytest.mark.parametrize(
    ("content", "code", "line", "column", "message", "source_line"), UNREADABLE, ids=range(len(UNREADABLE))
)
def test_says_where_a_file_stops_making_sense(
    content: bytes, code: str, line: int, column: int, message: str, source_line: str
) -> None:
    """An unreadable file gives one problem, with its place."""
    problem = read_source(content, "a.toml")

    assert isinstance(problem, Problem)
    expected = (code, line, column, message, source_line)
    assert expected == (problem.code, problem.line, problem.column, problem.message, problem.source_line)


def test_finds_the_lines_of_headers() -> None:
    """The headers of nodes are found by their text; other tables are none of them."""
    text = '[nodes.a]\n\n[variables]\n [ nodes . "b" ] # so\n[nodes.a.nodes.c]\n'

    assert [(("nodes", "a"), 1), (("nodes", "b"), 4), (("nodes", "a", "nodes", "c"), 5)] == list(
        header_lines(text)
    )
