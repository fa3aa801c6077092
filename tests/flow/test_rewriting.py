"""Tests that values of a flow file can be replaced, and that nothing else of it changes."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.rewriting import Change, Rewritten, rewrite
from atomiton_runtime.flow.toml_values import NotToml, toml_value
from atomiton_runtime.values import Value

TEXT = '''\
# ä
[[test]]
expect.a = [1,   2] # kept
expect.b = { ports = { count = """
x
""" } }

[[test]]
expect.a.x = 1
expect.a.y = 2

[[test]]
[test.expect.a]
x = 1
[[test.expect.b]]
x = 2
'''
A: KeyPath = ("test", 0, "expect", "a")
COUNT: KeyPath = ("test", 0, "expect", "b", "ports", "count")


def rewritten(text: str, *changes: tuple[KeyPath, Value]) -> Rewritten:
    return rewrite(text.encode(), [Change(path, value) for path, value in changes])


def test_a_value_is_replaced_and_all_else_stays() -> None:
    """The bytes of the values are others, those of comments, spaces and other values the same."""
    result = rewritten(TEXT, (A, "é"), (COUNT, {"a b": None, "c": 1.0}))
    expected = TEXT.replace("[1,   2]", '"é"').replace('"""\nx\n"""', "{ c = 1.0 }")
    assert (expected, ()) == (result.content.decode(), result.refused)


def test_line_ends_and_the_byte_order_mark_stay() -> None:
    """A file of Windows keeps its line ends and its mark; what is new has the same line ends."""
    text = "\ufeff" + TEXT.replace("\n", "\r\n")
    value = ["x" * 50, "y" * 50]
    written = '[\r\n    "' + "x" * 50 + '",\r\n    "' + "y" * 50 + '",\r\n]'
    result = rewritten(text, (A, value), (COUNT, 3))
    assert text.replace("[1,   2]", written).replace('"""\r\nx\r\n"""', "3") == result.content.decode()


@pytest.mark.parametrize(
    "path",
    [("test", 1, "expect", "a"), ("test", 2, "expect", "a"), ("test", 2, "expect", "b")],
    ids=["dotted keys", "a header", "headers"],
)
def test_a_value_that_is_spread_is_refused(path: KeyPath) -> None:
    """A value written by several keys, or below a header, is left alone; others are replaced all the same."""
    result = rewritten(TEXT, (path, 1), (A, 3))
    assert TEXT.replace("[1,   2]", "3") == result.content.decode()
    assert [(path, "it is not written as one value, so it has to be changed by hand")] == [
        (change.path, why) for change, why in result.refused
    ]


@pytest.mark.parametrize("value", [None, [None], [{"a": [1, None]}]])
def test_null_is_refused(value: Value) -> None:
    """TOML has no null, and what has it outside of a table's keys is not written."""
    result = rewritten(TEXT, (A, value))
    assert (TEXT, "TOML has no null: expect it by `when`") == (result.content.decode(), result.refused[0][1])
    with pytest.raises(NotToml):
        toml_value(value)


VALUES: st.SearchStrategy[Value] = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5)
    ),
)


@given(VALUES)
def test_what_is_written_is_the_value(value: Value) -> None:
    """TOML reads from what was written the same value, of the same kinds."""
    assert repr(value) == repr(tomllib.loads(f"value = {toml_value(value)}")["value"])
