"""Lists the filters and tests of expressions: Jinja's own where they are safe, stricter ones where not.

Left out on purpose: whatever escapes the rules (`attr`), gives another result each time (`random`), is about HTML
pages, or can run without a bound (regular expressions). `int` and `float` fail instead of giving 0.
"""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, cast
from urllib.parse import quote

import jinja2.filters
import jinja2.tests
import msgspec

from atomiton_runtime.flow.data import joined, to_text
from atomiton_runtime.flow.limits import MAX_LENGTH, Refused, check_length, too_large
from atomiton_runtime.flow.lookup import kind_of, replaced
from atomiton_runtime.values import encode

_UNSET = object()
_FORMAT_SIZES = re.compile(r"%[^a-zA-Z%]*?(\*|\d{4,})")
_MAX_PADDING = 10_000
_MAX_DECIMALS = 20


def _join(environment: Any, value: Iterable[object], d: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        value = map(jinja2.filters.make_attrgetter(environment, attribute), value)
    return joined(value, d)


def _integer(value: object, default: object = _UNSET, base: int = 10) -> object:
    try:
        return int(value, base) if isinstance(value, str) else int(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return _fallback(value, default, "an integer", "int")


def _number(value: object, default: object = _UNSET) -> object:
    try:
        return float(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return _fallback(value, default, "a number", "float")


def _fallback(value: object, default: object, wanted: str, name: str) -> object:
    if default is not _UNSET:
        return default
    shown = f"{value[:40]!r}" if isinstance(value, str) else kind_of(value)
    raise Refused(
        "EXPR-003", f"{shown} is not {wanted}", f"give a default if that is meant: `{name}(default=0)`"
    )


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if abs(precision) > _MAX_DECIMALS:
        raise Refused("EXPR-005", f"the precision of `round` is at most {_MAX_DECIMALS}")
    return jinja2.filters.do_round(value, precision, cast(Any, method))


def _format(value: str, *args: object, **kwargs: object) -> str:
    if _FORMAT_SIZES.search(value):
        raise too_large("the width in `format`", 999)
    if args and kwargs:
        raise Refused("EXPR-003", "`format` takes values by place or by name, not both")
    return value % (kwargs or args)


def _center(value: object, width: int = 80) -> str:
    return to_text(value).center(_padding(width))


def _indent(value: str, width: int = 4, first: bool = False, blank: bool = False) -> str:
    margin = " " * _padding(width)
    lines = value.split("\n")
    check_length(len(value) + len(margin) * len(lines), "the text")
    indented = [margin + line if line or blank else line for line in lines]
    return "\n".join(indented if first else [lines[0], *indented[1:]])


def _padding(width: int) -> int:
    if width > _MAX_PADDING:
        raise too_large("the width", _MAX_PADDING)
    return width


def _batch(value: Iterable[object], linecount: int, fill_with: object = None) -> list[list[object]]:
    if not 0 < linecount <= MAX_LENGTH:
        raise Refused("EXPR-005", f"`batch` takes 1 to {MAX_LENGTH:,}")
    return [list(batch) for batch in jinja2.filters.do_batch(cast(Any, value), linecount, fill_with)]


def _tojson(value: object, indent: int = 0) -> str:
    encoded = encode(value)
    return (msgspec.json.format(encoded, indent=min(_padding(indent), 8)) if indent else encoded).decode()


def _fromjson(value: str | bytes) -> object:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as exc:
        raise Refused("EXPR-003", f"the text is not JSON: {exc}") from exc


def _items(value: Mapping[object, object]) -> list[list[object]]:
    return [[key, entry] for key, entry in _object(value, "items").items()]


def _keys(value: Mapping[object, object]) -> list[object]:
    return list(_object(value, "keys"))


def _values(value: Mapping[object, object]) -> list[object]:
    return list(_object(value, "values").values())


def _object(value: object, name: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise Refused("EXPR-003", f"`{name}` needs an object, not {kind_of(value)}")
    return cast("Mapping[object, object]", value)


def _replace(value: object, old: object, new: object) -> str:
    return replaced(to_text(value), to_text(old), to_text(new))


def _split(value: str, separator: str | None = None, maximum: int = -1) -> list[str]:
    return value.split(separator, maximum)


def _urlencode(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return "&".join(f"{quote(to_text(key), '')}={quote(to_text(entry), '')}" for key, entry in pairs)
    return quote(to_text(value), "/")


def _length(value: Sequence[object]) -> int:
    return len(value)


PLAIN: dict[str, Callable[..., object]] = {
    "abs": abs,
    "basename": lambda value: PurePath(value).name,
    "batch": _batch,
    "capitalize": lambda value: to_text(value).capitalize(),
    "center": _center,
    "count": _length,
    "default": jinja2.filters.do_default,
    "dictsort": lambda *args, **kwargs: [list(pair) for pair in jinja2.filters.do_dictsort(*args, **kwargs)],
    "dirname": lambda value: str(PurePath(value).parent),
    "escape": lambda value: html.escape(to_text(value)),
    "filesizeformat": jinja2.filters.do_filesizeformat,
    "float": _number,
    "format": _format,
    "fromjson": _fromjson,
    "indent": _indent,
    "int": _integer,
    "items": _items,
    "keys": _keys,
    "length": _length,
    "list": list,
    "lower": lambda value: to_text(value).lower(),
    "replace": _replace,
    "reverse": lambda value: value[::-1] if isinstance(value, str) else list(value)[::-1],
    "round": _round,
    "split": _split,
    "stem": lambda value: PurePath(value).stem,
    "string": to_text,
    "suffix": lambda value: PurePath(value).suffix,
    "title": lambda value: jinja2.filters.do_title(to_text(value)),
    "tojson": _tojson,
    "trim": lambda value, chars=None: to_text(value).strip(chars),
    "upper": lambda value: to_text(value).upper(),
    "urlencode": _urlencode,
    "values": _values,
    "wordcount": lambda value: len(to_text(value).split()),
}
"""Filters that need to know nothing but their value and arguments."""

WITH_ENVIRONMENT: dict[str, Callable[..., object]] = {"join": _join} | {
    name: jinja2.filters.FILTERS[name]
    for name in ("first", "groupby", "last", "max", "min", "sort", "sum", "truncate", "unique")
}
"""Filters that look up attributes, or may find nothing."""

WITH_CONTEXT: dict[str, Callable[..., object]] = {
    name: jinja2.filters.FILTERS[name] for name in ("map", "reject", "rejectattr", "select", "selectattr")
}
"""Filters that apply other filters and tests."""

ALIASES = {"d": "default", "e": "escape"}
FILTERS = frozenset(PLAIN) | frozenset(WITH_ENVIRONMENT) | frozenset(WITH_CONTEXT) | frozenset(ALIASES)
TESTS: dict[str, Callable[..., Any]] = {
    name: test
    for name, test in jinja2.tests.TESTS.items()
    if name not in ("callable", "escaped", "filter", "sameas", "test")
} | {"null": lambda value: value is None}
