"""Translates the templates of texts: `{{ $json.name }}` and what else stands between braces."""

import re
from collections.abc import Callable, Mapping

from tree_sitter import Node

from atomiton_runtime.importing.arrows import NOW, Expressions
from atomiton_runtime.importing.javascript import as_function, field, read_source, source_of, text_value
from atomiton_runtime.importing.lists import OWN, marked
from atomiton_runtime.importing.pieces import Piece, Untranslatable, key_of

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_OPENING = re.compile(r"\{(?=[{%])")
_NODES = ("nodes", "$nodes", "$node", "steps")
_OUTPUTS = ("output", "outputs", "result", "json")

GLOBALS: Mapping[str, Piece] = {
    "$now": NOW,
    "now": NOW,
    "vars": Piece("vars"),
    "variables": Piece("vars"),
    "$vars": Piece("vars"),
    "$variables": Piece("vars"),
    "env": Piece("env"),
    "$env": Piece("env"),
}
"""Names that mean the same everywhere."""
_INPUT = ("$json", "$input", "input", "data")
_ITEMS = {"item": Piece("item"), "$item": Piece("item"), "index": Piece("index"), "$index": Piece("index")}


class Templates:
    """Translates the texts of one node."""

    def __init__(
        self, variables: frozenset[str], *, in_body: bool, fields_of_input: bool, node_key: Callable[[str], str | None]
    ) -> None:
        self._variables = variables
        self._in_body = in_body
        self._fields_of_input = fields_of_input
        """Whether a name that is not known means a field of the input, as in the original's `edit-fields`."""
        self._node_key = node_key
        """Gives the reference to another node by its id or name, or None."""

    def text(self, text: str) -> str:
        """Return a text of ours that gives what the original's gives.

        Raises:
            Untranslatable: something in it has no equal.
        """
        parts: list[str] = []
        end = 0
        for place in _PLACE.finditer(text):
            parts += [_literal(text[end : place.start()]), f"{{{{ {self._expression(place[1])} }}}}"]
            end = place.end()
        return "".join([*parts, _literal(text[end:])])

    def _expression(self, source: str) -> str:
        read = read_source(source)
        if isinstance(read, tuple) or as_function(read) is not None:
            raise Untranslatable(f"`{source.strip()[:60]}` is no single expression")
        return Expressions(GLOBALS, special=self._special).piece(read).text

    def _special(self, expressions: Expressions, node: Node) -> Piece | None:
        del expressions
        if node.type in ("member_expression", "subscript_expression"):
            return self._of_node(node)
        return self._name(source_of(node)) if node.type == "identifier" else None

    def _name(self, name: str) -> Piece | None:
        if self._in_body and name in _ITEMS:
            return _ITEMS[name]
        if name in _INPUT:
            return marked(OWN)
        if name in GLOBALS:
            return GLOBALS[name]
        if self._fields_of_input:
            return key_of(marked(OWN), name)
        return key_of(Piece("vars"), name) if name in self._variables else None

    def _of_node(self, node: Node) -> Piece | None:
        """Return what `nodes.read.output` names, or None for anything else; keys further on follow by themselves."""
        target = field(node, "object")
        if target.type in ("member_expression", "subscript_expression"):
            name, inner = _last_key(target), field(target, "object")
            if inner.type == "identifier" and source_of(inner) in _NODES:
                reference = self._reference(name)
                return marked(reference) if _last_key(node) in _OUTPUTS else key_of(marked(reference), _last_key(node))
        elif target.type == "identifier" and source_of(target) in _NODES:
            return marked(self._reference(_last_key(node)))
        return None

    def _reference(self, name: str) -> str:
        found = self._node_key(name)
        if found is None:
            raise Untranslatable(f"there is no node `{name}` beside it")
        return found


def _last_key(node: Node) -> str:
    if node.type == "member_expression":
        return source_of(field(node, "property"))
    index = field(node, "index")
    if index.type != "string":
        raise Untranslatable(f"`{source_of(node)[:60]}` names no node")
    return text_value(index)


def _literal(text: str) -> str:
    """Return text in which nothing is taken for a template of ours."""
    return _OPENING.sub("{{ '{' }}", text)
