"""Describes what is wrong with a flow file, as a compiler would: code, place, source line, caret, hint."""

import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from atomiton_runtime.errors import ErrorInfo, UsageError, Where


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a flow file."""

    code: str
    """Stable, e.g. `FLOW-003`; every code is a row of `flow/codes.py` and of `docs/errors.md`."""
    message: str
    file: str
    line: int
    """Counted from 1."""
    column: int
    """Counted from 1, in characters."""
    source_line: str = ""
    width: int = 1
    """Characters to underline, 1 or more."""
    hint: str | None = None

    def headline(self) -> str:
        """Return `file:line:column: error[CODE]: message`."""
        return f"{self.file}:{self.line}:{self.column}: error[{self.code}]: {self.message}"

    def info(self) -> ErrorInfo:
        """Return this problem as the error of documents."""
        return ErrorInfo(self.code, self.message, None, Where(self.file, self.line, self.column), self.hint)


class FlowInvalid(UsageError):
    """A flow file has problems; it carries all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(
            first.code,
            first.message,
            hint=first.hint,
            where=Where(first.file, first.line, first.column),
        )
        self.problems = tuple(problems)


_TAB = "    "
_MAX_WIDTH = 120
_CUT = "..."


def render_problems(problems: Sequence[Problem]) -> str:
    """Return all problems as plain text: headline, source line, underline and hint of each, an empty line between."""
    return "\n".join(_rendered(problem) for problem in problems)


def _rendered(problem: Problem) -> str:
    lines = [_visible(problem.headline())]
    if problem.source_line.strip():
        source, underline = _excerpt(problem)
        gutter = " " * len(str(problem.line))
        lines += [f" {problem.line} | {source}", f" {gutter} | {underline}"]
    if problem.hint is not None:
        first, *more = map(_visible, problem.hint.split("\n"))
        lines += [f"  hint: {first}", *(f"        {line}" for line in more)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _excerpt(problem: Problem) -> tuple[str, str]:
    """Return the part of the source line around the caret, and the line that underlines it, in terminal cells."""
    start = min(problem.column - 1, len(problem.source_line))
    end = min(start + max(problem.width, 1), max(len(problem.source_line), start + 1))
    before, marked, after = (
        [_shown(char) for char in problem.source_line[part]]
        for part in (slice(0, start), slice(start, end), slice(end, None))
    )
    room = _MAX_WIDTH - 2 * len(_CUT)
    if _cells([*before, *marked, *after]) <= _MAX_WIDTH:
        room = _MAX_WIDTH
    marked, cut_marked = _fitting(marked, room)
    beside = room - _cells(marked)
    enough_after = max(beside - _cells(before), beside // 3)
    after, cut_after = ([], True) if cut_marked else _fitting(after, enough_after)
    reversed_before, cut_before = _fitting(before[::-1], beside - _cells(after))
    head = (_CUT if cut_before else "") + "".join(reversed_before[::-1])
    tail = "".join(after) + (_CUT if cut_after else "")
    return head + "".join(marked) + tail, " " * _cells([head]) + "^" * max(_cells(marked), 1)


def _fitting(chars: list[str], room: int) -> tuple[list[str], bool]:
    used = 0
    for count, char in enumerate(chars):
        used += _cells([char])
        if used > room:
            return chars[:count], True
    return chars, False


def _visible(text: str) -> str:
    return "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char == "\t":
        return _TAB
    # Marks that turn the direction of writing, and other invisible ones, would move the caret or hide what is there.
    return char if unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp") else f"<U+{ord(char):04X}>"


def _cells(texts: Iterable[str]) -> int:
    """Return the columns that texts take in a terminal."""
    return sum(_char_cells(char) for text in texts for char in text)


def _char_cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
