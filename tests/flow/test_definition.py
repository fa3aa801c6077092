"""Tests what of a file makes a node's definition, and on which names a node depends."""

import copy
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow, Node
from atomiton_runtime.nodes.registry import NodeCatalogue
from tests.doubles.catalogue import CatalogueDouble

_SCALARS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{"), max_size=5)
    | st.dates()
    | st.times()
    | st.datetimes()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text("abc", min_size=1), below, max_size=3)
    ),
    max_leaves=6,
)


def _nodes(data: dict[str, Any]) -> tuple[Node, ...]:
    found = load_flow(tomli_w.dumps(data).encode(), Path("a.toml"), CatalogueDouble())
    assert isinstance(found, Flow), found
    return found.nodes


def _written(text: str) -> Node:
    content = f"[variables]\nx = 1\ny = 2\n[nodes.other]\ntype = 'make'\n[nodes.a]\n{text}"
    found = load_flow(content.encode(), Path("a.toml"), CatalogueDouble())
    assert isinstance(found, Flow), found
    return found.nodes[1]


def _made(values: object) -> str:
    return _nodes({"nodes": {"a": {"type": "make", "values": values}}})[0].definition


def _backwards(value: object) -> object:
    if isinstance(value, dict):
        return {key: _backwards(value[key]) for key in reversed(value)}
    return [_backwards(entry) for entry in value] if isinstance(value, list) else value


@given(values=_VALUES)
def test_form_is_no_part_of_a_definition(values: object) -> None:
    """The order of keys, comments, spaces and tables in their own lines change nothing."""
    table = {"type": "make", "values": {"deep": values, "b": 1}, "count": 2}
    text = tomli_w.dumps({"nodes": {"a": _backwards(table)}}, multiline_strings=True, indent=7)
    spread = text.replace("=", " =  ", 1).replace("\n", "  # so\n", 1)
    found = load_flow(spread.encode(), Path("a.toml"), CatalogueDouble())

    assert isinstance(found, Flow), found
    assert _nodes({"nodes": {"a": table}})[0].definition == found.nodes[0].definition
    assert 32 == len(found.nodes[0].definition)


@given(one=_VALUES, other=_VALUES)
def test_definitions_are_equal_only_for_the_same_parameters(one: object, other: object) -> None:
    """Values differ, or are of another kind: so do the definitions."""
    assert (repr(_backwards(_sorted(one))) == repr(_backwards(_sorted(other)))) == (
        _made(one) == _made(other)
    )


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(entry) for entry in value] if isinstance(value, list) else value


def test_kinds_are_told_apart() -> None:
    """An integer is no number, zero has a sign, and a date is not the text that looks like it."""
    day = date(2026, 1, 2)
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    values = [
        *(1, 1.0, True, "1", 0.0, -0.0, [], {}, [1], [[1]], {"a": 1}, "", "a"),
        *(day, str(day), day.isoformat() + "T00:00:00", datetime(2026, 1, 2), noon, noon.isoformat()),
        *(str(noon), "2026-01-02T12:00:00Z", time(12), "12:00:00"),
    ]

    assert len(set(map(repr, values))) == len({_made(value) for value in values})


LOOP: dict[str, Any] = {
    "type": "each",
    "items": [1],
    "nodes": {
        "one": {"type": "make", "values": 1},
        "two": {"type": "make"},
    },
}
KEPT = [
    ("name", "n"),
    ("description", "d"),
    ("input", "first"),
    ("after", "first"),
    ("retry", 3),
    ("timeout", "1m"),
    ("on_error", "continue"),
    ("always", True),
    ("reuse", "never"),
    ("repeatable", True),
    ("run_on", "local"),
]


@pytest.mark.parametrize(("key", "value"), KEPT)
def test_how_a_node_is_executed_is_no_part_of_its_definition_but_of_its_parents(
    key: str, value: object
) -> None:
    """What a node takes and how it is tried leaves its own definition; that of the body around it changes."""
    before = {"nodes": {"first": {"type": "make"}, "loop": copy.deepcopy(LOOP)}}
    around = copy.deepcopy(before)
    around["nodes"]["loop"][key] = value
    inside = copy.deepcopy(before)
    inside["nodes"]["loop"]["nodes"]["one"][key] = "two" if value == "first" else value
    expected = _nodes(before)[1]

    assert expected.definition == _nodes(around)[1].definition
    changes = key not in ("name", "description")
    assert changes == (expected.definition != _nodes(inside)[1].definition)
    assert expected.children[0].definition == _nodes(inside)[1].children[0].definition


@pytest.mark.parametrize(
    "change",
    [
        lambda loop: loop.update(when="vars.x > 1"),
        lambda loop: loop.update(items=[1, 2]),
        lambda loop: loop["nodes"]["one"].update(values=1.0),
        lambda loop: loop["nodes"]["one"].update(when="item"),
        lambda loop: loop["nodes"].update(three={"type": "make"}),
        lambda loop: loop["nodes"].pop("two"),
        lambda loop: loop.update(nodes={"uno": loop["nodes"]["one"]}),
        lambda loop: loop["nodes"]["two"].update(input="one"),
    ],
)
def test_type_condition_parameters_and_body_are_the_definition(change) -> None:
    """A change of what a node, or one of its body, is told to do is a change of its definition."""
    changed = copy.deepcopy(LOOP)
    change(changed)
    variables = {"x": 1}
    loaded = [_nodes({"variables": variables, "nodes": {"loop": loop}})[0] for loop in (LOOP, changed)]

    assert loaded[0].definition != loaded[1].definition


NAMES = [
    ("values = 1", set()),
    ("values = '{{ vars.x }}'", {"vars.x"}),
    ("values = [{ a = '{{ env.HOME }}, {{ now }}' }, 1]", {"env.HOME", "now"}),
    ("values = '{{ secrets.TOKEN }}{{ run.id }}{{ flow.name }}'", {"secrets.TOKEN", "run.id", "flow.name"}),
    ("values = \"{{ vars['y'] + 1 }}\"", {"vars.y"}),
    ("values = '{{ vars[input.k] }}'", {"vars", "input"}),
    ("values = '{{ vars.x ~ vars }}'", {"vars.x", "vars"}),
    ("values = '{{ vars }}'", {"vars"}),
    ("values = '{{ vars.x }}{% set vars = 1 %}'", {"vars.x"}),
    ("values = '{% for n in input %}{{ n }}{{ loop.index }}{% endfor %}{{ range(3) }}'", {"input"}),
    ("when = 'vars.x > 1'\nvalues = '{{ vars.y }}'", {"vars.x", "vars.y"}),
]


@pytest.mark.parametrize(("text", "names"), NAMES)
def test_names_are_what_templates_and_expressions_use(text: str, names: set[str]) -> None:
    """A name with its key where it is taken by one; alone where it is used whole or by a key that is computed."""
    assert names == _written(f"type = 'make'\n{text}").names


def test_names_of_children_are_those_of_their_parent() -> None:
    """A node with a body depends on all that its body uses."""
    node = _written(
        "type = 'each'\nitems = '{{ input }}'\n[nodes.a.nodes.b]\ntype = 'each'\nwhen = 'vars.x'\n"
        "[nodes.a.nodes.b.nodes.c]\ntype = 'change'\nexpression = 'item + index + outer.item + acc'\n"
    )

    assert {"input", "vars.x", "item", "index", "outer", "acc"} == node.names


def test_key_of_items_is_no_name() -> None:
    """A bare name of a key depends on nothing outside."""
    assert set() == _written("type = 'sort'\nkey = 'total'").names


def test_nodes_say_whether_their_type_may_write() -> None:
    """The effect that a type tells of is written down in its nodes; a body has no say."""
    content = (
        "[nodes.f]\ntype = 'file-system'\noperation = 'write'\npath = 'a'\ncontent = ''\n"
        "[nodes.g]\ntype = 'group'\n[nodes.g.nodes.f]\ntype = 'file-system'\noperation = 'read'\npath = 'a'\n"
        "[nodes.e]\ntype = 'edit-fields'\nvalues = {}\n"
    )
    found = load_flow(content.encode(), Path("a.toml"), NodeCatalogue())

    assert isinstance(found, Flow), found
    assert [True, False, False] == [node.may_write for node in found.nodes]
    assert found.nodes[1].children[0].may_write
