"""YAML files as data with lines, and what is wrong with files that are none."""

from typing import Any

import pytest

from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.importing.yaml_file import MAX_BYTES, read_yaml

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)


def test_lines_are_known() -> None:
    """Each value knows its line; what is not there, that of what is around it."""
    document = read_yaml(b"a: 1\nb:\n  - x\n  - c: 2\n", "f")
    paths: list[tuple[str | int, ...]] = [("a",), ("b", 0), ("b", 1, "c"), ("b", 9), ()]
    assert [document.line(path) for path in paths] == [1, 3, 4, 2, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2024-01-02", "2024-01-02"),
        ("~", None),
        ("[true, False]", [True, False]),
        ("0x10", 16),
        ("0o17", 15),
        ("-5", -5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'5'", "5"),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[&x [1], *x]", [[1], [1]]),
    ],
)
def test_scalars_mean_what_they_mean_in_yaml_1_2(text: str, expected: Any) -> None:
    """Only null, true, false and numbers are no texts."""
    assert read_yaml(text.encode(), "f").data == expected


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"a: [1", "IMPORT-001", 1),
        (b"a: 1\nb: [}", "IMPORT-001", 2),
        (b"a: \x01", "IMPORT-001", 1),
        (b'a: "\\ud800"', "IMPORT-001", 1),
        (b'a: "\\0"', "IMPORT-001", 1),
        (b"a: *nothing", "IMPORT-001", 1),
        (b"a: 1\n---\nb: 1", "IMPORT-001", 2),
        (b"[" * 5000, "IMPORT-002", 1),
        (b"[" * 70 + b"]" * 70, "IMPORT-002", 1),
        (b"a" * (MAX_BYTES + 1), "IMPORT-002", 1),
        (BOMB.encode(), "IMPORT-002", 1),
        (b"a: 1\nb: \xff", "IMPORT-003", 2),
        (b"a: 1\na: 2", "IMPORT-004", 2),
        (b"[1]: 2", "IMPORT-004", 1),
        (b"", "IMPORT-005", 1),
        (b"a: 99999999999999999999", "IMPORT-006", 1),
        (b"a: 1e999", "IMPORT-006", 1),
    ],
)
def test_wrong_files(content: bytes, code: str, line: int) -> None:
    """Each has a problem with a code and a line."""
    with pytest.raises(FlowInvalid) as caught:
        read_yaml(content, "f")
    problem = caught.value.problems[0]
    assert (problem.code, problem.line) == (code, line), problem


def test_toml_is_recognised() -> None:
    """Who imports a flow of ours is told so."""
    with pytest.raises(FlowInvalid) as caught:
        read_yaml(b'[nodes.a]\ntype = "x"\n[nodes.b]\n', "f")
    assert "TOML" in str(caught.value.problems[0].hint)
