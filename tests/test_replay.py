"""`Runtime.replay` over a whole runtime: one node of a run, on the inputs that it had there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.ids import RunId
from atomiton_runtime.requests import Chosen, Refused, ReplayNode, RunAccepted, RunFlow
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.values import Value

FLOW = """\
[variables]
factor = 2

[nodes.rows]
type = "edit-fields"
values = {{ rows = [{{ id = 1, price = 10 }}, {{ id = 2, price = {price} }}] }}

[nodes.each]
type = "loop"
input = "rows"
items = "{{{{ input.rows }}}}"

[nodes.each.nodes.calc]
type = "edit-fields"
values = {{ total = "{{{{ item.price * vars.factor }}}}", at = "{{{{ index }}}}" }}

[nodes.each.nodes.say]
type = "edit-fields"
input = "calc"
values = {{ said = "{words} {{{{ input.total }}}}" }}

[nodes.write]
type = "shell-command"
input = "each"
shell = true
program = "echo {words} >> ../written"
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder for flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture(params=["memory:", "sqlite:///{}/runs.sqlite", "files:///{}/runs"])
def runtime(flows: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """A runtime over that folder, on each of the engines."""
    storage = str(request.param).format(tmp_path / "store")
    (tmp_path / "store").mkdir()
    with Runtime(flows=flows, storage=storage, data=tmp_path / "data") as started:
        yield started


def save(flows: Path, price: int = 5, words: str = "it is") -> None:
    (flows / "it.toml").write_text(FLOW.format(price=price, words=words))


def run(runtime: Runtime, flow: str = "it", **variables: object) -> RunId:
    return runtime.run(flow, **variables).result(timeout_s=30).run_id


def replayed(runtime: Runtime, run_id: RunId, node: str, **changes: Value) -> RunDocument:
    return runtime.replay(run_id, node, set=changes).result(timeout_s=30)


def result_of(document: RunDocument, node: str) -> Value:
    state = document.nodes[node]
    assert state.status == "succeeded", state
    return (state.outputs or {})["result"]


def refused(runtime: Runtime, run_id: RunId, node: str, **changes: Value) -> UsageError:
    before = len(runtime.history())
    with pytest.raises(UsageError) as raised:
        runtime.replay(run_id, node, set=changes)
    assert len(runtime.history()) == before, "nothing was executed"
    return raised.value


def test_a_node_is_executed_as_it_is_now_on_what_it_had_then(
    runtime: Runtime, flows: Path, tmp_path: Path
) -> None:
    """The definition is that of the file, variables and inputs are those of the run; no other node is executed."""
    save(flows)
    run_id = run(runtime, factor=3)
    save(flows, price=100, words="it was")

    document = replayed(runtime, run_id, "write")

    assert (document.status, document.trigger, document.variables) == ("succeeded", "replay", {"factor": 3})
    assert "it is\nit was\n" == (tmp_path / "written").read_text(), "it is executed in earnest"
    assert ["skipped", "reused", "succeeded"] == [node.status for node in document.nodes.values()]
    assert document.nodes["each"].reused_from == run_id
    assert ["write"] == list(document.outputs)


def test_a_child_is_executed_with_its_item(runtime: Runtime, flows: Path) -> None:
    """It has the item, index and inputs of its iteration in the run; what is beside it has the ids of the run."""
    save(flows)
    run_id = run(runtime, factor=3)
    save(flows, price=100, words="it was")

    calc = replayed(runtime, run_id, "each/1/calc")
    say = replayed(runtime, run_id, "each/1/say")

    # The price was 5: the new definition of `rows` is of no account.
    assert {"id": 2, "price": 5, "total": 15, "at": 1} == result_of(calc, "each/1/calc")
    assert NodeDocument(status="skipped") == calc.nodes["each/1/say"]
    assert ["each/1/calc", "each/1/say"] == list(say.nodes)
    told = result_of(say, "each/1/say")
    assert isinstance(told, dict)
    assert "it was 15" == told["said"]


def test_a_loop_is_executed_with_its_body(runtime: Runtime, flows: Path) -> None:
    """Replayed as a whole, a node executes all that is within it on the recorded input."""
    save(flows)
    run_id = run(runtime)
    save(flows, price=100, words="it was")

    document = replayed(runtime, run_id, "each")

    assert "succeeded" == document.nodes["each/1/say"].status
    told = (document.nodes["each/1/say"].outputs or {})["result"]
    assert isinstance(told, dict)
    assert "it was 10" == told["said"]


def test_parameters_are_set_for_one_replay(runtime: Runtime, flows: Path) -> None:
    """A parameter, or a key within one, is another one; the next run knows nothing of it."""
    save(flows)
    run_id = run(runtime)

    within = replayed(runtime, run_id, "each/0/calc", **{"values.total": 7})
    whole = replayed(runtime, run_id, "rows", values={"a": "{{ vars.factor + 1 }}"})

    assert {"id": 1, "price": 10, "total": 7, "at": 0} == result_of(within, "each/0/calc")
    assert {"a": 3} == result_of(whole, "rows")
    again = runtime.show(run(runtime))
    assert again.nodes["each/0/calc"].outputs == runtime.show(run_id).nodes["each/0/calc"].outputs


def test_what_is_set_is_checked_like_a_parameter(runtime: Runtime, flows: Path) -> None:
    """The codes and hints are those of flow files; what is no parameter is refused."""
    save(flows)
    run_id = run(runtime)

    unknown = refused(runtime, run_id, "each/0/calc", valeus=1)
    assert ("PARAM-001", "did you mean `values`?") == (unknown.code, unknown.hint)
    assert "PARAM-002" == refused(runtime, run_id, "write", args=1).code
    assert "RUN-030" == refused(runtime, run_id, "write", when="false").code
    assert "RUN-030" == refused(runtime, run_id, "write", **{"program.a": 1}).code
    assert "RUN-030" == refused(runtime, run_id, "write", **{"a b": 1}).code


def test_what_cannot_be_replayed(runtime: Runtime, flows: Path) -> None:
    """Each refusal has a code of its own, and nothing is executed."""
    save(flows)
    run_id = run(runtime)
    replay_id = replayed(runtime, run_id, "rows").run_id

    assert "RUN-001" == refused(runtime, RunId("nobody"), "rows").code
    assert "RUN-029" == refused(runtime, replay_id, "rows").code
    missing = refused(runtime, run_id, "each/0/cal")
    assert ("RUN-027", "did you mean `each/0/calc`?") == (missing.code, missing.hint)
    assert "RUN-027" == refused(runtime, run_id, "write/a").code
    assert "RUN-027" == refused(runtime, run_id, "each/0").code
    assert "RUN-028" == refused(runtime, run_id, "each/2/calc").code
    assert "RUN-028" == refused(runtime, run_id, "each/calc").code
    with pytest.raises(UsageError) as resumed:
        runtime.resume(replay_id)
    assert "RUN-016" == resumed.value.code
    (flows / "it.toml").write_text("x =")
    with pytest.raises(FlowInvalid):
        runtime.replay(run_id, "rows")


@pytest.mark.parametrize(
    ("status", "parent"),
    [
        ("which failed", 'type = "shell-command"\nprogram = "false"\n'),
        ("which was skipped", 'type = "edit-fields"\nvalues = { a = 1 }\nwhen = "false"\n'),
    ],
)
def test_a_node_without_an_input_is_not_executed(
    runtime: Runtime, flows: Path, status: str, parent: str
) -> None:
    """What its input came to in the run is said; a node that takes nothing is executed, whatever came before."""
    (flows / "it.toml").write_text(
        f'[nodes.a]\n{parent}[nodes.b]\ntype = "edit-fields"\ninput = "a"\nvalues = {{ b = 1 }}\n'
        '[nodes.c]\ntype = "edit-fields"\nafter = "b"\nvalues = { c = 1 }\n'
        '[nodes.d]\ntype = "edit-fields"\ninput = "a"\nalways = true\nvalues = { d = 1 }\n'
    )
    run_id = run(runtime)

    error = refused(runtime, run_id, "b")

    assert "RUN-028" == error.code
    assert status in error.message
    assert {"c": 1} == result_of(replayed(runtime, run_id, "c"), "c")
    assert {"d": 1} == result_of(replayed(runtime, run_id, "d"), "d")


def test_a_failure_is_one_of_the_replay(runtime: Runtime, flows: Path) -> None:
    """A node that fails fails its replay, handled or not; a parent that failed does not."""
    (flows / "it.toml").write_text(
        '[nodes.a]\ntype = "shell-command"\nprogram = "false"\non_error = "continue"\n'
        '[nodes.b]\ntype = "edit-fields"\ninput = "a.error"\nvalues = { b = "{{ input.code }}" }\n'
    )
    run_id = run(runtime)

    assert "failed" == replayed(runtime, run_id, "a").status
    told = result_of(replayed(runtime, run_id, "b"), "b")
    assert isinstance(told, dict)
    assert "SHELL-003" == told["b"]


def test_what_is_gone_is_taken_from_the_run(runtime: Runtime, flows: Path) -> None:
    """Without the file, or the node in it, the definition is that of the run; parameters can be set there as well."""
    save(flows)
    run_id = run(runtime)
    path = flows / "it.toml"

    path.write_text('[nodes.other]\ntype = "edit-fields"\nvalues = { a = 1 }\n')
    assert "succeeded" == replayed(runtime, run_id, "each/1/calc").status
    assert "RUN-027" == refused(runtime, run_id, "nowhere").code
    path.unlink()
    document = replayed(runtime, run_id, "each/1/calc", **{"values.total": 1})
    assert {"id": 2, "price": 5, "total": 1, "at": 1} == result_of(document, "each/1/calc")
    assert document.flow_hash == runtime.show(run_id).flow_hash


def test_items_are_those_of_the_run(runtime: Runtime, flows: Path) -> None:
    """A loop that has other items now is asked as it was then; where that gives others too, nothing is executed."""
    save(flows)
    run_id = run(runtime)
    path = flows / "it.toml"
    path.write_text(path.read_text().replace("input.rows }}", "input.rows | reverse }}"))

    told = result_of(replayed(runtime, run_id, "each/1/calc"), "each/1/calc")
    assert isinstance(told, dict)
    assert (5, 1) == (told["price"], told["at"])

    path.write_text(path.read_text().replace("input.rows | reverse }}", "[now] }}"))
    moving = run(runtime)
    assert "RUN-028" == refused(runtime, moving, "each/0/calc").code


def test_every_kind_of_body(runtime: Runtime, flows: Path) -> None:
    """A called flow gives its variables, a group its input, `times` its index, a loop that goes on its last result."""
    (flows / "inner.toml").write_text(
        '[variables]\nwho = "x"\n[nodes.greet]\ntype = "edit-fields"\nvalues = { hi = "{{ vars.who }}" }\n'
    )
    (flows / "it.toml").write_text(
        """\
[nodes.start]
type = "edit-fields"
values = { n = 1 }

[nodes.call]
type = "flow"
flow = "inner"
variables = { who = "Ada" }

[nodes.group]
type = "group"
input = "start"
[nodes.group.nodes.times]
type = "loop"
mode = "times"
count = 2
[nodes.group.nodes.times.nodes.inside]
type = "transform"
operation = "map"
data = ["{{ item }}"]
expression = "item"
[nodes.group.nodes.first]
type = "edit-fields"
values = { got = "{{ input.n }}" }

[nodes.while]
type = "loop"
input = "start"
mode = "while"
condition = "index < 3"
[nodes.while.nodes.grow]
type = "edit-fields"
values = { n = "{{ item.n + 1 }}" }
"""
    )
    run_id = run(runtime)
    recorded = runtime.show(run_id)
    assert recorded.error is None
    nodes = [node for node in recorded.nodes if "/" in node]

    for node in nodes:
        document = replayed(runtime, run_id, node)
        assert recorded.nodes[node].outputs == document.nodes[node].outputs, node

    told = result_of(
        replayed(runtime, run_id, "call/greet", **{"values.hi": "{{ vars.who }}!"}), "call/greet"
    )
    assert {"hi": "Ada!"} == told


WRITE = """\
[variables]
text = "a"
[nodes.text]
type = "edit-fields"
values = { text = "{{ vars.text }}" }
[nodes.write]
type = "file-system"
operation = "write"
input = "text"
path = "../written"
content = "{{ input.text }}"
[nodes.end]
type = "edit-fields"
after = "write"
values = { n = 1 }
"""


def test_a_replay_spoils_no_reuse(runtime: Runtime, flows: Path, tmp_path: Path) -> None:
    """What it takes from an old run is no new result, and what it writes is the last that was written."""
    (flows / "it.toml").write_text(WRITE)
    old, new = run(runtime), run(runtime, text="b")
    only_end = RunFlow(flow="it", variables={"text": "b"}, chosen=Chosen(from_node="end"))

    replayed(runtime, old, "end")
    before = runtime.start_run(only_end).result(timeout_s=30)
    assert [new, new] == [before.nodes[node].reused_from for node in ("text", "write")]

    replayed(runtime, old, "write")
    assert "a" == (tmp_path / "written").read_text()
    after = runtime.start_run(only_end).result(timeout_s=30)
    assert new == after.nodes["text"].reused_from
    assert "succeeded" == after.nodes["write"].status
    assert "b" == (tmp_path / "written").read_text()


def test_a_request_to_replay(runtime: Runtime, flows: Path) -> None:
    """A client's request is answered like that for a run."""
    save(flows)
    run_id = run(runtime)

    accepted = runtime.submit(ReplayNode(run_id=run_id, node="each/0/say"))

    assert isinstance(accepted, RunAccepted)
    assert "it" == accepted.flow
    refusal = runtime.submit(ReplayNode(run_id=run_id, node="nowhere"))
    assert isinstance(refusal, Refused)
    assert "RUN-027" == refusal.errors[0].code
