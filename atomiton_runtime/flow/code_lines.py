"""Finds the lines of a flow file that hold the text of a parameter."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property

import tomli

from atomiton_runtime.flow.findings import KeyPath

_TEXT = re.compile(
    r"""'''.*?'{3,5}|\"""(?:[^\\]|\\.)*?"{3,5}|'[^'\n]*'|"(?:[^"\\\n]|\\.)*\"""", re.DOTALL
)  # Three quotes end a text; one or two more before them belong to it.
_ESCAPE_OR_LINE = re.compile(r"\\(?:[ \t]*\n[ \t\n]*|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\n")
_LINE = re.compile("\n")
_LINE_BREAKS = ("\n", r"\n")


def line_starts(written: str) -> list[int]:
    """Return where in a text of TOML, its quotes included, each line of its value begins (characters, from 0)."""
    first = 1
    if written[:3] in ("'''", '"""'):
        first = 4 if written[3:4] == "\n" else 3  # The line break after the opening quotes is not part of it.
    tokens = (_LINE if written[0] == "'" else _ESCAPE_OR_LINE).finditer(written, first)
    return [first, *(token.end() for token in tokens if _breaks_line(token[0]))]


def _breaks_line(token: str) -> bool:
    return token in _LINE_BREAKS or (token[:2] in (r"\u", r"\U") and int(token[2:], 16) == ord("\n"))


class CodeLines:
    """The lines of all texts in one flow file that are taken verbatim."""

    def __init__(self, text: str, headers: Mapping[KeyPath, int]) -> None:
        self._text = text
        self._headers = headers
        """Path of a node's table -> the line of its header, where a cheap scan has found it."""

    def of(self, path: KeyPath, value: str) -> Sequence[int]:
        """Return the line of the file (from 1) of each line of the text `value` at `path`.

        They follow each other, unless the text is written with `\\n`. Empty: the text was not found.
        """
        start, written = self._scanned(path, value) or self._parsed(path)
        if not written:
            return ()
        lines = [bisect_right(self._starts, start + place) for place in line_starts(written)]
        in_order = range(lines[0], lines[0] + len(lines))
        return in_order if lines == list(in_order) else tuple(lines)

    def _scanned(self, path: KeyPath, value: str) -> tuple[int, str] | None:
        """Return where the text is and how it is written, if it is the first of its name below the node's header."""
        header = self._headers.get(path[:-1])
        if header is None:
            return None
        key = re.compile(rf"^[ \t]*{path[-1]}[ \t]*=[ \t]*", re.MULTILINE)
        found = key.search(self._text, self._starts[header - 1])
        text = found and _TEXT.match(self._text, found.end())
        # A description may hold lines that look the same: only what reads as the value is believed.
        return (text.start(), text[0]) if text and _read(text[0]) == value else None

    def _parsed(self, path: KeyPath) -> tuple[int, str]:
        """Return the same for every other form: dotted keys, inline tables, quoted names."""
        place = self._positions.find(path)
        return (place.value.start, self._text[slice(*place.value)]) if place else (0, "")

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(newline.end() for newline in _LINE.finditer(self._text))]

    @cached_property
    def _positions(self):
        from atomiton_runtime.flow.positions import Positions

        return Positions(self._text)


def _read(written: str) -> object:
    try:
        return tomli.loads(f"value = {written}")["value"]
    except tomli.TOMLDecodeError:
        return None
