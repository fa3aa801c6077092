"""Says in words where a value does not fit a type: every place at once, not only the first."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, cast

import msgspec
from msgspec import inspect

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.scalars import WORDS, known_later, read_scalar

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes that lead to a value."""

_SHOWN_CHARS = 40


def misfits(shape: inspect.Type, value: object, path: Path = ()) -> list[Complaint]:
    """Return what keeps `value` from being of the type `shape`; values known later fit everything."""
    if known_later(value):
        return []
    # A flow of 1000 nodes asks some 5000 times: a table is three times as fast as a `match` of so many classes.
    return _JUDGES.get(type(shape), _scalar)(shape, value, path)


def unknown_shapes(shape: inspect.Type) -> list[str]:
    """Return the types within `shape` that `misfits` cannot judge, each by its name; empty: all are known."""
    match shape:
        case inspect.Metadata():
            return unknown_shapes(shape.type)
        case inspect.UnionType():
            return [name for part in shape.types for name in unknown_shapes(part)]
        case inspect.StructType():
            return [name for field in shape.fields for name in unknown_shapes(field.type)]
        case inspect.DictType():
            return [*unknown_shapes(shape.key_type), *unknown_shapes(shape.value_type)]
        case inspect.ListType() | inspect.VarTupleType():
            return unknown_shapes(shape.item_type)
        case inspect.CustomType():
            return [] if shape.cls in WORDS else [shape.cls.__name__]
        case _:
            return [] if isinstance(shape, _SCALARS) else [_type_name(shape)]


_SCALARS = (
    inspect.AnyType,
    inspect.BoolType,
    inspect.BytesType,
    inspect.FloatType,
    inspect.IntType,
    inspect.LiteralType,
    inspect.NoneType,
    inspect.StrType,
)


def _type_name(shape: inspect.Type) -> str:
    declared: type | None = getattr(shape, "cls", None)
    return declared.__name__ if declared else type(shape).__name__.removesuffix("Type").lower()


def named(path: Path) -> str:
    """Return a path as a flow author would write it, in backticks: `args[2]`, `values.limit`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"`{text.lstrip('.')}`" if path else "the value"


def described(value: object) -> str:
    """Return what kind of value this is, with the value itself where it is short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return f"the integer {_cut(str(value))}"
        case float():
            return f"the number {value}"
        case str():
            return f'the text "{_cut(value)}"' if value else "an empty text"
        case bytes():
            return "bytes"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def closest(word: str, known: Sequence[str]) -> str | None:
    """Return a hint with the known word most like `word`, or None when none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1)
    return f"did you mean `{near[0]}`?" if near else None


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"


def _wrong_type(shape: inspect.Type, value: object, path: Path) -> list[Complaint]:
    message = f"{named(path)} must be {expected(shape)}, not {described(value)}"
    return [Complaint(code="PARAM-002", message=message, path=path)]


def _outside(path: Path, rule: str, value: object) -> list[Complaint]:
    message = f"{named(path)} must {rule}, not {described(value)}"
    return [Complaint(code="PARAM-003", message=message, path=path)]


def expected(shape: inspect.Type) -> str:
    """Return what a value of this type is called: `an integer`, `text or a list`."""
    match shape:
        case inspect.Metadata():
            return expected(shape.type)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "an integer"
        case inspect.FloatType():
            return "a number"
        case inspect.StrType():
            return "text"
        case inspect.BytesType():
            return "bytes"
        case inspect.NoneType():
            return "null"
        case inspect.ListType() | inspect.VarTupleType():
            return "a list"
        case inspect.DictType() | inspect.StructType():
            return "a table"
        case inspect.CustomType():
            return WORDS.get(shape.cls, shape.cls.__name__)
        case inspect.LiteralType():
            return _listed(
                [f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in shape.values]
            )
        case inspect.UnionType():
            words = [expected(part) for part in shape.types if not isinstance(part, inspect.NoneType)]
            return _listed(words)
        case _:
            return "something else"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _union(shape: inspect.UnionType, value: object, path: Path) -> list[Complaint]:
    nearest: list[Complaint] = []
    for part in shape.types:
        found = misfits(part, value, path)
        if not found:
            return []
        # A list that was meant to be a list is told which of its elements is wrong.
        if found[0].code != "PARAM-002" or found[0].path != path:
            nearest = found
    return nearest or _wrong_type(shape, value, path)


def _struct(shape: inspect.StructType, value: object, path: Path) -> list[Complaint]:
    if not isinstance(value, Mapping):
        return _wrong_type(shape, value, path)
    entries = cast("Mapping[str, object]", value)
    fields = _fields_of(shape.cls)
    found: list[Complaint] = []
    for name, entry in entries.items():
        if name in fields.types:
            found += misfits(fields.types[name], entry, (*path, name))
        else:
            message = f"there is no parameter {named((*path, name))}"
            hint = closest(name, list(fields.types))
            found.append(Complaint(code="PARAM-001", message=message, path=(*path, name), hint=hint))
    for name in fields.required:
        if name not in entries:
            message = f"{named((*path, name))} is missing"
            found.append(Complaint(code="PARAM-005", message=message, path=path))
    return found


class _Fields(NamedTuple):
    types: Mapping[str, inspect.Type]
    required: Sequence[str]


@lru_cache(maxsize=256)
def _fields_of(declared: type) -> _Fields:
    fields = cast(inspect.StructType, inspect.type_info(declared)).fields
    return _Fields(
        {field.encode_name: field.type for field in fields},
        tuple(field.encode_name for field in fields if field.required),
    )


def _dict(shape: inspect.DictType, value: object, path: Path) -> list[Complaint]:
    if not isinstance(value, Mapping):
        return _wrong_type(shape, value, path)
    entries = cast("Mapping[object, object]", value)
    if not all(isinstance(key, str) for key in entries):
        return _outside(path, "have text as its keys", entries)
    found: list[Complaint] = []
    if type(shape.value_type) is not inspect.AnyType:
        for key, entry in entries.items():
            found += misfits(shape.value_type, entry, (*path, str(key)))
    return found or _length(shape, len(entries), path)


def _list(shape: inspect.ListType | inspect.VarTupleType, value: object, path: Path) -> list[Complaint]:
    if not isinstance(value, list | tuple):
        return _wrong_type(shape, value, path)
    entries = cast("Sequence[object]", value)
    found: list[Complaint] = []
    if type(shape.item_type) is not inspect.AnyType:
        for index, entry in enumerate(entries):
            found += misfits(shape.item_type, entry, (*path, index))
    return found or _length(shape, len(entries), path)


def _length(shape: Any, length: int, path: Path) -> list[Complaint]:
    unit = "character" if isinstance(shape, inspect.StrType) else "entry"
    units = f"{unit}s" if unit == "character" else "entries"
    if shape.min_length is not None and length < shape.min_length:
        rule = f"at least {shape.min_length} {unit if shape.min_length == 1 else units}"
    elif shape.max_length is not None and length > shape.max_length:
        rule = f"at most {shape.max_length} {units}"
    else:
        return []
    message = f"{named(path)} must have {rule}, but has {length or 'none'}"
    return [Complaint(code="PARAM-003", message=message, path=path)]


def _scalar(shape: inspect.Type, value: object, path: Path) -> list[Complaint]:
    match shape:
        case inspect.BoolType():
            fits = isinstance(value, bool)
        case inspect.NoneType():
            fits = value is None
        case inspect.BytesType():
            fits = isinstance(value, bytes)
        case _:
            raise TypeError(f"a parameter cannot be of the type {shape}")
    return [] if fits else _wrong_type(shape, value, path)


def _literal(shape: inspect.LiteralType, value: object, path: Path) -> list[Complaint]:
    if any(type(value) is type(choice) and value == choice for choice in shape.values):
        return []
    choices = [str(choice) for choice in shape.values]
    message = f"{named(path)} must be {expected(shape)}, not {described(value)}"
    hint = closest(value, choices) if isinstance(value, str) else None
    return [Complaint(code="PARAM-004", message=message, path=path, hint=hint)]


def _number(shape: inspect.IntType | inspect.FloatType, value: object, path: Path) -> list[Complaint]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _wrong_type(shape, value, path)
    if isinstance(shape, inspect.IntType) and isinstance(value, float):
        return _wrong_type(shape, value, path)
    return [complaint for rule in _broken_bounds(shape, value) for complaint in _outside(path, rule, value)][
        :1
    ]


def _broken_bounds(shape: inspect.IntType | inspect.FloatType, value: float) -> Iterator[str]:
    # Written so that NaN breaks every bound.
    if shape.ge is not None and not value >= shape.ge:
        yield f"be {shape.ge:g} or more"
    if shape.gt is not None and not value > shape.gt:
        yield f"be more than {shape.gt:g}"
    if shape.le is not None and not value <= shape.le:
        yield f"be {shape.le:g} or less"
    if shape.lt is not None and not value < shape.lt:
        yield f"be less than {shape.lt:g}"
    if shape.multiple_of is not None and value % shape.multiple_of:
        yield f"be a multiple of {shape.multiple_of:g}"


def _text(shape: inspect.StrType, value: object, path: Path) -> list[Complaint]:
    if not isinstance(value, str):
        return _wrong_type(shape, value, path)
    if shape.pattern is not None and re.search(shape.pattern, value) is None:
        return _outside(path, f"have the form {shape.pattern}", value)
    return _length(shape, len(value), path)


def _custom(shape: inspect.CustomType, value: object, path: Path) -> list[Complaint]:
    try:
        read_scalar(shape.cls, value)
    except (ValueError, msgspec.ValidationError) as error:
        if isinstance(value, str) and shape.cls in WORDS:
            message = f"{named(path)} must be {WORDS[shape.cls]}, not {described(value)}"
            return [Complaint(code="PARAM-006", message=message, path=path, hint=str(error))]
        return _wrong_type(shape, value, path)
    return []


def _metadata(shape: inspect.Metadata, value: object, path: Path) -> list[Complaint]:
    return misfits(shape.type, value, path)


def _anything(_: inspect.AnyType, __: object, ___: Path) -> list[Complaint]:
    return []


_JUDGES: Mapping[type[inspect.Type], Callable[[Any, object, Path], list[Complaint]]] = {
    inspect.Metadata: _metadata,
    inspect.UnionType: _union,
    inspect.StructType: _struct,
    inspect.DictType: _dict,
    inspect.ListType: _list,
    inspect.VarTupleType: _list,
    inspect.AnyType: _anything,
    inspect.LiteralType: _literal,
    inspect.IntType: _number,
    inspect.FloatType: _number,
    inspect.StrType: _text,
    inspect.CustomType: _custom,
}
"""Class of a shape -> what judges a value by it; the others are scalars."""
