"""A difference is put into short lines that say where and what."""

import pytest

from atomiton_runtime.run.compare import compare, compare_objects
from atomiton_runtime.run.pieces import SHOWN_CHARS, Piece, pieces, pieces_by_key, shortened
from atomiton_runtime.values import Value

ROWS: Value = [{"id": 1, "price": 10}, {"id": 2, "price": 5}]


def lines(old: Value, new: Value, most: int = 100) -> list[str]:
    difference = compare(old, new, most=most)
    assert difference is not None
    return [f"{piece.sign} {piece.path}: {piece.words}" for piece in pieces(difference, "out")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (10, 20, ["~ out: 10 -> 20 (+10)"]),
        (2.5, 2, ["~ out: 2.5 -> 2 (-0.5)"]),
        ("World", "Ada", ["~ out: World -> Ada"]),
        ("", "5", ['~ out: "" -> "5"']),
        ("a  b", "a b", ['~ out: "a  b" -> a b']),
        ("a -> b", "c", ['~ out: "a -> b" -> c']),
        ("\x1b[31m", None, ['~ out: "\\u001b[31m" -> null']),
        ({"$bytes": "YWI="}, {"$bytes": "YWJj"}, ["~ out: other bytes: 2 -> 3 bytes"]),
        ({"$bytes": "YWI="}, {"$bytes": "YWM="}, ["~ out: other bytes: 2 bytes"]),
        (
            {"$file": "/a", "size_bytes": 2_000_000},
            {"$file": "/b", "size_bytes": 2_000_001},
            ["~ out: another large value: 2,000,000 -> 2,000,001 bytes"],
        ),
        (
            {"a": 1, "b c": 2, "d": [1]},
            {"a": 2, "d": [2], "e": {}},
            [
                "~ out.a: 1 -> 2 (+1)",
                "~ out.d[0]: 1 -> 2 (+1)",
                '- out["b c"]: 2',
                "+ out.e: {}",
            ],
        ),
        ([1, 2], [1], ["- out[1]: 2"]),
        ([1, 2], [1, 3, 4], ["~ out: 1 entry changed, 1 added", "~ out[1]: 2 -> 3 (+1)", "+ out[2]: 4"]),
        ([1, 2, 3, 4], [1, 4], ["~ out: 2 entries removed", "- out[1]: 2", "- out[2]: 3"]),
        (ROWS, [{"id": 1, "price": 12}, {"id": 2, "price": 5}], ["~ out[id=1].price: 10 -> 12 (+2)"]),
        (ROWS, ROWS[::-1], ["~ out: rows in another order"]),
        (
            ROWS,
            [{"id": 1, "name": "a"}, {"id": 3, "name": "b"}],
            [
                "~ out: 1 row added, 1 removed, column name added, column price removed",
                '- out[id=2]: {"id":2}',
                '+ out[id=3]: {"id":3}',
            ],
        ),
        ([{"n": 1.5}], [{"n": 2.5}], ["~ out[0].n: 1.5 -> 2.5 (+1.0)"]),
        ("a\nb", "a\n\tc", ["~ out: 1 line added, 1 removed", "- out:2: b", '+ out:2: "\\tc"']),
    ],
)
def test_pieces(old: Value, new: Value, expected: list[str]) -> None:
    """Each kind of difference has its words; a table, list or text is summed up where it has several lines."""
    assert expected == lines(old, new)


def test_long_values_are_shown_where_they_part() -> None:
    """Of two long texts that begin alike, what is around the first difference is shown."""
    shown = lines("x" * 500 + "old" + "y" * 100, "x" * 500 + "new")[0]
    assert shown.startswith(f"~ out: …{'x' * 15}oldyyy")
    assert shown.endswith(f"… -> …{'x' * 15}new")
    assert len(shown) < 2 * SHOWN_CHARS + 20
    assert lines("a" * 100, "b")[0] == f"~ out: {'a' * (SHOWN_CHARS - 1)}… -> b"
    assert lines([], ["a" * 100])[0] == f"+ out[0]: {'a' * (SHOWN_CHARS - 1)}…"
    assert lines("a\n", "b" * 100 + "\n")[-1] == f"+ out:1: {'b' * (SHOWN_CHARS - 1)}…"


def test_what_is_not_listed_is_counted() -> None:
    """The last line says how many more there are, in every kind of difference."""
    assert lines({"a": 1, "b": 2, "c": 3}, {}, most=1) == ["- out.a: 1", "… out: and 2 more"]
    assert lines([1, 2, 3], [], most=1)[-1] == "… out: and 2 more"
    assert lines("a\nb\nc", "d", most=1)[-1] == "… out: and 3 more"


def test_a_group_is_shortened_to_its_first_lines() -> None:
    """The lines that are left out are counted, those that stand for several as several."""
    difference = compare_objects({"n": [1, 2, 3, 4]}, {"n": []}, most=3)
    assert difference is not None
    group, rest = pieces_by_key(difference)

    assert rest == []
    assert shortened(group, 2)[1:] == [Piece("-", "n[0]", "1"), Piece("…", "n", "and 3 more", 3)]
    assert shortened(group, 9) == group
