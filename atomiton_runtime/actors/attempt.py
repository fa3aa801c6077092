"""Executes one attempt of a node: inputs and templates in, an outcome out. Raises nothing."""

import time
from collections.abc import Callable
from typing import cast

import msgspec

from atomiton_runtime.actors.hiding import HidingValues
from atomiton_runtime.actors.lasting import Lasting
from atomiton_runtime.actors.messages import ExecuteNode, Iteration
from atomiton_runtime.actors.preparing import prepare
from atomiton_runtime.actors.reusing import Reusing
from atomiton_runtime.errors import AtomitonError, ErrorInfo, StorageError, Where
from atomiton_runtime.flow.model import Node
from atomiton_runtime.nodes.base import NodeCancelledError, NodeContext, NodeError
from atomiton_runtime.nodes.registry import CataloguedType, NodeCatalogue
from atomiton_runtime.run.draft import timeout_error
from atomiton_runtime.run.given import Answer, Cancelled, Failed, Outcome, Reused, Skipped, Succeeded
from atomiton_runtime.secrecy.mask import MaskedLines
from atomiton_runtime.secrecy.vault import NO_SECRETS, Vault
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.values import Value, preview

_SHOWN_CHARS = 80


def _nowhere(text: str) -> None:
    del text


class Tools(msgspec.Struct, frozen=True):
    """What all attempts share."""

    catalogue: NodeCatalogue
    large_values: LargeValues
    """Keeps outputs that are too large for a journal."""
    reusing: Reusing
    """Finds results that still hold."""
    vault: Vault = NO_SECRETS
    """The secrets; none of those that were ever handed out is in an answer, or told to a log."""


def attempt(order: ExecuteNode, tools: Tools, log: Callable[[str], None] = _nowhere) -> Answer:
    """Return what became of the step of an attempt that `order` asks for.

    Args:
        order: the node, its step and what it has for that.
        tools: what all attempts share.
        log: told what the node says.
    """
    lines = MaskedLines(lambda: tools.vault.mask, log)
    large_values = HidingValues(tools.large_values, tools.vault, lines.say)
    answer = _attempt(order, tools, large_values, lines.say)
    lines.end()
    return answer


def _attempt(
    order: ExecuteNode, tools: Tools, large_values: HidingValues, log: Callable[[str], None]
) -> Answer:
    began = time.perf_counter()
    try:
        outcome = _execute(order, tools, large_values, log)
    except NodeCancelledError:
        outcome = _stopped(order)
    except NodeError as error:
        outcome = Failed(_info(error, order, large_values), error.retry_after_s or 0.0)
    except AtomitonError as error:
        # The same expression on the same input fails again: no attempt after this one would help.
        outcome = Failed(_info(error, order, large_values), final=True)
    except BaseException as error:  # noqa: BLE001  # a border: a node type may raise anything, also SystemExit
        outcome = Failed(_info(_unexpected(error, order.written), order, large_values))
    lasted_s = round(time.perf_counter() - began, 6)
    return Answer(order.node, order.attempt, outcome, lasted_s, order.scope)


def _execute(
    order: ExecuteNode, tools: Tools, large_values: HidingValues, log: Callable[[str], None]
) -> Outcome:
    order.cancel.raise_if_cancelled()
    prepared = prepare(order, tools.catalogue, large_values, tools.vault, log)
    if isinstance(prepared, Skipped):
        return prepared
    lasting = Lasting(prepared, tools.reusing, large_values.mask)
    if order.may_reuse and (kept := lasting.earlier()) is not None:
        return Reused(kept)
    outcome = _step(order, prepared.catalogued, prepared.parameters, prepared.context, large_values)
    order.cancel.raise_if_cancelled()
    return lasting.recorded(outcome) if isinstance(outcome, Succeeded) else outcome


def _step(
    order: ExecuteNode,
    catalogued: CataloguedType,
    parameters: msgspec.Struct,
    context: NodeContext,
    large_values: HidingValues,
) -> Outcome:
    node_type = catalogued.node_type
    if catalogued.body is None:
        return Succeeded(large_values.pack(cast("dict[str, Value]", node_type.execute(parameters, context))))
    # Imported here: most flows have no body.
    from atomiton_runtime.actors import body_steps

    return body_steps.execute(order, node_type, parameters, context, large_values)


def _stopped(order: ExecuteNode) -> Outcome:
    if not order.cancel.timed_out:
        return Cancelled()
    return Failed(timeout_error(order.flow.path, order.written, order.node_id))


def _info(error: AtomitonError, order: ExecuteNode, large_values: HidingValues) -> ErrorInfo:
    place = "" if order.iteration is None else _place(order.iteration, large_values)
    # File names and what programs print may hold halves of characters, which no journal can keep.
    message = f"{error.message}{place}".encode("utf-8", "replace").decode()
    where = error.where or Where(order.flow.path, order.written.line, 1)
    hint = error.hint
    if (mask := large_values.mask) is not None:
        message, hint = mask.text(message), None if hint is None else mask.text(hint)
    return ErrorInfo(error.code, message, order.node_id, where, hint)


def _place(iteration: Iteration, large_values: HidingValues) -> str:
    """Return which item a failure is about: ` (item 3: {"id": 7})`."""
    if not iteration.numbered:
        return ""
    try:
        item = preview(large_values.unpack(iteration.item), _SHOWN_CHARS)
    except StorageError:  # its file is gone, which is most likely what the failure is about
        return f" (item {iteration.index})"
    return f" (item {iteration.index}: {item})"


def _unexpected(error: BaseException, node: Node) -> NodeError:
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NodeError("NODE-011", f"the node type {node.type} failed unexpectedly: {reason}")
