"""Lays rows out in columns, as wide as their texts are on a terminal."""

import shutil
import sys
import unicodedata
from collections.abc import Sequence

import click

from atomiton_runtime.cli.wording import dim

_GAP = "  "


def width(text: str) -> int:
    """Return how many cells `text` takes on a terminal; colours take none."""
    plain = click.unstyle(text)
    return len(plain) if plain.isascii() else sum(_cells(char) for char in plain)


def lines(rows: Sequence[Sequence[str]], *, heads: Sequence[str] = (), indent: str = "") -> list[str]:
    """Return a line for each row, after one for the heads; the last column is cut at a terminal's edge.

    Args:
        rows: cells of one line each, possibly coloured; all rows of the same length.
        heads: the titles of the columns; empty for none. Not shown when there are no rows.
        indent: what each line begins with.
    """
    if not rows:
        return []
    table = [tuple(dim(head) if head else "" for head in heads), *rows] if heads else list(rows)
    widths = [max(width(row[column]) for row in table) for column in range(len(table[0]))]
    return [indent + _line(row, widths, room=_room() - len(indent)) for row in table]


def _line(row: Sequence[str], widths: Sequence[int], room: int) -> str:
    padded = [cell + " " * (wide - width(cell)) for cell, wide in zip(row[:-1], widths[:-1], strict=True)]
    line = _GAP.join([*padded, row[-1]]).rstrip()
    if width(line) <= room:
        return line
    left = room - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    return _GAP.join([*padded, cut(row[-1], max(left, 8))]).rstrip()


def cut(text: str, cells: int) -> str:
    """Return `text`, which may not be coloured if it is too long, in at most `cells` cells; a cut is marked."""
    if width(text) <= cells:
        return text
    kept, used = "", 0
    for char in click.unstyle(text):
        used += _cells(char)
        if used > cells - 1:
            break
        kept += char
    return f"{kept}…"


def _room() -> int:
    # Where nobody looks nothing is cut: a program reads it.
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1_000_000


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
