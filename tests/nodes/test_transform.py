"""Lists are changed as documented, and one wrong item fails the whole with its index."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError
from atomiton_runtime.nodes.ordering import Incomparable, identity, order_of
from tests.doubles.attempts import executed, failure

HERE = Path()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)


def changed(items: Any, **written: Any) -> Any:
    """Return the result of a transform."""
    return executed("transform", HERE, items, **written)["result"]


@pytest.mark.parametrize(
    ("items", "written", "expected"),
    [
        ([], {"operation": "map", "expression": "item"}, []),
        (["a", "b"], {"operation": "map", "expression": "[index, item]"}, [[0, "a"], [1, "b"]]),
        ([0, 1, "", "x", None, [], [0]], {"operation": "filter", "expression": "item"}, [1, "x", [0]]),
        ([1, 2, 3], {"operation": "reduce", "expression": "acc * item"}, 6),
        ([1, 2], {"operation": "reduce", "expression": "acc + [index]", "initial": []}, [0, 1]),
        ([5], {"operation": "reduce", "expression": "1 / 0"}, 5),
        ([], {"operation": "reduce", "expression": "acc", "initial": 0}, 0),
        ([3, None, 1], {"operation": "sort"}, [1, 3, None]),
        ([3, None, 1], {"operation": "sort", "direction": "desc"}, [3, 1, None]),
        ([2, 1.5, 2.0], {"operation": "sort"}, [1.5, 2, 2.0]),
        ([True, False], {"operation": "sort"}, [False, True]),
        (["b", "B", "a"], {"operation": "sort", "key": "item.lower()"}, ["a", "b", "B"]),
        ([[2], [1, None], [1, 0], [1]], {"operation": "sort"}, [[1], [1, 0], [1, None], [2]]),
        ([[1, None], [1, 5]], {"operation": "sort", "direction": "desc"}, [[1, 5], [1, None]]),
        ([{"a": 1}, {}], {"operation": "sort", "key": "item.a | default(none)"}, [{"a": 1}, {}]),
        ([1, 1.0, True, "1"], {"operation": "unique"}, [1, True, "1"]),
        ([{"a": [1]}, {"a": [1.0]}, {"a": [2]}], {"operation": "unique"}, [{"a": [1]}, {"a": [2]}]),
        ([{"k": 1, "v": 1}, {"k": 1, "v": 2}], {"operation": "unique", "key": "k"}, [{"k": 1, "v": 1}]),
        (
            [None, [], None],
            {"operation": "group", "key": "item"},
            [{"key": None, "items": [None, None]}, {"key": [], "items": [[]]}],
        ),
        ([1, [2, [3]]], {"operation": "flatten"}, [1, 2, [3]]),
        ([[[[1]]]], {"operation": "flatten", "depth": 99}, [1]),
        ([{"a": [1]}, "ab"], {"operation": "flatten"}, [{"a": [1]}, "ab"]),
        ([1, 2, 3], {"operation": "limit", "count": 0}, []),
        ([1, 2, 3], {"operation": "limit", "count": "{{ 1 + 1 }}"}, [1, 2]),
        ([1, 2, 3], {"operation": "skip", "count": 9}, []),
        ([1, 2, 3, 4], {"operation": "slice", "start": -3, "end": -1}, [2, 3]),
        ([1, 2], {"operation": "slice"}, [1, 2]),
        ({"rows": [1, 2]}, {"operation": "reverse", "data": "{{ input.rows }}"}, [2, 1]),
    ],
    ids=str,
)  # fmt: skip
def test_operations(items: Any, written: dict[str, Any], expected: Any) -> None:
    """Each operation gives what its description says, at the edges too."""
    result = changed(items, **written)

    assert expected == result
    assert repr(expected) == repr(result)


@pytest.mark.parametrize(
    ("items", "written", "code", "words"),
    [
        ([{"a": 1}, {}], {"operation": "map", "expression": "item.a"}, "EXPR-004", ("`expression`, item 1", "{}")),
        ([1, 0], {"operation": "filter", "expression": "1 / item > 0"}, "EXPR-003", ("item 1", "1 / item")),
        ([1, "b"], {"operation": "sort"}, "DATA-002", ("item 0 is a number", "item 1 is text")),
        ([1, True], {"operation": "sort"}, "DATA-002", ("true or false",)),
        ([{}, {}], {"operation": "sort"}, "DATA-002", ("objects have no order",)),
        ([[1], ["a"]], {"operation": "sort"}, "DATA-002", ("item 1 is text",)),
        ([{"a": 1}, {}], {"operation": "group", "key": "a"}, "DATA-003", ("`key`", "item 1 has no key `a`")),
        ([{"a": 1}, 5], {"operation": "unique", "key": "a"}, "DATA-003", ("item 1 is a number",)),
        ([], {"operation": "reduce", "expression": "acc"}, "DATA-004", ("no `initial`",)),
        (None, {"operation": "reverse"}, "DATA-001", ("the input must be a list, not null",)),
        ("abc", {"operation": "reverse"}, "DATA-001", ("not text",)),
        ([], {"operation": "reverse", "data": {"x": 1}}, "DATA-001", ("`data` must be a list, not an object",)),
        ([1], {"operation": "{{ 'mpa' }}", "expression": "item"}, "PARAM-004", ('"mpa"',)),
        ([1], {"operation": "{{ 'map' }}"}, "PARAM-007", ("`map` needs `expression`",)),
    ],
    ids=str,
)  # fmt: skip
def test_faults(items: Any, written: dict[str, Any], code: str, words: tuple[str, ...]) -> None:
    """A failure names parameter, item index, expression and value; there is no fallback."""
    error = failure("transform", HERE, items, **written)

    assert code == error.code, error.message
    assert [word for word in words if word not in error.message] == []


@given(st.lists(JSON, max_size=6))
def test_identity_is_equality_of_json(values: list[Any]) -> None:
    """Two values have one identity exactly when they are equal as JSON: 1 is 1.0, but not true."""

    def plain(value: Any) -> Any:
        match value:
            case bool():
                return f"bool:{value}"
            case str():
                return f"text:{value}"
            case list():
                return [plain(entry) for entry in value]
            case dict():
                return {key: plain(entry) for key, entry in value.items()}
            case _:
                return value

    for left in values:
        for right in values:
            assert (identity(left) == identity(right)) == (plain(left) == plain(right))


@given(st.lists(st.none() | st.integers(-3, 3)), st.booleans())
def test_order_is_stable_and_null_is_last(keys: list[int | None], descending: bool) -> None:
    """Equal keys keep their order in both directions, and null comes last in both."""
    present = [index for index, key in enumerate(keys) if key is not None]
    expected = sorted(present, key=lambda index: keys[index] or 0, reverse=descending)

    order = order_of(keys, descending=descending)

    assert expected + [index for index, key in enumerate(keys) if key is None] == order


@given(st.lists(JSON, max_size=5), st.booleans())
def test_order_never_fails_otherwise(keys: list[Any], descending: bool) -> None:
    """Any keys have an order, or are said to have none."""
    try:
        order = order_of(keys, descending=descending)
    except Incomparable:
        return
    assert sorted(order) == list(range(len(keys)))


def test_cancel_ends_a_long_list() -> None:
    """An attempt that was told to stop stops before it has gone through the list."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(NodeCancelledError):
        executed("transform", HERE, list(range(1000)), cancel=token, operation="map", expression="item")


def test_a_hundred_thousand_items_take_no_time_to_speak_of() -> None:
    """Mapping and filtering 100 000 items stays well within what a reader would wait for."""
    items = [{"active": number % 2 == 0, "total": number} for number in range(100_000)]
    began = time.process_time()
    mapped = changed(items, operation="map", expression="item.total * 2")
    kept = changed(items, operation="filter", expression="item.active and item.total > 10")

    assert (100_000, 49_994) == (len(mapped), len(kept))
    assert time.process_time() - began < 3.0
