"""Texts are short, visible and true."""

import unicodedata
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import ErrorInfo, Where
from atomiton_runtime.tray import wording
from tests.tray.cases import NOW

AGES = [
    (timedelta(seconds=-30), "just now"),
    (timedelta(0), "just now"),
    (timedelta(seconds=59), "just now"),
    (timedelta(minutes=1), "1 min ago"),
    (timedelta(minutes=59, seconds=59), "59 min ago"),
    (timedelta(hours=1), "1 h ago"),
    (timedelta(hours=23, minutes=59), "23 h ago"),
    (timedelta(days=1), "yesterday"),
    (timedelta(days=6, hours=23), "6 days ago"),
    (timedelta(days=7), "2026-11-16"),
    (timedelta(days=-2), "2026-11-25"),
]


@pytest.mark.parametrize(("age", "expected"), AGES)
def test_time_ago(age: timedelta, expected: str) -> None:
    """Ages read as people say them; a date where clocks disagree or it was long ago."""
    assert wording.time_ago(NOW - age, NOW) == expected


def test_clock_time_is_local() -> None:
    """Times of day are in the reader's zone, with the date when it was another day."""
    now = datetime(2026, 11, 23, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert wording.clock_time(now - timedelta(minutes=30), now) == "00:30"
    assert wording.clock_time((now - timedelta(hours=2)).astimezone(NOW.tzinfo), now) == "2026-11-22 23:00"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0.0 s"), (0.42, "0.4 s"), (12.4, "12 s"), (60, "1 min"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_duration(seconds: float, expected: str) -> None:
    """Lengths of time have the precision people care for."""
    assert wording.duration(seconds) == expected


def test_error_text() -> None:
    """An error says node, message, code, place and hint, each once."""
    error = ErrorInfo("FILE-002", "it\nis  gone", "each/3/read", Where("/flows/a.toml", 7, 3), "make it")
    assert wording.error_text(error) == "each/3/read: it is gone (FILE-002)\na.toml:7:3\nmake it"
    assert wording.error_text(None) == "no reason was given"


@given(st.text(max_size=3000), st.integers(2, 80))
def test_one_line(text: str, limit: int) -> None:
    """Any text becomes one line within its limit, without characters that cannot be shown or sent."""
    line = wording.one_line(text, limit)
    assert len(line) <= limit
    assert all(char in "\u200c\u200d" or not unicodedata.category(char).startswith("C") for char in line)
    line.encode()
    assert wording.one_line(line, limit) == line


@given(st.text(max_size=200), st.text(max_size=20))
def test_a_flow_always_has_a_name(name: str, fallback: str) -> None:
    """An entry is never empty."""
    assert wording.name(name, fallback)
