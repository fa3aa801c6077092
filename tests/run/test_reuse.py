"""Keys: the same values give the same, others give others, and what is hidden is not shown."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.ids import NodeId
from atomiton_runtime.run.reuse import (
    SHOWN_CHARS,
    changed_parts,
    digest,
    hidden_part,
    make_key,
    part,
    result_hash,
    shown_part,
    together,
    without_indexes,
)
from atomiton_runtime.values import decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)
TEXTS = st.lists(st.text(max_size=6), max_size=5)


def turned(value: Any) -> Any:
    """Return an equal value whose tables are in another order."""
    match value:
        case dict():
            return {key: turned(value[key]) for key in reversed(value)}
        case list():
            return [turned(entry) for entry in value]
        case _:
            return value


def strictly(value: Any) -> Any:
    """Return what two values have in common only if they are the same to a person who reads them."""
    match value:
        case dict():
            return "table", [(key, strictly(entry)) for key, entry in value.items()]
        case list():
            return "list", [strictly(entry) for entry in value]
        case _:
            return type(value).__name__, repr(value)


@given(VALUES)
def test_the_order_of_keys_counts(value: Any) -> None:
    """It is that of the columns of a table, and of what is written as JSON."""
    same = strictly(value) == strictly(turned(value))
    assert same == (part(value) == part(turned(value)))
    assert same == (result_hash(encode(value)) == result_hash(encode(turned(value))))


@given(VALUES)
def test_a_copy_has_the_same_hash(value: Any) -> None:
    """Also one that has travelled."""
    travelled = decode(encode(value))
    assert part(value) == part(travelled)
    assert hidden_part(value) == hidden_part(travelled)


@given(VALUES, VALUES)
def test_other_values_have_another_hash(one: Any, other: Any) -> None:
    """`1` is not `1.0`, nor true, nor a text."""
    assert (strictly(one) == strictly(other)) == (result_hash(encode(one)) == result_hash(encode(other)))


ALIKE = [
    1,
    1.0,
    True,
    "1",
    "1.0",
    "true",
    [1],
    {"1": 1},
    b"1",
    0,
    0.0,
    -0.0,
    False,
    None,
    "",
    "null",
    [],
    {},
    b"",
]


def test_values_that_look_alike_differ() -> None:
    """Each has a hash of its own."""
    assert len({part(value) for value in ALIKE}) == len(ALIKE)
    assert len({hidden_part(value) for value in ALIKE}) == len(ALIKE)
    assert len({result_hash(encode(value)) for value in ALIKE}) == len(ALIKE)
    assert len({part({"k": value}) for value in ALIKE}) == len(ALIKE)


@pytest.mark.parametrize("number", [2**53, 2**53 + 1, 2**63, 2**64 - 1, -(2**63)])
def test_large_integers_are_not_rounded(number: int) -> None:
    """Also in a table, which is read once more to be sorted."""
    assert part({"n": number}) == f'{{"n":{number}}}'
    assert part({"n": number}) != part({"n": number // 2})


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), "\ud800", 2**64, {"n": 2**70}])
def test_what_has_no_form_is_refused(value: Any) -> None:
    """It has no key, so it is executed each time."""
    with pytest.raises(AtomitonError):
        part(value)


@given(TEXTS, TEXTS)
def test_texts_do_not_run_into_each_other(one: list[str], other: list[str]) -> None:
    """However they are cut; halves of characters are texts as well."""
    assert (one == other) == (together(one) == together(other))


PARTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4)


@given(PARTS, PARTS, st.text(max_size=3), st.text(max_size=3))
def test_a_key_is_its_parts_and_its_folder(
    one: dict[str, str], other: dict[str, str], here: str, there: str
) -> None:
    """In any order, and nothing else: what it was written as is no part."""
    key = make_key(one, folder=here, written=digest(b"x"))

    assert key.hash == make_key(dict(reversed(one.items())), folder=here).hash
    assert (key.hash == make_key(other, folder=there).hash) == (one == other and here == there)
    assert key.parts == one
    assert key.written == digest(b"x")


def test_short_parts_are_shown_and_long_ones_are_not() -> None:
    """A hidden part never is."""
    shown, long = "x" * (SHOWN_CHARS - 2), "x" * (SHOWN_CHARS - 1)
    assert shown_part(part(shown)) == json.dumps(shown)
    assert shown_part(part(long)) is None
    assert part(long) == hidden_part(long) == f"#{digest(encode(long))}"
    assert shown_part(hidden_part("x")) is None
    assert "x" not in hidden_part("x")
    assert shown_part(None) is None
    assert shown_part(part("#")) == '"#"'


def test_changed_parts_are_named_in_order() -> None:
    """Those that differ or are new as they come after, then those that are gone."""
    before = {"gone": "1", "same": "1", "other": "1", "lost": "1"}
    after = {"new": "1", "other": "2", "same": "1"}
    assert changed_parts(before, after) == ("new", "other", "gone", "lost")
    assert changed_parts(before, before) == ()


@pytest.mark.parametrize(
    ("node", "place"),
    [
        ("a", "a"),
        ("3", "3"),
        ("each/3/resize", "each/*/resize"),
        ("each/3/in/12/a", "each/*/in/*/a"),
        ("group/a", "group/a"),
        ("each/3a/b", "each/3a/b"),
    ],
)
def test_the_place_of_an_iteration_has_no_index(node: str, place: str) -> None:
    """A node of the flow itself keeps its name, whatever it is called."""
    assert without_indexes(NodeId(node)) == place


def test_names_that_are_no_text_are_told_apart() -> None:
    """A path may hold bytes that are no UTF-8; Python keeps them as halves of characters."""
    one, other = "reads /data/\udcff", "reads /data/\udcfe"
    assert make_key({one: "a", "b": "c"}).hash == make_key({"b": "c", one: "a"}).hash
    assert make_key({one: "a"}).hash != make_key({other: "a"}).hash
    assert together((one, "a")) != together((other, "a"))
