"""Reads JavaScript source: expressions, functions and the statements of their bodies, as trees."""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from atomiton_runtime.importing.pieces import Untranslatable

MAX_SOURCE = 20_000
"""Most characters of source that are looked at."""

FUNCTIONS = ("arrow_function", "function_expression")
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_CODE_POINT = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\})")
_SHOWN_CHARS = 60


class Function(NamedTuple):
    """A function as written."""

    parameters: tuple[Node, ...]
    """Identifiers and patterns."""
    body: Node
    """An expression, or a block of statements."""


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_javascript.language()))


def read_source(source: str) -> Node | tuple[Node, ...]:
    """Return the one expression in a text, or the statements of a function's body.

    Raises:
        Untranslatable: it is no JavaScript, or too long.
    """
    if len(source) > MAX_SOURCE:
        raise Untranslatable(f"it has more than {MAX_SOURCE:,} characters")
    # A comment at the end must not swallow the parenthesis; an object must not be taken for a block.
    whole = _parser().parse(f"({source.strip().rstrip(';')}\n)".encode()).root_node
    statements = named(whole)
    if not whole.has_error and len(statements) == 1 and statements[0].type == "expression_statement":
        inner = named(named(statements[0])[0])
        if len(inner) == 1:
            return inner[0]
    program = _parser().parse(source.encode()).root_node
    if program.has_error or not (statements := named(program)):
        raise Untranslatable("it is no JavaScript" if source.strip() else "it is empty")
    if len(statements) == 1 and statements[0].type == "expression_statement":
        return named(statements[0])[0]
    return statements


def as_function(node: Node) -> Function | None:
    """Return the function that a node writes down, or None."""
    node = unwrapped(node)
    if node.type not in FUNCTIONS:
        return None
    if any(child.type == "async" for child in node.children):
        raise Untranslatable("it is asynchronous")
    alone = node.child_by_field_name("parameter")
    many = node.child_by_field_name("parameters")
    parameters = (alone,) if alone is not None else named(many) if many is not None else ()
    return Function(parameters, field(node, "body"))


def unwrapped(node: Node) -> Node:
    """Return a node without the parentheses around it."""
    while node.type == "parenthesized_expression" and len(inner := named(node)) == 1:
        node = inner[0]
    return node


def named(node: Node) -> tuple[Node, ...]:
    """Return the children that mean something, without comments."""
    return tuple(child for child in node.named_children if child.type != "comment")


def field(node: Node, name: str) -> Node:
    """Return a child by its name.

    Raises:
        Untranslatable: it is not there.
    """
    child = node.child_by_field_name(name)
    if child is None:
        raise unknown(node)
    return child


def source_of(node: Node) -> str:
    """Return the source text of a node."""
    return "" if node.text is None else node.text.decode()


def unknown(node: Node, reason: str = "has no equal") -> Untranslatable:
    """Return the refusal of a node, which quotes it."""
    text = " ".join(source_of(node).split())
    shown = text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."
    return Untranslatable(f"`{shown}` {reason}")


def text_value(node: Node) -> str:
    """Return the value of a `string`, or of one fragment of a template.

    Raises:
        Untranslatable: it holds half a character, or a NUL.
    """
    parts: Sequence[Node] = node.named_children if node.type == "string" else (node,)
    text = "".join(_escaped(part) if part.type == "escape_sequence" else source_of(part) for part in parts)
    try:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as exc:
        raise unknown(node, "holds half a character") from exc
    if "\0" in whole:
        raise unknown(node, "holds a NUL")
    return whole


def _escaped(node: Node) -> str:
    text = source_of(node)
    if found := _CODE_POINT.fullmatch(text):
        code = int(found[1] or found[2] or found[3], 16)
        if code > 0x10FFFF:
            raise unknown(node)
        return chr(code)
    if text[1:] in ("\n", "\r\n"):
        return ""
    return _SIMPLE_ESCAPES.get(text[1:], text[1:])


def number_value(node: Node) -> int | float:
    """Return the value of a number.

    Raises:
        Untranslatable: it is larger than any of ours.
    """
    text = source_of(node).replace("_", "").lower()
    try:
        number = float(text) if re.fullmatch(r"[0-9.]*[.e][0-9.e+-]*", text) else int(text, 0)
    except ValueError as exc:  # 12n, 017
        raise unknown(node) from exc
    if isinstance(number, float) and number.is_integer() and abs(number) < 2**53:
        return int(number)
    if abs(number) > 1e300 or (isinstance(number, int) and abs(number) >= 2**63):
        raise unknown(node, "is too large")
    return number
