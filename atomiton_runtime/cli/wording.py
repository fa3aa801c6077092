"""Puts durations, times, states and foreign texts into words that are safe to print."""

import os
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import click

from atomiton_runtime.ids import RunId, time_of

_SHOWN_NODES = 5
STATUS_COLORS = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "interrupted": "red",
    "cancelling": "yellow",
    "cancelled": "yellow",
    "skipped": "yellow",
    "running": "cyan",
    "queued": "cyan",
    "reused": "blue",
    "pending": "white",
}
"""Run or node status -> the colour of its word; a run is `cancelling` as long as something of it is left."""

dim = partial(click.style, dim=True)


def status(word: str) -> str:
    """Return the status as a coloured word; click drops the colour where nobody can see it."""
    return click.style(word.replace("_", " "), fg=STATUS_COLORS.get(word))


def cancelling(left: Sequence[str]) -> str:
    """Return that a run is being cancelled, and what of it is left."""
    word = status("cancelling")
    return f"{word}, {counted(len(left), 'node')} left: {nodes_left(left)}" if left else word


def nodes_left(left: Sequence[str]) -> str:
    """Return the first of these nodes by name."""
    return ", ".join(map(one_line, left[:_SHOWN_NODES])) + (", ..." if len(left) > _SHOWN_NODES else "")


def duration(seconds: float | None) -> str:
    """Return a length of time, e.g. `<1 ms`, `4 ms`, `1.2 s`, `3 min 5 s`, `2 h 10 min`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 0.001:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(size_bytes: int) -> str:
    """Return a number of bytes, e.g. `1 byte`, `340 bytes`, `1.2 KiB`, `12 MiB`."""
    if size_bytes < 1024:
        return counted(size_bytes, "byte")
    amount, units = size_bytes / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while amount >= 999.5 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{amount:.1f} {units[0]}" if amount < 9.95 else f"{amount:.0f} {units[0]}"


def local_time(at: datetime) -> str:
    """Return the moment in this machine's time zone, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def time_ago(at: datetime, now: datetime) -> str:
    """Return how long ago `at` was; a date where that is clearer."""
    passed = now - at
    if passed < timedelta(seconds=-60) or passed >= timedelta(days=7):
        return f"{at.astimezone():%Y-%m-%d}"
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h ago"
    return counted(passed // timedelta(days=1), "day") + " ago"


def counted(count: int, one: str) -> str:
    """Return `1 flow` or `3 flows`."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


def harmless(text: str) -> str:
    """Return `text` with its control characters (but line ends and tabs) made visible.

    Names, messages and outputs come from files and programs; an escape sequence among them must not steer the
    terminal of the reader.
    """
    if text.isprintable():
        return text
    return "".join(char if char in "\n\t" or not _steers(char) else repr(char)[1:-1] for char in text)


def _steers(char: str) -> bool:
    # Cc: control characters. Cf holds those that turn the direction of writing; joiners of letters stay.
    category = unicodedata.category(char)
    return category in ("Cc", "Cs") or (category == "Cf" and char not in "\u200c\u200d\u00ad")


def nearby(path: str) -> str:
    """Return the path of a file as it is called from here, if it is below the working folder."""
    if not path:
        return ""
    try:
        relative = os.path.relpath(path)
    except (ValueError, OSError):
        return harmless(path)
    return harmless(path if relative.startswith(os.pardir) else relative)


def reused_from(run_id: RunId, now: datetime) -> str:
    """Return from which run a result is, and how old that is: `reused from run 01J... (2 min ago)`."""
    at = time_of(run_id)
    return f"reused from run {one_line(run_id)}" + (f" ({time_ago(at, now)})" if at is not None else "")


def one_line(text: str) -> str:
    """Return `text` on one line, with its control characters made visible."""
    return harmless(" ".join(text.split()))
