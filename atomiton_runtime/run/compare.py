"""Finds what differs between two values.

Two values are equal when their JSON is, but for the order of an object's keys. The time grows with the size of the
values, not with its square. At most `most` entries are listed; the counts are always true, and what is listed never is
larger than what was compared.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, cast

from atomiton_runtime.run.alignment import Gap, gaps
from atomiton_runtime.run.difference import (
    Counts,
    Difference,
    Entry,
    EntryChanged,
    Line,
    ListChanged,
    ObjectChanged,
    TableChanged,
    TextChanged,
)
from atomiton_runtime.run.leaf_difference import form, is_marker, leaf_difference
from atomiton_runtime.run.table_columns import Key, Row, is_row, other_columns, row_key, without
from atomiton_runtime.values import Value

MOST_LISTED = 200
"""So many entries of a difference are listed unless somebody asks for more."""
_MAX_DEPTH = 40
"""What is nested deeper is compared as a whole."""

Side: TypeAlias = Literal["removed", "added", "changed"]


def compare(old: Value, new: Value, *, most: int = MOST_LISTED) -> Difference | None:
    """Return what differs, or None when the values are equal.

    Args:
        old: a value in document form.
        new: another one.
        most: at most so many entries are listed, at all depths together (count).
    """
    return _Comparison(most).values(old, new, 0)


def compare_objects(
    old: dict[str, Value], new: dict[str, Value], *, most: int = MOST_LISTED
) -> ObjectChanged | None:
    """Return what differs between two objects, key by key and whatever the keys are; None: they are equal."""
    return _Comparison(most).objects(old, new, 0)


class _Comparison:
    """One comparison, and how much more of it may be listed."""

    def __init__(self, most: int) -> None:
        self.room = most

    def take_room(self) -> bool:
        """Take the room for one entry, if there is some."""
        if self.room <= 0:
            return False
        self.room -= 1
        return True

    def values(self, old: Value, new: Value, depth: int) -> Difference | None:
        match old, new:
            case dict(), dict() if depth < _MAX_DEPTH and not (is_marker(old) and is_marker(new)):
                return self.objects(old, new, depth)
            case list(), list() if depth < _MAX_DEPTH:
                return self.lists(old, new, depth)
            case str(), str() if "\n" in old or "\n" in new:
                return None if old == new else self.texts(old, new)
            case _:
                return None if form(old) == form(new) else leaf_difference(old, new)

    def objects(self, old: dict[str, Value], new: dict[str, Value], depth: int) -> ObjectChanged | None:
        told = _Told(self)
        removed = {key: value for key, value in old.items() if key not in new and told.listed("removed")}
        added = {key: value for key, value in new.items() if key not in old and told.listed("added")}
        changed: dict[str, Difference] = {}
        for key, value in old.items():
            if key in new and (difference := told.changed(value, new[key], depth)) is not None:
                changed[key] = difference
        if not told.counts.total:
            return None
        return ObjectChanged(counts=told.counts, removed=removed, added=added, changed=changed)

    def lists(self, old: list[Value], new: list[Value], depth: int) -> Difference | None:
        if (old or new) and all(is_row(entry) for entry in old) and all(is_row(entry) for entry in new):
            return self.tables(cast("list[Row]", old), cast("list[Row]", new), depth)
        told = _Told(self)
        removed, added, changed = told.entries(old, new, depth)
        if not told.counts.total:
            return None
        return ListChanged(counts=told.counts, removed=removed, added=added, changed=changed)

    def tables(self, old: list[Row], new: list[Row], depth: int) -> TableChanged | None:
        columns_removed, columns_added = other_columns(old, new)
        old, new = without(old, columns_removed), without(new, columns_added)
        key, told = row_key(old, new), _Told(self)
        if key is None:
            removed, added, changed = told.entries(old, new, depth)
        else:
            removed, added, changed = told.rows(old, new, key, depth)
        reordered = key is not None and _reordered([row[key] for row in old], [row[key] for row in new])
        if not (told.counts.total or reordered or columns_removed or columns_added):
            return None
        return TableChanged(
            counts=told.counts,
            key=key,
            reordered=reordered,
            columns_removed=tuple(columns_removed),
            columns_added=tuple(columns_added),
            removed=removed,
            added=added,
            changed=changed,
        )

    def texts(self, old: str, new: str) -> TextChanged:
        told = _Told(self)
        old_lines, new_lines = old.split("\n"), new.split("\n")
        removed: list[Line] = []
        added: list[Line] = []
        for gap in gaps(old_lines, new_lines):
            for place in range(gap.old_start, gap.old_end):
                if told.listed("removed"):
                    removed.append(Line(place + 1, old_lines[place]))
            for place in range(gap.new_start, gap.new_end):
                if told.listed("added"):
                    added.append(Line(place + 1, new_lines[place]))
        return TextChanged(counts=told.counts, removed=tuple(removed), added=tuple(added))


_Entries: TypeAlias = tuple[tuple[Entry, ...], tuple[Entry, ...], tuple[EntryChanged, ...]]


class _Told:
    """What is told of one object, list, table or text: all is counted, as much as there is room for is listed."""

    def __init__(self, comparison: _Comparison) -> None:
        self._comparison = comparison
        self._counts: dict[Side, int] = {"added": 0, "removed": 0, "changed": 0}

    @property
    def counts(self) -> Counts:
        return Counts(**self._counts)

    def listed(self, side: Side) -> bool:
        """Count an entry; return whether there is room to list it."""
        self._counts[side] += 1
        return self._comparison.take_room()

    def changed(self, old: Value, new: Value, depth: int) -> Difference | None:
        """Compare two entries and count them if they differ; return the difference if there is room to list it."""
        has_room = self._comparison.take_room()  # before what is within it takes all
        difference = self._comparison.values(old, new, depth + 1)
        if difference is None:
            self._comparison.room += has_room
            return None
        self._counts["changed"] += 1
        return difference if has_room else None

    def entries(self, old: Sequence[Value], new: Sequence[Value], depth: int) -> _Entries:
        """Compare two lists entry by entry, in order."""
        removed: list[Entry] = []
        added: list[Entry] = []
        changed: list[EntryChanged] = []
        for gap in gaps([form(entry) for entry in old], [form(entry) for entry in new]):
            pairs = _pairs(gap)
            for old_index, new_index in pairs:
                difference = self.changed(old[old_index], new[new_index], depth)
                if difference is not None:
                    changed.append(
                        EntryChanged(old_index=old_index, new_index=new_index, difference=difference)
                    )
            removed += [
                Entry(index, old[index])
                for index in range(gap.old_start + len(pairs), gap.old_end)
                if self.listed("removed")
            ]
            added += [
                Entry(index, new[index])
                for index in range(gap.new_start + len(pairs), gap.new_end)
                if self.listed("added")
            ]
        return tuple(removed), tuple(added), tuple(changed)

    def rows(self, old: Sequence[Row], new: Sequence[Row], key: str, depth: int) -> _Entries:
        """Compare two tables row by row, recognized by their key."""
        old_places, new_places = _places(old, key), _places(new, key)
        removed = [
            Entry(place, old[place])
            for name, place in old_places.items()
            if name not in new_places and self.listed("removed")
        ]
        added = [
            Entry(place, new[place])
            for name, place in new_places.items()
            if name not in old_places and self.listed("added")
        ]
        changed: list[EntryChanged] = []
        for name, old_place in old_places.items():
            new_place = new_places.get(name)
            if new_place is None:
                continue
            difference = self.changed(old[old_place], new[new_place], depth)
            if difference is not None:
                changed.append(
                    EntryChanged(old_index=old_place, new_index=new_place, key=name, difference=difference)
                )
        return tuple(removed), tuple(added), tuple(changed)


def _pairs(gap: Gap) -> Sequence[tuple[int, int]]:
    """Return which entries of a gap are taken for changed ones: the first ones, as far as both sides have some."""
    return list(zip(range(gap.old_start, gap.old_end), range(gap.new_start, gap.new_end), strict=False))


def _places(rows: Sequence[Row], key: str) -> dict[Key, int]:
    return {cast(Key, row[key]): place for place, row in enumerate(rows)}


def _reordered(old_keys: Sequence[Value], new_keys: Sequence[Value]) -> bool:
    in_old, in_new = set(cast("Sequence[Key]", old_keys)), set(cast("Sequence[Key]", new_keys))
    return [key for key in old_keys if key in in_new] != [key for key in new_keys if key in in_old]
