from datetime import UTC, datetime, timedelta

import click
import pytest

from atomiton_runtime.cli import table, wording

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (-1, "<1 ms"),
        (0.0009, "<1 ms"),
        (0.0042, "4 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (1.25, "1.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_duration(seconds: float | None, words: str) -> None:
    """A length of time is said in the unit that fits it, without a jump at the borders."""
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=-3), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=6, hours=23), "6 days ago"),
        (timedelta(days=8), "2026-11-15"),
        (timedelta(days=-8), "2026-12-01"),
    ],
)
def test_time_ago(passed: timedelta, words: str) -> None:
    """A moment is told as people would; far away, or in the future, it is a date."""
    assert wording.time_ago(NOW - passed, NOW) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcödé 日本", "plain ünïcödé 日本"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("carriage\rreturn", r"carriage\rreturn"),
        ("turned \u202e around", r"turned \u202e around"),
        ("nul\0", r"nul\x00"),
        ("family \u200d joined", "family \u200d joined"),
        ("half \ud800", r"half \ud800"),
    ],
)
def test_foreign_text_cannot_steer_the_terminal(text: str, shown: str) -> None:
    """Control characters of names, messages and outputs are made visible; letters stay as they are."""
    assert wording.harmless(text) == shown


def test_one_line() -> None:
    """A text of several lines becomes one."""
    assert wording.one_line(" a\n\tb  c\r\n") == "a b c"


def test_columns_line_up_by_cells_not_by_characters() -> None:
    """Wide letters take two cells, combining marks and colours none."""
    rows = [("日本", "x"), ("e\u0301", "y"), (wording.status("failed"), "z")]
    lines = table.lines(rows, heads=("A", "B"))
    assert [table.width(line) for line in lines] == [9, 9, 9, 9]
    assert table.lines([], heads=("A", "B")) == []


@pytest.mark.parametrize(
    ("text", "cells", "cut"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…")],
)
def test_cut(text: str, cells: int, cut: str) -> None:
    """What is too long is cut with a mark, and never wider than asked."""
    assert table.cut(text, cells) == cut


def test_what_is_left_of_a_cancelled_run() -> None:
    """A few nodes by name; a run that has none left is about to end."""
    assert click.unstyle(wording.cancelling(["a"])) == "cancelling, 1 node left: a"
    assert click.unstyle(wording.cancelling([])) == "cancelling"
    assert (
        click.unstyle(wording.cancelling(list("abcdefg"))) == "cancelling, 7 nodes left: a, b, c, d, e, ..."
    )
