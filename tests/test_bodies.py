"""Group, loop, parallel and flow over a whole runtime: child nodes really run, end and are ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunDocument

SLEEPS = 'type = "shell-command"\nprogram = "sleep"\nargs = ["60"]\n'
MAKES = 'type = "edit-fields"\nkeep_only_set = true\n'
FAILS = 'type = "file-system"\noperation = "read"\npath = "missing-{{ index }}"\n'


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder for flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture
def runtime(flows: Path, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime over that folder."""
    with Runtime(flows=flows, storage="memory:", data=tmp_path / "data") as started:
        yield started


def run(runtime: Runtime, flows: Path, toml: str, **variables: object) -> RunDocument:
    """Run a flow of this text to its end."""
    (flows / "it.toml").write_text(toml, encoding="utf-8")
    return runtime.run("it", **variables).result(timeout_s=30)


def outputs(document: RunDocument, node: str = "it") -> Any:
    """Return what a node gave."""
    assert document.error is None, document.error
    return document.nodes[node].outputs


def test_children_are_nodes_of_the_run(runtime: Runtime, flows: Path) -> None:
    """Each child has a status and outputs of its own, under an id that says where it ran."""
    document = run(
        runtime,
        flows,
        f'[nodes.it]\ntype = "loop"\nitems = ["a", "b"]\n'
        f'[nodes.it.nodes.up]\n{MAKES}values = {{ v = "{{{{ item | upper }}}}" }}\n'
        f'[nodes.last]\ninput = "it"\ntype = "transform"\noperation = "reverse"\n',
    )

    assert list(document.nodes) == ["it", "it/0/up", "it/1/up", "last"]
    assert {node.status for node in document.nodes.values()} == {"succeeded"}
    assert outputs(document, "it/1/up") == {"result": {"v": "B"}}
    assert document.outputs == {"last": {"result": [{"v": "B"}, {"v": "A"}], "count": 2}}


def test_results_keep_the_order_of_the_items(runtime: Runtime, flows: Path) -> None:
    """However long each takes, with several at once."""
    document = run(
        runtime,
        flows,
        '[nodes.it]\ntype = "loop"\nitems = [0.2, 0.0, 0.1]\nconcurrency = 3\n'
        '[nodes.it.nodes.wait]\ntype = "shell-command"\nprogram = "sleep"\nargs = ["{{ item }}"]\n'
        f'[nodes.it.nodes.say]\nafter = "wait"\n{MAKES}values = {{ v = "{{{{ item }}}}" }}\n',
    )

    assert [each["v"] for each in outputs(document)["results"]] == [0.2, 0.0, 0.1]


def test_large_results_are_those_of_the_iterations(runtime: Runtime, flows: Path) -> None:
    """What a loop only passes on is what its child gave, in every size and also beside failures."""
    document = run(
        runtime,
        flows,
        """
        [nodes.it]
        type = "loop"
        items = [1, 20000, 2000000, 0]
        on_item_error = "collect"
        [nodes.it.nodes.each]
        type = "transform"
        operation = "map"
        data = ["{{ item }}"]
        expression = "'x' * (item if item else [])"
        """,
    )
    kept = runtime._engine.large_values.resolve(outputs(document)["results"])

    assert kept == [["x"], ["x" * 20000], ["x" * 2000000], None]


def test_outer_loops_stay_reachable(runtime: Runtime, flows: Path) -> None:
    """`outer` is the loop around, also in the expressions of a transform and through a group."""
    document = run(
        runtime,
        flows,
        '[nodes.it]\ntype = "loop"\nitems = [10, 20]\n'
        '[nodes.it.nodes.box]\ntype = "group"\n'
        '[nodes.it.nodes.box.nodes.inner]\ntype = "loop"\nmode = "times"\ncount = 2\n'
        '[nodes.it.nodes.box.nodes.inner.nodes.sum]\ntype = "transform"\noperation = "map"\n'
        'data = ["{{ outer.item + index }}"]\nexpression = "[item, outer.item, outer.outer.item]"\n',
    )

    assert outputs(document)["results"] == [
        [[[10, 0, 10]], [[11, 1, 10]]],
        [[[20, 0, 20]], [[21, 1, 20]]],
    ]


def test_a_failure_names_the_child_the_item_and_the_line(runtime: Runtime, flows: Path) -> None:
    """After it no other iteration begins, and the loop fails with the child's own failure."""
    document = run(
        runtime, flows, f'[nodes.it]\ntype = "loop"\nitems = [7, 8]\n[nodes.it.nodes.read]\n{FAILS}'
    )

    assert document.status == "failed"
    assert document.error is not None
    assert document.error.node == "it/0/read"
    assert document.error.where is not None
    assert document.error.where.line == 4
    assert "(item 0: 7)" in document.error.message
    assert "it/1/read" not in document.nodes
    assert document.nodes["it"].error == document.error


def test_failures_are_collected(runtime: Runtime, flows: Path) -> None:
    """With `collect` the others go on; results keep their places."""
    document = run(
        runtime,
        flows,
        '[nodes.it]\ntype = "loop"\nitems = [1, 0, 2]\non_item_error = "collect"\n'
        '[nodes.it.nodes.div]\ntype = "transform"\noperation = "map"\ndata = [1]\nexpression = "4 / outer.item"\n',
    )
    given = outputs(document)

    assert given["results"] == [[4.0], None, [2.0]]
    assert given["count"] == 2
    assert [(each["index"], each["node"]) for each in given["errors"]] == [(1, "it/1/div")]


@pytest.mark.parametrize(
    ("toml", "results"),
    [
        ("items = []\n", []),
        ('mode = "times"\ncount = 0\n', []),
        ('mode = "while"\ncondition = "false"\n', []),
        ('mode = "while"\ncondition = "index < 3"\n', [{"v": 0}, {"v": 1}, {"v": 2}]),
    ],
)
def test_how_often(runtime: Runtime, flows: Path, toml: str, results: list[object]) -> None:
    """A loop may do nothing, and stops when its condition says so."""
    child = f'[nodes.it.nodes.say]\n{MAKES}values = {{ v = "{{{{ index }}}}" }}\n'
    assert outputs(run(runtime, flows, f'[nodes.it]\ntype = "loop"\n{toml}{child}'))["results"] == results


def test_the_losers_of_a_race_are_ended(runtime: Runtime, flows: Path) -> None:
    """The node ends when the first child has succeeded and nothing of the others is alive."""
    document = run(
        runtime,
        flows,
        f'[nodes.it]\ntype = "parallel"\nstrategy = "race"\n[nodes.it.nodes.slow]\n{SLEEPS}'
        f"[nodes.it.nodes.slower]\n{SLEEPS}[nodes.it.nodes.quick]\n{MAKES}values = {{ v = 1 }}\n",
    )

    assert outputs(document) == {"results": {"quick": {"v": 1}}, "errors": {}}
    assert document.nodes["it/slow"].status == "cancelled"
    assert sleeping() == []


def test_a_cancel_reaches_every_child(runtime: Runtime, flows: Path) -> None:
    """Through a flow in a group in a loop; afterwards no process is alive and every node is settled."""
    (flows / "called.toml").write_text(f"[nodes.sleep]\n{SLEEPS}", encoding="utf-8")
    (flows / "it.toml").write_text(
        '[nodes.it]\ntype = "loop"\nitems = [1, 2, 3]\nconcurrency = 2\n'
        '[nodes.it.nodes.box]\ntype = "group"\n'
        '[nodes.it.nodes.box.nodes.call]\ntype = "flow"\nflow = "called"\n',
        encoding="utf-8",
    )
    going_on = runtime.run("it")
    started = 0
    for event in going_on.events(timeout_s=20):
        if isinstance(event, ev.NodeStarted) and event.node.endswith("/sleep"):
            started += 1
            if started == 2:
                going_on.cancel()
    document = going_on.result(timeout_s=20)

    assert document.status == "cancelled"
    assert document.nodes["it/0/box/call/sleep"].status == "cancelled"
    assert {node.status for node in document.nodes.values()} == {"cancelled"}
    assert sleeping() == []


def test_a_timeout_ends_the_body(runtime: Runtime, flows: Path) -> None:
    """The time of a node with a body is that of all its children together."""
    document = run(
        runtime, flows, f'[nodes.it]\ntype = "group"\ntimeout = "200ms"\n[nodes.it.nodes.sleep]\n{SLEEPS}'
    )

    assert document.error is not None
    assert (document.error.code, document.error.node) == ("NODE-010", "it")
    assert document.nodes["it/sleep"].status == "cancelled"
    assert sleeping() == []


def test_a_group_is_tried_again_whole(runtime: Runtime, flows: Path) -> None:
    """Both children run again when the second one has failed."""
    document = run(
        runtime,
        flows,
        '[nodes.it]\ntype = "group"\nretry = { attempts = 3, delay = 0 }\n'
        '[nodes.it.nodes.count]\ntype = "shell-command"\nshell = true\nprogram = "echo x >> tries"\n'
        '[nodes.it.nodes.enough]\nafter = "count"\ntype = "shell-command"\nshell = true\n'
        'program = "test $(wc -l < tries) -ge 2"\n',
    )

    assert document.status == "succeeded"
    assert document.nodes["it"].attempts == 2
    assert (flows / "tries").read_text() == "x\nx\n"


def test_a_flow_has_variables_and_a_folder_of_its_own(runtime: Runtime, flows: Path) -> None:
    """Its paths start at its own file, its names are its own, and all that it needs is checked."""
    (flows / "sub").mkdir()
    (flows / "sub" / "greet.toml").write_text(
        '[variables]\nname = "you"\nn = 1\n[nodes.hi]\ntype = "file-system"\noperation = "write"\n'
        'path = "hi.txt"\ncontent = "{{ vars.name }} {{ vars.n }} {{ flow.id }}"\n',
        encoding="utf-8",
    )
    text = '[nodes.it]\ntype = "flow"\nflow = "sub/greet.toml"\nvariables = {{ {} }}\n'
    document = run(runtime, flows, text.format('name = "Ada"'))

    assert (flows / "sub" / "hi.txt").read_text() == "Ada 1 greet"
    assert outputs(document)["outputs"]["hi"]["size_bytes"] == 11
    wrong = run(runtime, flows, text.format('n = "many"'))
    assert wrong.error is not None
    assert wrong.error.code == "CALL-001"


@pytest.mark.parametrize(
    ("files", "code", "part"),
    [
        ({"it": "it"}, "FLOW-020", "it -> it"),
        ({"it": "a", "a": "b", "b": "it"}, "FLOW-020", "it -> a -> b -> it"),
        ({"it": "a", "a": "b", "b": "a"}, "FLOW-020", "a -> b -> a"),
        ({"it": "nowhere"}, "FLOW-019", "there is no flow `nowhere`"),
        ({"it": "a", "a": ""}, "FLOW-019", "has problems of its own"),
    ],
)
def test_calls_are_checked_before_anything_runs(
    runtime: Runtime, flows: Path, files: dict[str, str], code: str, part: str
) -> None:
    """A flow that calls itself, or what is not there, is a problem at the place of the call."""
    for name, called in files.items():
        text = f'[nodes.x]\ntype = "flow"\nflow = "{called}"\n'
        (flows / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.raises(FlowInvalid) as caught:
        runtime.run("it")
    (problem,) = caught.value.problems

    assert (problem.code, problem.line) == (code, 3)
    assert part in problem.message
    assert runtime.history() == ()


def test_clean_up_within_a_body_runs_in_a_cancelled_run(runtime: Runtime, flows: Path) -> None:
    """`always` children of what had begun still run."""
    (flows / "it.toml").write_text(
        f'[nodes.it]\ntype = "group"\n[nodes.it.nodes.sleep]\n{SLEEPS}'
        '[nodes.it.nodes.sweep]\nafter = "sleep"\nalways = true\ntype = "file-system"\noperation = "write"\n'
        'path = "swept"\ncontent = "yes"\n',
        encoding="utf-8",
    )
    going_on = runtime.run("it")
    for event in going_on.events(timeout_s=20):
        if isinstance(event, ev.NodeStarted) and event.node == "it/sleep":
            going_on.cancel()

    assert going_on.result(timeout_s=20).status == "cancelled"
    assert (flows / "swept").read_text() == "yes"


def test_a_child_cannot_change_what_another_sees(runtime: Runtime, flows: Path) -> None:
    """Items are copies: each child gets one of its own."""
    (flows / "nodes").mkdir()
    (flows / "nodes" / "spoil.py").write_text(SPOILS, encoding="utf-8")
    document = run(
        runtime,
        flows,
        '[nodes.it]\ntype = "loop"\nitems = [{ a = 1 }]\n[nodes.it.nodes.spoil]\ntype = "spoil"\n'
        '[nodes.it.nodes.look]\nafter = "spoil"\ntype = "edit-fields"\nvalues = { b = 2 }\n',
    )

    assert outputs(document)["results"] == [{"a": 1, "b": 2}]


def test_what_a_node_says_is_in_the_log(runtime: Runtime, flows: Path) -> None:
    """Lines come as events, in order, before the node's end; a flood is cut with a mark."""
    (flows / "nodes").mkdir()
    (flows / "nodes" / "spoil.py").write_text(SPOILS, encoding="utf-8")
    (flows / "it.toml").write_text('[nodes.it]\ntype = "spoil"\nlines = 100000\n', encoding="utf-8")
    going_on = runtime.run("it")
    going_on.result(timeout_s=20)
    journal = runtime.journal(going_on.id)
    said = "".join(event.text for event in journal if isinstance(event, ev.NodeLogged))

    assert said.startswith("line 0\nline 1\n")
    assert "cut" in said.splitlines()[-1]
    assert len(said) < 300_000
    assert isinstance(journal[-2], ev.NodeSucceeded)


def sleeping() -> list[psutil.Process]:
    """Return the commands that this process started and that are still there."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.is_running() and child.name() == "sleep"]


SPOILS = '''
from typing import Annotated, Any
import msgspec
from msgspec import Meta
from atomiton_runtime.nodes.base import Example, NodeContext, NodeType, Port


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lines: Annotated[int, Meta(description="How many lines to say.")] = 0


class Spoil(NodeType):
    """Changes its input in place, and says lines."""

    name = "spoil"
    ports = (Port("result", "The input."),)
    Parameters = Parameters
    examples = (Example(title="Nothing", toml="", outputs={"result": None}),)

    def execute(self, parameters: Parameters, context: NodeContext) -> dict[str, Any]:
        for number in range(parameters.lines):
            context.log(f"line {number}")
        if isinstance(context.input, dict):
            context.input.clear()
        return {"result": context.input}
'''
