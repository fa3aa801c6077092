"""Makes the key of an attempt: what its result depends on, part by part."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import assert_never, cast

import msgspec

from atomiton_runtime.actors.messages import ExecuteNode, Iteration
from atomiton_runtime.flow.expressions import Expression, Scope
from atomiton_runtime.flow.model import Body, Flow, ListInput, Node, SingleInput, TableInput
from atomiton_runtime.ids import NodeId
from atomiton_runtime.nodes.base import NodeContext
from atomiton_runtime.nodes.environment import NodeEnvironment
from atomiton_runtime.nodes.registry import CataloguedType
from atomiton_runtime.run.reuse import Digest, Key, digest, hidden_part, make_key, part, result_hash, together
from atomiton_runtime.secrecy.mask import Mask
from atomiton_runtime.values import Value, encode

READS = "reads "
"""What the name of the part of a file begins with."""
LOOKS = "looks"
"""The name of the part of what only looking again can tell."""
_MOVING = frozenset({"now", "run"})
"""These are different in each run."""
_OF_ITERATIONS = frozenset({"item", "index", "outer"})
_GIVEN = frozenset({"input", "acc", *_OF_ITERATIONS})
"""What comes with the input, or with the iteration."""
_ABSENT = "absent"


def attempt_key(
    order: ExecuteNode,
    catalogued: CataloguedType,
    rendered: Mapping[str, object],
    context: NodeContext,
    *,
    mask: Mask | None,
    reads: Mapping[str, str],
    looks: bool,
) -> Key:
    """Return the key of an attempt.

    Args:
        order: asks for the attempt.
        catalogued: the node's type.
        rendered: its parameters, templates rendered.
        context: what it may know besides.
        mask: hides secrets, which are no part of a key; their names are.
        reads: path -> fingerprint of what it reads outside.
        looks: whether only looking again tells if the result holds.

    Raises:
        UnsupportedValue: a parameter has no JSON form (VALUE-001).
    """
    parts = own_parts(order, catalogued, rendered, context.scope, mask=mask)
    if order.iteration is not None:
        parts |= _iteration_parts(order.iteration, _names(order, catalogued, rendered))
    parts |= _input_parts(order)
    parts |= {f"{READS}{path}": fingerprint for path, fingerprint in reads.items()}
    if looks:
        parts[LOOKS] = "true"
    return make_key(
        parts, folder=order.flow.folder, written=None if order.prefix else _written(order, catalogued)
    )


def own_parts(
    order: ExecuteNode,
    catalogued: CataloguedType,
    rendered: Mapping[str, object],
    scope: Scope,
    *,
    mask: Mask | None,
) -> dict[str, str]:
    """Return the parts of a key that depend neither on the input of a node nor on the outside.

    Args:
        order: asks for the attempt.
        catalogued: the node's type.
        rendered: its parameters, templates rendered; those that are left out are not among the parts.
        scope: what names mean.
        mask: hides secrets.
    """
    node = order.written
    parts = {"type": catalogued.identity}
    for name, value in rendered.items():
        parts[f"parameter {name}"] = part(_masked(_plain(value), mask))
    if node.body is not None or node.calls is not None:
        parts |= _body_parts(node, order.flow)
    names = _names(order, catalogued, rendered)
    return parts | {f"name {name}": _name_part(name, scope) for name in sorted(names) if not is_given(name)}


def _names(order: ExecuteNode, catalogued: CataloguedType, rendered: Mapping[str, object]) -> Collection[str]:
    """Return the names on which a result depends besides the parameters."""
    node = order.written
    if node.body is not None or node.calls is not None:
        return _names_within(node, order.flow)
    used = {_name(use) for each in _expressions(rendered.values()) for use in each.uses}
    return used | catalogued.uses | {name for name in node.names if name.startswith("secrets.")}


def _written(order: ExecuteNode, catalogued: CataloguedType) -> Digest | None:
    return written_key(
        order.written,
        order.flow,
        identity=catalogued.identity,
        names=Names(order.flow, order.variables),
        inputs=[input_hash(raw, known) for raw, known in zip(order.inputs, order.hashes, strict=True)],
    )


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
                return _environment_part(NodeEnvironment(Path(self._flow.folder)), key)
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
    texts = [identity, node.definition, flow.folder, _shape(node), *_wiring(node), *inputs]
    texts += _orders(_values(node))
    used: Collection[str] = node.names
    if node.body is not None or node.calls is not None:
        used = _names_within(node, flow)
        texts += _body_parts(node, flow).values()
    for name in sorted(used):
        if name.partition(".")[0] in _MOVING:
            return None
        texts += (name, names.of(name))
    return together(texts)


def input_hash(raw: msgspec.Raw | None, known: Digest | None) -> str:
    """Return the hash of what a port gave."""
    return _ABSENT if raw is None else known or result_hash(raw)


# -- names -----------------------------------------------------------------------------------------------------


def is_given(name: str) -> bool:
    """Return whether what a name means comes with the input of a node, or with the iteration."""
    return _root(name) in _GIVEN


def _root(name: str) -> str:
    return name.partition(".")[0]


def _name(use: object) -> str:
    name, key = cast("tuple[str, str | None]", use)
    return name if key is None else f"{name}.{key}"


def _expressions(values: Iterable[object]) -> Iterator[Expression]:
    for value in values:
        match value:
            case Expression():
                yield value
            case dict():
                yield from _expressions(cast("dict[str, object]", value).values())
            case list():
                yield from _expressions(cast("list[object]", value))
            case _:
                pass


def _names_within(node: Node, flow: Flow) -> Collection[str]:
    """Return the names that a node uses, and those that the flows it calls use but for what is theirs alone."""
    called = _called(node, flow)
    if not called:
        return node.names
    others = (name for each in called for inner in each.nodes for name in inner.names)
    return node.names | {name for name in others if _root(name) not in ("vars", "flow", "env")}


def _called(node: Node, flow: Flow) -> tuple[Flow, ...]:
    """Return the flows that a node calls, or a node in its body, at any depth."""
    found: list[Flow] = []
    if node.calls is not None:
        inner = flow.subflows[node.calls]
        found += (inner, *(each for within in inner.nodes for each in _called(within, inner)))
    for child in node.children:
        found += _called(child, flow)
    return tuple(found)


def _body_parts(node: Node, flow: Flow) -> dict[str, str]:
    parts: dict[str, str] = {}
    for each in _called(node, flow):
        parts[f"flow {each.path}"] = each.hash
        environment = NodeEnvironment(Path(each.folder))  # a `.env` of its own may be beside it
        names = sorted({name for inner in each.nodes for name in inner.names if _root(name) == "env"})
        for name in names:
            parts[f"name {name} of {each.path}"] = _environment_part(environment, name.partition(".")[2])
    if node.body is not None:
        parts["body"] = together((node.definition, *_orders(_values(node)), *_orders_within(node)))
    return parts


def _orders_within(node: Node) -> Iterator[str]:
    # The last child that no other takes gives the result, and those of `parallel` are in the order of the file.
    yield from (child.id for child in node.children)
    for child in sorted(node.children, key=lambda child: child.id):
        yield from (_shape(child), *_orders(_values(child)), *_orders_within(child))


def _values(node: Node) -> list[object]:
    """Return the parameters of a node, whatever their own order."""
    return [node.parameters[name] for name in sorted(node.parameters)]


def _orders(value: object) -> Iterator[str]:
    """Yield the keys of each table within parameters, as they are written: no definition says in which order."""
    match value:
        case dict():
            table = cast("dict[str, object]", value)
            yield from table
            for key in sorted(table):
                yield from _orders(table[key])
        case list():
            for entry in cast("list[object]", value):
                yield from _orders(entry)
        case _:
            return


def descendants(node: Node, flow: Flow) -> Iterator[Node]:
    """Yield the nodes that are executed for a node with a body, at any depth."""
    graph, flow = _graph(node, flow)
    for child in () if graph is None else graph.nodes:
        yield child
        yield from descendants(child, flow)


def written_at(node: Node, flow: Flow, path: str) -> tuple[Node, Flow] | None:
    """Return a node within a body, and the flow in whose file it is written; None: there is none.

    Args:
        node: has the body.
        flow: in whose file that is written.
        path: what follows in the whole id of the one within: `3/resize` for `each/3/resize`.
    """
    graph, inner = _graph(node, flow)
    name, slash, rest = path.partition("/")
    index = None if graph is None else graph.index_of.get(NodeId(name))
    if graph is not None and index is not None:
        child = graph.nodes[index]
        found = written_at(child, inner, rest) if slash else (child, inner)
        if found is not None:
            return found
    # Else it is the index of an iteration, after which the name comes.
    return written_at(node, flow, rest) if slash and name.isdecimal() else None


def _graph(node: Node, flow: Flow) -> tuple[Body | None, Flow]:
    """Return what is executed for a node, and the flow in whose file that is written."""
    if node.calls is None:
        return node.body, flow
    called = flow.subflows[node.calls]
    return called, called


def _name_part(name: str, scope: Scope) -> str:
    root, _, key = name.partition(".")
    value = scope.names.get(root)
    if root == "secrets":
        return "by name"
    if root == "env":
        return _environment_part(cast("Mapping[str, str]", value), key)
    if not key:
        return part(value)
    known = cast("Mapping[str, object]", value)
    return part(known[key]) if key in known else _ABSENT


def _environment_part(environment: Mapping[str, str], name: str) -> str:
    """Return the hash of a variable: what is in the environment is often no secret by name only."""
    if not name:
        return hidden_part(dict(sorted(environment.items())))
    value = environment.get(name)
    return _ABSENT if value is None else hidden_part(value)


# -- what it is given --------------------------------------------------------------------------------------------


def _input_parts(order: ExecuteNode) -> dict[str, str]:
    node = order.written
    if node.input is None:
        return {} if order.default is None else {"input": f"#{result_hash(order.default)}"}
    hashes = [input_hash(raw, known) for raw, known in zip(order.inputs, order.hashes, strict=True)]
    if isinstance(node.input, SingleInput):
        return {"input": f"#{hashes[0]}"}
    parts = {f"input {label}": f"#{each}" for label, each in zip(_wiring(node), hashes, strict=True)}
    return {"shape of the input": _shape(node), **parts}


def _shape(node: Node) -> str:
    """Return of what kind the input of a node is: a table may have the names 0 and 1, in this order or another."""
    match node.input:
        case None:
            return "none"
        case SingleInput():
            return "value"
        case ListInput():
            return "list"
        case TableInput():
            return part(_wiring(node))


def _wiring(node: Node) -> tuple[str, ...]:
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


def _iteration_parts(iteration: Iteration, names: Collection[str]) -> dict[str, str]:
    roots = {_root(name) for name in names} & _OF_ITERATIONS
    parts: dict[str, str] = {}
    if "item" in roots:
        parts["item"] = f"#{result_hash(iteration.item)}"
    if "index" in roots:
        parts["index"] = str(iteration.index)
    outer = iteration.outer
    depth = 0
    while "outer" in roots and outer is not None:
        depth += 1
        parts[f"outer {depth}"] = f"{outer.index} #{result_hash(outer.item)}"
        outer = outer.outer
    return parts


def _plain(value: object) -> object:
    """Return parameters with expressions as the texts that they are."""
    match value:
        case Expression():
            return value.text
        case dict():
            return {key: _plain(entry) for key, entry in cast("dict[str, object]", value).items()}
        case list():
            return [_plain(entry) for entry in cast("list[object]", value)]
        case _:
            return value


def _masked(value: object, mask: Mask | None) -> object:
    return value if mask is None else mask.value(cast(Value, value))[0]
