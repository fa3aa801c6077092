"""Turns JavaScript functions over the items of a list into the expressions of a `transform`."""

import json
from collections.abc import Mapping

from tree_sitter import Node

from atomiton_runtime.importing.arrows import Expressions, body_piece, function_names, object_entry
from atomiton_runtime.importing.javascript import (
    Function,
    as_function,
    field,
    named,
    read_source,
    source_of,
    unknown,
    unwrapped,
)
from atomiton_runtime.importing.pieces import Piece, Untranslatable
from atomiton_runtime.importing.yaml_file import Data

ITEM = Piece("item")
INDEX = Piece("index", kind="number")
ACC = Piece("acc")
_PARAMETERS = {"map": (ITEM, INDEX), "filter": (ITEM, INDEX), "reduce": (ACC, ITEM, INDEX)}
_BARE = {"item": ITEM, "row": ITEM, "index": INDEX, "acc": ACC}
_ALL = Piece("all")


def function_of(source: str) -> Function | None:
    """Return the function that a source is, or None.

    Raises:
        Untranslatable: it is no JavaScript.
    """
    tree = read_source(source)
    return as_function(tree) if isinstance(tree, Node) else None


def expression_of(source: str, operation: str, texts: bool, notes: list[str]) -> str:
    """Return the expression for a function, or for a bare expression over `item`.

    Args:
        source: the JavaScript.
        operation: `map`, `filter` or `reduce`: what the function's parameters are.
        texts: whether cells of tables come as texts.
        notes: gets what may behave differently.

    Raises:
        Untranslatable: it has no equal.
    """
    function = function_of(source)
    if function is not None:
        return expression_in(function, operation, texts, notes, {})
    expressions = Expressions(_BARE, texts=texts)
    expressions.notes = notes
    return body_piece(expressions, read_source(source)).text


def expression_in(
    function: Function, operation: str, texts: bool, notes: list[str], outer: Mapping[str, Piece]
) -> str:
    """Return the expression for a function; `outer` has what names around it mean. Otherwise as `expression_of`."""
    expressions = Expressions({**outer, **_meanings(function, operation)}, texts=texts)
    expressions.notes = notes
    return body_piece(expressions, function.body).text


def _meanings(function: Function, operation: str) -> dict[str, Piece]:
    parameters = function.parameters
    if operation != "reduce" or len(parameters) != 1 or parameters[0].type != "object_pattern":
        return function_names(function, _PARAMETERS[operation])
    # The original calls a function for its `reduce` with one object of all three.
    found = function_names(function, (_ALL,))
    three = {f"all.{piece.text}": piece for piece in (ACC, ITEM, INDEX)}
    if any(piece.text not in three for piece in found.values()):
        raise unknown(parameters[0], "as a parameter has no equal")
    return {name: three[piece.text] for name, piece in found.items()}


def extending(function: Function, texts: bool, notes: list[str]) -> dict[str, str] | None:
    """Return the fields that `item => ({...item, total: 1})` adds, as templates; None: it is another function.

    Raises:
        Untranslatable: it adds something that has no equal.
    """
    body = unwrapped(function.body)
    if (
        body.type == "statement_block"
        and len(inner := named(body)) == 1
        and inner[0].type == "return_statement"
    ):
        body = unwrapped(named(inner[0])[0]) if named(inner[0]) else body
    entries = named(body)
    if body.type != "object" or len(entries) < 2 or entries[0].type != "spread_element":
        return None
    if not function.parameters or source_of(named(entries[0])[0]) != source_of(function.parameters[0]):
        return None
    expressions = Expressions(function_names(function, _PARAMETERS["map"]), texts=texts)
    expressions.notes = notes
    added = [object_entry(entry) for entry in entries[1:]]
    return {key: f"{{{{ {expressions.piece(value).text} }}}}" for key, value in added}


def order_of(function: Function, texts: bool) -> tuple[str, bool]:
    """Return the key of `(a, b) => a.x - b.x` or `(a, b) => a.x.localeCompare(b.x)`, and whether it is descending.

    Raises:
        Untranslatable: it is another order.
    """
    body = unwrapped(function.body)
    left, right, numbers = _sides(body)
    other = Piece("other")
    for descending, pair in ((False, (ITEM, other)), (True, (other, ITEM))):
        expressions = Expressions(function_names(function, pair), texts=texts)
        read = expressions.number if numbers else expressions.piece
        item, same = read(left), read(right)
        if "item" in item.text and item.text.replace("item", "other") == same.text:
            return item.text, descending
    raise unknown(body, "as an order has no equal")


def _sides(body: Node) -> tuple[Node, Node, bool]:
    """Return what an order compares, and whether as numbers."""
    if body.type == "binary_expression" and source_of(field(body, "operator")) == "-":
        return field(body, "left"), field(body, "right"), True
    if body.type == "call_expression" and (callee := field(body, "function")).type == "member_expression":
        arguments = named(field(body, "arguments"))
        if source_of(field(callee, "property")) == "localeCompare" and len(arguments) == 1:
            return field(callee, "object"), arguments[0], False
    raise unknown(body, "as an order has no equal")


def json_value(text: str) -> Data:
    """Return what a text of JSON stands for.

    Raises:
        Untranslatable: it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Untranslatable(f"`{text}` is no JSON") from exc
