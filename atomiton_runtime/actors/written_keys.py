"""Hashes a node as it is written and of what it is given: nothing is evaluated, so that a whole flow costs little."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import assert_never, cast

import msgspec

from atomiton_runtime.actors.within import called_flows, names_within, root_of
from atomiton_runtime.flow.model import Flow, ListInput, Node, SingleInput, TableInput
from atomiton_runtime.nodes.environment import NodeEnvironment
from atomiton_runtime.run.reuse import Digest, digest, hidden_part, part, result_hash, together
from atomiton_runtime.values import Value, encode

ABSENT = "absent"
"""Stands for the value of a port, or of a name, that has none."""
_CONTAINERS = (dict, list)
_MOVING = frozenset({"now", "run"})
"""These are different in each run."""


class Names:
    """What the names of expressions mean to all nodes of a flow itself, as hashes: each is made once."""

    def __init__(self, flow: Flow, variables: Mapping[str, Value]) -> None:
        self._flow = flow
        self._variables = variables
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Return the hash of what a name means; empty: it depends on nothing but the node and its input."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._made(name)
        return known

    def _made(self, name: str) -> str:
        root, _, key = name.partition(".")
        match root:
            case "vars":
                return digest(encode(self._variables[key] if key else self._variables))
            case "env":
                return environment_part(NodeEnvironment(Path(self._flow.folder)), key)
            case "flow":
                return together((self._flow.name, self._flow.id))
            case _:
                return ""


def written_key(
    node: Node, flow: Flow, *, identity: str, names: Names, inputs: Iterable[str]
) -> Digest | None:
    """Return the hash of a node of the flow itself, as it is written and of what it is given; see `Key.written`.

    Args:
        node: of the flow itself, not of a body.
        flow: in its present version.
        identity: of the node's type.
        names: what its expressions may use.
        inputs: hash of the value of each port that it takes, in the order of `Node.refs`.
    """
    texts = [identity, node.definition, flow.folder, shape(node), *wiring(node), *inputs]
    texts += _orders(_values(node))
    used: Collection[str] = node.names
    if node.body is not None or node.calls is not None:
        used = names_within(node, flow)
        texts += body_parts(node, flow).values()
    for name in sorted(used):
        if root_of(name) in _MOVING:
            return None
        texts += (name, names.of(name))
    return together(texts)


def input_hash(raw: msgspec.Raw | None, known: Digest | None) -> str:
    """Return the hash of what a port gave."""
    return ABSENT if raw is None else known or result_hash(raw)


def body_parts(node: Node, flow: Flow) -> dict[str, str]:
    """Return the parts of a key that the body of a node makes, or the flow that it calls; none: it has neither."""
    parts: dict[str, str] = {}
    for each in called_flows(node, flow):
        parts[f"flow {each.path}"] = each.hash
        environment = NodeEnvironment(Path(each.folder))  # a `.env` of its own may be beside it
        names = sorted({name for inner in each.nodes for name in inner.names if root_of(name) == "env"})
        for name in names:
            parts[f"name {name} of {each.path}"] = environment_part(environment, name.partition(".")[2])
    if node.body is not None:
        parts["body"] = together((node.definition, *_orders(_values(node)), *_orders_within(node)))
    return parts


def _orders_within(node: Node) -> Iterator[str]:
    # The last child that no other takes gives the result, and those of `parallel` are in the order of the file.
    yield from (child.id for child in node.children)
    for child in sorted(node.children, key=lambda child: child.id):
        yield from (shape(child), *_orders(_values(child)), *_orders_within(child))


def _values(node: Node) -> list[object]:
    """Return the parameters of a node, whatever their own order."""
    return [node.parameters[name] for name in sorted(node.parameters)]


def _orders(value: object) -> Iterator[str]:
    """Yield the keys of each table within parameters, as they are written: no definition says in which order."""
    if type(value) is dict:
        table = cast("dict[str, object]", value)
        yield from table
        for key in sorted(table):
            if type(table[key]) in _CONTAINERS:
                yield from _orders(table[key])
    elif type(value) is list:
        for entry in cast("list[object]", value):
            if type(entry) in _CONTAINERS:
                yield from _orders(entry)


def environment_part(environment: Mapping[str, str], name: str) -> str:
    """Return the hash of a variable: what is in the environment is often no secret by name only."""
    if not name:
        return hidden_part(dict(sorted(environment.items())))
    value = environment.get(name)
    return ABSENT if value is None else hidden_part(value)


def shape(node: Node) -> str:
    """Return of what kind the input of a node is: a table may have the names 0 and 1, in this order or another."""
    match node.input:
        case None:
            return "none"
        case SingleInput():
            return "value"
        case ListInput():
            return "list"
        case TableInput():
            return part(wiring(node))


def wiring(node: Node) -> tuple[str, ...]:
    """Return where in the input of a node the value of each port goes that it takes."""
    match node.input:
        case None:
            return ()
        case SingleInput():
            return ("",)
        case ListInput(refs):
            return tuple(map(str, range(len(refs))))
        case TableInput(named):
            return tuple(name for name, _ in named)
        case _:
            assert_never(node.input)
