"""Tests how durations and sizes are read."""

import pytest

from atomiton_runtime.flow.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0), (30, 30), (0.5, 0.5), ("250ms", 0.25), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400),
        ("1d", 86400), (" 2s ", 2), ("1h2m3s4ms", 3723.004),
    ],
)  # fmt: skip
def test_duration_is_read_in_seconds(written: float | str, seconds: float) -> None:
    """A duration is seconds, or parts with units."""
    assert seconds == pytest.approx(parse_duration(written))


@pytest.mark.parametrize(
    "written",
    [
        "",
        "1",
        "s",
        "1x",
        "1m1h",
        "1s1s",
        "-1s",
        "1 h",
        "1h 30m",
        "٣s",
        -1,
        float("nan"),
        float("inf"),
        "99999d",
        True,
    ],
)
def test_what_is_no_duration_is_refused(written: float | str) -> None:
    """A text that could mean two things, or nothing, is no duration."""
    with pytest.raises(ValueError, match=r"."):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (0, 0), (4096, 4096), (2.0, 2), ("64KiB", 65536), ("10MiB", 10 * 1024**2), ("1 GiB", 1024**3), ("2kb", 2000),
        ("1.5KiB", 1536), ("7B", 7), ("1TB", 10**12),
    ],
)  # fmt: skip
def test_size_is_read_in_bytes(written: float | str, size: int) -> None:
    """A size is bytes, or a number with a unit."""
    assert size == parse_size(written)
    assert type(parse_size(written)) is int


@pytest.mark.parametrize(
    "written", ["", "10", "MiB", "1XB", "-1B", -1, 1.5, float("inf"), "999999999TiB", False]
)
def test_what_is_no_size_is_refused(written: float | str) -> None:
    """A text without a unit, or a part of a byte, is no size."""
    with pytest.raises(ValueError, match=r"."):
        parse_size(written)
