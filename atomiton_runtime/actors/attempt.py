"""Executes one attempt of a node: inputs and templates in, an outcome out. Raises nothing."""

import os
import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import cast

import msgspec

from atomiton_runtime.actors.messages import ExecuteNode
from atomiton_runtime.errors import AtomitonError, ErrorInfo, Where
from atomiton_runtime.flow.expressions import Scope, Templated, render
from atomiton_runtime.flow.model import Flow, ListInput, Node, SingleInput, TableInput
from atomiton_runtime.nodes.base import NodeCancelledError, NodeContext, NodeError
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run.given import Answer, Cancelled, Failed, Outcome, Skipped, Succeeded
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.values import Value


def attempt(order: ExecuteNode, catalogue: NodeCatalogue, large_values: LargeValues) -> Answer:
    """Return what became of the attempt that `order` asks for."""
    began = time.perf_counter()
    node = order.flow.nodes[order.node]
    try:
        outcome = _execute(order, node, catalogue, large_values)
    except NodeCancelledError:
        outcome = _stopped(order, node)
    except NodeError as error:
        outcome = Failed(_info(error, order.flow, node), error.retry_after_s or 0.0)
    except AtomitonError as error:
        # The same expression on the same input fails again: no attempt after this one would help.
        outcome = Failed(_info(error, order.flow, node), final=True)
    except BaseException as error:  # noqa: BLE001  # a border: a node type may raise anything, also SystemExit
        outcome = Failed(_info(_unexpected(error, node), order.flow, node))
    return Answer(order.node, order.attempt, outcome, round(time.perf_counter() - began, 6))


def _execute(order: ExecuteNode, node: Node, catalogue: NodeCatalogue, large_values: LargeValues) -> Outcome:
    order.cancel.raise_if_cancelled()
    value = _input(node, order.inputs, large_values)
    scope = _scope(order, value)
    if node.when is not None and not node.when.evaluate(scope):
        return Skipped(f"`when` is false: {node.when.text}")
    catalogued = catalogue.find(node.type)
    if catalogued is None:
        raise _missing(node)
    rendered = cast("dict[str, object]", render(cast(Templated, node.parameters), scope))
    context = NodeContext(
        input=value,
        scope=scope,
        folder=_folder(order.flow.folder),
        cancel=order.cancel,
        has_input=node.input is not None,
        timeout_s=node.timeout_s,
        flow_path=order.flow.path,
        code_lines=node.code_lines,
    )
    outputs = catalogued.node_type.execute(catalogued.prepare(rendered), context)
    order.cancel.raise_if_cancelled()
    return Succeeded(large_values.pack(outputs))


def _input(node: Node, inputs: tuple[msgspec.Raw | None, ...], large_values: LargeValues) -> Value:
    values = [None if raw is None else large_values.unpack(raw) for raw in inputs]
    match node.input:
        case None:
            return None
        case SingleInput():
            return values[0]
        case ListInput():
            return values
        case TableInput(refs):
            return {name: value for (name, _), value in zip(refs, values, strict=True)}


def _scope(order: ExecuteNode, value: Value) -> Scope:
    flow = order.flow
    return Scope(
        {
            "input": value,
            "vars": order.variables,
            "env": os.environ,
            "run": {"id": order.run_id, "trigger": order.trigger, "started_at": order.started_at},
            "flow": {"id": flow.id, "name": flow.name, "folder": flow.folder},
            "now": datetime.now(UTC).isoformat(),
        }
    )


@lru_cache(maxsize=256)
def _folder(path: str) -> Path:
    return Path(path)


def _stopped(order: ExecuteNode, node: Node) -> Outcome:
    if not order.cancel.timed_out:
        return Cancelled()
    return Failed(
        ErrorInfo(
            "NODE-010",
            f"took longer than its timeout of {node.timeout_s:g} s",
            node.id,
            Where(order.flow.path, node.line, 1),
            "raise `timeout` of the node, or give it less to do",
        )
    )


def _info(error: AtomitonError, flow: Flow, node: Node) -> ErrorInfo:
    # File names and what programs print may hold halves of characters, which no journal can keep.
    message = error.message.encode("utf-8", "replace").decode()
    return ErrorInfo(error.code, message, node.id, error.where or Where(flow.path, node.line, 1), error.hint)


def _missing(node: Node) -> NodeError:
    hint = "its file or package was there when the flow was loaded; `atomiton nodes` lists what is there now"
    return NodeError("NODE-012", f"there is no node type {node.type} any more", hint=hint)


def _unexpected(error: BaseException, node: Node) -> NodeError:
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NodeError("NODE-011", f"the node type {node.type} failed unexpectedly: {reason}")
