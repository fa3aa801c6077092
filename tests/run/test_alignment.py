"""Where two sequences differ is found in time that grows with their length."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atomiton_runtime.run.alignment import Gap, gaps

LETTERS = st.lists(st.integers(0, 3), max_size=12)
LONG = st.lists(st.integers(0, 300), max_size=200)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("abc", "abc", []),
        ("", "ab", [Gap(0, 0, 0, 2)]),
        ("ab", "", [Gap(0, 2, 0, 0)]),
        ("abc", "axc", [Gap(1, 2, 1, 2)]),
        ("abcd", "acd", [Gap(1, 2, 1, 1)]),
        ("abc", "xaybcz", [Gap(0, 0, 0, 1), Gap(1, 1, 2, 3), Gap(3, 3, 5, 6)]),
        ("aab", "aaab", [Gap(2, 2, 2, 3)]),
    ],
)
def test_gaps(old: str, new: str, expected: list[Gap]) -> None:
    """The gaps are what lies between the entries that both have, in order."""
    assert expected == list(gaps(old, new))


@settings(max_examples=100)
@given(st.one_of(st.tuples(LETTERS, LETTERS), st.tuples(LONG, LONG)))
def test_outside_of_the_gaps_both_are_the_same(pair: tuple[Sequence[int], Sequence[int]]) -> None:
    """Filling the gaps of the old sequence from the new one gives the new one."""
    old, new = pair
    made: list[int] = []
    at = 0
    for gap in gaps(old, new):
        assert gap.old_start < gap.old_end or gap.new_start < gap.new_end
        made += [*old[at : gap.old_start], *new[gap.new_start : gap.new_end]]
        at = gap.old_end
    assert new == [*made, *old[at:]]


@settings(max_examples=100)
@given(LETTERS, LETTERS)
def test_few_edits_are_the_fewest(old: list[int], new: list[int]) -> None:
    """What is outside of the gaps is the longest common subsequence."""
    found = list(gaps(old, new))
    kept = len(old) - sum(gap.old_end - gap.old_start for gap in found)
    assert _longest_common(old, new) == kept


def _longest_common(old: list[int], new: list[int]) -> int:
    row = [0] * (len(new) + 1)
    for left in old:
        before = row[:]
        for place, right in enumerate(new, 1):
            row[place] = before[place - 1] + 1 if left == right else max(before[place], row[place - 1])
    return row[-1]


def test_beyond_the_fewest_edits_unique_entries_are_the_fixed_points() -> None:
    """Entries that are unique on both sides are found again between hundreds of others."""
    old = [entry for n in range(500) for entry in (f"kept {n}", f"old {n}")]
    new = [entry for n in range(500) for entry in (f"kept {n}", f"new {n}")]
    assert [Gap(place, place + 1, place, place + 1) for place in range(1, 1000, 2)] == list(gaps(old, new))


@pytest.mark.parametrize("values", [2, 20_000])
def test_noise_is_looked_at_a_few_times(values: int) -> None:
    """Of sequences that have no order in common, which is the worst case, no entry is looked at a hundred times."""
    order = random.Random(1)
    looks = 0

    class Entry:
        def __init__(self, value: int) -> None:
            self.value = value

        def __eq__(self, other: object) -> bool:
            nonlocal looks
            looks += 1
            return isinstance(other, Entry) and self.value == other.value

        def __hash__(self) -> int:
            return self.value

    size = 20_000
    old, new = ([Entry(order.randrange(values)) for _ in range(size)] for _ in range(2))
    assert list(gaps(old, new))
    assert looks < 100 * size
