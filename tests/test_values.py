"""Values survive the way from node to node unchanged, or are refused with their place."""

import enum
import math
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import PurePosixPath
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.values import (
    Encoded,
    UnsupportedValue,
    Value,
    copied,
    decode,
    encode,
    encoded_pieces,
    preview,
    to_document,
)

TEXT = st.text()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


class Colour(enum.StrEnum):
    RED = "red"


class OldColour(str, enum.Enum):  # noqa: UP042  # what older programs write
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Ratio(float):
    pass


@given(VALUES)
def test_what_is_encoded_is_decoded(value: Value) -> None:
    """Decoding gives back an equal value of the same types."""
    again = decode(msgspec.Raw(encode(value)))

    assert value == again
    assert repr(value) == repr(again)


@given(VALUES)
def test_the_document_form_is_json(value: Value) -> None:
    """The document form is a copy that JSON expresses as it is, and encoding it again changes nothing."""
    shown = to_document(value)

    assert shown == msgspec.json.decode(encode(value))
    assert shown == to_document(shown)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00\xff", {"$bytes": "AP8="}),
        (bytearray(b"a"), {"$bytes": "YQ=="}),
        (memoryview(b"a"), {"$bytes": "YQ=="}),
        ((1, (2,)), [1, [2]]),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (PurePosixPath("a/b"), "a/b"),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(a=OldColour.RED), {"a": "red"}),
        (Colour.RED, "red"),
        ({Colour.RED: 1, OldColour.RED: 2}, {"red": 2}),
        (Level.HIGH, 3),
        (Ratio(0.5), 0.5),
        (True, True),
    ],
)
def test_neighbours_of_json_become_json(value: object, expected: Value) -> None:
    """Bytes, tuples, dates, paths, enums and mappings have one documented form."""
    assert expected == to_document(value)
    assert expected == msgspec.json.decode(encode(value))


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "is a object, which cannot travel"),
        ({"a": [1, {2}]}, r"at a\[1\]: is a set"),
        ({"a": {1: 2}}, "at a: has the key 1, which is not text"),
        ([math.nan], r"at \[0\]: is nan"),
        (-math.inf, "the value is -inf"),
        ({"n": 2**64}, "at n: is an integer of more than 64 bits"),
        (-(2**63) - 1, "more than 64 bits"),
        ("\ud800", "half a character"),
        ({"\udcff": 1}, "half a character"),
        (nested(201), "nested deeper than 200 levels"),
    ],
)
def test_what_cannot_travel_is_refused_with_its_place(value: object, words: str) -> None:
    """A value without a JSON form is VALUE-001; the message says where in it and why."""
    with pytest.raises(UnsupportedValue, match=words) as caught:
        encode(value)

    assert caught.value.code == "VALUE-001"
    assert caught.value.hint


def test_a_value_that_contains_itself_is_refused() -> None:
    """An endless value is too deep, not a crash."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(UnsupportedValue, match="nested deeper"):
        encode(endless)


@pytest.mark.parametrize(
    "value", [{"$bytes": "*"}, {"$bytes": "é"}, {"$bytes": 1}, {"$bytes": "YQ==", "more": 1}]
)
def test_what_only_looks_like_bytes_stays(value: Value) -> None:
    """A table with the key `$bytes` that bytes would not have written comes back as it was."""
    assert value == decode(encode(value))


def test_each_reader_gets_a_copy_of_its_own() -> None:
    """Two readers of one value share nothing that can change."""
    raw = msgspec.Raw(encode({"rows": [1]}))
    one, two = decode(raw), decode(raw)

    assert one == two
    assert one is not two


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        ("a\n b\tc", 20, "a b c"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ({"a": [1, b"x"]}, 200, '{"a":[1,{"$bytes":"eA=="}]}'),
        (None, 200, "null"),
        (memoryview(b"x" * 300), 100, '{"$bytes":"' + "eHh4" * 20 + "eH… (cut)"),
        ("x" * 300, 100, "x" * 82 + "… (300 characters)"),
        ([1] * 300, 100, "[" + "1," * 43 + "… (300 items)"),
        (b"\0" * 300, 100, '{"$bytes":"' + "A" * 76 + "… (300 bytes)"),
        ({"$bytes": "AAAA" * 99 + "AA=="}, 100, '{"$bytes":"' + "A" * 76 + "… (298 bytes)"),
        (10**9, 5, "1000…"),
        (10**18, 5, "1000…"),
        (MappingProxyType({"a": "b" * 300}), 100, '{"a":"' + "b" * 85 + "… (1 key)"),
    ],
)
def test_a_preview_is_one_short_line(value: object, limit: int, expected: str) -> None:
    """A preview has no line ends, at most the limit, and shows that it is cut."""
    assert expected == preview(value, limit)


@given(VALUES)
def test_a_copy_shares_nothing_that_can_change(value: Value) -> None:
    """A copy is equal, and no list or table of it is one of the original."""
    copy = copied(value)

    assert repr(value) == repr(copy)
    assert not {id(each) for each in containers(value)} & {id(each) for each in containers(copy)}


def containers(value: Value) -> Iterator[Value]:
    """Yield the lists and tables of a value."""
    if isinstance(value, list | dict):
        yield value
        for entry in value.values() if isinstance(value, dict) else value:
            yield from containers(entry)


@given(TEXT, st.integers(0, 130))
def test_a_preview_keeps_its_limit(text: str, limit: int) -> None:
    """No text gives a longer preview, or one of two lines."""
    shown = preview(text, limit)

    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1


def test_a_list_of_very_many_entries_is_written_like_a_short_one() -> None:
    """It is made piece by piece, which cannot be seen; what is wrong in it is named by its place."""
    many = [{"n": number} for number in range(2_500)]

    assert decode(encode(many)) == many
    assert encode(many) == b"[" + b",".join(map(encode, many)) + b"]"
    with pytest.raises(UnsupportedValue, match=r"\[2500\]"):
        encode([*many, object()])


@given(st.lists(st.booleans(), max_size=12))
def test_a_list_with_encoded_entries_is_written_like_one_without(is_encoded: list[bool]) -> None:
    """Whatever entries were encoded before, the JSON is the same."""
    entries: list[object] = [{"entry": index} for index in range(len(is_encoded))]
    mixed = [
        Encoded(lambda entry=entry: encode(entry)) if before else entry
        for entry, before in zip(entries, is_encoded, strict=True)
    ]

    assert encode(entries) == encode(mixed)


def test_a_long_text_is_encoded_in_pieces() -> None:
    """They are together what the whole is at once, wherever a piece ends."""
    text = 'a"\\\u2028é\U0001f600\n\ufffd' * 70_000
    pieces = list(encoded_pieces(text))

    assert msgspec.json.encode(text) == b"".join(pieces)
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 2
    assert text == decode(b"".join(pieces))


def test_half_a_character_in_a_long_text_is_refused() -> None:
    """As in a short one."""
    with pytest.raises(UnsupportedValue):
        encode("a" * 1_000_000 + "\ud800")
