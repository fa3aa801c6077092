"""Lays out what differs between two runs for people: the two runs, then a section for each aspect that differs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

import click

from atomiton_runtime.cli import table, wording
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.run.definition_difference import KeyChanged, key_pieces
from atomiton_runtime.run.difference import ObjectChanged
from atomiton_runtime.run.pieces import Piece, pieces_by_key, shortened
from atomiton_runtime.run.run_difference import NodeDifference, RunDifference, Side, StatusChanged, Timing

_SHOWN_OF_PORT = 8
"""So many lines are shown of one port, variable or key."""
_SHOWN_KEYS = 40
_SHOWN_NODES = 40
_SHOWN_CHILDREN = 3
"""Of the nodes within one body: its iterations mostly differ in the same way."""
_NAMED_NODES = 3
"""Of those of which nothing but the status differs."""
_SHOWN_DURATIONS = 10
_NOTABLE_S = 0.5
_NOTABLE_RATIO = 1.5
"""A duration is worth a line if it differs by this much, and by so many times."""
_COLORS = {"-": "red", "+": "green", "~": "yellow"}


def difference_lines(told: RunDifference, file: str = "") -> list[str]:
    """Return all lines, possibly coloured.

    Args:
        told: what differs.
        file: the path of the new run's flow; empty: it is not known.
    """
    lines = _heading(told)
    sections = [
        ("DEFINITION", _definition(told, wording.nearby(file))),
        ("VARIABLES", _variables(told.variables) if told.variables is not None else []),
        ("NODES", _nodes(told)),
        ("ERROR", _error(told)),
        ("TIMING", _timing(told.timing)),
    ]
    for head, section in sections:
        if section:
            lines += ["", wording.dim(head), *section]
    if told.same:
        lines += ["", "no difference" + (" but the time taken" if sections[-1][1] else "")]
    return lines


def _heading(told: RunDifference) -> list[str]:
    flows = dict.fromkeys((wording.one_line(told.old.flow), wording.one_line(told.new.flow)))
    statuses = dict.fromkeys((wording.status(told.old.status), wording.status(told.new.status)))
    title = f"{click.style(' -> '.join(flows), bold=True)} {' -> '.join(statuses)}"
    return [title, *table.lines([_side("old", told.old), _side("new", told.new)], indent="  ")]


def _side(name: str, side: Side) -> tuple[str, ...]:
    return (
        wording.dim(name),
        side.run_id,
        wording.status(side.status),
        wording.local_time(datetime.fromisoformat(side.started_at)),
        wording.duration(side.duration_s),
        f"by {side.trigger}",
    )


def _definition(told: RunDifference, file: str) -> list[str]:
    called = [f"  another version of the called flow {wording.one_line(path)}" for path in told.called_flows]
    if told.old.flow != told.new.flow:
        return ["  two different flows", *called]
    if told.definition is None:
        return called
    if told.definition.keys is None:
        return ["  another version of the flow's file; which keys differ is not known", *called]
    if not told.definition.keys:
        return ["  only comments, layout or the order of keys", *called]
    rows = [
        _key_row(key, piece, file)
        for key in told.definition.keys
        for piece in shortened(list(key_pieces(key)), _SHOWN_OF_PORT)
    ]
    left_out = told.definition.left_out + len(rows[_SHOWN_KEYS:])
    more = [f"  … and {left_out} more"] if left_out else []
    return [*table.lines(rows[:_SHOWN_KEYS], indent="  "), *more, *called]


def _variables(told: ObjectChanged) -> list[str]:
    shown = [piece for group in pieces_by_key(told) for piece in shortened(group, _SHOWN_OF_PORT)]
    return table.lines([_row(piece) for piece in shown], indent="  ")


def _key_row(key: KeyChanged, piece: Piece, file: str) -> tuple[str, ...]:
    sign, path, words = _row(piece)
    place = f"{file}:{key.line}" if file else f"line {key.line}"
    if key.side == "removed":  # from a text that is in no file any more
        place = f"line {key.line} before"
    return sign, wording.dim(place), path, words


def _nodes(told: RunDifference) -> list[str]:
    lines: list[str] = []
    left_out = told.nodes_left_out
    for body, nodes in groupby(told.nodes, key=lambda node: node.node.rpartition("/")[0].partition("/")[0]):
        groups = [(said, list(group)) for said, group in groupby(nodes, key=_bare_status)]
        shown = _SHOWN_CHILDREN if body else _SHOWN_NODES
        for said, group in groups:
            if said is not None:
                lines.append(f"  {_names(group)}  {said}")
                continue
            lines += [line for node in group[:shown] for line in node_lines(node)]
            if len(group) > shown and body:
                lines.append(f"  … and {wording.counted(len(group) - shown, 'more node')} within {body}")
            elif len(group) > shown:
                left_out += len(group) - shown
    return lines + ([f"  … and {wording.counted(left_out, 'more node')}"] if left_out else [])


def _names(nodes: Sequence[NodeDifference]) -> str:
    first = ", ".join(wording.one_line(node.node) for node in nodes[:_NAMED_NODES])
    return first if len(nodes) <= _NAMED_NODES else f"{first} and {len(nodes) - _NAMED_NODES} more"


def _bare_status(told: NodeDifference) -> str | None:
    """Return what is to be said of a node of which nothing but the status differs; None: there is more."""
    if not isinstance(told.status, StatusChanged):
        if told.only_in is None:
            return None
        return f"only in the {told.only_in} run: {wording.status(told.status)}"
    return _status(told) if told.error is None and told.outputs is None else None


def _status(told: NodeDifference) -> str:
    if not isinstance(told.status, StatusChanged):
        return ""
    return f"{wording.status(told.status.old)} -> {wording.status(told.status.new)}"


def node_lines(told: NodeDifference) -> list[str]:
    """Return what differs of one node."""
    lines = [f"  {wording.one_line(told.node)}  {_status(told)}".rstrip()]
    if told.error is not None:
        for sign, error in (("-", told.error.old), ("+", told.error.new)):
            if error is not None:
                lines.append(f"    {_sign(sign)}  {wording.one_line(f'{error.code}: {error.message}')}")
    if told.outputs is not None:
        shown = [piece for port in pieces_by_key(told.outputs) for piece in shortened(port, _SHOWN_OF_PORT)]
        lines += table.lines([_row(piece) for piece in shown], indent="    ")
    return lines


def _error(told: RunDifference) -> list[str]:
    """Return how the run ended otherwise, where no node of the section above says it."""
    error = told.new.error
    if "error" not in told.differs or error is None:
        return []
    said = (node.error.new for node in told.nodes if node.error is not None)
    if any(other is not None and other.code == error.code for other in said):
        return []
    return [f"  {line}" for line in error_text(error).split("\n")]


def _timing(timing: Iterable[Timing]) -> list[str]:
    notable = [
        timed
        for timed in timing
        if abs(timed.new_s - timed.old_s) >= _NOTABLE_S
        and max(timed.new_s, timed.old_s) >= _NOTABLE_RATIO * min(timed.new_s, timed.old_s)
    ]
    rows = [
        (wording.one_line(timed.node), f"{wording.duration(timed.old_s)} -> {wording.duration(timed.new_s)}")
        for timed in notable[:_SHOWN_DURATIONS]
    ]
    return table.lines(rows, indent="  ")


def _row(piece: Piece) -> tuple[str, str, str]:
    return _sign(piece.sign), wording.one_line(piece.path), wording.harmless(piece.words)


def _sign(sign: str) -> str:
    return click.style(sign, fg=_COLORS.get(sign))
