"""Makes the key of an attempt: what its result depends on, part by part."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import cast

from atomiton_runtime.actors.messages import ExecuteNode, Iteration
from atomiton_runtime.actors.within import names_within, root_of
from atomiton_runtime.actors.written_keys import (
    ABSENT,
    Names,
    body_parts,
    environment_part,
    input_hash,
    shape,
    wiring,
    written_key,
)
from atomiton_runtime.flow.expressions import Expression, Scope
from atomiton_runtime.flow.model import SingleInput
from atomiton_runtime.nodes.base import NodeContext
from atomiton_runtime.nodes.registry import CataloguedType
from atomiton_runtime.run.reuse import Digest, Key, make_key, part, result_hash
from atomiton_runtime.secrecy.mask import Mask
from atomiton_runtime.values import Value

READS = "reads "
"""What the name of the part of a file begins with."""
LOOKS = "looks"
"""The name of the part of what only looking again can tell."""
_OF_ITERATIONS = frozenset({"item", "index", "outer"})
_GIVEN = frozenset({"input", "acc", *_OF_ITERATIONS})
"""What comes with the input, or with the iteration."""


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
        parts |= body_parts(node, order.flow)
    names = _names(order, catalogued, rendered)
    return parts | {f"name {name}": _name_part(name, scope) for name in sorted(names) if not is_given(name)}


def _names(order: ExecuteNode, catalogued: CataloguedType, rendered: Mapping[str, object]) -> Collection[str]:
    """Return the names on which a result depends besides the parameters."""
    node = order.written
    if node.body is not None or node.calls is not None:
        return names_within(node, order.flow)
    if not node.names and not catalogued.uses:
        return ()  # nearly every node of a large flow, and nothing of it need be looked through
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


# -- names -----------------------------------------------------------------------------------------------------


def is_given(name: str) -> bool:
    """Return whether what a name means comes with the input of a node, or with the iteration."""
    return root_of(name) in _GIVEN


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


def _name_part(name: str, scope: Scope) -> str:
    root, _, key = name.partition(".")
    value = scope.names.get(root)
    if root == "secrets":
        return "by name"
    if root == "env":
        return environment_part(cast("Mapping[str, str]", value), key)
    if not key:
        return part(value)
    known = cast("Mapping[str, object]", value)
    return part(known[key]) if key in known else ABSENT


# -- what it is given --------------------------------------------------------------------------------------------


def _input_parts(order: ExecuteNode) -> dict[str, str]:
    node = order.written
    if node.input is None:
        return {} if order.default is None else {"input": f"#{result_hash(order.default)}"}
    hashes = [input_hash(raw, known) for raw, known in zip(order.inputs, order.hashes, strict=True)]
    if isinstance(node.input, SingleInput):
        return {"input": f"#{hashes[0]}"}
    parts = {f"input {label}": f"#{each}" for label, each in zip(wiring(node), hashes, strict=True)}
    return {"shape of the input": shape(node), **parts}


def _iteration_parts(iteration: Iteration, names: Collection[str]) -> dict[str, str]:
    roots = {root_of(name) for name in names} & _OF_ITERATIONS
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
