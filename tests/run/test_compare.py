"""What differs between two values is said in the terms of what they are: keys, rows, entries, lines."""

import msgspec
import pytest

from atomiton_runtime.run.compare import compare
from atomiton_runtime.run.difference import (
    BytesChanged,
    Counts,
    Difference,
    Entry,
    FileChanged,
    Line,
    NumberChanged,
    ObjectChanged,
    TableChanged,
    TextChanged,
    ValueChanged,
)
from atomiton_runtime.run.table_columns import row_key
from atomiton_runtime.values import Value

FILE = {"$file": "/data/values/aa", "size_bytes": 2_000_000}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1, None),
        ({"a": 1, "b": [None]}, {"b": [None], "a": 1}, None),
        (10, 20, NumberChanged(old=10, new=20, delta=10)),
        (0.3, 0.1, NumberChanged(old=0.3, new=0.1, delta=-0.2)),
        (1, 1.0, NumberChanged(old=1, new=1.0, delta=0.0)),
        (1, True, ValueChanged(old=1, new=True)),
        (0, False, ValueChanged(old=0, new=False)),
        ("a", "b", ValueChanged(old="a", new="b")),
        (None, [], ValueChanged(old=None, new=[])),
        ({"$bytes": "YWI="}, {"$bytes": "YWI="}, None),
        ({"$bytes": "YWI="}, {"$bytes": "YWJj"}, BytesChanged(old_size_bytes=2, new_size_bytes=3)),
        (FILE, FILE, None),
        (
            FILE,
            {**FILE, "$file": "/data/values/bb"},
            FileChanged(
                old="/data/values/aa",
                new="/data/values/bb",
                old_size_bytes=2_000_000,
                new_size_bytes=2_000_000,
            ),
        ),
        (FILE, {"$bytes": "YWI="}, ValueChanged(old=FILE, new={"$bytes": "YWI="})),
        ({"$bytes": 1}, {"$bytes": 2}, ValueChanged(old={"$bytes": 1}, new={"$bytes": 2})),
        (
            "a\nb\nc",
            "a\nc\nd",
            TextChanged(counts=Counts(1, 1), removed=(Line(2, "b"),), added=(Line(3, "d"),)),
        ),
    ],
)
def test_values(old: Value, new: Value, expected: Difference | None) -> None:
    """Numbers have a delta, markers are what they stand for, texts of several lines go line by line."""
    assert expected == compare(old, new)


def test_objects_go_by_key() -> None:
    """Keys are added, removed, or have another value, at whatever depth."""
    assert ObjectChanged(
        counts=Counts(added=1, removed=1, changed=1),
        removed={"gone": 1},
        added={"come": 2},
        changed={
            "in": ObjectChanged(
                counts=Counts(changed=1),
                removed={},
                added={},
                changed={"side": ValueChanged(old=True, new=False)},
            )
        },
    ) == compare({"gone": 1, "in": {"side": True}}, {"in": {"side": False}, "come": 2})


def test_rows_are_recognized_by_their_key() -> None:
    """A row that moved is the same row; a column that all rows have in one table only is named once."""
    old: Value = [{"id": 1, "n": 1, "was": 0}, {"id": 2, "n": 2, "was": 0}, {"id": 3, "n": 3, "was": 0}]
    new: Value = [{"id": 3, "n": 3, "is": 0}, {"id": 1, "n": 9, "is": 0}, {"id": 4, "n": 4, "is": 0}]

    difference = compare(old, new)

    assert isinstance(difference, TableChanged)
    assert ("id", True, ("was",), ("is",)) == (
        difference.key,
        difference.reordered,
        difference.columns_removed,
        difference.columns_added,
    )
    assert (Entry(1, {"id": 2, "n": 2}),) == difference.removed
    assert (Entry(2, {"id": 4, "n": 4}),) == difference.added
    assert [(1, 0, 1)] == [(row.key, row.old_index, row.new_index) for row in difference.changed]


def test_rows_without_a_key_go_by_their_order() -> None:
    """Where no column names the rows, those that are equal are the fixed points."""
    old: Value = [{"n": 1.5}, {"n": 1.5}, {"n": 2.5}]
    difference = compare(old, [{"n": 1.5}, {"n": 3.5}, {"n": 1.5}, {"n": 2.5}])

    assert isinstance(difference, TableChanged)
    assert (None, (Entry(1, {"n": 3.5}),)) == (difference.key, difference.added)
    assert Counts(added=1) == difference.counts


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([], [{"id": 1}], None),
        ([{"id": 1}], [{"id": 2}], "id"),
        ([{"name": "a"}], [{"name": "b"}], None),
        ([{"name": "a"}, {"name": "a"}], [{"name": "a"}], None),
        ([{"name": "a"}], [{"name": "a"}, {}], None),
        ([{"rank": 1, "name": "a"}, {"rank": 2, "name": "b"}], [{"rank": 2, "name": "a"}], "rank"),
        (
            [{"rank": 1, "name": "a"}, {"rank": 2, "name": "b"}],
            [{"rank": 2, "name": "a"}, {"rank": 3, "name": "b"}],
            "name",
        ),
        ([{"on": True}], [{"on": True}], None),
        ([{"Id": 1, "name": "a"}], [{"name": "a", "Id": 9}], "Id"),
    ],
)
def test_the_column_that_names_rows(old: list, new: list, expected: str | None) -> None:
    """It is unique in both tables; of several it is `id`, else the one with most values in both."""
    assert expected == row_key(old, new)


def test_a_column_that_some_rows_have_is_part_of_these_rows() -> None:
    """A cell that one row of many has more is shown in that row."""
    difference = compare([{"id": 1}, {"id": 2}], [{"id": 1}, {"id": 2, "error": "no"}])

    assert isinstance(difference, TableChanged)
    assert ((), 1) == (difference.columns_added, len(difference.changed))


def test_lists_of_other_things_go_by_entry() -> None:
    """An entry between others is added; entries in the same place are changed."""
    difference = compare([1, 2, 3], [1, 5, 2, 4])

    assert {
        "kind": "list",
        "counts": {"added": 1, "removed": 0, "changed": 1},
        "removed": [],
        "added": [{"index": 1, "value": 5}],
        "changed": [
            {
                "old_index": 2,
                "new_index": 3,
                "difference": {"kind": "number", "old": 3, "new": 4, "delta": 1},
            }
        ],
    } == msgspec.json.decode(msgspec.json.encode(difference))


@pytest.mark.parametrize("inner", [{"a": 1}, [1]])
def test_what_is_nested_too_deep_is_compared_whole(inner: Value) -> None:
    """Two hundred levels are no matter."""
    old = new = inner
    for _ in range(150):
        old, new = {"in": old}, {"in": new}
    assert compare(old, new) is None
    deepest: Value = [2] if isinstance(inner, list) else {"a": 2}
    for _ in range(150):
        deepest = {"in": deepest}

    difference = compare(old, deepest)
    depth = 0
    while isinstance(difference, ObjectChanged):
        difference, depth = difference.changed["in"], depth + 1
    assert isinstance(difference, ValueChanged)
    assert depth == 40


def test_a_large_table_is_listed_in_part_and_counted_whole() -> None:
    """Of twenty thousand changed rows the first hundred are listed, each with its cell."""
    old: Value = [{"id": n, "n": 1} for n in range(20_000)]
    difference = compare(old, [{"id": n, "n": 2} for n in range(20_000)])

    assert isinstance(difference, TableChanged)
    assert Counts(changed=20_000) == difference.counts
    assert 90 < len(difference.changed) <= 200
