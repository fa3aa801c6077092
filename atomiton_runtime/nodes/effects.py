"""Finds out what executions of a node type do to the outside, by asking it about each of its operations."""

from collections.abc import Mapping, Sequence

from msgspec import inspect

from atomiton_runtime.nodes.base import Effect
from atomiton_runtime.nodes.catalogued import CataloguedType
from atomiton_runtime.nodes.parameters import shape_of

_DECIDING = ("operation", "method")
"""The parameters on which an effect may depend."""
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""The choices of a deciding parameter that is a free text: requests are the only such case."""


def effects(catalogued: CataloguedType) -> tuple[str | None, Mapping[Effect, Sequence[str]]]:
    """Return the parameter that decides, and effect -> those of its values that have it.

    A type with one effect whatever its parameters are gives None, and no values.
    """
    declared = catalogued.node_type
    fields = shape_of(declared.Parameters).fields
    # A Struct made directly is not checked: only what decides has to be there.
    rest = {field.name: None for field in fields if field.required}
    deciding = next((field for field in fields if field.name in _DECIDING), None)
    if deciding is None:
        return None, {declared.effect(declared.Parameters(**rest)): ()}
    found: dict[Effect, list[str]] = {}
    for choice in _choices(deciding.type):
        parameters = declared.Parameters(**{**rest, deciding.name: choice})
        found.setdefault(declared.effect(parameters), []).append(choice)
    if len(found) == 1:
        return None, dict.fromkeys(found, ())
    return deciding.encode_name, found


def effect_words(catalogued: CataloguedType) -> str:
    """Return the effects as a sentence of Markdown."""
    if catalogued.body is not None:
        return "Effect: those of its child nodes."
    name, found = effects(catalogued)
    if name is None:
        return f"Effect: `{next(iter(found))}`."
    parts = [f"`{effect}` for {', '.join(values)}" for effect, values in found.items()]
    return f"Effect, by `{name}`: {'; '.join(parts)}."


def _choices(shape: inspect.Type) -> Sequence[str]:
    match shape:
        case inspect.Metadata():
            return _choices(shape.type)
        case inspect.LiteralType():
            return [str(value) for value in shape.values]
        case _:
            return _METHODS
