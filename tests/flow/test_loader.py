"""Tests what becomes of a valid flow file, and that no bytes break the loader."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.expressions import Expression, Template, compile_expression
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import (
    Flow,
    ListInput,
    PortRef,
    Retry,
    Settings,
    SingleInput,
    TableInput,
    Variable,
)
from atomiton_runtime.flow.problems import Problem, render_problems
from atomiton_runtime.ids import NodeId
from tests.doubles.catalogue import CatalogueDouble

WHOLE = b"""#!/usr/bin/env -S atomiton run
name = "Whole"
description = "Everything a flow may hold"

[variables]
source = "data/x.csv"
ratio = 0.5
since = 2026-11-23
tags = ["a"]
limit = { type = "integer", default = 10, description = "rows", min = 1, max = 1000 }
need = { type = "string", pattern = "[a-z]+", choices = ["a", "b"], required = true }
table = { type = "object", default = { a = 1 } }

[settings]
on_save = "all"
on_busy = "restart"
timeout = "1h30m"
max_parallel = 2
notify = "always"
tray = false

[nodes.read]
type = "make"
values = { a = "{{ vars.source }}", b = [1, "x{{ vars.limit }}", 1.5, true], since = 2026-11-23T10:00:00Z }
retry = 3

[nodes.active]
type = "change"
name = "Active"
description = "Keeps the active ones"
input = "read.count"
expression = "item.active and item.total > vars.limit and acc is not defined"
retry = { attempts = 2, delay = "0s", backoff = 1.5, max_delay = "1m", jitter = false }
timeout = "250ms"
on_error = "continue"
reuse = "never"
repeatable = true
run_on = "local"
when = "input.total > 1"

[nodes.alarm]
type = "store"
input = "active.error"
path = "out"
always = true

[nodes.both]
type = "store"
input = ["active", "read.count"]
after = ["alarm", "alarm", "read"]
path = "{{ flow.folder }}/{{ run.id }}"

[nodes.save]
type = "store"
input = { a = "active", b = "read" }
after = "alarm"
path = "{{ input.a }}"

[nodes.loop]
type = "each"
condition = "index < 3"

[nodes.loop.nodes.first]
type = "make"
values = "{{ item.x }}{{ index }}"

[nodes.loop.nodes.second]
type = "store"
input = "first"
path = "x"
when = "item"
"""


def loaded(content: bytes, path: Path = Path("/flows/whole.toml")) -> Flow:
    """Return the flow in `content`, which must be valid."""
    flow = load_flow(content, path, CatalogueDouble())
    assert isinstance(flow, Flow), render_problems(flow)
    return flow


def problems(content: bytes) -> tuple[Problem, ...]:
    """Return what is wrong with `content`, which must be something."""
    found = load_flow(content, Path("bad.toml"), CatalogueDouble())
    assert isinstance(found, tuple)
    return found


def test_whole_flow_is_known_by_its_file() -> None:
    """Id, folder and hash come from the file, names from its text."""
    flow = loaded(WHOLE)

    assert ("whole", "Whole", "Everything a flow may hold") == (flow.id, flow.name, flow.description)
    assert ("/flows/whole.toml", "/flows") == (flow.path, flow.folder)
    assert hashlib.sha256(WHOLE).hexdigest() == flow.hash
    assert "plain" == loaded(b"[nodes.a]\ntype = 'make'", Path("/x/plain.toml")).name


def test_settings_and_variables_are_read() -> None:
    """Both forms of variables, and every setting."""
    flow = loaded(WHOLE)

    expected = Settings(
        on_save="all", on_busy="restart", timeout_s=5400, max_parallel=2, notify="always", tray=False
    )
    assert expected == flow.settings
    assert {
        "source": Variable(name="source", type="string", default="data/x.csv"),
        "ratio": Variable(name="ratio", type="number", default=0.5),
        "since": Variable(name="since", type="string", default="2026-11-23"),
        "tags": Variable(name="tags", type="array", default=["a"]),
        "limit": Variable(name="limit", type="integer", default=10, description="rows", min=1, max=1000),
        "need": Variable(name="need", type="string", required=True, pattern="[a-z]+", choices=("a", "b")),
        "table": Variable(name="table", type="object", default={"a": 1}),
    } == flow.variables


def test_common_keys_are_read() -> None:
    """Every common key has its field."""
    read, active, alarm, *_ = loaded(WHOLE).nodes

    assert Retry(attempts=3) == read.retry
    assert ("Active", "Keeps the active ones", 0.25) == (active.name, active.description, active.timeout_s)
    assert Retry(attempts=2, delay_s=0, backoff=1.5, max_delay_s=60, jitter=False) == active.retry
    assert (True, "never", True, "local") == (
        active.continue_on_error,
        active.reuse,
        active.repeatable,
        active.run_on,
    )
    assert isinstance(active.when, Expression)
    assert (True, False) == (alarm.always, active.always)
    lines = WHOLE.decode().splitlines()
    headers = [f"[nodes.{node.id}]" for node in loaded(WHOLE).nodes]
    assert headers == [lines[node.line - 1] for node in loaded(WHOLE).nodes]


def test_inputs_have_three_forms() -> None:
    """A reference, a list and a table; a bare name means the primary port."""
    nodes = {node.id: node for node in loaded(WHOLE).nodes}

    count, result = PortRef(NodeId("read"), "count"), PortRef(NodeId("active"), "result")
    assert SingleInput(count) == nodes[NodeId("active")].input
    assert SingleInput(PortRef(NodeId("active"), "error")) == nodes[NodeId("alarm")].input
    assert ListInput((result, count)) == nodes[NodeId("both")].input
    assert (
        TableInput((("a", result), ("b", PortRef(NodeId("read"), "result")))) == nodes[NodeId("save")].input
    )
    assert (NodeId("alarm"), NodeId("read")) == nodes[NodeId("both")].after


def test_edges_are_computed() -> None:
    """Parents, dependents, sinks and handled failures are there for the scheduler."""
    flow = loaded(WHOLE)

    assert ((), (0,), (1,), (0, 1, 2), (0, 1, 2), ()) == flow.parents
    assert ((1, 3, 4), (2, 3, 4), (3, 4), (), (), ()) == flow.dependents
    assert (3, 4, 5) == flow.sinks
    assert frozenset({1}) == flow.handled


def test_parameters_are_compiled() -> None:
    """Texts with braces become templates at any depth, expressions expressions, dates texts."""
    read, active, *_ = loaded(WHOLE).nodes

    values = read.parameters["values"]
    assert isinstance(values, dict)
    assert isinstance(values["a"], Template)
    assert "2026-11-23T10:00:00+00:00" == values["since"]
    assert isinstance(values["b"], list)
    assert [int, Template, float, bool] == [type(entry) for entry in values["b"]]
    assert isinstance(active.parameters["expression"], Expression)


def test_bodies_have_nodes_of_their_own() -> None:
    """Child nodes count within their body, name each other, and may use the item."""
    loop = loaded(WHOLE).nodes[5]

    first, second = loop.children
    assert ((0, "first", 63), (1, "second", 67)) == tuple(
        (node.index, node.id, node.line) for node in loop.children
    )
    assert SingleInput(PortRef(NodeId("first"), "result")) == second.input
    assert () == first.children


def test_line_ends_and_marks_of_editors_change_nothing() -> None:
    """A file saved with CR LF, or with a byte order mark, is the same flow."""
    plain = loaded(WHOLE)

    for content in (WHOLE.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + WHOLE):
        other = loaded(content)
        assert (plain.nodes, plain.variables, plain.settings) == (
            other.nodes,
            other.variables,
            other.settings,
        )


def test_every_half_typed_file_is_a_flow_or_explained() -> None:
    """Each prefix of a valid file loads or gives problems that can be shown; nothing else."""
    for length in range(len(WHOLE)):
        found = load_flow(WHOLE[:length], Path("half.toml"), CatalogueDouble())
        assert isinstance(found, Flow) or render_problems(found)


@given(
    place=st.integers(0, len(WHOLE)),
    removed=st.integers(0, 30),
    inserted=st.binary(max_size=4)
    | st.sampled_from([b"[", b"]", b"{{", b'"', b"'''", b"=", b".", b"\n[[nodes.read]]\n"]),
)
def test_every_changed_file_is_a_flow_or_explained(place: int, removed: int, inserted: bytes) -> None:
    """Whatever is typed or deleted anywhere, the loader answers."""
    found = load_flow(
        WHOLE[:place] + inserted + WHOLE[place + removed :], Path("changed.toml"), CatalogueDouble()
    )

    assert isinstance(found, Flow) or render_problems(found)


@given(content=st.binary(max_size=200) | st.text("[]{}=.\"'#\n\t abn1-_,", max_size=100).map(str.encode))
def test_random_bytes_are_explained(content: bytes) -> None:
    """Bytes that are no flow give problems, never another exception."""
    assert render_problems(problems(content))


def test_too_many_nodes_are_one_problem() -> None:
    """A flow of more nodes than it may have says so once."""
    content = b"".join(b"[nodes.n%d]\ntype='make'\n" % number for number in range(10_001))

    assert ["FLOW-013: a flow has at most 10,000 nodes"] == [
        f"{each.code}: {each.message}" for each in problems(content)
    ]


def test_ten_thousand_nodes_load() -> None:
    """The largest flow there may be loads."""
    content = b"".join(b"[nodes.n%d]\ntype='make'\nafter='n%d'\n" % (n, n - 1) for n in range(1, 10_000))

    assert 10_000 == len(loaded(b"[nodes.n0]\ntype='make'\n" + content).nodes)


def test_bodies_too_deep_are_a_problem() -> None:
    """Bodies in bodies have an end."""
    content = b"".join(b"[nodes%s.x]\ntype='each'\n" % (b".x.nodes" * depth) for depth in range(30))

    assert ["FLOW-013"] == [each.code for each in problems(content)]


def test_deep_parameters_are_no_trouble() -> None:
    """What tomllib can read the loader can walk."""
    for depth in (50, 150, 250, 350):
        found = load_flow(
            b"[nodes.a]\ntype='make'\nvalues = " + b"[" * depth + b"]" * depth,
            Path("a.toml"),
            CatalogueDouble(),
        )
        assert isinstance(found, Flow) or ["TOML-006"] == [each.code for each in found]


def test_valid_flow_loads_no_second_parser() -> None:
    """The parser for positions is loaded only when there is a problem to show; Jinja only for expressions."""
    code = (
        "import sys; from pathlib import Path; from atomiton_runtime.flow.loader import load_flow;"
        "from tests.doubles.catalogue import CatalogueDouble;"
        "load_flow(b'[nodes.a]\\ntype = \"make\"\\nvalues = \"{{ input.x }}\"', Path('a.toml'), CatalogueDouble());"
        "print([name for name in ('jinja2', 'tree_sitter') if name in sys.modules])"
    )

    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert "[]" == shown.stdout.strip()


def test_node_without_input_reads_nothing() -> None:
    """`Node.refs` is empty without an input, and lists every port otherwise."""
    assert [0, 1, 1, 2, 2, 0] == [len(node.refs) for node in loaded(WHOLE).nodes]


@pytest.mark.parametrize(
    ("written", "text"), [("n", "n"), (" n ", " n "), ("item.n", "item.n"), ("item", "item")]
)
def test_key_is_a_bare_name_or_an_expression(written: str, text: str) -> None:
    """A parameter of the kind `key` takes a name of the items, or an expression."""
    node = loaded(f"[nodes.a]\ntype = 'sort'\nkey = '{written}'".encode()).nodes[0]

    assert compile_expression(text) == node.parameters["key"]


def test_keys_that_are_no_names_are_checked() -> None:
    """A word of the language, or a wrong name in an expression, is reported for a `key` as anywhere."""
    assert ["EXPR-001"] == [each.code for each in problems(b"[nodes.a]\ntype = 'sort'\nkey = 'not'")]
    assert ["EXPR-002"] == [each.code for each in problems(b"[nodes.a]\ntype = 'sort'\nkey = 'itme.x'")]


def test_one_wrong_parameter_hides_no_other_and_causes_no_second_report() -> None:
    """What the type says to the sound parameters is reported beside the expression that is wrong."""
    text = """[nodes.a]
type = "make"
values = { wrong = "{{ vars.", odd = 13 }
count = 13
[nodes.b]
type = "change"
expression = "item >"
data = 13
[nodes.c]
type = "change"
data = 13
"""
    found = load_flow(text.encode(), Path("bad.toml"), CatalogueDouble())
    assert isinstance(found, tuple)
    assert [(each.code, each.line) for each in found] == [
        ("EXPR-001", 3),
        ("PARAM-003", 4),
        ("EXPR-001", 7),
        ("PARAM-003", 8),
        ("PARAM-005", 9),
        ("PARAM-003", 11),
    ]


@pytest.mark.parametrize(
    "where", ["[nodes.a]\nvalues", "[nodes.a.values]\nb.c", "[variables]\nx", "[other]\nx"]
)
@pytest.mark.parametrize("depth", [240, 260, 398])
def test_parameters_too_deep_are_a_problem(where: str, depth: int) -> None:
    """Deeper than nodes can hand to each other, a value is a problem at its place; keys with dots count as well."""
    for opening, closing in (("[", "]"), ("{ a = ", "}"), ("{ a.b.c.d.e.f.g.h = ", "}")):
        text = f"{where} = {opening * depth}1{closing * depth}\n[nodes.a.x]\n"
        found = problems(
            text.replace("[nodes.a.x]", "" if "nodes" in where else "[nodes.a]\ntype='make'").encode()
        )

        assert found
        assert render_problems(found)


def test_value_too_deep_says_so() -> None:
    """The problem of a value that is nested too deep names its line."""
    content = b"[nodes.a]\ntype = 'make'\nvalues = " + b"[" * 260 + b"]" * 260

    assert [("TOML-006", 3)] == [(each.code, each.line) for each in problems(content)]


def test_secrets_as_a_whole_are_refused_beside_one_of_them() -> None:
    """That one secret is taken by its name does not allow to take them all."""
    content = b"[nodes.a]\ntype = 'make'\nvalues = '{{ secrets.A }}{{ secrets | tojson }}'"

    assert ["EXPR-008"] == [each.code for each in problems(content)]


def test_integers_too_large_are_told_of_beside_everything_else() -> None:
    """An integer that no JSON can hold is one problem of its node."""
    content = b"[nodes.a]\ntype = 'make'\nvalues = 99999999999999999999\ncount = '{{ x }}'"

    assert ["TOML-008", "EXPR-002"] == [each.code for each in problems(content)]
