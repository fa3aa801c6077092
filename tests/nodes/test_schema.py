"""The JSON Schema of flows accepts the flows that ship and refuses wrong ones, as an editor would see it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from atomiton_runtime.nodes.registry import NodeCatalogue, built_in_types
from atomiton_runtime.nodes.schema import flow_schema, flow_schema_text

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


def lint(folder: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    """Return what tombi says about flows against the schema beside its configuration."""
    for name in ("flow.schema.json", ".flow.schema.json"):
        (folder / name).write_text(json.dumps(flow_schema(built_in_types())), encoding="utf-8")
    (folder / "tombi.toml").write_text(
        'toml-version = "v1.0.0"\n[[schemas]]\npath = "flow.schema.json"\ninclude = ["*.toml"]\n',
        encoding="utf-8",
    )
    return subprocess.run(
        [TOMBI, "lint", "--offline", "--no-cache", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


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
