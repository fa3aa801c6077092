"""Node types are found by name, and a broken plug-in disturbs nobody."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from atomiton_runtime.flow.expressions import Scope
from atomiton_runtime.nodes import plugins
from atomiton_runtime.nodes.base import CancelToken, NodeContext
from atomiton_runtime.nodes.registry import BUILT_IN, NodeCatalogue

PLUGIN = '''
from typing import Annotated
import msgspec
from atomiton_runtime.nodes.base import Example, NodeType, Port

class P(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(description="What to say.")] = "hi"

class Say(NodeType):
    """Says something."""
    name = "NAME"
    ports = (Port("result", "What was said."),)
    Parameters = P
    examples = (Example(title="Say", toml="", outputs={"result": "hi"}),)
    def execute(self, parameters, context):
        return {"result": parameters.text}
'''


def write_plugin(flows: Path, stem: str, source: str) -> Path:
    """Write a file with a node type beside the flows."""
    (flows / "nodes").mkdir(exist_ok=True)
    path = flows / "nodes" / f"{stem}.py"
    path.write_text(source, encoding="utf-8")
    return path


def said(catalogue: NodeCatalogue, name: str) -> object:
    """Return what the type says, or None when there is none."""
    found = catalogue.find(name)
    if found is None:
        return None
    context = NodeContext(input=None, scope=Scope({}), folder=Path(), cancel=CancelToken())
    return found.node_type.execute(found.prepare({}), context)["result"]


def test_built_in_types_are_found() -> None:
    """Every row of the table leads to a type of that name, which is loaded once."""
    catalogue = NodeCatalogue()

    assert [name for name in BUILT_IN if (found := catalogue.find(name)) is None or found.name != name] == []
    assert catalogue.find("transform") is catalogue.find("transform")
    assert set(BUILT_IN) <= set(catalogue.names())
    assert catalogue.find("no-such-type") is None


def test_a_type_beside_the_flows_is_found(tmp_path: Path) -> None:
    """A file in `nodes/` adds its type, and no bytecode is left in the user's folder."""
    write_plugin(tmp_path, "say", PLUGIN.replace("NAME", "say"))
    catalogue = NodeCatalogue(tmp_path)

    assert said(catalogue, "say") == "hi"
    assert "say" in catalogue.names()
    assert [path.name for path in (tmp_path / "nodes").iterdir()] == ["say.py"]
    assert catalogue.problems == ()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("x = 1", "exactly one subclass of NodeType; found: none"),
        (PLUGIN.replace("NAME", "Not A Name"), "`name` must be lower-case words"),
        (PLUGIN.replace("text:", "retry:").replace("NAME", "x"), "named like a key that every node has"),
        (
            PLUGIN.replace(', msgspec.Meta(description="What to say.")', ", 1").replace("NAME", "x"),
            "`text` has no",
        ),
        (PLUGIN.replace('"""Says something."""', "").replace("NAME", "x"), "no docstring"),
        (PLUGIN.replace("def execute", "def other").replace("NAME", "x"), "it does not define `execute`"),
        (PLUGIN.replace("NAME", "transform"), "there is already a node type `transform`"),
        (PLUGIN.replace("NAME", "x") + "    def __init__(self): 1 / 0", "division by zero"),
    ],
)
def test_a_broken_plugin_is_reported_and_disturbs_nobody(tmp_path: Path, source: str, reason: str) -> None:
    """Whatever is wrong with one file is said in one problem; the other file works."""
    write_plugin(tmp_path, "broken", source)
    write_plugin(tmp_path, "good", PLUGIN.replace("NAME", "good"))
    catalogue = NodeCatalogue(tmp_path)

    assert said(catalogue, "good") == "hi"
    (problem,) = catalogue.problems
    assert reason in problem.message
    assert problem.file == str(tmp_path / "nodes" / "broken.py")


def test_a_changed_plugin_is_read_again_and_the_last_good_one_stays(tmp_path: Path) -> None:
    """A new version replaces the old one; a broken one is reported while the old one goes on working."""
    path = write_plugin(tmp_path, "say", PLUGIN.replace("NAME", "say"))
    catalogue = NodeCatalogue(tmp_path)
    before = said(catalogue, "say")
    path.write_text(PLUGIN.replace("NAME", "say").replace('"hi"', '"hello"'), encoding="utf-8")
    changed = said(catalogue, "say")
    path.write_text("def", encoding="utf-8")
    broken, problems = said(catalogue, "say"), catalogue.problems
    path.unlink()

    assert (before, changed, broken, len(problems)) == ("hi", "hello", "hello", 1)
    assert said(catalogue, "say") is None
    assert catalogue.problems == ()


def test_installed_types_are_found_by_their_entry_points(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An entry point adds its type; a broken one, or one of a wrong name, is reported."""
    package = tmp_path / "installed_say.py"
    package.write_text(PLUGIN.replace("NAME", "installed"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint(name, value, plugins.GROUP)
        for name, value in [
            ("installed", "installed_say:Say"),
            ("installed", "installed_say:Say"),
            ("other", "installed_say:Say"),
            ("gone", "no_such_module_here:X"),
            ("number", "installed_say:__name__"),
            ("transform", "installed_say:Say"),
        ]
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda: points)
    catalogue = NodeCatalogue()

    assert said(catalogue, "installed") == "hi"
    assert [problem.code for problem in catalogue.problems] == [
        "NODE-002",
        "NODE-001",
        "NODE-001",
        "NODE-001",
        "NODE-002",
    ]
    assert set(catalogue.names()) == {*BUILT_IN, "installed"}


def test_looking_up_a_built_in_type_loads_nothing_heavy() -> None:
    """Neither the packages' metadata nor process and archive modules are loaded for a flow that uses none."""
    script = (
        "import sys; from atomiton_runtime.nodes.registry import NodeCatalogue; "
        "NodeCatalogue('/nowhere').find('transform').check({'operation': 'reverse'}); "
        "print([m for m in ('importlib.metadata', 'subprocess', 'psutil', 'shutil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_closed_catalogue_closes_the_types_in_use(tmp_path: Path) -> None:
    """Each type that was used lets go of what it keeps; one that fails at it keeps no other from it."""
    (tmp_path / "nodes").mkdir()
    for name, rest in (("aa", "raise RuntimeError('no')"), ("bb", "open(CLOSED, 'w').close()")):
        text = (
            CLOSING.replace("NAME", name)
            .replace("REST", rest)
            .replace("CLOSED", repr(str(tmp_path / "closed")))
        )
        (tmp_path / "nodes" / f"{name}.py").write_text(text)
    catalogue = NodeCatalogue(tmp_path)
    found = [catalogue.find(name) for name in ("aa", "bb", "transform")]

    catalogue.close()

    assert None not in found, catalogue.problems
    assert (tmp_path / "closed").exists()


CLOSING = '''"""Is a node type that keeps something."""
from typing import Any, ClassVar

import msgspec

from atomiton_runtime.nodes.base import Example, NodeContext, NodeType, Port
from atomiton_runtime.values import Value


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes nothing."""


class Closing(NodeType):
    """Keeps something."""

    name = "NAME"
    ports = (Port("result", "Nothing."),)
    Parameters = Nothing
    examples: ClassVar[tuple[Example, ...]] = (Example(title="Nothing", toml="", outputs={"result": None}),)

    def close(self) -> None:
        """Let go of it."""
        REST

    def execute(self, parameters: Any, context: NodeContext) -> dict[str, Value]:
        """Do nothing."""
        return {"result": None}
'''
