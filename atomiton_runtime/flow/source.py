"""Turns the bytes of a flow file into checked text and data, or says where they stop making sense."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import tomli

from atomiton_runtime.flow.problems import Problem

MAX_BYTES = 1024 * 1024
MAX_KEY_PARTS = 100
"""Most parts of a dotted key: tomli's time grows with their square."""

_BOM = "\ufeff"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_KEY_PART = r"(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')"
_LONG_KEY = re.compile(
    rf"(?:^[ \t]*+\[{{0,2}}|[{{,])[ \t]*+((?:{_KEY_PART}[ \t]*+\.[ \t]*+){{{MAX_KEY_PARTS},}}+)",
    re.MULTILINE | re.ASCII,
)
_HEADER = re.compile(r"[ \t]*\[[ \t]*(nodes[ \t]*\.[^\]]*)\]")
_BEFORE_HEADER = frozenset(" \t[")
_WORD = re.compile(r"[\w-]+")
_NAME = re.compile(r"\[[^\n#]*\]|[^\s=]+")


class Source(NamedTuple):
    """A flow file that is TOML."""

    text: str
    """The text of the file, without a byte order mark; every line ends with LF."""
    data: dict[str, object]


class _Stop(Exception):
    """Carries the one problem that keeps a file from being read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_source(content: bytes, file: str) -> Source | Problem:
    """Return the text and data of a flow file, or the problem that makes it unreadable.

    Args:
        content: the bytes of the file.
        file: how problems name it.
    """
    try:
        text = _text(content, file)
        _check_characters(text, file)
        return Source(text, _data(text, file))
    except _Stop as stop:
        return stop.problem


def _text(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        message = f"the file has {len(content):,} bytes; a flow has at most {MAX_BYTES:,}"
        hint = "keep data in files of its own, and let a node read them"
        raise _Stop(Problem(code="TOML-005", message=message, file=file, line=1, column=1, hint=hint))
    if content.startswith(_UTF16_MARKS) or b"\0" in content[:2]:
        hint = "save it as UTF-8: editors call this the encoding of the file"
        message = "the file is UTF-16, not UTF-8"
        raise _Stop(Problem(code="TOML-003", message=message, file=file, line=1, column=1, hint=hint))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _Stop(_not_utf8(content, exc, file)) from exc
    return text.removeprefix(_BOM).replace("\r\n", "\n")


def _not_utf8(content: bytes, error: UnicodeDecodeError, file: str) -> Problem:
    before = content[: error.start].decode("utf-8").removeprefix(_BOM)
    line_start = before.rfind("\n") + 1
    end = content.find(b"\n", error.start)
    rest = content[error.start : end if end >= 0 else len(content)].decode("utf-8", "replace")
    return Problem(
        code="TOML-002",
        message=f"the byte 0x{content[error.start]:02X} is not UTF-8",
        file=file,
        line=before.count("\n") + 1,
        column=len(before) - line_start + 1,
        source_line=(before[line_start:] + rest).rstrip("\r"),
        hint="save the file as UTF-8: editors call this the encoding of the file",
    )


def _check_characters(text: str, file: str) -> None:
    if (place := text.find("\0")) >= 0:
        raise _Stop(_problem("TOML-004", "the file holds a NUL character", text, place, file))
    # Counting the dots of lines is four times as fast, and nearly always says that there is no such key.
    dotted = any(line.count(".") >= MAX_KEY_PARTS for line in text.split("\n"))
    if dotted and (long_key := _LONG_KEY.search(text)) is not None:
        message = f"a key has at most {MAX_KEY_PARTS} parts"
        raise _Stop(_problem("TOML-006", message, text, long_key.start(1), file))


def _data(text: str, file: str) -> dict[str, object]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as exc:
        raise _Stop(_syntax_problem(str(exc), text, file)) from exc
    except RecursionError as exc:
        message = "lists or tables are nested too deep"
        raise _Stop(_problem("TOML-006", message, text, _deepest(text), file)) from exc
    except ValueError as exc:  # an integer of thousands of digits
        message = "an integer of TOML has at most 64 bits"
        found = re.search(r"\d{1000}", text)
        raise _Stop(_problem("TOML-008", message, text, found.start() if found else 0, file)) from exc


def _deepest(text: str) -> int:
    """Return the place of the hundredth bracket of the first long row of them."""
    found = re.search(r"(?:[\[{][^\[{\]}\n]*+){100}", text)
    return found.start() if found else 0


def _syntax_problem(told: str, text: str, file: str) -> Problem:
    place = _PLACE.search(told)
    reason = _PLACE.sub("", told)
    offset = _offset(text, int(place[1]), int(place[2])) if place and place[1] else len(text.rstrip())
    twice = reason.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate inline"))
    if twice:
        offset = _start_of_statement(text, offset)
    code = "TOML-007" if twice else "TOML-001"
    problem = _problem(code, f"{reason[:1].lower()}{reason[1:]}", text, offset, file)
    if not twice:
        return msgspec.structs.replace(problem, hint=_hint(reason, problem))
    name = _NAME.match(text, offset)
    return msgspec.structs.replace(
        problem,
        message="this key or table is there already",
        width=len(name[0]) if name else 1,
        hint="merge the two, or rename one",
    )


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    return min(start + column - 1, len(text))


def _start_of_statement(text: str, offset: int) -> int:
    """Return where the line begins whose end the parser had reached."""
    start = text.rfind("\n", 0, max(offset, 0)) + 1
    return start + len(text[start:]) - len(text[start:].lstrip(" \t"))


def _hint(reason: str, problem: Problem) -> str | None:
    line, before = problem.source_line, problem.source_line[: problem.column - 1]
    value = line.partition("=")[2].strip()
    if reason.startswith("Invalid value"):
        if value[:1].isalpha():
            return {
                "True": "write true",
                "False": "write false",
                "None": "TOML has no null: leave the key out",
            }.get(value, f'a text needs quotes: "{value[:40]}"')
        return "a value is missing here" if not value else None
    if "=" in reason:
        return "write `key = value`" if "[" not in before else "a header looks like `[nodes.read]`"
    if "\\" in line and "escape" in reason.lower():
        return "in \"...\" a backslash is written \\\\; '...' takes it as it is"
    if reason.startswith(("Unterminated string", "Illegal character '\\n'")):
        return "the text's closing quote is missing; texts of several lines need three quotes"
    if reason.startswith(("Unclosed", "Expected ']'", "Expected ',' or '}'")):
        return "a closing bracket or a comma is missing"
    if reason.startswith("Expected newline"):
        return "one `key = value` a line"
    return None


def _problem(code: str, message: str, text: str, offset: int, file: str) -> Problem:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    word = _WORD.match(text, offset)
    return Problem(
        code=code,
        message=message,
        file=file,
        line=text.count("\n", 0, offset) + 1,
        column=offset - start + 1,
        source_line=text[start : end if end >= 0 else len(text)],
        width=len(word[0]) if word else 1,
    )


def header_lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the path and line of each table header below `nodes`, found without parsing.

    A header in the middle of a text of several lines is yielded as well; the first of a path is to be believed.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line[:1] in _BEFORE_HEADER and (header := _HEADER.match(line)) is not None:
            yield tuple(part.strip(" \t\"'") for part in header[1].split(".")), number
