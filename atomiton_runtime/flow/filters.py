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
_JINJA = cast("dict[str, Callable[..., object]]", jinja2.filters.FILTERS)


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


def _of_text(change: Callable[[str], object]) -> Callable[[object], object]:
    """Return a filter that works on the text of its value."""
    return lambda value: change(to_text(value))


def _of_path(part: Callable[[PurePath], str]) -> Callable[[str], str]:
    return lambda value: part(PurePath(value))


def _reverse(value: Iterable[object]) -> object:
    return value[::-1] if isinstance(value, str) else list(value)[::-1]


def _trim(value: object, chars: str | None = None) -> str:
    return to_text(value).strip(chars)


def _dictsort(value: Mapping[str, object], *args: Any, **kwargs: Any) -> list[list[object]]:
    return [list(pair) for pair in jinja2.filters.do_dictsort(value, *args, **kwargs)]


def _is_null(value: object) -> bool:
    return value is None


PLAIN: dict[str, Callable[..., object]] = {
    "abs": abs,
    "basename": _of_path(lambda path: path.name),
    "batch": _batch,
    "capitalize": _of_text(str.capitalize),
    "center": _center,
    "count": _length,
    "default": jinja2.filters.do_default,
    "dictsort": _dictsort,
    "dirname": _of_path(lambda path: str(path.parent)),
    "escape": _of_text(html.escape),
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
    "lower": _of_text(str.lower),
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "split": _split,
    "stem": _of_path(lambda path: path.stem),
    "string": to_text,
    "suffix": _of_path(lambda path: path.suffix),
    "title": _of_text(jinja2.filters.do_title),
    "tojson": _tojson,
    "trim": _trim,
    "upper": _of_text(str.upper),
    "urlencode": _urlencode,
    "values": _values,
    "wordcount": _of_text(lambda text: len(text.split())),
}
"""Filters that need to know nothing but their value and arguments."""

WITH_ENVIRONMENT: dict[str, Callable[..., object]] = {"join": _join} | {
    name: _JINJA[name]
    for name in ("first", "groupby", "last", "max", "min", "sort", "sum", "truncate", "unique")
}
"""Filters that look up attributes, or may find nothing."""

WITH_CONTEXT: dict[str, Callable[..., object]] = {
    name: _JINJA[name] for name in ("map", "reject", "rejectattr", "select", "selectattr")
}
"""Filters that apply other filters and tests."""

ALIASES = {"d": "default", "e": "escape"}
FILTERS = frozenset(PLAIN) | frozenset(WITH_ENVIRONMENT) | frozenset(WITH_CONTEXT) | frozenset(ALIASES)
TESTS: dict[str, Callable[..., Any]] = {
    name: test
    for name, test in jinja2.tests.TESTS.items()
    if name not in ("callable", "escaped", "filter", "sameas", "test")
} | {"null": _is_null}
