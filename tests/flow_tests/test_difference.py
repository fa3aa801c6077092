"""How a value differs from the expected one, as lines."""

import msgspec
import pytest

from atomiton_runtime.flow_tests.difference import difference
from atomiton_runtime.run.verdict import Mismatch
from atomiton_runtime.values import Value


def lines(expected: Value | msgspec.UnsetType, got: Value | msgspec.UnsetType) -> list[str]:
    return difference(Mismatch(message="", path=(), expected=expected, got=got))


@pytest.mark.parametrize(
    ("expected", "got", "shown"),
    [
        (msgspec.UNSET, msgspec.UNSET, []),
        (1, "1", ["- 1", '+ "1"']),
        (None, [], ["- null", "+ []"]),
        ({"b": 1, "a": None}, {"b": 2}, ["  {", '-   "b": 1', '+   "b": 2', "  }"]),
        ([1], [], ["- [", "-   1", "- ]", "+ []"]),
    ],
)
def test_small_differences(expected: Value, got: Value, shown: list[str]) -> None:
    """What is expected is marked with `-`, what came with `+`; null keys and the order of keys do not matter."""
    assert shown == lines(expected, got)


def test_differences_far_apart() -> None:
    """What is the same between them is left out."""
    shown = lines(list(range(30)), [99, *range(1, 29), 99])
    assert ["  [", "-   0,", "+   99,"] == shown[:3]
    assert 1 == shown.count("  ...")


def test_a_large_difference() -> None:
    """It is cut, and how much is missing is said."""
    shown = lines(list(range(100)), list(range(100, 200)))
    assert (61, "  ... 142 more lines") == (len(shown), shown[-1])
