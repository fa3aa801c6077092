"""Finds where two sequences differ: what lies between the entries that both have, in order.

The fewest edits are searched for (Myers, "An O(ND) difference algorithm", 1986), but only so many; beyond them, entries
that are unique on both sides are the fixed points (the "patience" of Bram Cohen). So a hundred thousand rows of which
every one has changed cost what reading them costs.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

_MOST_EDITS = 64
"""Time grows with the square of this, and in bad cases with this times the length."""


class Gap(NamedTuple):
    """Entries of both sequences between two that are the same; one side may be empty, never both."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def gaps(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[Gap]:
    """Yield where the sequences differ, in order; what is outside of all gaps is the same on both sides."""
    inner = _narrowed(old, new, Gap(0, len(old), 0, len(new)))
    old_part, new_part = old[inner.old_start : inner.old_end], new[inner.new_start : inner.new_end]
    pairs = _fewest_edits(old_part, new_part)
    if pairs is None:
        pairs = _fixed_points(old_part, new_part)
    old_at, new_at = inner.old_start, inner.new_start
    for old_index, new_index in [*pairs, (len(old_part), len(new_part))]:
        old_end, new_end = inner.old_start + old_index, inner.new_start + new_index
        gap = _narrowed(old, new, Gap(old_at, old_end, new_at, new_end))
        if gap.old_start < gap.old_end or gap.new_start < gap.new_end:
            yield gap
        old_at, new_at = old_end + 1, new_end + 1


def _narrowed(old: Sequence[Hashable], new: Sequence[Hashable], gap: Gap) -> Gap:
    """Return the gap without what both sides begin and end with."""
    old_start, old_end, new_start, new_end = gap
    while old_start < old_end and new_start < new_end and old[old_start] == new[new_start]:
        old_start, new_start = old_start + 1, new_start + 1
    while old_start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
        old_end, new_end = old_end - 1, new_end - 1
    return Gap(old_start, old_end, new_start, new_end)


def _fewest_edits(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]] | None:
    """Return the pairs of the longest common subsequence; None: more edits are needed than are looked for."""
    furthest = {1: 0}  # diagonal (place in old - place in new) -> the place in old that was reached on it
    trail: list[dict[int, int]] = []
    for edits in range(_MOST_EDITS + 1):
        trail.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            came_from = _came_from(furthest, diagonal, edits)
            place = furthest[came_from] + (came_from < diagonal)
            while place < len(old) and place - diagonal < len(new) and old[place] == new[place - diagonal]:
                place += 1
            furthest[diagonal] = place
            if place >= len(old) and place - diagonal >= len(new):
                return _retraced(trail, len(old), len(new))
    return None


def _came_from(furthest: dict[int, int], diagonal: int, edits: int) -> int:
    """Return the diagonal from which one edit leads furthest on this one."""
    if diagonal == -edits or (diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1]):
        return diagonal + 1
    return diagonal - 1


def _retraced(trail: list[dict[int, int]], old_place: int, new_place: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for edits in range(len(trail) - 1, -1, -1):
        came_from = _came_from(trail[edits], old_place - new_place, edits)
        old_before = trail[edits][came_from]
        new_before = old_before - came_from
        while old_place > old_before and new_place > new_before:
            old_place, new_place = old_place - 1, new_place - 1
            pairs.append((old_place, new_place))
        old_place, new_place = old_before, new_before
    return pairs[::-1]


def _fixed_points(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return pairs of entries that are unique on both sides: as many as are in the same order."""
    old_counts, new_counts = Counter(old), Counter(new)
    new_places = {entry: place for place, entry in enumerate(new) if new_counts[entry] == 1}
    pairs = [
        (place, new_places[entry])
        for place, entry in enumerate(old)
        if old_counts[entry] == 1 and entry in new_places
    ]
    return _longest_rising(pairs)


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest choice of pairs whose second places rise, as their first ones do."""
    smallest_ends: list[int] = []  # length - 1 -> the smallest end of a choice of this length
    ends: list[int] = []  # length - 1 -> which pair that is
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        length = bisect_left(smallest_ends, place)
        before.append(ends[length - 1] if length else -1)
        smallest_ends[length : length + 1] = [place]
        ends[length : length + 1] = [index]
    chosen: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = before[at]
    return chosen[::-1]
