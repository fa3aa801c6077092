"""Puts times, names and problems into the few words a menu has room for."""

import re
import unicodedata
from datetime import datetime, timedelta
from pathlib import PurePath

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.problems import Problem

NAME_LIMIT_CHARS = 48
LINE_LIMIT_CHARS = 64

_BLANKS = re.compile(r"\s+")
_JOINERS = "\u200c\u200d"
"""Invisible, but Persian, Hindi and emoji are spelled with them."""
_READ_AHEAD = 8
"""A text is looked at no further than this many times what may be shown of it."""


def one_line(text: str, limit_chars: int = LINE_LIMIT_CHARS) -> str:
    """Return `text` as one line of at most `limit_chars` characters that any desktop can show.

    Control characters (a NUL ends a D-Bus message) and those that turn the direction of writing go; combining marks
    stay with their letters. What is cut is marked.
    """
    head = _BLANKS.sub(" ", text[: limit_chars * _READ_AHEAD])
    visible = "".join(char for char in head if char in _JOINERS or _is_visible(char))
    line = _BLANKS.sub(" ", visible).strip(f" {_JOINERS}")
    if len(line) > limit_chars or len(text) > limit_chars * _READ_AHEAD:
        return f"{line[: limit_chars - 1].rstrip()}…"
    return line


def _is_visible(char: str) -> bool:
    return not unicodedata.category(char).startswith("C")


def name(text: str, fallback: str = "") -> str:
    """Return a flow's name, short enough for an entry; `fallback` (its id) where nothing of it is visible."""
    return one_line(text, NAME_LIMIT_CHARS) or one_line(fallback, NAME_LIMIT_CHARS) or "(no name)"


def time_ago(at: datetime, now: datetime) -> str:
    """Return how long ago `at` was, as people say it; a date where that is clearer, or where clocks disagree."""
    passed = now - at
    if passed < timedelta(minutes=-1) or passed >= timedelta(days=7):
        return f"{at.astimezone(now.tzinfo):%Y-%m-%d}"
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h ago"
    days = passed // timedelta(days=1)
    return "yesterday" if days == 1 else f"{days} days ago"


def clock_time(at: datetime, now: datetime) -> str:
    """Return the time of day of `at` in the zone of `now`; with its date where that is another day."""
    local = at.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """Return a length of time, e.g. `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def problem_line(problem: Problem) -> str:
    """Return `file:line: message`, the file without its folder."""
    return one_line(f"{PurePath(problem.file).name}:{problem.line}: {problem.message}")


def error_text(error: ErrorInfo | None) -> str:
    """Return what failed and where, e.g. `read: the file is not there (FILE-001)`, then the hint on its own line."""
    if error is None:
        return "no reason was given"
    node = f"{one_line(error.node, NAME_LIMIT_CHARS)}: " if error.node else ""
    text = f"{node}{one_line(error.message, 300)} ({error.code})"
    if error.where is not None:
        text += f"\n{PurePath(error.where.file).name}:{error.where.line}:{error.where.column}"
    if error.hint:
        text += f"\n{one_line(error.hint, 200)}"
    return text


def counted(count: int, one: str, many: str) -> str:
    """Return `1 flow` or `3 flows`."""
    return f"{count} {one if count == 1 else many}"
