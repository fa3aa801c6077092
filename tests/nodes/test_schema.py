"""The JSON Schema of flows accepts the flows that ship and refuses wrong ones, as an editor would see it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from atomiton_runtime.nodes.base import Example, NodeContext, NodeType, Port
from atomiton_runtime.nodes.document import example_toml
from atomiton_runtime.nodes.registry import CataloguedType, NodeCatalogue, built_in_types
from atomiton_runtime.nodes.scalars import Size
from atomiton_runtime.nodes.schema import flow_schema, flow_schema_text
from atomiton_runtime.values import Value

ROOT = Path(__file__).parents[2]
TOMBI = Path(sys.executable).with_name("tombi")
FLOWS = sorted((ROOT / "flows").glob("*.toml"))
GOOD = """
[variables]
a = 1
b = { type = "integer", default = 3, min = 1, description = "x", choices = [1, 2, 3] }
c = ["x"]

[settings]
on_busy = "skip"
timeout = "1h30m"

[nodes.one]
type = "transform"
operation = "{{ vars.a }}"
data = [1, "a", { b = 2 }]
count = "{{ vars.b }}"
retry = 3
when = "vars.a > 1"

[nodes.two]
type = "shell-command"
program = "ls"
args = ["-l", 3, "{{ vars.a }}"]
input = ["one", "one.count"]
after = "one"
timeout = 1.5
max_output = "10MiB"
retry = { attempts = 3, delay = "1s", backoff = 2.0, max_delay = "1m", jitter = true }

[nodes.three]
type = "edit-fields"
input = { a = "one", b = "two.error" }
on_error = "continue"
values = { a = { b = [1, 2] }, c = true }
always = true
"""
NODE = '[nodes.a]\ntype = "transform"\noperation = "limit"\ncount = 1\n'
BAD = [
    ("no type", '[nodes.a]\noperation = "map"\n'),
    ("an unknown type", '[nodes.a]\ntype = "transfrom"\noperation = "map"\n'),
    ("an unknown parameter", NODE + "cuont = 1\n"),
    ("a wrong type", NODE.replace("count = 1", 'count = "1"')),
    ("a wrong choice", NODE.replace('"limit"', '"fliter"')),
    ("out of range", NODE.replace("count = 1", "count = -1")),
    ("a missing parameter", '[nodes.a]\ntype = "transform"\n'),
    ("an unknown setting", "[settings]\nonsave = 1\n" + NODE),
    ("a wrong setting", '[settings]\non_save = "sometimes"\n' + NODE),
    ("a duration that is none", NODE + 'timeout = "soon"\n'),
    ("a retry of nothing", NODE + "retry = 0\n"),
    ("an input that is a number", NODE + "input = 1\n"),
    ("an unknown top-level key", "[node.a]\nx = 1\n" + NODE),
    ("no nodes", 'name = "x"\n'),
]


def lint(
    folder: Path, *files: Path, types: Sequence[CataloguedType] = built_in_types()
) -> subprocess.CompletedProcess[str]:
    """Return what tombi says about flows against the schema beside its configuration."""
    equip(folder, types)
    return subprocess.run(
        [TOMBI, "lint", "--offline", "--no-cache", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


class Editor:
    """An editor with tombi's language server, which has the schema from the folder it works in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._requests = 0
        self._server = subprocess.Popen(
            [TOMBI, "lsp", "--offline", "--no-cache"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities={})
        self._tell("initialized")

    def close(self) -> None:
        """End the server."""
        self._server.terminate()
        for stream in (self._server.stdin, self._server.stdout):
            assert stream is not None
            stream.close()
        self._server.wait(10)

    def completions(self, text: str) -> list[str]:
        """Return what is offered at the mark `|` of a new flow file, once the server has read the file."""
        before, _, after = text.partition("|")
        path = self._folder / f"flow-{self._requests}.toml"
        path.write_text(before + after, encoding="utf-8")
        document = {"uri": path.as_uri(), "languageId": "toml", "version": 1, "text": before + after}
        self._tell("textDocument/didOpen", textDocument=document)
        place = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            answer = self._ask("textDocument/completion", textDocument={"uri": path.as_uri()}, position=place)
            items = answer["items"] if isinstance(answer, dict) else answer or []
            if items:
                return [item["label"] for item in items]
        raise AssertionError(f"nothing was offered for {text!r}")

    def _tell(self, method: str, **parameters: object) -> None:
        self._send({"method": method, "params": parameters})

    def _ask(self, method: str, **parameters: object) -> Any:
        self._requests += 1
        self._send({"id": self._requests, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if "method" not in message and message["id"] == self._requests:
                return message.get("result")
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": None})

    def _send(self, message: dict[str, object]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin is not None
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self._server.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        length = 0
        while (header := self._server.stdout.readline()) != b"\r\n":
            assert header, "the server ended"
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return json.loads(self._server.stdout.read(length))


def equip(folder: Path, types: Sequence[CataloguedType]) -> None:
    """Write the schema and the configuration that names it."""
    for name in ("flow.schema.json", ".flow.schema.json"):
        (folder / name).write_text(json.dumps(flow_schema(types)), encoding="utf-8")
    (folder / "tombi.toml").write_text(
        'toml-version = "v1.0.0"\n[[schemas]]\npath = "flow.schema.json"\ninclude = ["*.toml"]\n',
        encoding="utf-8",
    )


COMPLETIONS = {
    "the types": ("[nodes.a]\ntype = |\n", {f'"{each.name}"' for each in built_in_types()}, set()),
    "parameters of a type alone": (
        '[nodes.a]\ntype = "transform"\n|\n',
        {"operation", "expression", "count", "input", "retry", "when"},
        {"program", "url", "path", "values", "nodes"},
    ),
    "parameters that are not there yet": (
        '[nodes.a]\ntype = "transform"\noperation = "map"\n|\n',
        {"expression", "data"},
        {"operation", "type", "program"},
    ),
    "choices of a parameter": (
        '[nodes.a]\ntype = "transform"\noperation = |\n',
        {'"map"', '"filter"', '"sort"'},
        {'"read"', '"resize"'},
    ),
    "parameters within a body": (
        '[nodes.l]\ntype = "loop"\n[nodes.l.nodes.x]\ntype = "shell-command"\n|\n',
        {"program", "args", "stdin"},
        {"operation", "items", "url"},
    ),
    "settings": ("[settings]\n|\n", {"on_save", "on_busy", "notify"}, {"type"}),
}
"""What -> a flow with a mark, what is offered there, and what is not."""


def test_an_editor_completes_what_fits(tmp_path: Path) -> None:
    """At each place a real language server offers what the node's type knows, and nothing of other types."""
    equip(tmp_path, built_in_types())
    editor = Editor(tmp_path)
    try:
        offered = {what: set(editor.completions(text)) for what, (text, _, _) in COMPLETIONS.items()}
    finally:
        editor.close()

    for what, (_, wanted, unwanted) in COMPLETIONS.items():
        assert (wanted - offered[what], unwanted & offered[what]) == (set(), set()), what


def test_parameters_say_what_they_take() -> None:
    """Each parameter has its description, and its default and the values of good examples where there are some."""
    definitions = flow_schema(built_in_types())["$defs"]
    for each in built_in_types():
        for name in each.parameters:
            assert definitions[f"type.{each.name}"]["properties"][name]["description"]
    depth = definitions["type.transform"]["properties"]["depth"]
    operation = definitions["type.file-system"]["properties"]["operation"]

    assert (depth["default"], depth["examples"]) == (1, [2])
    assert "read" in operation["examples"]


def test_every_good_example_passes_the_linter(tmp_path: Path) -> None:
    """What the documentation shows of every type is no error in an editor."""
    files: list[Path] = []
    for each in built_in_types():
        for number, example in enumerate(each.node_type.examples):
            if example.error is None:
                files.append(tmp_path / f"{each.name}-{number}.toml")
                files[-1].write_text(example_toml(each.name, example), encoding="utf-8")
    said = lint(tmp_path, *files)

    assert len(files) > 40
    assert said.returncode == 0, said.stderr


class OddParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pattern: Annotated[str, Meta(description="x", pattern="^a+$")] = "a"
    short: Annotated[str, Meta(description="x", max_length=3)] = ""
    pairs: Annotated[dict[str, int], Meta(description="x", min_length=1)]
    mixed: Annotated[Literal[1, "a"] | bool | None, Meta(description="x")] = None
    nested: Annotated[tuple[dict[str, tuple[int, ...]], ...], Meta(description="x")] = ()
    size: Annotated[Size, Meta(description="x")] = Size(5)
    raw: Annotated[bytes, Meta(description="x")] = b""


class Odd(NodeType):
    """Takes odd parameters."""

    name = "odd"
    ports = (Port("result", "Nothing."),)
    Parameters = OddParameters
    examples = (Example(title="One", toml='pairs = { a = 1 }\nshort = "abc"\n', outputs={}),)

    def execute(self, parameters: Any, context: NodeContext) -> dict[str, Value]:
        return {"result": None}


@pytest.mark.parametrize(
    ("toml", "is_valid"),
    [
        ("pairs = { a = 1 }", True),
        ("", False),
        ("pairs = {}", False),
        ('pairs = "{{ input }}"', True),
        ('pairs = { a = 1 }\npattern = "aaa"', True),
        ('pairs = { a = 1 }\npattern = "b"', False),
        ('pairs = { a = 1 }\npattern = "{{ vars.a }}"', True),
        ('pairs = { a = 1 }\nshort = "abcd"', False),
        ('pairs = { a = 1 }\nshort = "{{ input }}"', True),
        ('pairs = { a = 1 }\nmixed = "a"', True),
        ("pairs = { a = 1 }\nmixed = 2", False),
        ("pairs = { a = 1 }\nmixed = true", True),
        ("pairs = { a = 1 }\nnested = [{ a = [1, 2] }]", True),
        ('pairs = { a = 1 }\nnested = [{ a = ["x"] }]', False),
        ('pairs = { a = 1 }\nsize = "10MiB"', True),
    ],
)
def test_any_annotation_has_its_schema(tmp_path: Path, toml: str, is_valid: bool) -> None:
    """Ranges, forms, choices and nested kinds of a type that somebody wrote are checked in the editor as well."""
    flow = tmp_path / "flow.toml"
    flow.write_text(f'[nodes.a]\ntype = "odd"\n{toml}\n', encoding="utf-8")

    assert (lint(tmp_path, flow, types=(CataloguedType(Odd(), "test"),)).returncode == 0) == is_valid


def test_the_flows_that_ship_are_valid(tmp_path: Path) -> None:
    """Every flow of flows/ passes the linter without an error or a warning."""
    copies = [Path(shutil.copy(path, tmp_path)) for path in FLOWS]
    said = lint(tmp_path, *copies)

    assert len(copies) >= 4
    assert (said.returncode, "Warning" in said.stderr) == (0, False), said.stderr


def test_every_form_of_the_format_is_accepted(tmp_path: Path) -> None:
    """Short and long variables, all forms of input and retry, and templates in any place pass."""
    flow = tmp_path / "good.toml"
    flow.write_text(GOOD, encoding="utf-8")
    said = lint(tmp_path, flow)

    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("text", [text for _, text in BAD], ids=[name for name, _ in BAD])
def test_a_wrong_flow_is_refused(tmp_path: Path, text: str) -> None:
    """A mistake that the loader would report is reported in the editor already."""
    flow = tmp_path / "bad.toml"
    flow.write_text(text, encoding="utf-8")

    assert lint(tmp_path, flow).returncode == 1


@pytest.mark.parametrize("path", ["docs/flow.schema.json", "flows/.flow.schema.json"])
def test_the_committed_schema_is_current(path: str) -> None:
    """The schema that is kept is what the built-in types declare now (scripts/generate-docs writes it)."""
    committed = json.loads((ROOT / path).read_text(encoding="utf-8"))

    assert flow_schema(built_in_types()) == committed


def test_the_schema_knows_types_beside_the_flows(tmp_path: Path) -> None:
    """A custom node type is completed in the editor like a built-in one."""
    from tests.nodes.test_registry import PLUGIN, write_plugin

    write_plugin(tmp_path, "say", PLUGIN.replace("NAME", "say-it"))

    assert "type.say-it" in json.loads(flow_schema_text(NodeCatalogue(tmp_path)))["$defs"]
