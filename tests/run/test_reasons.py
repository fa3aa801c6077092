"""What changed of a key is said in words, with the place where it is written."""

import pytest

from atomiton_runtime.flow.model import Input, ListInput, Node, PortRef, SingleInput, TableInput
from atomiton_runtime.ids import NodeId
from atomiton_runtime.run.definition_difference import changes
from atomiton_runtime.run.reason import FIRST, LOOKS
from atomiton_runtime.run.reasons import key_path, reasons
from atomiton_runtime.run.reuse import part

LONG = "x" * 100


def node(taken: Input | None = None) -> Node:
    """Return a node that takes this."""
    return Node(id=NodeId("n"), index=0, type="t", parameters={}, input=taken)


def ref(name: str) -> PortRef:
    """Return a port of a node."""
    return PortRef(NodeId(name), "result")


SINGLE = node(SingleInput(ref("a")))
LISTED = node(ListInput((ref("a"), ref("b"))))
TABLE = node(TableInput((("x", ref("a")), ("y", ref("b")))))

WORDS: list[tuple[str, str | None, str | None, str]] = [
    ("parameter limit", "10", "20", "parameter `limit` 10 -> 20"),
    ("parameter limit", None, "20", "parameter `limit` is new: 20"),
    ("parameter limit", None, part(LONG), "parameter `limit` is new"),
    ("parameter limit", "10", None, "parameter `limit` is gone, it was 10"),
    ("parameter limit", part(LONG), None, "parameter `limit` is gone"),
    ("parameter limit", part(LONG), "1", "parameter `limit` (something longer) -> 1"),
    ("parameter limit", "1", part(LONG), "parameter `limit` 1 -> (something longer)"),
    ("parameter limit", part(LONG), part(LONG + "y"), "parameter `limit` was changed"),
    ("type", "a 1", "b 1", "its type was a and is b"),
    ("type", "a 1", "a 2", "its type a is another version"),
    ("type", "a 1", None, "its type was a and is "),
    ("name vars.limit", "10", "20", "variable `limit` 10 -> 20"),
    ("name vars", "{}", '{"a":1}', '`vars` {} -> {"a":1}'),
    ("name env.HOME", "#1", "#2", "environment variable `HOME` was changed"),
    ("name secrets.TOKEN", None, "by name", "secret `TOKEN` is new: by name"),
    ("name flow.name", '"a"', '"b"', '`flow.name` "a" -> "b"'),
    ("name now", '"1"', '"2"', "it uses `now`, which is another one each time"),
    ("name run.id", '"1"', '"2"', "it uses `run.id`, which is another one each time"),
    ("input", "#1", "#2", "its input is another one"),
    ("reads /d/a.csv", "1", "2", "/d/a.csv was changed"),
    ("reads /d/a.csv", None, "2", "it reads /d/a.csv now"),
    ("reads /d/a.csv", "1", None, "it reads /d/a.csv no more"),
    ("item", "#1", "#2", "it is given another item"),
    ("index", "1", "2", "`index` is another one"),
    ("outer 1", "1 #1", "2 #1", "`outer` is another one"),
    ("body", "1", "2", "the nodes within were changed"),
    ("flow /d/b.toml", "1", "2", "the flow /d/b.toml was changed"),
    ("flow /d/b.toml", None, "2", "it calls /d/b.toml now"),
    ("flow /d/b.toml", "1", None, "it calls /d/b.toml no more"),
    ("looks", None, "true", LOOKS),
]


@pytest.mark.parametrize(("name", "before", "after", "words"), WORDS)
def test_each_part_has_its_words(name: str, before: str | None, after: str | None, words: str) -> None:
    """A part that is new, gone or another one is said in words of its own."""
    old = {} if before is None else {name: before}
    new = {} if after is None else {name: after}
    (found,) = reasons(old, new, node())
    assert (words, name) == (found.message, found.part)


def test_without_an_earlier_result_there_is_one_reason() -> None:
    """A node that never gave a result is run for the first time."""
    assert [FIRST] == [reason.message for reason in reasons(None, {"type": "t"}, node())]


def test_what_is_the_same_is_no_reason() -> None:
    """Equal parts say nothing."""
    assert () == reasons({"type": "t"}, {"type": "t"}, node())


INPUTS: list[tuple[Node, str, str]] = [
    (SINGLE, "input", "the result of a is another one"),
    (LISTED, "input 1", "the result of b is another one"),
    (LISTED, "input 2", "its input is another one"),
    (LISTED, "input x", "its input is another one"),
    (TABLE, "input y", "the result of b is another one"),
    (TABLE, "input z", "its input is another one"),
]


@pytest.mark.parametrize(("taker", "name", "words"), INPUTS)
def test_an_input_is_named_by_the_node_that_gave_it(taker: Node, name: str, words: str) -> None:
    """Where the input is still taken from a node, that node is named."""
    assert [words] == [reason.message for reason in reasons({name: "#1"}, {name: "#2"}, taker)]


def test_other_wiring_is_other_inputs() -> None:
    """An input that is new or gone was wired anew."""
    found = reasons({"input x": "#1"}, {"input": "#1"}, SINGLE)
    assert ["it takes other inputs"] * 2 == [reason.message for reason in found]


PLACES: list[tuple[str, tuple[str, ...]]] = [
    ("parameter limit", ("nodes", "n", "limit")),
    ("type", ("nodes", "n", "type")),
    ("input x", ("nodes", "n", "input")),
    ("body", ("nodes", "n", "nodes")),
    ("name vars.limit", ("variables", "limit")),
    ("name env.HOME", ()),
    ("reads /d/a", ()),
]


@pytest.mark.parametrize(("name", "key"), PLACES)
def test_a_part_is_written_somewhere_or_nowhere(name: str, key: tuple[str, ...]) -> None:
    """What is written in the file has a place there."""
    assert key == key_path(name, ("nodes", "n"))


def edited(old: str, new: str, name: str, before: str, after: str) -> list[tuple[str, str]]:
    """Return message and place of the reasons that two texts of a node's table give."""
    found = changes(f"[nodes.n]\n{old}", f"[nodes.n]\n{new}")
    assert found is not None
    told = reasons({name: before}, {name: after}, node(), written_at=("nodes", "n"), edits=found)
    return [(reason.message, ".".join(reason.key)) for reason in told]


def test_of_a_long_text_the_place_is_shown_where_it_changed() -> None:
    """What is too long to be kept in a key is read in the two texts of the file."""
    old, new = part(LONG + "1 and more"), part(LONG + "2 and more")
    told = edited(
        f"expression = '{LONG}1 and more'",
        f"expression = '{LONG}2 and more'",
        "parameter expression",
        old,
        new,
    )
    words = f"parameter `expression` …{'x' * 15}1 and more -> …{'x' * 15}2 and more"
    assert [(words, "nodes.n.expression")] == told


def test_of_a_long_table_the_keys_are_shown_that_changed() -> None:
    """New, gone and other keys each have their line, as long as there are few."""
    told = edited(
        f"values = {{ a = 1, b = 2, k = '{LONG}' }}",
        f"values = {{ a = 3, c = 4, k = '{LONG}' }}",
        "parameter values",
        "#1",
        "#2",
    )
    assert [
        ("parameter `values.a` 1 -> 3", "nodes.n.values.a"),
        ("parameter `values.c` is new: 4", "nodes.n.values.c"),
        ("parameter `values.b` is gone, it was 2", "nodes.n.values.b"),
    ] == told


def test_of_many_edits_the_first_are_shown() -> None:
    """The rest is counted."""
    told = edited(
        "[nodes.n.nodes]", "[nodes.n.nodes]\na.x = 1\nb.x = 1\nc.x = 1\nd.x = 1\ne.x = 1", "body", "1", "2"
    )
    assert ['within it `a` is new: {"x":1}', "and 2 more"] == [told[0][0], told[-1][0]]
    assert 4 == len(told)


def test_a_body_that_is_new_as_a_whole() -> None:
    """There is nothing within that could be named."""
    told = edited("", "nodes.a.x = 1", "body", "1", "2")
    assert [('what is within it is new: {"a":{"x":1}}', "nodes.n.nodes")] == told


def test_within_a_body_nodes_are_named_as_they_are_in_a_run() -> None:
    """The keys between two nodes are left out."""
    told = edited("nodes.a.nodes.b.width = 10", "nodes.a.nodes.b.width = 20", "body", "1", "2")
    assert [("within it `a.b.width` 10 -> 20", "nodes.n.nodes.a.nodes.b.width")] == told


def test_without_an_edit_the_parts_have_to_say_it() -> None:
    """A template that gives another text is as it was in the file."""
    assert [("parameter `text` was changed", "nodes.n.text")] == edited("", "", "parameter text", "#1", "#2")
