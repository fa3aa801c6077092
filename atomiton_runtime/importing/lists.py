"""Translates what JavaScript does with a list into nodes: `data.filter(...).map(...)`, `const t = data.reduce(...)`."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import msgspec
from tree_sitter import Node

from atomiton_runtime.importing.arrows import (
    Expressions,
    body_piece,
    declared,
    function_names,
    object_entries,
)
from atomiton_runtime.importing.javascript import (
    Function,
    as_function,
    field,
    named,
    number_value,
    read_source,
    source_of,
    text_value,
    unknown,
)
from atomiton_runtime.importing.pieces import Piece, Untranslatable, compared, filtered, number_literal

ITEM = Piece("item")
INDEX = Piece("index", kind="number")
ACC = Piece("acc")
OWN = ""
"""The reference to what comes into the node; other references are the names of parts."""
MARK = "\0"
"""Encloses a reference inside an expression until it is known how the node gets it."""
DATA_NAMES = ("data", "input", "items", "$json", "$input", "inputs")


class Part(msgspec.Struct, kw_only=True):
    """One node of those that an original node becomes."""

    name: str
    """`OWN` for the last one, which gives the result."""
    type: str
    reads: tuple[str, ...]
    """References to what it takes: `OWN` or names of parts before it."""
    keys: dict[str, object]
    """Parameters, with texts as templates and expressions of ours, references in marks."""
    child: dict[str, object] | None = None
    """The keys of the one node in its body."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece of JavaScript becomes."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def marked(reference: str) -> Piece:
    """Return the piece that stands for a reference."""
    return Piece(f"{MARK}{reference}{MARK}")


def references(text: str) -> list[str]:
    """Return the references in a text, each once, in order."""
    return list(dict.fromkeys(text.split(MARK)[1::2]))


def operation_part(operation: str, source: str, names: Mapping[str, Piece], *, texts: bool) -> Program:
    """Return what a function over items becomes: `item => item.age > 18` for `filter`.

    Raises:
        Untranslatable: it has no equal.
    """
    reader = _Lists(names, texts)
    read = read_source(source)
    function = None if isinstance(read, tuple) else as_function(read)
    if function is None:
        function = Function((), cast(Node, read)) if isinstance(read, Node) else None
    if function is None:
        raise Untranslatable("statements outside of a function have no equal")
    bare = not function.parameters
    return reader.program(reader.operation(operation, function, OWN, {"item": ITEM, "index": INDEX} if bare else {}))


def whole_parts(source: str, names: Mapping[str, Piece], parameters: Sequence[str], *, texts: bool) -> Program:
    """Return what code over all of a node's input becomes: `data.filter(...)`, or statements and a `return`.

    Args:
        source: an expression, the statements of a function's body, or a function of one parameter.
        names: JavaScript name -> what it is here.
        parameters: names of the input besides the usual ones.
        texts: as for `Expressions`.

    Raises:
        Untranslatable: it has no equal.
    """
    reader = _Lists(names, texts)
    for name in (*DATA_NAMES, *parameters):
        reader.lists[name] = OWN
    read = read_source(source)
    if isinstance(read, Node) and (function := as_function(read)) is not None:
        if len(function.parameters) > 1 or any(each.type != "identifier" for each in function.parameters):
            raise unknown(function.parameters[0], "as a parameter has no equal")
        reader.lists |= {source_of(each): OWN for each in function.parameters}
        block = function.body
        read = named(block) if block.type == "statement_block" else block
    return reader.program(reader.result(read))


def once(piece: Piece) -> Part:
    """Return the part that computes one value: a `reduce` over a list of one."""
    keys: dict[str, object] = {"operation": "reduce", "data": ["once"], "initial": "", "expression": piece.text}
    return Part(name=OWN, type="transform", reads=tuple(references(piece.text)) or (OWN,), keys=keys)


class _Lists:
    def __init__(self, names: Mapping[str, Piece], texts: bool) -> None:
        self.lists: dict[str, str] = {}
        self.parts: list[Part] = []
        self._texts = texts
        self._seen: dict[int, Piece] = {}
        self._outer = Expressions(names, texts=texts, special=self._special)
        self._notes = self._outer.notes

    def program(self, result: Piece | Part) -> Program:
        """Return the parts, the last of which gives `result`."""
        if isinstance(result, Part):
            self.parts.append(result)
        elif [result.text] == [f"{MARK}{name}{MARK}" for name in (last.name for last in self.parts[-1:])]:
            self.parts[-1].name = OWN
        elif result.text == marked(OWN).text:
            self.parts.append(Part(name=OWN, type="transform", reads=(OWN,), keys={"operation": "slice"}))
        else:
            self.parts.append(once(result))
        return Program(parts=tuple(self.parts), notes=tuple(self._notes))

    def result(self, code: Node | Sequence[Node]) -> Piece | Part:
        """Return what an expression or statements give."""
        if isinstance(code, Node):
            while code.type == "parenthesized_expression":
                code = named(code)[0]
            if code.type == "object":
                return self._fields(object_entries(code))
            return self._outer.piece(code)
        for place, statement in enumerate(code):
            if statement.type == "return_statement" and (returned := named(statement)):
                return self.result(returned[0])
            if statement.type == "if_statement":
                return body_piece(self._outer, code[place:])
            for name, value in declared(statement):
                piece = self._outer.piece(value)
                if piece.text == marked(reference := piece.text.strip(MARK)).text:
                    self._rename(reference, name)
                    self.lists[name] = self._named(reference, name)
                else:
                    self._outer.names[name] = piece
        raise Untranslatable("the code returns nothing")

    def _named(self, reference: str, name: str) -> str:
        return name if reference != OWN and any(part.name == name for part in self.parts) else reference

    def _rename(self, reference: str, name: str) -> None:
        """Let the part behind a `const` have its name, which the author chose."""
        if reference == OWN or name in self.lists or not self.parts or self.parts[-1].name != reference:
            return
        self.parts[-1].name = name

    def _fields(self, entries: Sequence[tuple[str, Node]]) -> Part:
        values = {key: f"{{{{ {self._outer.piece(value).text} }}}}" for key, value in entries}
        reads = tuple(dict.fromkeys(each for text in values.values() for each in references(text))) or (OWN,)
        keys: dict[str, object] = {"keep_only_set": True, "values": values}
        return Part(name=OWN, type="edit-fields", reads=reads, keys=keys)

    def _special(self, expressions: Expressions, node: Node) -> Piece | None:
        """Return a list that comes by a wire, or what is done with one; each place of the source once."""
        del expressions
        if node.id in self._seen:
            return self._seen[node.id]
        if node.type in ("identifier", "shorthand_property_identifier") and source_of(node) in self.lists:
            return marked(self.lists[source_of(node)])
        if node.type != "call_expression" or (callee := field(node, "function")).type != "member_expression":
            return None
        method = source_of(field(callee, "property"))
        target = self._list_of(field(callee, "object")) if method in _METHODS else None
        if target is None:
            return None
        found = _METHODS[method](self, target, named(field(node, "arguments")), node)
        if isinstance(found, Part):
            self.parts.append(found)
            found = marked(found.name)
        self._seen[node.id] = found
        return found

    def _list_of(self, node: Node) -> str | None:
        while node.type == "parenthesized_expression":
            node = named(node)[0]
        found = self._special(self._outer, node)
        return found.text.strip(MARK) if found and found.text == marked(found.text.strip(MARK)).text else None

    def operation(
        self, operation: str, function: Function, source: str, names: Mapping[str, Piece] | None = None
    ) -> Part:
        """Return the part that applies a function to each item."""
        arguments = (ACC, ITEM, INDEX) if operation == "reduce" else (ITEM, INDEX)
        plain = {name: piece for name, piece in self._outer.names.items() if MARK not in piece.text}
        known = plain | dict(names or {}) | self._parameters(operation, function, arguments)
        inner = Expressions(known, texts=self._texts)
        inner.notes = self._notes
        if operation == "map" and (entries := _extended(function)) is not None:
            return self._extend(source, entries, inner)
        expression = body_piece(inner, function.body)
        keys: dict[str, object] = {"operation": operation, "expression": expression.text}
        return self._part(operation, source, keys)

    def _parameters(
        self, operation: str, function: Function, arguments: Sequence[Piece]
    ) -> dict[str, Piece]:
        together = len(function.parameters) == 1 and function.parameters[0].type == "object_pattern"
        if operation == "reduce" and together:
            # The original calls its own `reduce` function with one object of all three.
            found = function_names(function, (Piece("all"),))
            keys = {f"all.{piece.text}": piece for piece in (ACC, ITEM, INDEX)}
            return {name: keys.get(piece.text, piece) for name, piece in found.items()}
        return function_names(function, arguments)

    def _part(self, operation: str, source: str, keys: dict[str, object]) -> Part:
        names = {part.name for part in self.parts} | set(self.lists)
        name = operation
        while name in names:
            name = f"{name}-again"
        return Part(name=name, type="transform", reads=(source,), keys=keys)

    def _extend(self, source: str, entries: Sequence[tuple[str, Node]], inner: Expressions) -> Part:
        """Return a loop over a node that adds fields: what `{...item, total: 1}` asks for."""
        values = {key: f"{{{{ {inner.piece(value).text} }}}}" for key, value in entries}
        part = self._part("map", source, {})
        part.type, part.child = "loop", {"type": "edit-fields", "values": values}
        return part

    # -- what is done with lists -----------------------------------------------------------------------------

    def each(self, operation: str, source: str, arguments: Sequence[Node], node: Node) -> Part:
        function = as_function(arguments[0]) if arguments else None
        if function is None:
            raise unknown(node)
        part = self.operation(operation, function, source)
        if operation == "reduce" and len(arguments) == 2:
            part.keys["initial"] = self._initial(arguments[1])
        elif len(arguments) != 1:
            raise unknown(node)
        return part

    def _initial(self, node: Node) -> object:
        match node.type:
            case "number":
                return number_value(node)
            case "string":
                return text_value(node)
            case "array" | "object" if not named(node):
                return [] if node.type == "array" else {}
            case _:
                raise unknown(node, "as the first value of `reduce` has no equal")

    def sort(self, source: str, arguments: Sequence[Node], node: Node) -> Part:
        if not arguments:
            # Without a function JavaScript compares texts, whatever the items are.
            return self._part("sort", source, {"operation": "sort", "key": "item | string"})
        function = as_function(arguments[0])
        if function is None or len(function.parameters) != 2:
            raise unknown(node)
        key, descending = self._order(function)
        direction = {"direction": "desc"} if descending else {}
        return self._part("sort", source, {"operation": "sort", "key": key, **direction})

    def _order(self, function: Function) -> tuple[str, bool]:
        """Return the key and direction of `(a, b) => a.x - b.x` and `(a, b) => a.x.localeCompare(b.x)`."""
        body = function.body
        if body.type == "binary_expression" and source_of(field(body, "operator")) == "-":
            sides = field(body, "left"), field(body, "right")
        elif body.type == "call_expression" and (callee := field(body, "function")).type == "member_expression":
            arguments = named(field(body, "arguments"))
            if source_of(field(callee, "property")) != "localeCompare" or len(arguments) != 1:
                raise unknown(body, "as an order has no equal")
            sides = field(callee, "object"), arguments[0]
        else:
            raise unknown(body, "as an order has no equal")
        # One of the two is the item, so that the sides tell the direction.
        ways = [function_names(function, pair) for pair in ((ITEM, Piece("other")), (Piece("other"), ITEM))]
        for descending, names in enumerate(ways):
            left, right = (Expressions(names, texts=self._texts) for _ in range(2))
            first, second = left.number(sides[0]), right.number(sides[1])
            if "item" in first.text and first.text.replace("item", "other") == second.text:
                key = first if body.type == "binary_expression" else left.piece(sides[0])
                return key.text, bool(descending)
        raise unknown(body, "as an order has no equal")

    def cut(self, operation: str, source: str, arguments: Sequence[Node], node: Node) -> Part:
        bounds = [self._integer(argument) for argument in arguments]
        names = ("start", "end") if operation == "slice" else ("depth",) if operation == "flatten" else ()
        if len(bounds) > len(names):
            raise unknown(node)
        return self._part(operation, source, {"operation": operation, **dict(zip(names, bounds, strict=False))})

    def _integer(self, node: Node) -> int:
        sign = -1 if node.type == "unary_expression" and source_of(node).startswith("-") else 1
        number = number_value(field(node, "argument") if sign < 0 else node) if node.type in _NUMBERS else None
        if not isinstance(number, int):
            raise unknown(node, "as a place has no equal")
        return sign * number

    def some(self, name: str, source: str, arguments: Sequence[Node], node: Node) -> Piece:
        part = self.each("filter", source, arguments, node)
        if name == "every":
            part.keys["expression"] = f"not ({part.keys['expression']})"
        self.parts.append(part)
        found = marked(part.name)
        if name == "find":
            return filtered(found, "first")
        return compared(filtered(found, "length", "number"), ">" if name == "some" else "==", number_literal(0))


_NUMBERS = ("number", "unary_expression")
_Method = Callable[["_Lists", str, Sequence[Node], Node], Part | Piece]


def _each(operation: str) -> _Method:
    return lambda lists, source, arguments, node: lists.each(operation, source, arguments, node)


def _cut(operation: str) -> _Method:
    return lambda lists, source, arguments, node: lists.cut(operation, source, arguments, node)


def _some(name: str) -> _Method:
    return lambda lists, source, arguments, node: lists.some(name, source, arguments, node)


_METHODS: Mapping[str, _Method] = {
    "filter": _each("filter"),
    "map": _each("map"),
    "reduce": _each("reduce"),
    "sort": lambda lists, source, arguments, node: lists.sort(source, arguments, node),
    "toSorted": lambda lists, source, arguments, node: lists.sort(source, arguments, node),
    "slice": _cut("slice"),
    "flat": _cut("flatten"),
    "reverse": _cut("reverse"),
    "toReversed": _cut("reverse"),
    "some": _some("some"),
    "every": _some("every"),
    "find": _some("find"),
}


def _extended(function: Function) -> list[tuple[str, Node]] | None:
    """Return the fields that `item => ({...item, total: 1})` adds; None: it is another function."""
    body = function.body
    while body.type == "parenthesized_expression":
        body = named(body)[0]
    parameters = function.parameters
    if body.type == "statement_block" and len(inner := named(body)) == 1 and inner[0].type == "return_statement":
        body = (named(inner[0]) or (body,))[0]
    entries = named(body)
    if body.type != "object" or not entries or entries[0].type != "spread_element" or not parameters:
        return None
    if source_of(named(entries[0])[0]) != source_of(parameters[0]):
        return None
    added = [each for entry in entries[1:] for each in _entry(entry)]
    return added or None


def _entry(entry: Node) -> list[tuple[str, Node]]:
    if entry.type == "pair" and field(entry, "key").type in ("property_identifier", "string", "number"):
        key = field(entry, "key")
        return [(text_value(key) if key.type == "string" else source_of(key), field(entry, "value"))]
    if entry.type == "shorthand_property_identifier":
        return [(source_of(entry), entry)]
    raise unknown(entry, "inside an object has no equal")
