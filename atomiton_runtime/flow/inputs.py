"""Reads `input` and `after`: the references from one node to others."""

from collections.abc import Mapping
from typing import cast

import msgspec

from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Input, ListInput, PortRef, SingleInput, TableInput
from atomiton_runtime.ids import NodeId

ERROR_PORT = "error"
"""The port that every node has: what went wrong."""
_FORMS = 'write `input = "node"`, `"node.port"`, a list of these, or a table name -> reference'


class Siblings(msgspec.Struct, frozen=True):
    """The nodes that one node may refer to."""

    ports: Mapping[str, tuple[str, ...] | None]
    """Node id -> its ports, primary first; None: its type is unknown, which is reported elsewhere."""
    outside: frozenset[str] = frozenset()
    """The nodes around the body, which must not be named inside."""
    side_by_side: bool = False
    """True: they are executed at the same time, so that none can wait for another."""


def read_input(
    written: object, node: str, siblings: Siblings, path: KeyPath, findings: Findings
) -> Input | None:
    """Return what a node takes; None when it is wrong, which is reported."""
    match written:
        case str():
            ref = _ref(written, node, siblings, path, findings)
            return None if ref is None else SingleInput(ref)
        case list() if written:
            texts = cast("list[object]", written)
            refs = [_ref(text, node, siblings, (*path, place), findings) for place, text in enumerate(texts)]
            return ListInput(tuple(ref for ref in refs if ref is not None))
        case dict() if written:
            named = cast("dict[str, object]", written)
            found = [
                (name, _ref(text, node, siblings, (*path, name), findings)) for name, text in named.items()
            ]
            return TableInput(tuple((name, ref) for name, ref in found if ref is not None))
        case list() | dict():
            findings.add("FLOW-003", "`input` is empty", path, hint="leave it out for a node without input")
        case _:
            findings.wrong_kind("a reference", written, path, _FORMS)
    return None


def _ref(written: object, node: str, siblings: Siblings, path: KeyPath, findings: Findings) -> PortRef | None:
    if not isinstance(written, str):
        findings.wrong_kind("a reference", written, path, 'such as "node" or "node.port"')
        return None
    name, dot, port = written.partition(".")
    if not _is_there(name, node, siblings, path, findings):
        return None
    ports = siblings.ports[name]
    if not dot:
        return PortRef(NodeId(name), ports[0] if ports else "")
    if ports is not None and port != ERROR_PORT and port not in ports:
        hint = did_you_mean(port, (*ports, ERROR_PORT)) or f"it has {', '.join((*ports, ERROR_PORT))}"
        findings.add("FLOW-010", f"node `{name}` has no port `{port}`", path, hint=hint, token=port or None)
        return None
    return PortRef(NodeId(name), port)


def _is_there(name: str, node: str, siblings: Siblings, path: KeyPath, findings: Findings) -> bool:
    if name == node:
        findings.add("FLOW-011", f"node `{node}` refers to itself", path, token=name)
        return False
    if name in siblings.ports:
        if siblings.side_by_side:
            message = f"node `{node}` cannot wait for `{name}`: they are executed at the same time"
            findings.add("FLOW-018", message, path, hint="put both into a `group`, as one child", token=name)
        return True
    if name in siblings.outside:
        hint: str | None = "inside a body only the nodes beside it can be named; the body's item is `item`"
    else:
        others = [other for other in siblings.ports if other != node]
        hint = did_you_mean(name, others) or _all_of(others)
    findings.add("FLOW-009", f"there is no node `{name}`", path, hint=hint, token=name or None)
    return False


def _all_of(names: list[str]) -> str | None:
    if not names:
        return None
    return f"there are {', '.join(names[:10])}" + (", ..." if len(names) > 10 else "")


def read_after(
    written: object, node: str, siblings: Siblings, path: KeyPath, findings: Findings
) -> tuple[NodeId, ...]:
    """Return the nodes that a node waits for besides its input; what is wrong is left out and reported."""
    match written:
        case str():
            names = [(written, path)]
        case list():
            names = [(name, (*path, place)) for place, name in enumerate(cast("list[object]", written))]
        case _:
            findings.wrong_kind("a node or a list of nodes", written, path)
            return ()
    waited_for: dict[NodeId, None] = {}
    for name, place in names:
        if not isinstance(name, str):
            findings.wrong_kind("a node's name", name, place)
        elif "." in name:
            hint = f'write `after = "{name.partition(".")[0]}"`; for its output, use `input`'
            findings.add("FLOW-010", "`after` names nodes, not ports", place, hint=hint)
        elif _is_there(name, node, siblings, place, findings):
            waited_for[NodeId(name)] = None
    return tuple(waited_for)
