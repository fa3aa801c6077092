"""Which nodes the run of a test executes, over a whole runtime; and that nothing writes unasked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import UsageError
from atomiton_runtime.run.document import RunDocument

LIMIT_S = 30.0
PIPE = """
[variables]
operation = "read"

[nodes.read]
type = "file-system"
operation = "read"
path = "in.txt"

[nodes.double]
type = "edit-fields"
input = { n = "read" }
values = { twice = "{{ input.n * 2 }}" }
keep_only_set = true

[nodes.save]
type = "file-system"
input = "double"
operation = "write"
path = "out.json"

[nodes.after]
type = "edit-fields"
after = "save"
values = { done = true }
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder for flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture
def runtime(flows: Path) -> Iterator[Runtime]:
    """A runtime over that folder, which keeps nothing."""
    with Runtime(flows=flows, storage="memory:") as started:
        yield started


def executed(runtime: Runtime, text: str, test: int = 0) -> RunDocument:
    """Execute a test of the flow with this text."""
    path = runtime.places.flows / "it.toml"
    path.write_text(text)
    flow = runtime.flow(str(path))
    return runtime.run_test(flow, flow.tests[test]).result(LIMIT_S)


def statuses(document: RunDocument) -> dict[str, str]:
    return {node: state.status for node, state in document.nodes.items()}


def test_only_what_is_needed_is_executed(runtime: Runtime, flows: Path) -> None:
    """What nobody expects is skipped, and so is what only given nodes need: no file is read or written."""
    document = executed(runtime, f"{PIPE}\n[[test]]\ngiven.read = 4\nexpect.double = {{ twice = 8 }}\n")
    assert {"read": "reused", "double": "succeeded", "save": "skipped", "after": "skipped"} == statuses(
        document
    )
    assert {"result": {"twice": 8}} == document.nodes["double"].outputs
    assert ("succeeded", ["it.toml"]) == (document.status, [each.name for each in flows.iterdir()])


@pytest.mark.parametrize(
    ("test", "nodes"),
    [
        ("given.read = 4\nexpect.save = 1", "save"),
        ("given.read = 4\nexpect.after = 1", "save"),
        ("given.read = 4\nexpect_status = 'failed'", "save"),
    ],
)
def test_what_writes_is_not_executed_unasked(runtime: Runtime, flows: Path, test: str, nodes: str) -> None:
    """A test that needs a node that writes is refused before anything is executed, with what to do about it."""
    with pytest.raises(UsageError, match=f"would execute {nodes}, which may change") as refused:
        executed(runtime, f"{PIPE}\n[[test]]\n{test}\n")
    assert "RUN-024" == refused.value.code
    assert (
        '`given.save = ...` puts a value in its place, `allow = ["save"]` lets it happen'
        == refused.value.hint
    )
    assert not (flows / "out.json").exists()


@pytest.mark.parametrize("allow", ['["save"]', '"all"'])
def test_what_is_allowed_writes(runtime: Runtime, flows: Path, allow: str) -> None:
    """A node that the test allows writes beside the flow, as in any run."""
    document = executed(runtime, f"{PIPE}\n[[test]]\ngiven.read = 4\nallow = {allow}\nexpect.after = 1\n")
    assert "succeeded" == document.status
    assert {"twice": 8} == json.loads((flows / "out.json").read_text())


BODY = """
[nodes.each]
type = "loop"
items = [{{ n = 1 }}]
[nodes.each.nodes.deep]
type = "group"
[nodes.each.nodes.deep.nodes.say]
type = "{kind}"
{keys}
"""
CALL = '[nodes.call]\ntype = "flow"\nflow = "other"\n'
SHELL = ("shell-command", 'program = "true"')
EDIT = ("edit-fields", "values = { a = 1 }")
FILE = ("file-system", 'path = "in.txt"\noperation = ')


@pytest.mark.parametrize(
    ("kind", "keys", "refused"),
    [
        (*SHELL, True),
        (*EDIT, False),
        (FILE[0], f'{FILE[1]}"read"', False),
        (FILE[0], f'{FILE[1]}"{{{{ vars.operation }}}}"', True),
    ],
    ids=["a program", "pure", "reads", "nobody knows yet"],
)
@pytest.mark.parametrize("called", [False, True])
def test_what_is_within_counts(
    runtime: Runtime, flows: Path, kind: str, keys: str, refused: bool, called: bool
) -> None:
    """A node writes if one within its body, or in the flow it calls, may write."""
    (flows / "in.txt").write_text("x")
    body = '[variables]\noperation = "read"\n' + BODY.format(kind=kind, keys=keys)
    (flows / "other.toml").write_text(body)
    text = CALL if called else body
    test = f"\n[[test]]\nexpect.{'call' if called else 'each'} = 1\n"
    if refused:
        with pytest.raises(UsageError, match="which may change"):
            executed(runtime, text + test)
    else:
        document = executed(runtime, text + test)
        assert ("succeeded", None) == (document.status, document.error)


def test_tests_of_a_flow_that_is_never_run_twice(runtime: Runtime, flows: Path) -> None:
    """What the flow does when it is busy is not for its tests: they wait for each other."""
    settings = '[settings]\non_busy = "skip"\n'
    (flows / "it.toml").write_text(f"{settings}{PIPE}\n[[test]]\ngiven.read = 4\nexpect.double = 1\n")
    flow = runtime.flow("it")
    runs = [runtime.run_test(flow, flow.tests[0]) for _ in range(5)]
    assert ["succeeded"] * 5 == [run.result(LIMIT_S).status for run in runs]


def test_a_given_failure(runtime: Runtime) -> None:
    """It reaches who takes it, as one of a node that was tried once."""
    node = 'type = "edit-fields"\nvalues = {}\n'
    text = f'[nodes.a]\n{node}[nodes.b]\n{node}input = "a.error"\n'
    test = '[[test]]\ngiven.a.error = { code = "X-1", message = "broken" }\nexpect.b = 1\n'
    document = executed(runtime, text + test)
    outputs = document.nodes["b"].outputs
    assert outputs is not None
    assert {"code": "X-1", "message": "broken", "node": "a", "attempts": 1} == outputs["result"]
    assert ("succeeded", "failed") == (document.status, document.nodes["a"].status)
