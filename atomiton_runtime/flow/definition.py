"""Says in 32 digits what a node is told to do, whatever the form of the file: its definition."""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import cast

import msgspec

from atomiton_runtime.flow.catalogue import COMMON_KEYS
from atomiton_runtime.flow.expressions import Expression, Template, Templated
from atomiton_runtime.flow.model import Node

_OF_CHILDREN = COMMON_KEYS - {"type", "name", "description", "when", "nodes"}
"""Keys that say how a child is executed: part of the definition of whoever has the body, not of its own."""
_SORTED = msgspec.json.Encoder(order="sorted")
_AS_WRITTEN = msgspec.json.Encoder()
_DATES = (re.compile(r"-[0-9][0-9]-[0-9][0-9]"), re.compile(r":[0-9][0-9]:"))


class Definitions:
    """Makes the definitions of the nodes of one file."""

    def __init__(self, text: str) -> None:
        # JSON has no dates; most files have none either, and then nothing needs to be looked at.
        self._has_dates = any(date.search(text) for date in _DATES)

    def form(self, parameters: Mapping[str, object]) -> bytes | None:
        """Return the parameters as written, in their order; None: they hold what no valid flow holds."""
        return self._encoded(parameters, _AS_WRITTEN)

    def of(
        self, written: Mapping[str, object], parameters: Mapping[str, object], children: Sequence[Node]
    ) -> str:
        """Return the definition of a node: empty if it holds what no valid flow holds.

        Args:
            written: the node's table.
            parameters: those of its entries that are parameters.
            children: the nodes of its body; their own definitions stand for them.
        """
        told = {"type": written.get("type"), **parameters}
        if "when" in written:
            told["when"] = written["when"]
        if children:
            tables = cast("Mapping[str, Mapping[str, object]]", written["nodes"])
            told["nodes"] = {child.id: _child(child, tables[child.id]) for child in children}
        form = self._encoded(told, _SORTED)
        return "" if form is None else blake2b(form, digest_size=16).hexdigest()

    def _encoded(self, value: Mapping[str, object], encoder: msgspec.json.Encoder) -> bytes | None:
        try:
            return encoder.encode(_told_apart(value) if self._has_dates else value)
        except (OverflowError, RecursionError):  # an integer of more than 64 bits; nested too deep
            return None


def _child(child: Node, written: Mapping[str, object]) -> object:
    return [child.definition, {key: value for key, value in written.items() if key in _OF_CHILDREN}]


def _told_apart(value: object) -> object:
    """Return a copy in which no date or time looks like a text: each is in a list with a null, which TOML has not."""
    match value:
        case dict():
            return {key: _told_apart(entry) for key, entry in cast("dict[str, object]", value).items()}
        case list():
            return [_told_apart(entry) for entry in cast("list[object]", value)]
        case bool() | int() | float() | str():
            return value
        case _:
            return [None, str(value)]


def names_used(values: Iterable[Templated]) -> frozenset[str]:
    """Return what the templates and expressions in `values`, at any depth, depend on."""
    names: frozenset[str] = frozenset()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is Template or kind is Expression:
            names |= cast("Template | Expression", value).names
        elif kind is dict:
            waiting.extend(cast("dict[str, Templated]", value).values())
        elif kind is list:
            waiting.extend(cast("list[Templated]", value))
    return names
