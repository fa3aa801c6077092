"""Lists what is called in JavaScript, and what is written in our expressions instead."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from atomiton_runtime.importing.pieces import (
    ADD,
    FILTER,
    NULL,
    POWER,
    PRIMARY,
    Kind,
    Piece,
    Untranslatable,
    called,
    compared,
    concatenated,
    filtered,
    joined,
    number_literal,
    text_literal,
)

Translated: TypeAlias = Callable[..., Piece]


def _as_filter(text: str, kind: Kind = "any") -> Translated:
    def translate(value: Piece) -> Piece:
        return filtered(value, text, kind)

    return translate


def _as_method(name: str, kind: Kind = "any") -> Translated:
    def translate(value: Piece, *arguments: Piece) -> Piece:
        return called(value, name, *arguments, kind=kind)

    return translate


def _includes(value: Piece, wanted: Piece) -> Piece:
    return compared(wanted, "in", value)


def _replace(value: Piece, old: Piece, new: Piece) -> Piece:
    return called(value, "replace", old, _plain(new), number_literal(1), kind="text")


def _replace_all(value: Piece, old: Piece, new: Piece) -> Piece:
    return called(value, "replace", old, _plain(new), kind="text")


def _plain(replacement: Piece) -> Piece:
    if replacement.kind != "text" or "$" in replacement.text:
        raise Untranslatable("a replacement that may hold `$` patterns has no equal")
    return replacement


def _split(value: Piece, separator: Piece) -> Piece:
    if separator.text == "''":
        return filtered(value, "list", "list")
    return called(value, "split", separator, kind="list")


def _join(value: Piece, separator: Piece | None = None) -> Piece:
    return filtered(value, f"join({separator.text if separator else text_literal(',').text})", "text")


def _slice(value: Piece, start: Piece | None = None, end: Piece | None = None) -> Piece:
    bounds = f"{start.text if start else ''}:{end.text if end else ''}"
    return Piece(f"{value.at(PRIMARY)}[{bounds}]", kind=value.kind)


def _substring(value: Piece, start: Piece, end: Piece | None = None) -> Piece:
    bounds = [int(each.text) if each.text.isdigit() else -1 for each in (start, end) if each is not None]
    if min(bounds) < 0 or bounds != sorted(bounds):
        raise Untranslatable("`substring` with places that are not known has no equal")
    return _slice(value, start, end)


def _at(value: Piece, place: Piece) -> Piece:
    return Piece(f"{value.at(PRIMARY)}[{place.text}]", may_lack=True)


def _char_at(value: Piece, place: Piece) -> Piece:
    if not place.text.isdigit():
        raise Untranslatable("`charAt` with a place that is not known has no equal")
    return Piece(f"{value.at(PRIMARY)}[{place.text}:{int(place.text) + 1}]", kind="text")


def _to_fixed(value: Piece, digits: Piece | None = None) -> Piece:
    count = digits.text if digits else "0"
    if not count.isdigit() or int(count) > 20:
        raise Untranslatable("`toFixed` with a number of digits that is not known has no equal")
    return filtered(Piece(f"'%.{count}f'"), f"format({value.text})", "text")


def _concat(value: Piece, *more: Piece) -> Piece:
    if value.kind != "text":
        raise Untranslatable("`concat` of what may be lists has no equal")
    return concatenated([value, *more])


def _pad(value: Piece, width: Piece) -> Piece:
    if not width.text.isdigit() or int(width.text) > 1000:
        raise Untranslatable("`padStart` to a width that is not known has no equal")
    return filtered(Piece(f"'%{width.text}s'"), f"format({value.text})", "text")


METHODS: Mapping[str, tuple[int, int, Translated]] = {
    "at": (1, 1, _at),
    "charAt": (1, 1, _char_at),
    "concat": (1, 10, _concat),
    "endsWith": (1, 1, _as_method("endswith", "boolean")),
    "includes": (1, 1, _includes),
    "indexOf": (1, 1, _as_method("find", "number")),
    "join": (0, 1, _join),
    "padStart": (1, 1, _pad),
    "replace": (2, 2, _replace),
    "replaceAll": (2, 2, _replace_all),
    "slice": (0, 2, _slice),
    "split": (1, 1, _split),
    "startsWith": (1, 1, _as_method("startswith", "boolean")),
    "substring": (1, 2, _substring),
    "toFixed": (0, 1, _to_fixed),
    "toLocaleLowerCase": (0, 0, _as_filter("lower", "text")),
    "toLocaleUpperCase": (0, 0, _as_filter("upper", "text")),
    "toLowerCase": (0, 0, _as_filter("lower", "text")),
    "toString": (0, 0, _as_filter("string", "text")),
    "toUpperCase": (0, 0, _as_filter("upper", "text")),
    "trim": (0, 0, _as_filter("trim", "text")),
    "trimEnd": (0, 0, _as_method("rstrip", "text")),
    "trimStart": (0, 0, _as_method("lstrip", "text")),
}
"""Method -> fewest and most arguments, and what makes our piece of its receiver and arguments."""


def _rounded(how: str) -> Translated:
    return _as_filter(f"round(0, '{how}') | int", "number")


def _round(value: Piece) -> Piece:
    # JavaScript rounds halves up, also -2.5; Python's `round` goes to the even neighbour.
    half_more = joined(value, "+", number_literal(0.5), ADD, "number")
    return filtered(filtered(half_more, "round(0, 'floor')", "number"), "int", "number")


def _extreme(name: str) -> Translated:
    def translate(*values: Piece) -> Piece:
        return filtered(Piece(f"[{', '.join(value.text for value in values)}]"), name, "number")

    return translate


def _power(base: Piece, exponent: Piece) -> Piece:
    # A sign binds more tightly than `**` in Jinja; in JavaScript it needs parentheses, which stay.
    return Piece(f"{base.at(FILTER)} ** {exponent.at(FILTER)}", POWER, "number")


def _square_root(value: Piece) -> Piece:
    return _power(value, number_literal(0.5))


def _integer(value: Piece, base: Piece | None = None) -> Piece:
    if base is not None and base.text != "10":
        raise Untranslatable("`parseInt` with another base than 10 has no equal")
    return filtered(value, "int", "number")


def _as_json(value: Piece, replacer: Piece = NULL, indent: Piece | None = None) -> Piece:
    if replacer != NULL or (indent is not None and not indent.text.isdigit()):
        raise Untranslatable("`JSON.stringify` with a function or a text as indent has no equal")
    return filtered(value, f"tojson({indent.text})" if indent else "tojson", "text")


def _truth(value: Piece) -> Piece:
    return Piece(f"true if {value.at(ADD)} else false", 0, "boolean")


FUNCTIONS: Mapping[str, tuple[int, int, Translated]] = {
    "Boolean": (1, 1, _truth),
    "JSON.parse": (1, 1, _as_filter("fromjson")),
    "JSON.stringify": (1, 3, _as_json),
    "Math.abs": (1, 1, _as_filter("abs", "number")),
    "Math.ceil": (1, 1, _rounded("ceil")),
    "Math.floor": (1, 1, _rounded("floor")),
    "Math.max": (1, 20, _extreme("max")),
    "Math.min": (1, 20, _extreme("min")),
    "Math.pow": (2, 2, _power),
    "Math.round": (1, 1, _round),
    "Math.sqrt": (1, 1, _square_root),
    "Math.trunc": (1, 1, _as_filter("int", "number")),
    "Number": (1, 1, _as_filter("float", "number")),
    "Number.parseFloat": (1, 1, _as_filter("float", "number")),
    "Number.parseInt": (1, 2, _integer),
    "Object.entries": (1, 1, _as_filter("items", "list")),
    "Object.keys": (1, 1, _as_filter("keys", "list")),
    "Object.values": (1, 1, _as_filter("values", "list")),
    "String": (1, 1, _as_filter("string", "text")),
    "parseFloat": (1, 1, _as_filter("float", "number")),
    "parseInt": (1, 2, _integer),
}
"""Function -> fewest and most arguments, and what makes our piece of its arguments."""

TYPE_TESTS: Mapping[str, str] = {"string": "string", "boolean": "boolean", "undefined": "undefined"}
"""What `typeof` gives -> the test of ours that asks the same."""
