"""Puts what differs between two runs into one sentence, for where there is room for one."""

from collections.abc import Iterator

from atomiton_runtime.run.definition_difference import DefinitionChanged, key_pieces
from atomiton_runtime.run.pieces import Piece, pieces
from atomiton_runtime.run.run_difference import NodeDifference, RunDifference, StatusChanged

MOST_CHARS = 200
_PART_CHARS = 90
_MORE_CHARS = len(", and 100000 more")
_CONSEQUENCES = ("pending", "skipped", "cancelled")
"""What becomes of a node because of what became of another."""
_PRIMARY_PORT = "result."


def headline(difference: RunDifference, *, failure_known: bool = False) -> str:
    """Return what differs in one line of at most 200 characters, what may be a cause before what is a result.

    For example `since the last success: variable limit 10 -> 20, node fetch: status 200 -> 404`.

    Args:
        difference: between two runs.
        failure_known: whether the reader knows already where and why the new run has failed.
    """
    since = "since the last success" if difference.old.status == "succeeded" else "since the run before"
    parts = [_cut(part) for part in _parts(difference, failure_known=failure_known)]
    if not parts and failure_known:
        return f"{since}: nothing of the flow has changed"
    if not parts:
        return f"{since}: neither the flow, its variables nor its results differ"
    return f"{since}: {_joined(parts, MOST_CHARS - len(since) - 2)}"


def _parts(difference: RunDifference, *, failure_known: bool) -> list[str]:
    parts: list[str] = []
    if difference.definition is not None:
        parts += _definition(difference.definition)
    parts += [f"called flow {path.rpartition('/')[2]} has changed" for path in difference.called_flows]
    if difference.variables is not None:
        parts += [f"variable {_said(piece)}" for piece in pieces(difference.variables)]
    known = difference.new.error.node if failure_known and difference.new.error is not None else None
    nodes = (node for node in difference.nodes if known is None or not _is_around(node.node, known))
    return parts + [part for node in nodes for part in _results(node)]


def _is_around(node: str, inner: str) -> bool:
    """Return whether a node is the other one, or one within whose body that is."""
    return f"{inner}/".startswith(f"{node}/")


def _definition(definition: DefinitionChanged) -> list[str]:
    if definition.keys is None:
        return ["the flow has changed"]
    return [_said(piece) for key in definition.keys for piece in key_pieces(key)]


def _results(told: NodeDifference) -> Iterator[str]:
    """Yield the first thing that differs in what a node gave, or that it came to another end."""
    if told.only_in is not None:
        return  # the definition tells why, or another execution of a body does
    if isinstance(told.status, StatusChanged):
        if told.status.new not in _CONSEQUENCES:
            yield f"node {told.node}: {told.status.old} -> {told.status.new}{_code(told)}"
    elif told.outputs is not None:
        first, *more = pieces(told.outputs)
        path = first.path.removeprefix(_PRIMARY_PORT)
        others = f" and {len(more)} more" if more else ""
        yield f"node {told.node}: {_said(first._replace(path=path))}{others}"
    else:
        yield f"node {told.node}: another error{_code(told)}"


def _code(told: NodeDifference) -> str:
    return f" ({told.error.new.code})" if told.error is not None and told.error.new is not None else ""


def _said(piece: Piece) -> str:
    match piece.sign:
        case "+":
            return f"{piece.path} added"
        case "-":
            return f"{piece.path} removed"
        case _:
            return f"{piece.path} {piece.words}"


def _joined(parts: list[str], room: int) -> str:
    """Return as many of the parts as there is room for, and how many there are besides."""
    said = parts[0]
    for count, part in enumerate(parts[1:], 1):
        if len(said) + len(part) + len(", ") + _MORE_CHARS > room:
            return f"{said}, and {len(parts) - count} more"
        said = f"{said}, {part}"
    return said


def _cut(part: str) -> str:
    return part if len(part) <= _PART_CHARS else f"{part[: _PART_CHARS - 1]}…"
