"""Values travel from node to node unchanged and unshared, in a real runtime, whatever engine keeps them."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.storage.create import ENGINES, create_storage
from atomiton_runtime.storage.retention import Housekeeping, Retention
from atomiton_runtime.values import LARGE_VALUE_BYTES, Value, decode, encode
from tests.doubles.terminal import Terminal, atomiton

TYPE = '''
from typing import Annotated, Any
import msgspec
from msgspec import UNSET, Meta
from atomiton_runtime.nodes.base import Example, NodeType, Port
from tests.test_values_travel import made, spoilt

class P(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    what: Annotated[str, Meta(description="Which value.")] = ""
    data: Annotated[Any, Meta(description="Data instead of the input.")] = UNSET

class Type(NodeType):
    """Is a node of a test."""
    name = "NAME"
    ports = (Port("result", "The value."), Port("said", "Its Python form."))
    Parameters = P
    examples = (Example(title="Nothing", toml=""),)

    def execute(self, parameters, context):
        value = context.input if parameters.data is UNSET else parameters.data
        BODY
        return {"result": value, "said": repr(value)}
'''
BODIES = {
    "make": "value = made(parameters.what)",
    "spoil": 'spoilt(value); spoilt(context.scope.names["vars"])',
    "look": "pass",
    "size": 'value = {"rows": len(value), "hash": hash(repr(value))}',
}

VALUES: dict[str, Value] = {
    "nothing": None,
    "truth": [True, False],
    "integers": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1],
    "decimals": [0.0, -0.0, 0.1, 1e308, 5e-324, -1.5e-10, 1.0],
    "texts": ["", " ", "ä€😀", "\0\x1b\r\n\t", "\u2028\u202e", "{{ not a template }}", "e\u0301"],
    "bytes": [b"", b"\x00\xff" * 9, bytes(range(256))],
    "tables": {"": 1, "a.b": {"c": [{"d": [[], {}, [[]]]}]}, "items": "a key", "$file": "mine", "ä": None},
    "marks": [{"$file": "/etc/passwd", "size_bytes": 1}, {"$bytes": 1}, {"$bytes": "YQ==", "more": 1}],
    "a mark": {"$file": "/etc/passwd", "size_bytes": 1},
    "deep": [[[[[[[[[[[[[[[[[[[[{"a": [b"x"]}]]]]]]]]]]]]]]]]]]]],
}
REFUSED: dict[str, Any] = {
    "a lone surrogate": {"name": "caf\udce9"},
    "not a number": [1.0, float("nan")],
    "a set": {"a": {1}},
    "more than 64 bits": [0, 2**64],
    "a key that is no text": {"a": {7: 1}},
    "an object": [object()],
}
ROWS = 100_000


def made(what: str) -> Any:
    """Return one of the values; for nodes of the tests."""
    if what == "rows":
        return [{"id": number, "name": f"row {number}", "total": number / 7} for number in range(ROWS)]
    if what == "text":
        return "x" * (LARGE_VALUE_BYTES + 1)
    if what == "large bytes":
        return b"\xfe" * LARGE_VALUE_BYTES
    return VALUES[what] if what in VALUES else REFUSED[what]


def spoilt(value: Any) -> None:
    """Change everything that can be changed in a value; for nodes of the tests."""
    if isinstance(value, dict):
        for entry in list(value.values()):
            spoilt(entry)
        value.clear()
        value["spoilt"] = True
    elif isinstance(value, list):
        for entry in value:
            spoilt(entry)
        value.append("spoilt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a flows folder with the node types of the tests."""
    (tmp_path / "flows" / "nodes").mkdir(parents=True)
    for name, body in BODIES.items():
        source = TYPE.replace("NAME", name).replace("BODY", body)
        (tmp_path / "flows" / "nodes" / f"{name}.py").write_text(source, encoding="utf-8")
    return tmp_path


@pytest.fixture(params=list(ENGINES))
def runtime(request: pytest.FixtureRequest, folder: Path) -> Iterator[Runtime]:
    """Return a runtime on each engine."""
    url = "memory:" if request.param == "memory" else f"{request.param}:///{folder / 'store'}"
    with Runtime(folder / "flows", url) as running:
        yield running


def run(runtime: Runtime, flow: str, **variables: object) -> RunDocument:
    """Run the flow that this text is."""
    path = runtime.places.flows / "flow.toml"
    path.write_text(flow, encoding="utf-8")
    return runtime.run(str(path), **variables).result(timeout_s=50)


CHAIN = """
[nodes.made]
type = "make"
what = "{what}"
[nodes.spoilt]
type = "spoil"
input = "made"
[nodes.kept]
type = "look"
input = "made"
after = "spoilt"
[nodes.list]
type = "look"
input = ["made", "kept"]
[nodes.table]
type = "look"
input = {{ a = "made", b = "kept" }}
[nodes.expression]
type = "look"
input = "kept"
data = "{{{{ [input] }}}}"
"""


@pytest.mark.parametrize("what", VALUES)
def test_a_value_arrives_as_it_left(runtime: Runtime, what: str) -> None:
    """Whatever it is, each reader has it as it was made, also when another reader has changed its own."""
    document = run(runtime, CHAIN.format(what=what))
    said = {node: state.outputs["said"] for node, state in document.nodes.items() if state.outputs}
    value = repr(VALUES[what])

    assert document.error is None
    assert (said["made"], said["kept"], said["expression"]) == (value, value, f"[{value}]")
    assert said["list"] == f"[{value}, {value}]"
    assert said["table"] == f"{{'a': {value}, 'b': {value}}}"
    assert isinstance(VALUES[what], dict | list) == (said["spoilt"] != value)


def test_a_value_that_is_kept_is_the_one_that_travelled(runtime: Runtime) -> None:
    """The documents show the same value, in the form of JSON."""
    for what, value in VALUES.items():
        document = run(runtime, CHAIN.format(what=what))
        outputs = document.nodes["kept"].outputs
        assert outputs is not None
        shown = runtime.show(document.run_id).nodes["made"].outputs
        assert shown is not None
        assert shown["result"] == outputs["result"]
        if what != "a mark":
            assert json.dumps(shown["result"]) == json.dumps(json.loads(encode(value)))


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_travel_fails_its_node(runtime: Runtime, what: str) -> None:
    """The node that returned it fails with VALUE-001, which names the node; nothing half-kept is left."""
    document = run(runtime, CHAIN.format(what=what))

    assert (document.status, document.nodes["made"].outputs) == ("failed", None)
    assert document.error is not None
    assert (document.error.code, document.error.node) == ("VALUE-001", "made")


def test_no_node_changes_variables_or_parameters_of_others(runtime: Runtime) -> None:
    """Variables, and what a flow says literally, are the same for every node and run, whatever one does to its own."""
    flow = """
[variables]
rows = [1, [2]]
[nodes.first]
type = "spoil"
data = "{{ vars.rows }}"
[nodes.second]
type = "look"
after = "first"
data = "{{ vars.rows }}"
[nodes.literal]
type = "spoil"
data = [1, [2], { a = [3] }]
"""
    for _ in range(2):
        document = run(runtime, flow, rows=[7, [8]])
        outputs = {node: state.outputs["said"] for node, state in document.nodes.items() if state.outputs}
        assert document.variables == {"rows": [7, [8]]}
        assert outputs["second"] == "[7, [8]]"
        assert outputs["literal"] == "[1, [2, 'spoilt'], {'spoilt': True}, 'spoilt']"


def test_tables_of_many_rows_travel_by_file(runtime: Runtime) -> None:
    """A hundred thousand rows arrive whole; in documents there is the file, named by its hash, and its size."""
    flow = """
[nodes.made]
type = "make"
what = "rows"
[nodes.spoilt]
type = "spoil"
input = "made"
[nodes.size]
type = "size"
input = "made"
after = "spoilt"
[nodes.again]
type = "look"
input = "made"
"""
    document = run(runtime, flow)
    rows = made("rows")
    marker, same = (document.nodes[node].outputs["result"] for node in ("made", "again"))  # type: ignore[index]  # they succeeded

    assert document.outputs["size"]["result"] == {"rows": ROWS, "hash": hash(repr(rows))}
    assert set(marker) == {"$file", "size_bytes"}
    assert marker == same, "equal values share one file"
    content = Path(marker["$file"]).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (
        marker["size_bytes"],
        Path(marker["$file"]).name,
    )
    assert decode(content) == rows


def test_large_values_go_with_their_last_run(folder: Path) -> None:
    """A file stays as long as a run mentions it, and goes with the last one; the others stay."""
    for engine in ("sqlite", "files"):
        url = f"{engine}:///{folder / engine}"
        with Runtime(folder / "flows", url) as runtime:
            documents = [run(runtime, '[nodes.a]\ntype = "make"\nwhat = "text"\n') for _ in range(2)]
            other = run(runtime, '[nodes.a]\ntype = "make"\nwhat = "large bytes"\n')
        paths = {Path(each.outputs["a"]["result"]["$file"]) for each in documents}
        (shared,) = paths
        kept = Path(other.outputs["a"]["result"]["$file"])
        store = create_storage(url)
        store.open()
        after: list[tuple[bool, bool]] = []
        for keep in (3, 2, 1):
            Housekeeping(store, Retention(keep_runs=keep)).tidy()
            after.append((shared.exists(), kept.exists()))
        store.close()

        assert after == [(True, True), (True, True), (False, True)]


def test_large_bytes_come_out_of_run_as_they_are(folder: Path) -> None:
    """`run` prints the value itself, not its marker: bytes as they are, and `show` the file."""
    (folder / "flows" / "large.toml").write_text(
        '[nodes.a]\ntype = "make"\nwhat = "text"\n', encoding="utf-8"
    )
    printed = atomiton(folder, "run", "large").stdout
    shown = atomiton(folder, "show", "last").stdout

    assert printed == made("text") + "\n"
    assert '{"$file":' in shown
    assert made("text")[:300] not in shown


@pytest.mark.parametrize(
    ("what", "mark"),
    [("long text", "… (5000 characters)"), ("long list", "… (3000 items)"), ("long bytes", "… (5000 bytes)")],
)
def test_previews_are_cut_with_a_mark(folder: Path, what: str, mark: str) -> None:
    """`show` cuts what is long and says how much there is."""
    data = {"long text": "\"{{ 'x' * 5000 }}\"", "long list": '"{{ range(3000) | list }}"'}
    flow = f'[nodes.a]\ntype = "look"\ndata = {data.get(what, "1")}\n'
    if what == "long bytes":
        (folder / "flows" / "long.bin").write_bytes(b"x" * 5000)
        flow = '[nodes.a]\ntype = "file-system"\noperation = "read"\npath = "long.bin"\nencoding = "binary"\n'
    (folder / "flows" / "long.toml").write_text(flow, encoding="utf-8")
    assert atomiton(folder, "run", "long").returncode == 0

    assert mark in atomiton(folder, "show", "last").stdout


def test_a_terminal_is_not_filled_by_one_line(folder: Path) -> None:
    """On a terminal `run` shows the beginning of an endless line, and says where the rest is."""
    flow = '[nodes.a]\ntype = "look"\ndata = "{{ \'x\' * 90000 }}"\n'
    (folder / "flows" / "long.toml").write_text(flow, encoding="utf-8")
    with Terminal(folder, "run", "long") as terminal:
        assert terminal.wait() == 0
        assert "… 88000 more characters; a pipe or > FILE gets all" in terminal.text.replace("\n", "")
        assert len(terminal.text) < 5000
