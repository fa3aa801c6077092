"""Evaluates an expression once for each item of a list."""

import re
from collections.abc import Iterator, Sequence

from atomiton_runtime.flow.expressions import Expression, ExpressionFailed
from atomiton_runtime.nodes.base import NodeContext, NodeError
from atomiton_runtime.nodes.ordering import kind_of
from atomiton_runtime.values import Value, preview

ITEMS_BETWEEN_CHECKS = 256
"""So many items pass before the attempt looks whether it was told to stop."""

_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES_OF_EXPRESSIONS = frozenset({"item", "index", "true", "false", "none", "null"})
_SHOWN_CHARS = 80


def evaluated(expression: Expression, items: Sequence[Value], context: NodeContext) -> Iterator[Value]:
    """Yield the value of the parameter `expression` for each item, under the names `item` and `index`.

    Raises:
        NodeError: it fails for an item; the message names parameter, index, expression and item.
        NodeCancelledError: the attempt was told to stop.
    """
    return _evaluated(expression, "expression", items, context)


def reduced(
    expression: Expression, items: Sequence[Value], acc: Value, context: NodeContext, *, first: int = 0
) -> Value:
    """Return what is left of `items`, from index `first` on, when `expression` takes each into `acc`.

    Raises:
        NodeError, NodeCancelledError: as `evaluated`.
    """
    child, evaluate = context.scope.nested().child, expression.evaluate
    for index in range(first, len(items)):
        item = items[index]
        if index % ITEMS_BETWEEN_CHECKS == 0:
            context.cancel.raise_if_cancelled()
        try:
            acc = evaluate(child(item=item, index=index, acc=acc))
        except ExpressionFailed as error:
            raise _blamed(error, "expression", index, item) from error
    return acc


def keys_of(key: Expression | None, items: Sequence[Value], context: NodeContext) -> Sequence[Value]:
    """Return the key of each item: the item itself, its value under a bare name, or an expression's value.

    Raises:
        NodeError: an item has no such key (DATA-003), or the expression fails for it.
        NodeCancelledError: the attempt was told to stop.
    """
    if key is None:
        return items
    name = key.text.strip()
    if _BARE_NAME.fullmatch(name) and name not in _NAMES_OF_EXPRESSIONS:
        return [_value_under(name, index, item) for index, item in enumerate(items)]
    return list(_evaluated(key, "key", items, context))


def _evaluated(
    expression: Expression, parameter: str, items: Sequence[Value], context: NodeContext
) -> Iterator[Value]:
    child, evaluate = context.scope.nested().child, expression.evaluate
    for index, item in enumerate(items):
        if index % ITEMS_BETWEEN_CHECKS == 0:
            context.cancel.raise_if_cancelled()
        try:
            value = evaluate(child(item=item, index=index))
        except ExpressionFailed as error:
            raise _blamed(error, parameter, index, item) from error
        yield value


def _value_under(name: str, index: int, item: Value) -> Value:
    if not isinstance(item, dict):
        message = f"`key`: item {index} is {kind_of(item)}, not an object with a key `{name}`: {_shown(item)}"
        raise NodeError("DATA-003", message, hint="without `key` the items themselves are compared")
    if name not in item:
        message = f"`key`: item {index} has no key `{name}`: {_shown(item)}"
        raise NodeError(
            "DATA-003", message, hint=f'for items that may lack it: key = "item.{name} | default(none)"'
        )
    return item[name]


def _blamed(error: ExpressionFailed, parameter: str, index: int, item: Value) -> NodeError:
    placed = error.at(parameter=parameter, item_index=index)
    return NodeError(placed.code, f"{placed.message}; the item is {_shown(item)}", hint=placed.hint)


def _shown(item: Value) -> str:
    return preview(item, _SHOWN_CHARS)
