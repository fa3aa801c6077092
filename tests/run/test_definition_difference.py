"""Two versions of a flow's file are compared key by key, and each key has its line."""

import msgspec
import pytest

from atomiton_runtime.run.definition_difference import (
    MOST_KEYS,
    DefinitionChanged,
    KeyChanged,
    compare_definitions,
    key_pieces,
)

OLD = """\
name = "Prices"
since = 2026-01-01
[variables]
limit = 10
[nodes.fetch]
type = "http-request"
url = "https://example.org"
timeout = inf
[nodes.each.nodes.old]
type = "edit-fields"
[nodes.save]
args = ["a", "b"]
"""
NEW = """\
# A comment.
name = "Prices"
since = 2026-01-02
[variables]
limit = 20
[nodes.fetch]
type = "http-request"
url.host = "https://example.org"
[nodes.save]
args = [
  "a",
  "c",
]
[nodes.tell]
type = "shell-command"
"""


def test_each_key_has_its_line() -> None:
    """Changed and added keys have the line of the new file, removed ones that of the old one."""
    told = compare_definitions(OLD, NEW)

    assert told.keys is not None
    assert [
        ("since", "changed", 3),
        ("variables.limit", "changed", 5),
        ("nodes.fetch.url", "changed", 8),
        ("nodes.fetch.timeout", "removed", 8),
        ("nodes.save.args", "changed", 10),
        ("nodes.tell", "added", 14),
        ("nodes.each", "removed", 9),
    ] == [(key.path, key.side, key.line) for key in told.keys]
    assert [
        "~ since 2026-01-01 -> 2026-01-02",
        "~ variables.limit 10 -> 20 (+10)",
        '~ nodes.fetch.url https://example.org -> {"host":"https://example.org"}',
        "- nodes.fetch.timeout inf",
        "~ nodes.save.args[1] b -> c",
        '+ nodes.tell {"type":"shell-command"}',
        '- nodes.each {"nodes":{"old":{"type":"edit-fields"}}}',
    ] == [f"{piece.sign} {piece.path} {piece.words}" for key in told.keys for piece in key_pieces(key)]


def test_a_key_that_is_equal_has_no_lines() -> None:
    """What somebody else made of two equal values is no difference."""
    assert list(key_pieces(KeyChanged(path="a", side="changed", old=1, new=1, line=1))) == []


@pytest.mark.parametrize("new", ["# Hello.\nb = 2\na = 1", "b=2\na=1"])
def test_comments_and_layout_are_no_keys(new: str) -> None:
    """A version that says the same has no keys that differ."""
    assert DefinitionChanged(keys=()) == compare_definitions("a = 1\nb = 2", new)


@pytest.mark.parametrize(("old", "new"), [(None, ""), ("", None), ("a =", "a = 1"), ("a = 1", "a =")])
def test_a_version_that_is_not_known(old: str | None, new: str | None) -> None:
    """Without the text of both versions, or with one that is not TOML, which keys differ is not known."""
    assert compare_definitions(old, new).keys is None


def test_many_keys_are_listed_in_part() -> None:
    """Of a thousand keys the first are listed, and the others counted."""
    told = compare_definitions("", "\n".join(f"k{n} = {n}" for n in range(1000)))
    assert told.keys is not None
    assert (MOST_KEYS, 1000 - MOST_KEYS) == (len(told.keys), told.left_out)


def test_the_json_of_a_key() -> None:
    """A program finds path, side, values and line; an absent value is not there."""
    told = compare_definitions("a = 1", "a = 1\nb = [1]")
    assert {
        "keys": [{"path": "b", "side": "added", "new": [1], "line": 2}],
        "left_out": 0,
    } == msgspec.json.decode(msgspec.json.encode(told))
