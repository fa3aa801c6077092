"""A server's wish for a pause is understood in both of its forms, and kept within bounds."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.http.failures import MAX_RETRY_AFTER_S, retry_after_s

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "pause_s"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("99999999", MAX_RETRY_AFTER_S),
        ("9" * 400, MAX_RETRY_AFTER_S),
        ("Tue, 24 Nov 2026 08:00:30 GMT", 30.0),
        ("Tuesday, 24-Nov-26 08:00:30 GMT", 30.0),
        ("Tue Nov 24 08:00:30 2026", 30.0),
        ("Tue, 24 Nov 2026 07:00:00 GMT", 0.0),
        ("Wed, 25 Nov 2026 08:00:00 GMT", MAX_RETRY_AFTER_S),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Tue, 99 Nov 2026 08:00:30 GMT", None),
    ],
)
def test_retry_after_is_understood(value: str, pause_s: float | None) -> None:
    """Seconds and dates of HTTP are a pause; anything else is none."""
    assert pause_s == retry_after_s(value, now_s=NOW.timestamp())


@given(st.text(max_size=40) | st.datetimes().map(lambda each: format_datetime(each.replace(tzinfo=UTC))))
def test_retry_after_is_always_within_bounds(value: str) -> None:
    """Whatever a server sends, the pause is none, or between nothing and an hour."""
    pause_s = retry_after_s(value, now_s=NOW.timestamp())

    assert pause_s is None or 0.0 <= pause_s <= MAX_RETRY_AFTER_S
