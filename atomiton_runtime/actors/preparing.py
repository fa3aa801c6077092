"""Prepares an attempt: its input, the names of its expressions, its parameters. Executes nothing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import cast

import msgspec

from atomiton_runtime.actors.hiding import HidingValues
from atomiton_runtime.actors.messages import ExecuteNode, Iteration
from atomiton_runtime.flow.expressions import Scope, Templated, render
from atomiton_runtime.flow.model import ListInput, Node, SingleInput, TableInput
from atomiton_runtime.nodes.base import NodeContext, NodeError
from atomiton_runtime.nodes.catalogued import CataloguedType
from atomiton_runtime.nodes.environment import NodeEnvironment
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run.given import Skipped
from atomiton_runtime.secrecy.vault import Vault
from atomiton_runtime.values import Value, copied


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """All that a node type needs to execute an attempt."""

    order: ExecuteNode
    catalogued: CataloguedType
    rendered: Mapping[str, object]
    """The parameters, templates rendered."""
    parameters: msgspec.Struct
    """The same, as the type takes them."""
    context: NodeContext


def prepare(
    order: ExecuteNode,
    catalogue: NodeCatalogue,
    large_values: HidingValues,
    vault: Vault,
    log: Callable[[str], None],
) -> Prepared | Skipped:
    """Return what an attempt needs, or that the node is not executed.

    Args:
        order: asks for the attempt.
        catalogue: the node types.
        large_values: has the inputs.
        vault: the secrets.
        log: told what the node says.

    Raises:
        AtomitonError: a template cannot be evaluated, a parameter does not fit, a large value is gone, or there is no
            node type of the name any more.
    """
    node = order.written
    value = _input(node, order, large_values)
    scope = scope_of(order, value, large_values, vault)
    if order.step == "begin" and node.when is not None and not node.when.evaluate(scope):
        return Skipped(f"`when` is false: {node.when.text}")
    catalogued = catalogue.find(node.type)
    if catalogued is None:
        raise _missing(node)
    rendered = cast("dict[str, object]", render(cast(Templated, node.parameters), scope))
    return Prepared(
        order=order,
        catalogued=catalogued,
        rendered=rendered,
        parameters=catalogued.prepare(rendered),
        context=_context(order, value, scope, log),
    )


def _context(order: ExecuteNode, value: Value, scope: Scope, log: Callable[[str], None]) -> NodeContext:
    node = order.written
    return NodeContext(
        input=value,
        scope=scope,
        folder=_folder(order.flow.folder),
        cancel=order.cancel,
        timeout_s=node.timeout_s,
        has_input=node.input is not None or order.default is not None,
        log=log,
        flow_path=order.flow.path,
        code_lines=node.code_lines,
        calls=order.flow.subflows.get(node.calls or ""),
    )


def _input(node: Node, order: ExecuteNode, large_values: HidingValues) -> Value:
    values = [None if raw is None else large_values.unpack(raw) for raw in order.inputs]
    match node.input:
        case None:
            return None if order.default is None else large_values.unpack(order.default)
        case SingleInput():
            return values[0]
        case ListInput():
            return values
        case TableInput(refs):
            return {name: value for (name, _), value in zip(refs, values, strict=True)}


def scope_of(order: ExecuteNode, value: Value, large_values: HidingValues, vault: Vault) -> Scope:
    """Return what the expressions of an attempt mean by their names.

    Args:
        order: asks for the attempt.
        value: the node's input.
        large_values: has the items of iterations.
        vault: the secrets.
    """
    flow = order.flow
    names: dict[str, object] = {
        "input": value,
        "vars": copied(order.variables),  # the run's own are for all its nodes
        "env": NodeEnvironment(_folder(flow.folder)),
        "secrets": vault.names,
        "run": {"id": order.run_id, "trigger": order.trigger, "started_at": order.started_at},
        "flow": {"id": flow.id, "name": flow.name, "folder": flow.folder},
        "now": datetime.now(UTC).isoformat(),
    }
    if order.iteration is not None:
        names |= names_of(order.iteration, large_values)
    return Scope(names)


def names_of(iteration: Iteration, large_values: HidingValues) -> dict[str, object]:
    """Return what `item`, `index` and `outer` mean."""
    names: dict[str, object] = {"item": large_values.unpack(iteration.item), "index": iteration.index}
    if iteration.outer is not None:
        names["outer"] = names_of(iteration.outer, large_values)
    return names


@lru_cache(maxsize=256)
def _folder(path: str) -> Path:
    return Path(path)


def _missing(node: Node) -> NodeError:
    hint = "its file or package was there when the flow was loaded; `atomiton nodes` lists what is there now"
    return NodeError("NODE-012", f"there is no node type {node.type} any more", hint=hint)
