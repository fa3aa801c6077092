"""Ranges mean the cells that a spreadsheet program would mean by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.cell_ranges import MAX_COLUMNS, CellRange, cell_name, column_letters, parse_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B2:D10", CellRange(1, 9, 1, 3)),
        ("$b$2:d10", CellRange(1, 9, 1, 3)),
        (" B2 ", CellRange(1, 1, 1, 1)),
        ("B:D", CellRange(None, None, 1, 3)),
        ("2:10", CellRange(1, 9, None, None)),
        ("B2:", CellRange(1, None, 1, None)),
        ("B:", CellRange(None, None, 1, None)),
        (":D10", CellRange(None, 9, None, 3)),
        ("B2:D", CellRange(1, None, 1, 3)),
        ("A1:XFD9999999", CellRange(0, 9_999_998, 0, MAX_COLUMNS - 1)),
    ],
)
def test_a_range_is_read(text: str, expected: CellRange) -> None:
    """Letters are columns, digits rows, and a missing end is open."""
    assert expected == parse_range(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be like"),
        (":", "must be like"),
        ("$", "must be like"),
        ("2B", "must be like"),
        ("B2:C3:D4", "must be like"),
        ("Sheet1!B2", "must be like"),
        ("B2:D٣", "must be like"),
        ("B", "two ends: B:B"),
        ("7", "two ends: 7:7"),
        ("D10:B2", "ends before"),
        ("B10:D2", "ends before"),
        ("A0:B2", "row 0"),
        ("A1:XFE2", "XFE"),
    ],
)
def test_what_is_no_range_is_refused(text: str, words: str) -> None:
    """The message says what is wrong with it."""
    with pytest.raises(ValueError, match=words):
        parse_range(text)


@given(st.integers(0, 10**6), st.integers(0, MAX_COLUMNS - 1))
def test_a_cell_is_called_what_it_is(row: int, column: int) -> None:
    """The name of a cell, read as a range, is this cell."""
    assert CellRange(row, row, column, column) == parse_range(cell_name(row, column))


@pytest.mark.parametrize(
    ("column", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (16383, "XFD")]
)
def test_columns_have_letters(column: int, letters: str) -> None:
    """A to Z, then AA."""
    assert letters == column_letters(column)


@given(
    st.lists(st.integers(), max_size=8),
    st.integers(0, 4),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
)
def test_a_row_is_cut_to_the_columns(
    cells: list[int], begin: int, first: int | None, last: int | None
) -> None:
    """Each column has its cell, or None where the row has none; a closed range is always of one width."""
    if first is not None and last is not None and first > last:
        return
    cut = CellRange(None, None, first, last).cut(cells, begin)

    start = begin if first is None else first
    there = {begin + at: cell for at, cell in enumerate(cells)}
    within = [column for column in there if column >= start and (last is None or column <= last)]
    assert [there.get(start + at) for at in range(len(cut))] == cut
    assert len(cut) == last - start + 1 if None not in (first, last) else len(cut) >= len(within)
