"""Turns the JavaScript of a `transform` into the parameters of ours."""

import json
from collections.abc import Sequence

from tree_sitter import Node

from atomiton_runtime.importing.arrows import Expressions, body_piece, function_names, object_entries
from atomiton_runtime.importing.javascript import as_function, field, named, read_source, source_of
from atomiton_runtime.importing.pieces import Piece, Untranslatable
from atomiton_runtime.importing.yaml_file import Data

ITEM = Piece("item")
INDEX = Piece("index", kind="number")
ACC = Piece("acc")
INPUT = Piece("input")
_PARAMETERS = {"map": (ITEM, INDEX), "filter": (ITEM, INDEX), "reduce": (ACC, ITEM, INDEX)}
_LISTS = ("data", "input", "items", "$input")


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
    tree = read_source(source)
    function = as_function(tree) if isinstance(tree, Node) else None
    if function is not None:
        names = function_names(function, _PARAMETERS[operation])
        expressions = Expressions(names, texts=texts)
        text = body_piece(expressions, function.body).text
    else:
        names = {"item": ITEM, "row": ITEM, "index": INDEX, "acc": ACC}
        expressions = Expressions(names, texts=texts)
        text = body_piece(expressions, tree).text
    notes += expressions.notes
    return text


def program_of(source: str, texts: bool, notes: list[str]) -> dict[str, Data]:
    """Return the keys of the node for code over `data`: one call such as `data.filter(row => ...)`, or an object.

    Raises:
        Untranslatable: it is something else.
    """
    tree = read_source(source)
    node = _returned(tree)
    if node.type == "object":
        expressions = Expressions(dict.fromkeys(_LISTS, INPUT), texts=texts)
        values: dict[str, Data] = {
            key: f"{{{{ {expressions.piece(value).text} }}}}" for key, value in object_entries(node)
        }
        notes += expressions.notes
        return {"type": "edit-fields", "keep_only_set": True, "values": values}
    return {"type": "transform", **_call_on_list(node, texts, notes)}


def _returned(tree: Node | Sequence[Node]) -> Node:
    if isinstance(tree, Node):
        function = as_function(tree)
        if function is not None:
            return _returned(
                named(function.body) if function.body.type == "statement_block" else function.body
            )
        return (
            _unwrapped(named(tree)[0])
            if tree.type == "return_statement" and named(tree)
            else _unwrapped(tree)
        )
    if len(tree) != 1:
        raise Untranslatable("it has several statements")
    return _returned(tree[0])


def _unwrapped(node: Node) -> Node:
    while node.type == "parenthesized_expression":
        node = named(node)[0]
    return node


def _call_on_list(node: Node, texts: bool, notes: list[str]) -> dict[str, Data]:
    callee = field(node, "function") if node.type == "call_expression" else None
    if (
        callee is None
        or callee.type != "member_expression"
        or source_of(field(callee, "object")) not in _LISTS
    ):
        raise Untranslatable("it is no single call of `data.map`, `data.filter` or `data.reduce`")
    operation, arguments = source_of(field(callee, "property")), named(field(node, "arguments"))
    if operation == "reverse" and not arguments:
        return {"operation": "reverse"}
    if operation not in _PARAMETERS or not arguments:
        raise Untranslatable(f"`data.{operation}` has no equal")
    found: dict[str, Data] = {
        "operation": operation,
        "expression": expression_of(source_of(arguments[0]), operation, texts, notes),
    }
    if operation == "reduce" and len(arguments) > 1:
        found["initial"] = json_value(source_of(arguments[1]))
    return found


def json_value(text: str) -> Data:
    """Return what a text of JSON stands for.

    Raises:
        Untranslatable: it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Untranslatable(f"`{text}` is no JSON") from exc
