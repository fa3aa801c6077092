"""What the campaign of random edits (`tests/faults/test_reuse.py`) has found wrong, each as small as it gets."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.actors.messages import Reuse, StartRun
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.ids import new_run_id
from atomiton_runtime.run.document import RunDocument

DEEP = """\
[nodes.out]
type = "group"
[nodes.out.nodes.other]
type = "edit-fields"
values = {{ n = {} }}
[nodes.out.nodes.in]
type = "group"
[nodes.out.nodes.in.nodes.work]
type = "file-system"
path = "a.txt"
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder for flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture(params=["memory:", "sqlite:///{}/a.db", "files:///{}/store"])
def runtime(flows: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """A runtime over that folder, with each kind of store."""
    with Runtime(flows=flows, storage=request.param.format(tmp_path), data=tmp_path / "data") as started:
        yield started


def save(runtime: Runtime, text: str) -> RunDocument:
    """Run a version of the flow as a save does."""
    (runtime.places.flows / "it.toml").write_text(text)
    flow = runtime.flow("it")
    variables = check_variables(flow.variables, {}, from_text=False)
    order = StartRun(
        run_id=new_run_id(), flow=flow, variables=variables, trigger="save", reuse=Reuse(mode="auto")
    )
    document = runtime._begin(order).result(timeout_s=20)
    assert document.status == "succeeded", document.error
    return document


def statuses(document: RunDocument) -> dict[str, str]:
    return {name: node.status for name, node in document.nodes.items()}


def test_columns_in_another_order_are_written(runtime: Runtime, flows: Path) -> None:
    """Rows whose keys come in another order are another result: a table has its columns in that order."""
    text = (
        '[nodes.rows]\ntype = "transform"\noperation = "map"\ndata = [1]\nexpression = "{}"\n'
        '[nodes.keep]\ntype = "spreadsheet"\ninput = "rows"\noperation = "write"\npath = "a.csv"\n'
    )
    save(runtime, text.format("{'a': item, 'b': 2}"))
    save(runtime, text.format("{'b': 2, 'a': item}"))

    assert "b,a" == (flows / "a.csv").read_text().splitlines()[0]


@pytest.mark.parametrize("body", ["", 'type = "group"\n[nodes.make.nodes.it]\n'])
def test_keys_in_another_order_are_another_result(runtime: Runtime, body: str) -> None:
    """The keys of a parameter are written in another order: so are those of the result."""
    text = f'[nodes.make]\n{body}type = "edit-fields"\nvalues = {{{{ {{}} }}}}\n'
    save(runtime, text.format("a = 1, b = 2"))
    made = save(runtime, text.format("b = 2, a = 1")).outputs["make"]["result"]

    assert isinstance(made, dict)
    assert ["b", "a"] == list(made)


@pytest.mark.parametrize("shape", ['{ 0 = "a", 1 = "b" }', '{ 1 = "b", 0 = "a" }'])
def test_a_list_of_inputs_is_no_table_with_numbers(runtime: Runtime, shape: str) -> None:
    """An input that becomes a table, or a table in another order, is another input."""
    text = (
        '[nodes.a]\ntype = "edit-fields"\nvalues = {{ n = 1 }}\n[nodes.b]\ntype = "edit-fields"\nvalues = {{ n = 2 }}\n'
        '[nodes.say]\ntype = "edit-fields"\nkeep_only_set = true\n'
        'values = {{ said = "<{{{{ input }}}}>" }}\ninput = {}\n'
    )
    save(runtime, text.format('["a", "b"]'))
    once = save(runtime, text.format('{ 0 = "a", 1 = "b" }')).outputs["say"]
    then = save(runtime, text.format(shape)).outputs["say"]

    assert (once == then) == shape.startswith("{ 0")
    assert "[" not in str(once["result"])


@pytest.mark.parametrize("body", ["", 'type = "group"\n[nodes.ask.nodes.it]\n'])
def test_what_a_type_takes_by_itself_counts(runtime: Runtime, body: str) -> None:
    """Python gets the variables though no template names them: it is executed when one has changed."""
    text = (
        f'[variables]\nn = {{}}\n[nodes.ask]\n{body}type = "python"\n'
        "code = '''\ndef run(input, vars):\n    return vars[\"n\"]\n'''\n"
    )
    save(runtime, text.format(1))

    assert {"result": 2} == {"result": save(runtime, text.format(2)).outputs["ask"]["result"]}


@pytest.mark.parametrize(
    ("keys", "after"), [('operation = "read"', "new"), ('operation = "write"\ncontent = "old"', "old")]
)
def test_what_is_deep_within_a_reused_body_is_looked_at(
    runtime: Runtime, flows: Path, keys: str, after: str
) -> None:
    """A body in a body was reused once: that a file within it has changed since is seen all the same."""
    text = DEEP + keys
    (flows / "a.txt").write_text("old")
    save(runtime, text.format(1))
    assert "reused" == statuses(save(runtime, text.format(2)))["out/in"]
    (flows / "a.txt").write_text("new")

    assert "succeeded" == statuses(save(runtime, text.format(2)))["out/in/work"]
    assert after == (flows / "a.txt").read_text()


def test_the_environment_of_a_called_flow_is_its_own(runtime: Runtime, flows: Path) -> None:
    """A called flow in another folder has a `.env` of its own, and what is in it counts."""
    (flows / "sub").mkdir()
    (flows / "sub/called.toml").write_text(
        '[nodes.say]\ntype = "edit-fields"\nvalues = { said = "{{ env.ATOM_X }}" }\n'
    )
    (flows / ".env").write_text("ATOM_X=around\n")
    said: list[object] = []
    for value in ("one", "other"):
        (flows / "sub/.env").write_text(f"ATOM_X={value}\n")
        said.append(save(runtime, '[nodes.call]\ntype = "flow"\nflow = "sub/called.toml"\n').outputs["call"])

    assert [{"outputs": {"say": {"result": {"said": value}}}} for value in ("one", "other")] == said


def test_a_write_is_reused_behind_a_node_that_never_is(runtime: Runtime, flows: Path) -> None:
    """That its own execution has begun does not hide the one before it, after which nothing has changed."""
    text = (
        '[nodes.make]\ntype = "edit-fields"\nreuse = "never"\nvalues = { n = 1 }\n'
        '[nodes.log]\ntype = "file-system"\ninput = "make"\noperation = "append"\npath = "log"\ncontent = "x"\n'
    )
    save(runtime, text)

    assert ["reused", "reused"] == [statuses(save(runtime, text))["log"] for _ in range(2)]
    assert "x" == (flows / "log").read_text()


def test_a_write_that_was_skipped_has_not_written(runtime: Runtime, flows: Path) -> None:
    """Between two executions with the same key it was skipped: it is not repeated."""
    text = (
        '[variables]\nflag = {}\n[nodes.log]\ntype = "file-system"\nwhen = "vars.flag"\noperation = "append"\n'
        'path = "log"\ncontent = "x"\n'
    )
    became = [statuses(save(runtime, text.format(flag)))["log"] for flag in ("true", "false", "true")]

    assert ["succeeded", "skipped", "reused"] == became
    assert "x" == (flows / "log").read_text()


@pytest.mark.parametrize("kind", ["group", "parallel"])
def test_the_order_of_the_nodes_of_a_body_counts(runtime: Runtime, kind: str) -> None:
    """The last child gives the result of a body, and the results of `parallel` are in the order of its children."""
    children = [
        f'[nodes.all.nodes.{name}]\ntype = "edit-fields"\nvalues = {{ n = "{name}" }}\n'
        for name in ("a", "b")
    ]
    text = f'[nodes.all]\ntype = "{kind}"\n'
    save(runtime, "".join((text, *children)))
    document = save(runtime, "".join((text, *reversed(children))))
    outputs = document.outputs["all"]

    assert ({"result": {"n": "a"}} if kind == "group" else ["b", "a"]) == (
        outputs if kind == "group" else list(cast("dict[str, object]", outputs["results"]))
    )
    assert ["reused", "reused"] == [statuses(document)[f"all/{name}"] for name in ("a", "b")]


def test_a_body_of_which_nothing_was_executed_is_reused(runtime: Runtime) -> None:
    """All that is within was skipped: then nothing outside has a say, though it might have."""
    text = (
        '[nodes.each]\ntype = "loop"\nitems = [1]\n'
        '[nodes.each.nodes.read]\ntype = "file-system"\nwhen = "item > 1"\noperation = "read"\npath = "a.txt"\n'
    )
    save(runtime, text)

    assert {"each": "reused"} == statuses(save(runtime, text))


def test_who_takes_an_error_that_did_not_happen_is_skipped(runtime: Runtime) -> None:
    """Also if it was executed with null before, which is what such a port gives."""
    text = (
        '[nodes.make]\ntype = "file-system"\noperation = "create"\npath = "out"\n'
        '[nodes.took]\ntype = "edit-fields"\ninput = "make.{}"\nvalues = {{ n = 1 }}\n'
    )
    assert {"make": "succeeded", "took": "succeeded"} == statuses(save(runtime, text.format("size_bytes")))

    assert {"make": "reused", "took": "skipped"} == statuses(save(runtime, text.format("error")))
