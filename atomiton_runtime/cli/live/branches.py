"""Draws a node of the tree: one line, and those of its error."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from rich.console import Console
from rich.text import Text

from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.live.outline import Place
from atomiton_runtime.cli.live.picture import Picture, Row
from atomiton_runtime.cli.live.previews import output_words
from atomiton_runtime.cli.live.states import RAN, executions, iterations, state
from atomiton_runtime.cli.wording import STATUS_COLORS, duration, one_line
from atomiton_runtime.run.events import NodeStatus

ERROR_LINES = 6
"""Of one error, so that there is room for others."""
_WORD_CELLS, _TOOK_CELLS = 9, 8
_STEP_CELLS = 2
_LEAST_NAME_CELLS = 12
_SHOWN_FROM_S = 0.1
"""The time of what has just begun would only flicker."""


class Branches:
    """Draws the nodes of a picture, all with the same columns.

    Args:
        picture: what is known of the flow.
        console: says how wide the lines are.
        signs: status -> the sign before the node's name.
        now: the moment, for what is running.
    """

    def __init__(self, picture: Picture, console: Console, signs: Mapping[str, str], now: datetime) -> None:
        self._picture, self._console, self._signs, self._now = picture, console, signs, now
        self._folder = picture.flow.folder if picture.flow else ""
        longest = max(map(_name_cells, picture.places), default=0)
        self._name_cells = min(longest, max(console.width * 2 // 5, _LEAST_NAME_CELLS))
        """Of indent, sign and name."""
        self._indent_cells = self._name_cells
        """The most of them that are the indent, so that something of each name is seen."""
        if longest > self._name_cells:
            self._indent_cells -= _LEAST_NAME_CELLS

    def lines(self, place: Place) -> list[Text]:
        """Return the lines of a node."""
        row = self._picture.rows[place.key]
        status = state(row)
        line = self._name(place, status)
        line.append("  ")
        line.append(status.ljust(_WORD_CELLS), style=STATUS_COLORS.get(status, ""))
        line.append(f"  {duration(self._took_s(row, status)).rjust(_TOOK_CELLS)}  ", style="dim")
        line.append_text(self._detail(row, status))
        line.rstrip()
        if status == "reused":
            line.stylize("dim")
        return [fit(line, self._console.width), *self._error(place, row, status)]

    def _name(self, place: Place, status: NodeStatus) -> Text:
        line = Text(" " * self._indent(place))
        line.append(f"{self._signs[status]} ", style=STATUS_COLORS.get(status, ""))
        around, _, own = one_line(place.key).rpartition("/")
        line.append(f"{around}/" if around else "", style="dim")
        line.append(own, style="bold" if status in RAN else "")
        line.append(_beside(place), style="dim")
        fit(line, self._name_cells).pad_right(self._name_cells - line.cell_len)
        return line

    def _indent(self, place: Place) -> int:
        return min(place.depth * _STEP_CELLS, self._indent_cells)

    def _took_s(self, row: Row, status: NodeStatus) -> float | None:
        if status != "running" or row.is_many or row.began_at is None:
            return row.duration_s
        passed_s = (self._now - row.began_at).total_seconds()
        return passed_s if passed_s >= _SHOWN_FROM_S else None

    def _detail(self, row: Row, status: NodeStatus) -> Text:
        words: list[Text] = []
        if row.is_numbered:
            words.append(Text(iterations(row)))
        if row.is_many:
            words.append(Text(executions(row)))
        elif row.attempt > 1:
            words.append(Text(f"attempt {row.attempt}" if status == "running" else f"{row.attempt} attempts"))
        told = self._told(row, status)
        return Text("  ").join([*words, told] if told else words)

    def _told(self, row: Row, status: NodeStatus) -> Text:
        if status == "skipped" and not row.is_many:
            return Text(one_line(row.reason), style="dim")
        if status == "pending" and row.error is not None:
            return Text(f"attempt {row.attempt} failed: {one_line(row.error.message)}", style="yellow")
        if status == "running" and row.said:
            return Text(one_line(row.said), style="dim")
        words = _words(row, self._folder)
        if words is None or (status == "failed" and not row.is_many):
            return Text()
        return Text(words, style="" if row.is_fresh else "dim")

    def _error(self, place: Place, row: Row, status: NodeStatus) -> list[Text]:
        error = row.error
        if error is None or (status in ("pending", "running") and not row.is_many):
            return []
        origin = self._picture.key_of(error.node) if error.node else None
        if origin is not None and origin != place.key:
            return []  # it stands at the node where it happened
        if error.node == place.key:
            error = msgspec.structs.replace(error, node=None)
        return wrapped(error_text(error), self._console, self._indent(place) + 2)[:ERROR_LINES]


def fit(line: Text, cells: int) -> Text:
    """Cut the line where it is wider than `cells`, with a mark; return it."""
    line.truncate(max(cells, 1), overflow="ellipsis")
    return line


def wrapped(text: str, console: Console, indent_cells: int = 0) -> list[Text]:
    """Return lines, possibly with colours, as lines that are no wider than the console."""
    room = max(console.width - indent_cells, 8)
    pieces = [
        piece
        for line in text.split("\n")
        for piece in Text.from_ansi(line, overflow="fold").wrap(console, room)
    ]
    return [Text(" " * indent_cells).append_text(piece) for piece in pieces]


def _name_cells(place: Place) -> int:
    # Ids are ASCII letters, so no time is spent on how wide they are.
    return place.depth * _STEP_CELLS + 2 + len(place.key) + len(_beside(place))


def _beside(place: Place) -> str:
    return f" <- {', '.join(map(one_line, place.beside))}" if place.beside else ""


def _words(row: Row, folder: str) -> str | None:
    """Return what came out, and keep only these words: the value may be long, and is not needed any more."""
    if row.outputs is not None:
        row.words, row.outputs = output_words(row.outputs, folder), None
    return row.words
