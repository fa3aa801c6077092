"""Tests how problems look as text."""

import pytest

from atomiton_runtime.flow.problems import FlowInvalid, Problem, render_problems


def problem(source_line: str, column: int, width: int = 1, hint: str | None = None) -> Problem:
    """Return a problem at a place of a line."""
    return Problem(
        code="FLOW-002",
        message="wrong",
        file="a.toml",
        line=3,
        column=column,
        source_line=source_line,
        width=width,
        hint=hint,
    )


@pytest.mark.parametrize(
    ("source_line", "column", "width", "shown", "underline"),
    [
        ("key = 1", 1, 3, "key = 1", "^^^"),
        ("\tkey = 1", 2, 3, "    key = 1", "    ^^^"),
        ("k = '日本', x", 5, 4, "k = '日本', x", "    ^^^^^^"),
        ("k = '日本', x", 11, 1, "k = '日本', x", "            ^"),
        ("e\u0301 = 1", 3, 2, "e\u0301 = 1", " ^^"),
        ("a\u202eb", 3, 1, "a<U+202E>b", "         ^"),
        ("end", 4, 1, "end", "   ^"),
        ("end", 99, 5, "end", "   ^"),
        ("x" * 200, 1, 1, "x" * 114 + "..." , "^"),
        ("x" * 500, 250, 2, "..." + "x" * 114 + "...", " " * 78 + "^^"),
        ("x" * 500, 500, 1, "..." + "x" * 114, " " * 116 + "^"),
        ("x" * 500, 1, 500, "x" * 114 + "...", "^" * 114),
    ],
    ids=range(12),
)  # fmt: skip
def test_caret_stands_under_its_character(
    source_line: str, column: int, width: int, shown: str, underline: str
) -> None:
    """Tabs, wide and invisible characters and cuts do not move the caret away from what is wrong."""
    _, source, carets = render_problems([problem(source_line, column, width)]).splitlines()

    assert (f" 3 | {shown}", f"   | {underline}") == (source, carets)


def test_problem_without_a_line_is_its_headline() -> None:
    """Where there is no source line there is no excerpt."""
    assert "a.toml:3:1: error[FLOW-002]: wrong\n  hint: one\n        two\n" == render_problems(
        [problem("", 1, hint="one\ntwo")]
    )


def test_problems_are_parted_by_an_empty_line() -> None:
    """Several problems are one text."""
    one = problem("", 1)

    assert f"{one.headline()}\n\n{one.headline()}\n" == render_problems([one, one])


def test_flow_invalid_is_its_first_problem() -> None:
    """The error of a broken flow carries all problems and shows the first."""
    first, second = problem("k", 1, hint="so"), problem("k", 2)

    error = FlowInvalid([first, second])

    assert (first, second) == error.problems
    assert first.info() == error.info()
