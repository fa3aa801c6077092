"""Turns the texts and data of parameters into ours: templates are translated, and nothing else becomes one."""

import re

from atomiton_runtime.importing.arrows import Expressions
from atomiton_runtime.importing.javascript import read_source
from atomiton_runtime.importing.pieces import Piece, Untranslatable, text_literal
from atomiton_runtime.importing.yaml_file import Data

_SLOT = re.compile(r"\{\{(.*?)\}\}|\$\{([^{}]*)\}|(\{[{%#])", re.DOTALL)
_DOLLARS = {"$now": "now", "$json": "input", "$input": "input", "$index": "index", "$item": "item"}
_NAMES = {
    "now": Piece("now", kind="text"),
    "input": Piece("input"),
    "data": Piece("input"),
    "item": Piece("item"),
    "index": Piece("index", kind="number"),
    "vars": Piece("vars"),
    "variables": Piece("vars"),
    "env": Piece("env"),
}


def translated(value: Data, refused: list[str]) -> Data:
    """Return a value with its texts as templates of ours; what has no equal stays text and is added to `refused`."""
    match value:
        case str():
            return _text(value, refused)
        case list():
            return [translated(entry, refused) for entry in value]
        case dict():
            return {key: translated(entry, refused) for key, entry in value.items()}
        case None:
            return "{{ none }}"  # TOML has no null
        case _:
            return value


def _text(text: str, refused: list[str]) -> str:
    def slot(found: re.Match[str]) -> str:
        source = found[1] if found[1] is not None else found[2]
        if source is not None:
            try:
                return f"{{{{ {_expression(source)} }}}}"
            except Untranslatable as refusal:
                refused.append(str(refusal))
        if found[2] is not None:
            return found[0]
        return (
            f"{{{{ {text_literal(found[0]).text.replace('{{', _SPLIT_OPEN).replace('}}', _SPLIT_CLOSE)} }}}}"
        )

    return _SLOT.sub(slot, text)


_SPLIT_OPEN, _SPLIT_CLOSE = "\\x7b\\x7b", "\\x7d\\x7d"


def _expression(source: str) -> str:
    for dollar, name in _DOLLARS.items():
        source = re.sub(rf"{re.escape(dollar)}\b", name, source)
    node = read_source(source)
    if isinstance(node, tuple):
        raise Untranslatable("statements are no part of a text")
    return Expressions(_NAMES).piece(node).text
