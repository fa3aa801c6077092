"""Rows of cells become a table whose rows are alike."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.tables import assembled, column_names, table_to_write

CELLS = st.lists(st.none() | st.integers(0, 9) | st.sampled_from(["a", "a_2", "column_1", " a "]), max_size=5)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        ([None, "b", " "], ["column_1", "b", "column_3"]),
        ([None, "column_1"], ["column_1", "column_1_2"]),
        ([" a\n", 2024, 1.5, True], ["a", "2024", "1.5", "true"]),
    ],
)
def test_columns_get_names(header: list[Any], names: list[str]) -> None:
    """A column without a name is named by its place, one with a name that is taken gets a number."""
    assert names == column_names(header)


@given(CELLS)
def test_names_are_unique_and_the_first_keeps_its_own(header: list[Any]) -> None:
    """No two columns have one name; the first of a name has it as it was written."""
    names = column_names(header)

    assert len(set(names)) == len(names) == len(header)
    written = [str(cell).strip() for cell in header if cell is not None and str(cell).strip()]
    assert set(written) <= set(names)


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        ([], [], []),
        ([["a", "b"]], ["a", "b"], []),
        ([["a", "b"], [1]], ["a", "b"], [{"a": 1, "b": None}]),
        ([["a"], [1, None, None]], ["a"], [{"a": 1}]),
        (
            [["a"], [1], [2, 3, 4, None], [5]],
            ["a", "column_2", "column_3"],
            [
                {"a": 1, "column_2": None, "column_3": None},
                {"a": 2, "column_2": 3, "column_3": 4},
                {"a": 5, "column_2": None, "column_3": None},
            ],
        ),
        ([[None], ["a"], [None, None], [1]], ["a"], [{"a": 1}]),
    ],
)
def test_ragged_rows_become_alike(rows: list[Any], columns: list[str], expected: list[Any]) -> None:
    """What a row lacks is null, and what it has too much becomes columns of all rows."""
    table = assembled(rows, has_headers=True, skip_empty_rows=True)

    assert (columns, expected) == (table.columns, table.rows)


def test_empty_rows_are_kept_if_asked_for() -> None:
    """Without `skip_empty_rows` the first row is the header, whatever it has, and nothing is left out."""
    table = assembled([[None, "b"], [], [1]], has_headers=True, skip_empty_rows=False)

    assert [{"column_1": None, "b": None}, {"column_1": 1, "b": None}] == table.rows


@given(st.lists(CELLS, max_size=6), st.booleans(), st.booleans())
def test_all_rows_have_all_columns(rows: list[Any], has_headers: bool, skip: bool) -> None:
    """Each row is an object with exactly the columns as keys, or a list of that length."""
    table = assembled(rows, has_headers=has_headers, skip_empty_rows=skip)

    assert all(
        (list(row) if has_headers else len(row)) == (table.columns if has_headers else len(table.columns))
        for row in table.rows
    )  # type: ignore[arg-type]
    assert [] == [row for row in table.cells() if len(row) != len(table.columns)]


def test_columns_to_write_are_in_the_order_they_come() -> None:
    """A key that is first seen in a later object is a later column; who lacks it has null."""
    table = table_to_write([{"b": 1}, {"a": 2, "b": 3}])

    assert (["b", "a"], [[1, None], [3, 2]]) == (table.columns, list(table.cells()))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "not null"),
        ("a,b", "not text"),
        ({"a": 1}, "not an object"),
        ([1], "item 0 of the input is a number, and a row must be an object or a list"),
        ([{}, {}, []], "item 2 of the input is a list, and a row must be an object"),
        ([[], None], "item 1 of the input is null"),
    ],
    ids=repr,
)
def test_what_is_no_table_is_refused(value: Any, words: str) -> None:
    """The message names the item, and says what it is."""
    with pytest.raises(NodeError, match=words) as refused:
        table_to_write(value)

    assert refused.value.code == "SHEET-007"
