"""Tests that every key and value of a file is found again."""

import pytest

from atomiton_runtime.flow.findings import Finding, KeyPath
from atomiton_runtime.flow.positions import Positions
from atomiton_runtime.flow.report import make_problems

TEXT = '''\
# ä comment
top.dotted = 1
[nodes.read]   # a comment
"quoted key" = [1, "ü", { deep = true }] # another
inline = { a.b = 2, 'c d' = [ # here
  3, # and here
  4 ] }
text = """
  {{ word }} other-word word
"""
[[list]]
k = 1
[[list]]
k = 2
[list.sub]
k = 3
"esc\\u0061ped" = 1
'''


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("top",), "top", "1"),
        (("top", "dotted"), "dotted", "1"),
        (("nodes",), "nodes", "nodes"),
        (("nodes", "read"), "nodes.read", "nodes.read"),
        (("nodes", "read", "quoted key"), '"quoted key"', '[1, "ü", { deep = true }]'),
        (("nodes", "read", "quoted key", 1), '"ü"', '"ü"'),
        (("nodes", "read", "quoted key", 2, "deep"), "deep", "true"),
        (("nodes", "read", "inline", "a", "b"), "b", "2"),
        (("nodes", "read", "inline", "c d"), "'c d'", "[ # here\n  3, # and here\n  4 ]"),
        (("nodes", "read", "inline", "c d", 1), "4", "4"),
        (("list", 0, "k"), "k", "1"),
        (("list", 1, "k"), "k", "2"),
        (("list", 1, "sub", "k"), "k", "3"),
        (("list", 1, "sub", "escaped"), '"esc\\u0061ped"', "1"),
        (("nodes", "read", "missing", "deeper"), "nodes.read", "nodes.read"),
    ],
    ids=str,
)
def test_finds_keys_and_values(path: KeyPath, key: str, value: str) -> None:
    """A path leads to its key and its value, or to what is around it."""
    place = Positions(TEXT).find(path)

    assert place is not None
    assert (key, value) == (TEXT[slice(*place.key)], TEXT[slice(*place.value)])


def test_finds_nothing_in_nothing() -> None:
    """What has no place at all gets the beginning of the file."""
    assert Positions("# empty").find(("nodes",)) is None

    (problem,) = make_problems(
        [Finding(code="FLOW-001", message="none", path=("nodes",))], "# empty", "a.toml"
    )

    assert (1, 1, 1) == (problem.line, problem.column, problem.width)


@pytest.mark.parametrize(
    ("token", "line", "column"), [("word", 9, 6), ("other-word", 9, 14), ("other", 9, 14), ("gone", 8, 8)]
)
def test_underlines_the_word(token: str, line: int, column: int) -> None:
    """A word within a text is underlined itself; one that is written differently leaves the whole text."""
    finding = Finding(code="FLOW-001", message="", path=("nodes", "read", "text"), token=token)

    (problem,) = make_problems([finding], TEXT, "a.toml")

    assert (line, column) == (problem.line, problem.column)


@pytest.mark.parametrize("text", ["[", "[a", "a = ", "= 1", '"\\q" = 1', "[[a]\nb = {c", "[]\na = [1,,"])
def test_text_that_is_no_toml_is_no_trouble(text: str) -> None:
    """The second parser sees only what the first one took; if they disagree, nothing breaks."""
    Positions(text).find(("a",))
