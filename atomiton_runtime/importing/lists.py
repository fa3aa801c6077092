"""Translates what JavaScript does with a list into nodes: `data.filter(...).map(...)`, `const t = data.reduce(...)`."""

from collections.abc import Callable, Mapping, Sequence

from tree_sitter import Node

from atomiton_runtime.importing.arrows import Expressions, body_piece, declared, object_entries
from atomiton_runtime.importing.functions import expression_in, extending, order_of
from atomiton_runtime.importing.javascript import (
    as_function,
    field,
    named,
    number_value,
    read_source,
    source_of,
    text_value,
    unknown,
    unwrapped,
)
from atomiton_runtime.importing.parts import MARK, OWN, Part, marked, reference_of, references
from atomiton_runtime.importing.pieces import Piece, Untranslatable, compared, filtered, number_literal
from atomiton_runtime.importing.yaml_file import Data

_DATA_NAMES = ("data", "input", "items", "$input", "$json")


def parts_of(source: str, parameters: Sequence[str], texts: bool, notes: list[str]) -> list[Part]:
    """Return what code over all of a node's input becomes; the last part gives the result.

    Args:
        source: an expression, the statements of a function's body, or a function of one parameter.
        parameters: what the input is called besides the usual names.
        texts: whether cells of tables may come as texts.
        notes: gets what may behave differently.

    Raises:
        Untranslatable: it has no equal.
    """
    tree = read_source(source)
    reader = _Lists((*_DATA_NAMES, *parameters), texts, notes)
    function = as_function(tree) if isinstance(tree, Node) else None
    if function is not None:
        for parameter in function.parameters:
            if parameter.type != "identifier" or len(function.parameters) > 1:
                raise unknown(parameter, "as a parameter has no equal")
            reader.lists[source_of(parameter)] = OWN
        tree = named(function.body) if function.body.type == "statement_block" else function.body
    return reader.finished(reader.result(tree))


def once(piece: Piece) -> Part:
    """Return the node that computes one value: a `reduce` over a list of one."""
    keys: dict[str, Data] = {
        "type": "transform",
        "operation": "reduce",
        "data": ["once"],
        "initial": "",
        "expression": piece.text,
    }
    return Part(name=OWN, reads=references(piece.text), keys=keys)


class _Lists:
    def __init__(self, data_names: Sequence[str], texts: bool, notes: list[str]) -> None:
        self.lists = dict.fromkeys(data_names, OWN)
        """JavaScript name -> reference to the list that it is."""
        self.parts: list[Part] = []
        self._texts = texts
        self._seen: dict[int, Piece] = {}
        self._outer = Expressions({}, texts=texts, special=self._special)
        self._outer.notes = notes

    def finished(self, result: Piece | Part) -> list[Part]:
        """Return all parts, the last of which gives `result`."""
        reference = reference_of(result) if isinstance(result, Piece) else None
        if isinstance(result, Part):
            self.parts.append(result)
        elif reference == OWN:
            keys: dict[str, Data] = {"type": "transform", "operation": "slice"}
            self.parts.append(Part(name=OWN, reads=(OWN,), keys=keys))
        elif reference is not None and self.parts[-1].name == reference:
            self.parts[-1].name = OWN
        else:
            self.parts.append(once(result))
        return self.parts

    def result(self, code: Node | Sequence[Node]) -> Piece | Part:
        """Return what an expression or statements give."""
        if isinstance(code, Node):
            code = unwrapped(code)
            if code.type == "return_statement" and (returned := named(code)):
                return self.result(returned[0])
            if code.type != "object":
                return self._outer.piece(code)
            return self._fields(object_entries(code))
        for place, statement in enumerate(code):
            if statement.type == "return_statement":
                return self.result(statement)
            if statement.type == "if_statement":
                return body_piece(self._outer, code[place:])
            for name, value in declared(statement):
                self._declare(name, self._outer.piece(value))
        raise Untranslatable("the code returns nothing")

    def _declare(self, name: str, piece: Piece) -> None:
        """Let a name mean a piece; a node that was made for it gets the name, which its author chose."""
        reference = reference_of(piece)
        if reference is None:
            self._outer.names[name] = piece
            return
        free = name not in self.lists and name.isascii() and all(part.name != name for part in self.parts)
        if reference != OWN and free and self.parts[-1].name == reference:
            self.parts[-1].name = reference = name
        self.lists[name] = reference

    def _fields(self, entries: Sequence[tuple[str, Node]]) -> Part:
        values = {key: f"{{{{ {self._outer.piece(value).text} }}}}" for key, value in entries}
        keys: dict[str, Data] = {"type": "edit-fields", "keep_only_set": True, "values": {**values}}
        return Part(name=OWN, reads=references(*values.values()), keys=keys)

    def _special(self, _: Expressions, node: Node) -> Piece | None:
        """Return a list that comes by an edge, or what is done with one; each place of the source once."""
        if node.id in self._seen:
            return self._seen[node.id]
        if node.type in ("identifier", "shorthand_property_identifier"):
            name = source_of(node)
            return marked(self.lists[name]) if name in self.lists else None
        if node.type != "call_expression" or (callee := field(node, "function")).type != "member_expression":
            return None
        method = source_of(field(callee, "property"))
        target = field(callee, "object")
        reference = reference_of(self._special(_, unwrapped(target))) if method in _METHODS else None
        if reference is None:
            return None
        found = _METHODS[method](self, reference, named(field(node, "arguments")), node)
        if isinstance(found, Part):
            self.parts.append(found)
            found = marked(found.name)
        self._seen[node.id] = found
        return found

    def _part(self, source: str, operation: str, **keys: Data) -> Part:
        name = operation
        while any(part.name == name for part in self.parts) or name in self.lists:
            name = f"{name}-again"
        return Part(name=name, reads=(source,), keys={"type": "transform", "operation": operation, **keys})

    # -- what is done with a list ----------------------------------------------------------------------------

    def each(self, operation: str, source: str, arguments: Sequence[Node], node: Node) -> Part:
        """Return the part that calls a function with each item."""
        function = as_function(arguments[0]) if arguments else None
        if function is None or len(arguments) > (2 if operation == "reduce" else 1):
            raise unknown(node)
        part = self._part(source, operation)
        outer = {name: piece for name, piece in self._outer.names.items() if MARK not in piece.text}
        if operation == "map" and (added := extending(function, self._texts, self._outer.notes)):
            return extended(part, added)
        part.keys["expression"] = expression_in(function, operation, self._texts, self._outer.notes, outer)
        if len(arguments) == 2:
            part.keys["initial"] = _constant(arguments[1])
        return part

    def sort(self, source: str, arguments: Sequence[Node], node: Node) -> Part:
        """Return the part that sorts."""
        if not arguments:
            # Without a function JavaScript compares texts, whatever the items are.
            return self._part(source, "sort", key="item | string")
        function = as_function(arguments[0])
        if function is None or len(function.parameters) != 2:
            raise unknown(node)
        key, descending = order_of(function, self._texts)
        return self._part(source, "sort", key=key, **({"direction": "desc"} if descending else {}))

    def cut(
        self, operation: str, names: Sequence[str], source: str, arguments: Sequence[Node], node: Node
    ) -> Part:
        """Return the part for an operation whose arguments are places, or none."""
        if len(arguments) > len(names):
            raise unknown(node)
        places = {name: _place(argument) for name, argument in zip(names, arguments, strict=False)}
        return self._part(source, operation, **places)

    def asked(self, method: str, source: str, arguments: Sequence[Node], node: Node) -> Piece:
        """Return what `some`, `every` and `find` give, by way of a part that filters."""
        part = self.each("filter", source, arguments, node)
        if method == "every":
            part.keys["expression"] = f"not ({part.keys['expression']})"
        self.parts.append(part)
        if method == "find":
            return filtered(marked(part.name), "first")
        count = filtered(marked(part.name), "length", "number")
        return compared(count, ">" if method == "some" else "==", number_literal(0))


def extended(part: Part, added: dict[str, str]) -> Part:
    """Return a part as a loop over a node that adds fields: what `item => ({...item, total: 1})` asks for."""
    part.keys = {"type": "loop"}
    part.child = {"type": "edit-fields", "values": {**added}}
    return part


def _constant(node: Node) -> Data:
    match node.type:
        case "number":
            return number_value(node)
        case "string":
            return text_value(node)
        case "array" if not named(node):
            return []
        case "object" if not named(node):
            return {}
        case _:
            raise unknown(node, "as the first value of `reduce` has no equal")


def _place(node: Node) -> int:
    negative = node.type == "unary_expression" and source_of(node).startswith("-")
    digits = field(node, "argument") if negative else node
    number = number_value(digits) if digits.type == "number" else None
    if not isinstance(number, int):
        raise unknown(node, "as a place has no equal")
    return -number if negative else number


_Method = Callable[[_Lists, str, Sequence[Node], Node], Part | Piece]


def _each(operation: str) -> _Method:
    def translate(lists: _Lists, source: str, arguments: Sequence[Node], node: Node) -> Part:
        return lists.each(operation, source, arguments, node)

    return translate


def _cut(operation: str, *names: str) -> _Method:
    def translate(lists: _Lists, source: str, arguments: Sequence[Node], node: Node) -> Part:
        return lists.cut(operation, names, source, arguments, node)

    return translate


def _asked(method: str) -> _Method:
    def translate(lists: _Lists, source: str, arguments: Sequence[Node], node: Node) -> Piece:
        return lists.asked(method, source, arguments, node)

    return translate


_METHODS: Mapping[str, _Method] = {
    "filter": _each("filter"),
    "map": _each("map"),
    "reduce": _each("reduce"),
    "sort": _Lists.sort,
    "toSorted": _Lists.sort,
    "slice": _cut("slice", "start", "end"),
    "flat": _cut("flatten", "depth"),
    "reverse": _cut("reverse"),
    "toReversed": _cut("reverse"),
    "some": _asked("some"),
    "every": _asked("every"),
    "find": _asked("find"),
}
"""Method of a list -> what makes a node of it, or a piece."""
