"""Text of a table becomes a value only where nothing is lost, and text never becomes a formula."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.csv_cells import cell_text, inferred

PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("0", 0),
        ("-5", -5),
        ("123456789012345678", 123456789012345678),
        ("1234567890123456789", "1234567890123456789"),
        ("007", "007"),
        ("-0", "-0"),
        ("-", "-"),
        ("+5", "+5"),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1.10", 1.1),
        ("00.5", "00.5"),
        (".5", ".5"),
        ("5.", "5."),
        ("1,5", "1,5"),
        ("1_000", "1_000"),
        (" 5 ", " 5 "),
        ("5\n", "5\n"),
        ("0x10", "0x10"),
        ("٣", "٣"),
        ("1e5", "1e5"),
        ("1E+16", "1E+16"),
        ("1e+16", 1e16),
        ("-1.5e-07", -1.5e-07),
        ("1e+999", "1e+999"),
        ("3.141592653589793", math.pi),
        ("3.14159265358979323846", "3.14159265358979323846"),
        ("0.1000000000000000055", "0.1000000000000000055"),
        ("NaN", "NaN"),
        ("inf", "inf"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("yes", "yes"),
        ("2024-02-29", "2024-02-29"),
        ("=1+1", "=1+1"),
    ],
)
def test_a_text_is_what_it_surely_is(text: str, expected: Any) -> None:
    """Integers, decimals and true/false are read; whatever would lose a character stays text."""
    found = inferred(text)

    assert (expected, type(expected)) == (found, type(found))


@given(
    st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
def test_numbers_come_back(value: Any) -> None:
    """A number, true, false and null are read as they were written."""
    found = inferred(cell_text(value))

    assert (value, type(value)) == (found, type(found))


@given(PLAIN_TEXT)
def test_text_comes_back_or_with_an_apostrophe(text: str) -> None:
    """A text is written as it is, or with an apostrophe in front if it could be a formula."""
    written = cell_text(text)

    assert written in (text, f"'{text}")
    assert (written == text) == (text[:1] not in tuple("=+-@\t\r\n＝＋－＠") or inferred(text) != text)


@given(PLAIN_TEXT)
def test_what_is_inferred_is_the_same_number(text: str) -> None:
    """A text that is taken for a number has the value that Python gives it."""
    found = inferred(text)
    if isinstance(found, int | float) and not isinstance(found, bool):
        assert found == type(found)(text)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+49 170", "'+49 170"),
        ("-5", "-5"),
        ("-5+cmd", "'-5+cmd"),
        ("\t=1", "'\t=1"),
        ("＝1", "'＝1"),
        ("'=1", "'=1"),
        ([1, {"a": None}], '[1,{"a":null}]'),
        ({"b": b"x"}, '{"b":{"$bytes":"eA=="}}'),
    ],
)
def test_values_have_a_text(value: Any, written: str) -> None:
    """What could act is made harmless, and nested data is JSON."""
    assert written == cell_text(value)


@pytest.mark.parametrize("value", [b"x", math.nan, math.inf, "a\0b"], ids=repr)
def test_what_has_no_text_is_refused(value: Any) -> None:
    """Bytes, numbers that are none, and NUL cannot stand in a table."""
    with pytest.raises(ValueError, match="which"):
        cell_text(value)
