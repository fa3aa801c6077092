"""Translates JavaScript expressions and arrow functions into our expressions, or says why it does not."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tree_sitter import Node

from atomiton_runtime.importing.calls import FUNCTIONS, METHODS, TYPE_TESTS
from atomiton_runtime.importing.javascript import (
    Function,
    as_function,
    field,
    named,
    number_value,
    source_of,
    text_value,
    unknown,
)
from atomiton_runtime.importing.pieces import (
    ADD,
    AND,
    FILTER,
    MULTIPLY,
    NULL,
    OR,
    POWER,
    PRIMARY,
    SIGN,
    Piece,
    Untranslatable,
    chosen,
    compared,
    concatenated,
    filtered,
    joined,
    key_of,
    negated,
    number_literal,
    or_default,
    place_of,
    tested,
    text_literal,
)

MAX_DEPTH = 60
Names: TypeAlias = Mapping[str, Piece]
_Operator: TypeAlias = Callable[["Expressions", Node, Node], Piece]

_LOOSE = "`==` converts its sides in JavaScript; here a text never equals a number"
_REMAINDER = "`%` of a negative number has another sign here"
NOW = Piece("now", kind="text")


class Expressions:
    """Translates the expressions of one function: its names mean something, and it keeps notes.

    Args (of the constructor):
        names: JavaScript name -> what it is here.
        texts: whether values from outside may be texts where JavaScript computes with numbers (cells of a table);
            then they are converted here as well, explicitly.
        special: asked first about each node; what it returns is taken.
    """

    def __init__(
        self,
        names: Names,
        *,
        texts: bool = False,
        special: Callable[["Expressions", Node], Piece | None] | None = None,
    ) -> None:
        self.names = dict(names)
        self.texts = texts
        self.notes: list[str] = []
        self._special = special
        self._depth = 0

    def piece(self, node: Node) -> Piece:
        """Return a node as a piece of an expression of ours.

        Raises:
            Untranslatable: there is no equal, or it is nested too deep.
        """
        if self._depth >= MAX_DEPTH:
            raise Untranslatable("it is nested too deep")
        self._depth += 1
        try:
            found = self._special(self, node) if self._special else None
            if found is not None:
                return found
            if node.type not in _READERS:
                raise unknown(node)
            return _READERS[node.type](self, node)
        finally:
            self._depth -= 1

    def number(self, node: Node) -> Piece:
        """Return an operand that JavaScript would make a number."""
        piece = self.piece(node)
        if self.texts and piece.kind == "any" and piece.text not in ("index", "acc"):
            return filtered(piece, "float", "number")
        return piece

    def note(self, text: str) -> None:
        """Keep a note for the person who imports, once."""
        if text not in self.notes:
            self.notes.append(text)


def _identifier(self: Expressions, node: Node) -> Piece:
    name = source_of(node)
    if name not in self.names:
        raise Untranslatable(f"`{name}` is not known here")
    return self.names[name]


def _string(_: Expressions, node: Node) -> Piece:
    return text_literal(text_value(node))


def _number(_: Expressions, node: Node) -> Piece:
    return number_literal(number_value(node))


def _constant(text: str) -> Callable[[Expressions, Node], Piece]:
    return lambda _, __: Piece(text, kind="boolean" if text != "none" else "any")


def _inner(self: Expressions, node: Node) -> Piece:
    inside = named(node)
    if len(inside) != 1:
        raise unknown(node)
    return self.piece(inside[0])


def _template(self: Expressions, node: Node) -> Piece:
    parts: list[Piece] = []
    text = ""
    for child in node.named_children:
        if child.type == "template_substitution":
            parts += [text_literal(text)] if text else []
            text = ""
            parts.append(_inner(self, child))
        else:
            text += text_value(child)
    parts += [text_literal(text)] if text else []
    if len(parts) == 1:
        return parts[0] if parts[0].kind == "text" else filtered(parts[0], "string", "text")
    return concatenated(parts) if parts else text_literal("")


def _member(self: Expressions, node: Node) -> Piece:
    target, name = field(node, "object"), source_of(field(node, "property"))
    receiver = self.piece(target)
    if node.child_by_field_name("optional_chain") is not None:
        return _if_there(receiver, _member_of(receiver, name, node))
    return _member_of(receiver, name, node)


def _member_of(receiver: Piece, name: str, node: Node) -> Piece:
    if name.startswith("#") or name in ("prototype", "constructor", "__proto__"):
        raise unknown(node)
    return filtered(receiver, "length", "number") if name == "length" else key_of(receiver, name)


def _subscript(self: Expressions, node: Node) -> Piece:
    receiver, index = self.piece(field(node, "object")), field(node, "index")
    place = self.piece(index)
    found = key_of(receiver, text_value(index)) if index.type == "string" else place_of(receiver, place)
    return _if_there(receiver, found) if node.child_by_field_name("optional_chain") is not None else found


def _if_there(receiver: Piece, found: Piece) -> Piece:
    """Return what `receiver?.found` gives: null where JavaScript has undefined."""
    there = tested(or_default(receiver, NULL, if_false=False), "not none")
    return chosen(there, found, NULL)


def _ternary(self: Expressions, node: Node) -> Piece:
    condition, yes, no = (field(node, name) for name in ("condition", "consequence", "alternative"))
    return chosen(self.piece(condition), self.piece(yes), self.piece(no))


def _unary(self: Expressions, node: Node) -> Piece:
    operator, argument = source_of(field(node, "operator")), field(node, "argument")
    match operator:
        case "!":
            return negated(self.piece(argument))
        case "-":
            return Piece(f"-{self.number(argument).at(PRIMARY)}", SIGN, "number")
        case "+":
            return filtered(self.piece(argument), "float", "number")
        case _:
            raise unknown(node)


def _binary(self: Expressions, node: Node) -> Piece:
    operator = source_of(field(node, "operator"))
    if operator not in _OPERATORS:
        raise unknown(node)
    return _OPERATORS[operator](self, field(node, "left"), field(node, "right"))


def _either(self: Expressions, left: Node, right: Node) -> Piece:
    first, second = self.piece(left), self.piece(right)
    if first.may_lack:
        return or_default(first, second, if_false=True)
    kind = first.kind if first.kind == second.kind else "any"
    return joined(first, "or", second, OR, kind)


def _both(self: Expressions, left: Node, right: Node) -> Piece:
    first, second = self.piece(left), self.piece(right)
    return joined(first, "and", second, AND, first.kind if first.kind == second.kind else "any")


def _coalesced(self: Expressions, left: Node, right: Node) -> Piece:
    first, second = self.piece(left), self.piece(right)
    return chosen(tested(or_default(first, NULL, if_false=False), "not none"), first, second)


def _sum(self: Expressions, left: Node, right: Node) -> Piece:
    first, second = self.piece(left), self.piece(right)
    if "text" in (first.kind, second.kind):
        # A sum is grouped to the left in both languages: `1 + 2 + 'a'` is 3a.
        return Piece(f"{first.at(ADD + 1)} ~ {second.at(MULTIPLY)}", ADD + 1, "text")
    return joined(first, "+", second, ADD, "number" if first.kind == second.kind == "number" else "any")


def _arithmetic(operator: str, level: int) -> _Operator:
    def translate(self: Expressions, left: Node, right: Node) -> Piece:
        first, second = self.number(left), self.number(right)
        if operator == "%" and not (first.text == "index" or first.text.endswith("| length")):
            self.note(_REMAINDER)
        if level == POWER:
            return Piece(f"{first.at(FILTER)} ** {second.at(FILTER)}", POWER, "number")
        return joined(first, operator, second, level, "number")

    return translate


def _ordered(operator: str) -> _Operator:
    def translate(self: Expressions, left: Node, right: Node) -> Piece:
        first, second = self.piece(left), self.piece(right)
        if "number" in (first.kind, second.kind):
            first, second = self.number(left), self.number(right)
        return compared(first, operator, second)

    return translate


def _equal(operator: str) -> _Operator:
    loose, opposite = len(operator) == 2, operator.startswith("!")
    no = "not " if opposite else ""

    def translate(self: Expressions, left: Node, right: Node) -> Piece:
        if left.type in _CONSTANTS:
            left, right = right, left
        if left.type == "unary_expression" and source_of(field(left, "operator")) == "typeof":
            return _type_test(self, field(left, "argument"), right, opposite)
        if right.type in _CONSTANTS:
            return _is_constant(self.piece(left), right.type, loose, no)
        first, second = self.piece(left), self.piece(right)
        if loose and "number" in (first.kind, second.kind) and first.kind != second.kind:
            if not self.texts:
                self.note(_LOOSE)
            first, second = self.number(left), self.number(right)
        elif loose and "text" not in (first.kind, second.kind):
            self.note(_LOOSE)
        return compared(first, "!=" if opposite else "==", second)

    return translate


def _is_constant(piece: Piece, constant: str, loose: bool, no: str) -> Piece:
    if constant in ("null", "undefined") and loose:
        return tested(or_default(piece, NULL, if_false=False), f"{no}none")
    if constant == "undefined":
        return tested(piece, "defined" if no else "undefined")
    return tested(piece, no + {"null": "none"}.get(constant, constant))


def _type_test(self: Expressions, argument: Node, wanted: Node, opposite: bool) -> Piece:
    name = text_value(wanted) if wanted.type == "string" else ""
    piece = self.piece(argument)
    if name == "number":
        # For Jinja, true and false are numbers as well.
        found = joined(tested(piece, "number"), "and", tested(piece, "not boolean"), AND, "boolean")
    elif name in TYPE_TESTS:
        found = tested(piece, TYPE_TESTS[name])
    else:
        raise unknown(wanted, "is a type that has no test of ours")
    return negated(found) if opposite else found


def _list(self: Expressions, node: Node) -> Piece:
    entries = named(node)
    if any(entry.type == "spread_element" for entry in entries):
        return _spread_list(self, entries)
    return Piece(f"[{', '.join(self.piece(entry).text for entry in entries)}]", kind="list")


def _spread_list(self: Expressions, entries: Sequence[Node]) -> Piece:
    parts = [
        _inner(self, entry) if entry.type == "spread_element" else Piece(f"[{self.piece(entry).text}]")
        for entry in entries
    ]
    if len(parts) == 1:
        return filtered(parts[0], "list", "list")
    return Piece(" + ".join(part.at(ADD + 1) for part in parts), ADD, "list")


def object_entries(node: Node) -> list[tuple[str, Node]]:
    """Return the keys and values of an object; of `{name}` the value is the node itself.

    Raises:
        Untranslatable: it has methods, computed keys or spread objects.
    """
    return [object_entry(entry) for entry in named(node)]


def object_entry(entry: Node) -> tuple[str, Node]:
    """Return the key and value of one entry of an object; otherwise as `object_entries`."""
    if entry.type == "shorthand_property_identifier":
        return source_of(entry), entry
    if entry.type == "pair" and (key := field(entry, "key")).type != "computed_property_name":
        return text_value(key) if key.type == "string" else source_of(key), field(entry, "value")
    raise unknown(entry, "inside an object has no equal")


def _object(self: Expressions, node: Node) -> Piece:
    entries = [f"{text_literal(key).text}: {self.piece(value).text}" for key, value in object_entries(node)]
    # `{{` would begin a template inside a template's text.
    return Piece(f"{{{', '.join(entries)}}}", kind="object")


def _call(self: Expressions, node: Node) -> Piece:
    callee, arguments = field(node, "function"), named(field(node, "arguments"))
    name = "".join(source_of(callee).split())
    if name in FUNCTIONS:
        fewest, most, translate = FUNCTIONS[name]
        values = [self.piece(argument) for argument in arguments]
    elif callee.type == "member_expression" and callee.child_by_field_name("optional_chain") is None:
        return _method(self, node, callee, arguments)
    else:
        raise unknown(node)
    if not fewest <= len(values) <= most:
        raise unknown(node)
    return translate(*values)


def _method(self: Expressions, node: Node, callee: Node, arguments: Sequence[Node]) -> Piece:
    method, target = source_of(field(callee, "property")), field(callee, "object")
    if method == "toISOString" and "".join(source_of(target).split()) == "newDate()" and not arguments:
        return NOW
    if method == "map" and (attribute := _plucked(arguments)) is not None:
        return filtered(filtered(self.piece(target), f"map(attribute='{attribute}')"), "list", "list")
    if method not in METHODS:
        raise unknown(node)
    fewest, most, translate = METHODS[method]
    if not fewest <= len(arguments) <= most:
        raise unknown(node)
    return translate(self.piece(target), *(self.piece(argument) for argument in arguments))


def _plucked(arguments: Sequence[Node]) -> str | None:
    """Return `name` for the argument `x => x.name`."""
    function = as_function(arguments[0]) if len(arguments) == 1 else None
    if function is None or len(function.parameters) != 1 or function.body.type != "member_expression":
        return None
    target, name = field(function.body, "object"), source_of(field(function.body, "property"))
    same = source_of(target) == source_of(function.parameters[0])
    return name if same and name.isidentifier() and name.isascii() and name != "length" else None


_CONSTANTS = ("null", "undefined", "true", "false")
_READERS: Mapping[str, Callable[[Expressions, Node], Piece]] = {
    "array": _list,
    "binary_expression": _binary,
    "call_expression": _call,
    "false": _constant("false"),
    "identifier": _identifier,
    "member_expression": _member,
    "null": _constant("none"),
    "number": _number,
    "object": _object,
    "parenthesized_expression": _inner,
    "shorthand_property_identifier": _identifier,
    "string": _string,
    "subscript_expression": _subscript,
    "template_string": _template,
    "ternary_expression": _ternary,
    "true": _constant("true"),
    "unary_expression": _unary,
}
"""Type of node -> what makes a piece of it."""

_OPERATORS: Mapping[str, _Operator] = {
    "||": _either,
    "&&": _both,
    "??": _coalesced,
    "+": _sum,
    "-": _arithmetic("-", ADD),
    "*": _arithmetic("*", MULTIPLY),
    "/": _arithmetic("/", MULTIPLY),
    "%": _arithmetic("%", MULTIPLY),
    "**": _arithmetic("**", POWER),
    **{operator: _ordered(operator) for operator in ("<", "<=", ">", ">=")},
    **{operator: _equal(operator) for operator in ("===", "!==", "==", "!=")},
}


def function_names(function: Function, arguments: Sequence[Piece]) -> dict[str, Piece]:
    """Return what the parameters of a function mean when it is called with `arguments`.

    Raises:
        Untranslatable: it takes more than there is, or takes it apart in a way that has no equal.
    """
    if len(function.parameters) > len(arguments):
        raise unknown(function.parameters[len(arguments)], "is a parameter that gets no value")
    found: dict[str, Piece] = {}
    for parameter, argument in zip(function.parameters, arguments, strict=False):
        if parameter.type == "identifier":
            found[source_of(parameter)] = argument
        elif parameter.type == "object_pattern":
            found |= _taken_apart(parameter, argument)
        else:
            raise unknown(parameter, "as a parameter has no equal")
    return found


def _taken_apart(pattern: Node, argument: Piece) -> dict[str, Piece]:
    found: dict[str, Piece] = {}
    for part in named(pattern):
        if part.type == "shorthand_property_identifier_pattern":
            found[source_of(part)] = key_of(argument, source_of(part))
        elif part.type == "pair_pattern" and field(part, "value").type == "identifier":
            found[source_of(field(part, "value"))] = key_of(argument, source_of(field(part, "key")))
        else:
            raise unknown(part, "as a parameter has no equal")
    return found


def body_piece(expressions: Expressions, body: Node | Sequence[Node]) -> Piece:
    """Return the value of a function's body: an expression, or statements that end with `return`.

    Statements may be `const NAME = ...`, `if (...) return ...` and `return ...`.

    Raises:
        Untranslatable: it does more than that.
    """
    if isinstance(body, Node):
        if body.type != "statement_block":
            return expressions.piece(body)
        body = named(body)
    for place, statement in enumerate(body):
        if statement.type == "return_statement" and (returned := named(statement)):
            return expressions.piece(returned[0])
        if statement.type == "if_statement":
            return _branches(expressions, statement, body[place + 1 :])
        for name, value in declared(statement):
            expressions.names[name] = expressions.piece(value)
    raise Untranslatable("the function returns nothing")


def _branches(expressions: Expressions, statement: Node, rest: Sequence[Node]) -> Piece:
    condition = expressions.piece(field(statement, "condition"))
    otherwise = statement.child_by_field_name("alternative")
    before = dict(expressions.names)
    yes = body_piece(expressions, _block(field(statement, "consequence")))
    expressions.names = dict(before)
    no = body_piece(expressions, rest if otherwise is None else (*_block(named(otherwise)[0]), *rest))
    expressions.names = before
    return chosen(condition, yes, no)


def _block(statement: Node) -> tuple[Node, ...]:
    return named(statement) if statement.type == "statement_block" else (statement,)


def declared(statement: Node) -> list[tuple[str, Node]]:
    """Return the names and values of `const a = 1, b = 2`.

    Raises:
        Untranslatable: it is another kind of statement.
    """
    if statement.type not in ("lexical_declaration", "variable_declaration"):
        raise unknown(statement)
    found: list[tuple[str, Node]] = []
    for declarator in named(statement):
        name, value = field(declarator, "name"), field(declarator, "value")
        if name.type != "identifier":
            raise unknown(declarator)
        found.append((source_of(name), value))
    return found
