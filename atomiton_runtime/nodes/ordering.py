"""Defines when two values are the same and which of two comes first."""

from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias, cast

from atomiton_runtime.values import Value

_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    bytes: "bytes",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_PLAIN: tuple[frozenset[type], ...] = tuple(
    frozenset(kinds) for kinds in ({int}, {float}, {int, float}, {str}, {bytes}, {bool})
)

SortKey: TypeAlias = Any


class Incomparable(Exception):
    """Two values have no order; `place` is the index of the second one, or of the only one."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


def kind_of(value: object) -> str:
    """Return what a value is, as a message says it: `a number`, `text`, `null`."""
    return _KINDS.get(type(value), type(value).__name__)


def identity(value: Value) -> Hashable:
    """Return something hashable that is equal for equal values: 1 is 1.0, but neither is true."""
    match value:
        case bool():
            return (bool, value)
        case list():
            return (list, tuple(identity(entry) for entry in value))
        case dict():
            return (dict, frozenset((key, identity(entry)) for key, entry in value.items()))
        case _:
            return value


def order_of(keys: Sequence[Value], *, descending: bool) -> list[int]:
    """Return the indexes of `keys` in order: equal ones as they came, null last in both directions.

    Numbers, texts (by code point), true/false (false first), bytes and lists (element by element) have an order,
    each among their own kind.

    Raises:
        Incomparable: the keys are of different kinds, or of a kind without an order.
    """
    present = [index for index, key in enumerate(keys) if key is not None]
    absent = [index for index, key in enumerate(keys) if key is None]
    sort_keys = _sort_keys([keys[index] for index in present], present, descending)
    order = sorted(range(len(present)), key=sort_keys.__getitem__, reverse=descending)
    return [present[place] for place in order] + absent


def _sort_keys(keys: Sequence[Value], places: Sequence[int], descending: bool) -> Sequence[SortKey]:
    """Return what Python may sort by; `places` are the items' indexes for messages."""
    kinds = frozenset[type](type(key) for key in keys)
    if float in kinds:
        _refuse_nan(keys, places)
    if not kinds or kinds in _PLAIN:
        return keys
    _refuse_mixture(keys, places)
    lists = cast("Sequence[list[Value]]", keys)
    return _list_keys(lists, places, descending)


def _list_keys(lists: Sequence[list[Value]], places: Sequence[int], descending: bool) -> Sequence[SortKey]:
    rows: list[list[SortKey]] = [[] for _ in lists]
    for column in range(max(map(len, lists))):
        holders = [row for row, entries in enumerate(lists) if len(entries) > column]
        present = [row for row in holders if lists[row][column] is not None]
        found = _sort_keys(
            [lists[row][column] for row in present], [places[row] for row in present], descending
        )
        by_row = dict(zip(present, found, strict=True))
        for row in holders:
            # The flag keeps null from being compared, and last whichever way the list is turned.
            rows[row].append(((row not in by_row) ^ descending, by_row.get(row, 0)))
    return rows


def _refuse_nan(keys: Sequence[Value], places: Sequence[int]) -> None:
    for place, key in zip(places, keys, strict=True):
        if key != key:
            raise Incomparable(place, f"item {place} is not a number (NaN), which has no place in an order")


def _refuse_mixture(keys: Sequence[Value], places: Sequence[int]) -> None:
    first = kind_of(keys[0])
    for place, key in zip(places, keys, strict=True):
        if kind_of(key) != first:
            raise Incomparable(place, f"item {places[0]} is {first}, item {place} is {kind_of(key)}")
        if isinstance(key, dict):
            raise Incomparable(place, f"item {place} is an object, and objects have no order")
