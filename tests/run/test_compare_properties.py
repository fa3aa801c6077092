"""Whatever is compared: only equal values do not differ, and a difference leads from one value to the other."""

from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from atomiton_runtime.run.compare import compare
from atomiton_runtime.run.difference import (
    BytesChanged,
    Difference,
    EntryChanged,
    FileChanged,
    ListChanged,
    ObjectChanged,
    TableChanged,
    TextChanged,
)
from atomiton_runtime.run.leaf_difference import form
from atomiton_runtime.values import Value

ALL = 10**9
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, -0.0, 1.0, 0.5]),
    st.sampled_from(["", "a", "b", "a\nb", "b\na\n", "a\na\nb", "\n"]),
)
NAMES = st.sampled_from(["id", "name", "x"])
CELLS = st.dictionaries(NAMES, SCALARS, max_size=3)
ROWS = st.lists(CELLS, max_size=6)
NAMED_ROWS = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 9), "x": SCALARS}),
    max_size=6,
    unique_by=lambda row: row["id"],
)
VALUES = st.recursive(
    SCALARS | ROWS | NAMED_ROWS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
PAIRS = st.one_of(
    st.tuples(VALUES, VALUES),
    st.tuples(ROWS, ROWS),
    st.tuples(NAMED_ROWS, NAMED_ROWS),
    st.tuples(st.lists(st.integers(0, 2), max_size=90), st.lists(st.integers(0, 2), max_size=90)),
    st.tuples(st.permutations(range(70)), st.permutations(range(70))),
)


def _applied(old: Value, difference: Difference | None) -> Value:
    """Return what the old value becomes when all that the difference lists is done to it."""
    match difference:
        case None:
            return old
        case ObjectChanged():
            kept = {key: value for key, value in cast("dict", old).items() if key not in difference.removed}
            changed = {key: _applied(kept[key], told) for key, told in difference.changed.items()}
            return {**kept, **changed, **difference.added}
        case TextChanged():
            removed = {line.line - 1: line.text for line in difference.removed}
            lines = str(old).split("\n")
            assert all(lines[place] == text for place, text in removed.items())
            added = {line.line - 1: line.text for line in difference.added}
            return "\n".join(_filled([v for i, v in enumerate(lines) if i not in removed], added))
        case ListChanged() | TableChanged():
            return _applied_entries(cast("list", old), difference)
        case _:
            assert not isinstance(difference, BytesChanged | FileChanged)
            return difference.new


def _applied_entries(old: list[Value], difference: ListChanged | TableChanged) -> Value:
    changed: dict[int, EntryChanged] = {entry.old_index: entry for entry in difference.changed}
    removed = {entry.index for entry in difference.removed}
    kept = [
        _applied(entry, changed[place].difference if place in changed else None)
        for place, entry in enumerate(old)
        if place not in removed
    ]
    return _filled(kept, {entry.index: entry.value for entry in difference.added})


def _filled(kept: list, added: dict[int, object]) -> list:
    rest = iter(kept)
    return [added[place] if place in added else next(rest) for place in range(len(kept) + len(added))]


def _as_told(value: Value, difference: Difference | None) -> Value:
    """Return a value without what a difference does not carry: cells of whole columns, the order of named rows."""
    match value, difference:
        case list(), TableChanged():
            columns = {*difference.columns_added, *difference.columns_removed}
            changed = {entry.new_index: entry.difference for entry in difference.changed}
            rows = [
                _as_told({k: v for k, v in row.items() if k not in columns}, changed.get(place))
                for place, row in enumerate(value)
            ]
            return sorted(rows, key=form) if difference.reordered else rows
        case list(), ListChanged():
            changed = {entry.new_index: entry.difference for entry in difference.changed}
            return [_as_told(entry, changed.get(place)) for place, entry in enumerate(value)]
        case dict(), ObjectChanged():
            return {key: _as_told(entry, difference.changed.get(key)) for key, entry in value.items()}
        case _:
            return value


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Value) -> None:
    """Nothing differs between a value and itself."""
    assert compare(value, value) is None


@settings(max_examples=80)
@given(PAIRS)
def test_only_equal_values_do_not_differ(pair: tuple[Value, Value]) -> None:
    """A difference is None exactly when the JSON of both is the same."""
    assert (form(pair[0]) == form(pair[1])) == (compare(*pair) is None)


@settings(max_examples=80)
@given(PAIRS)
def test_a_difference_leads_from_one_value_to_the_other(pair: tuple[Value, Value]) -> None:
    """What a whole difference lists, done to the old value, gives the new one."""
    old, new = pair
    difference = compare(old, new, most=ALL)
    assert form(_as_told(new, difference)) == form(_as_told(_applied(old, difference), difference))


@settings(max_examples=60)
@given(PAIRS, st.integers(0, 5))
def test_what_is_listed_is_bounded_and_what_is_counted_true(pair: tuple[Value, Value], most: int) -> None:
    """However little may be listed, as much is counted, and no more is listed than was asked for."""
    whole, short = compare(*pair, most=ALL), compare(*pair, most=most)
    assert (whole is None) == (short is None)
    if isinstance(whole, ObjectChanged | ListChanged | TableChanged | TextChanged):
        assert isinstance(short, type(whole))
        assert whole.counts == short.counts
    assert _listed(short) <= most


def _listed(difference: Difference | None) -> int:
    match difference:
        case ObjectChanged():
            inner = difference.changed.values()
        case ListChanged() | TableChanged():
            inner = [entry.difference for entry in difference.changed]
        case TextChanged():
            inner = []
        case _:
            return 0
    own = len(difference.removed) + len(difference.added) + len(inner)
    return own + sum(map(_listed, inner))
