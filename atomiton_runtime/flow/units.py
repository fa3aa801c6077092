"""Reads durations (`"1h30m"`) and sizes (`"10MiB"`)."""

import math
import re
from itertools import pairwise

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "b": 1,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
}
_DURATION_PART = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]{1,3})", re.ASCII)
_DURATION_HINT = 'write seconds as a number, or "250ms", "30s", "5m", "1h30m"'
_SIZE_HINT = 'write bytes as a number, or "64KiB", "10MiB", "1GiB"'
MAX_SECONDS = 10 * 365 * 86400.0
MAX_BYTES = 2**63 - 1


def parse_duration(value: int | float | str) -> float:
    """Return a duration in seconds, 0 or more and at most ten years.

    Args:
        value: seconds, or parts with the units ms, s, m, h, d, each unit once, the largest first.

    Raises:
        ValueError: it is none; the message says what to write.
    """
    seconds = _duration_text(value) if isinstance(value, str) else _number(value, _DURATION_HINT)
    if not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"{value!r} is not between 0 seconds and ten years")
    return seconds


def _duration_text(text: str) -> float:
    if not _DURATION.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no duration: {_DURATION_HINT}")
    parts = _DURATION_PART.findall(text)
    sizes = [_SECONDS[unit] for _, unit in parts]
    if any(later >= earlier for earlier, later in pairwise(sizes)):
        raise ValueError(f"{text!r} is no duration: each unit once, the largest first, as in 1h30m")
    return math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_size(value: int | float | str) -> int:
    """Return a size in bytes, 0 or more.

    Args:
        value: bytes, or a number with the unit B, KiB, MiB, GiB, TiB (or KB, MB, GB, TB: powers of 1000).

    Raises:
        ValueError: it is none; the message says what to write.
    """
    size = _size_text(value) if isinstance(value, str) else _number(value, _SIZE_HINT)
    if size != int(size) or not 0 <= size <= MAX_BYTES:
        raise ValueError(f"{value!r} is no whole number of bytes from 0 on")
    return int(size)


def _size_text(text: str) -> float:
    parts = _SIZE.fullmatch(text.strip())
    if parts is None or parts[2].lower() not in _BYTES:
        raise ValueError(f"{text!r} is no size: {_SIZE_HINT}")
    number, unit = parts[1], _BYTES[parts[2].lower()]
    return int(number) * unit if number.isdigit() else round(float(number) * unit)


def _number(value: object, hint: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not understood: {hint}")
    return value
