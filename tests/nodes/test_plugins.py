"""Whatever is wrong with a node type that somebody wrote is said with its place, and disturbs nobody."""

import os
import sys
from collections.abc import Callable
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.nodes.plugin_faults import SourcePlaces, words
from atomiton_runtime.nodes.plugin_folder import problems_of_file
from atomiton_runtime.nodes.plugins import FILE_LIMIT_BYTES
from atomiton_runtime.nodes.registry import NodeCatalogue
from tests.nodes.test_registry import PLUGIN, said, write_plugin

GOOD = PLUGIN.replace("NAME", "good")
ANNOTATION = 'Annotated[str, msgspec.Meta(description="What to say.")]'

SOURCES: dict[str, tuple[bytes | str, tuple[int, int], str]] = {
    "wrong syntax": ("def f(:\n  pass\n", (1, 7), "it is not valid Python: SyntaxError: invalid syntax"),
    "an exception": ("x = 1\ny = 1 / 0\n", (2, 5), "ZeroDivisionError: division by zero"),
    "an exit": ("raise SystemExit(3)\n", (1, 1), "SystemExit: 3"),
    "an end of a generator": ("raise GeneratorExit\n", (1, 1), "GeneratorExit"),
    "endless recursion": ("def f():\n    f()\nf()\n", (2, 5), "RecursionError"),
    "a failing import": ("# ä\nä = 1; import no_such_module_here\n", (2, 8), "ModuleNotFoundError"),
    "a fault elsewhere": ('import json\njson.loads("{")\n', (2, 1), "JSONDecodeError"),
    "a fault over lines": ("int(\n  'x'\n)\n", (1, 1), "ValueError"),
    "an exception without words": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n",
        (3, 1),
        "it cannot be executed: E",
    ),
    "nothing": ("", (1, 1), "exactly one subclass of NodeType; found: none"),
    "no class": ("x = 1\n", (1, 1), "exactly one subclass of NodeType; found: none"),
    "two classes": (f"{GOOD}\nclass Two(Say):\n    pass\n", (18, 7), "found: Say, Two"),
    "not UTF-8": (b"x = 1\n# \xe4\n", (2, 3), "it is not UTF-8: there is the byte 0xe4"),
    "another encoding that does not fit": (b"# coding: ascii\n# \xe4\n", (2, 3), "it is not ASCII"),
    "an unknown encoding": (b"# coding: klingon\nx = 1\n", (1, 1), "unknown encoding: klingon"),
    "UTF-16": ("x = 1\n".encode("utf-16"), (1, 4), "it holds a NUL byte"),
    "too much": (b"#" * (FILE_LIMIT_BYTES + 1), (1, 1), "larger than 1 MiB"),
    "a wrong name": (GOOD.replace('"good"', '"Not Good"'), (11, 5), "`name` must be lower-case words"),
    "a name that is taken": (
        GOOD.replace('"good"', '"transform"'),
        (11, 5),
        "already a node type `transform`",
    ),
    "no docstring": (GOOD.replace('"""Says something."""', ""), (9, 7), "the class has no docstring"),
    "no execute": (GOOD.replace("def execute", "def other"), (9, 7), "it does not define `execute`"),
    "a common key": (GOOD.replace("text:", "retry:"), (7, 5), "named like a key that every node has"),
    "no description": (GOOD.replace(ANNOTATION, "str"), (7, 5), "`text` has no msgspec.Meta"),
    "a type no flow can write": (
        GOOD.replace("Annotated[str", "Annotated[set[complex] | str"),
        (7, 5),
        "cannot be of the type",
    ),
    "parameters that are open": (GOOD.replace("frozen=True, ", ""), (13, 5), "must be declared with frozen"),
    "parameters that are no struct": (
        GOOD.replace("Parameters = P", "Parameters = int"),
        (13, 5),
        "must be a",
    ),
    "an annotation of nothing": (
        GOOD.replace("Annotated[str", 'Annotated["Nothing"'),
        (13, 5),
        "cannot be read",
    ),
    "no ports": (GOOD.replace('(Port("result", "What was said."),)', "()"), (12, 5), "at least one Port"),
    "ports that are none": (GOOD.replace('(Port("result", "What was said."),)', "(1,)"), (12, 5), "one Port"),
    "a port named error": (
        GOOD.replace('"result", "', '"error", "'),
        (12, 5),
        "a port cannot be named 'error'",
    ),
    "a port without words": (GOOD.replace("What was said.", " "), (12, 5), "has no description"),
    "no examples": (GOOD.replace("examples = (", "others = ("), (9, 7), "at least one Example"),
    "version 0": (GOOD.replace('name = "good"', 'name = "good"; version = 0'), (11, 20), "1 or more, not 0"),
    "uses a text": (
        GOOD.replace('name = "good"', 'name = "good"; uses = "vars"'),
        (11, 20),
        "`uses` must be a frozenset of names, not 'vars'",
    ),
    "a constructor that fails": (f"{GOOD}    def __init__(self): 1 / 0\n", (17, 25), "division by zero"),
}
"""What -> its source, the line and column of its problem, and words of the message."""


@pytest.mark.parametrize("what", SOURCES)
def test_a_fault_is_said_with_its_place(tmp_path: Path, what: str) -> None:
    """The first problem names file, line and column, and the source line is there for the caret."""
    source, place, reason = SOURCES[what]
    path = write_plugin(tmp_path, "broken", "")
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    catalogue = NodeCatalogue(tmp_path)
    catalogue.names()

    problem = catalogue.problems[0]

    assert reason in problem.message
    assert (problem.file, problem.line, problem.column) == (str(path), *place)
    assert problem.column + problem.width - 1 <= len(problem.source_line) or problem.width == 1
    assert problem.code in ("NODE-001", "NODE-002")


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "it is a folder"),
    "pipe": (os.mkfifo, "it is no file"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "it cannot be read: No such file"),
    "loop": (lambda path: path.symlink_to(path.name), "it cannot be read: Too many levels"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is no file"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_file_is_said_and_never_waited_for(tmp_path: Path, what: str) -> None:
    """A folder, a pipe, a link to nowhere or a device named like a plug-in is a problem, and ends with it."""
    make, reason = ODD[what]
    write_plugin(tmp_path, "good", GOOD)
    path = tmp_path / "nodes" / "odd.py"
    make(path)
    catalogue = NodeCatalogue(tmp_path)

    assert said(catalogue, "good") == "hi"
    assert [(problem.file, reason in problem.message) for problem in catalogue.problems] == [
        (str(path), True)
    ]
    path.rmdir() if path.is_dir() else path.unlink()
    assert said(catalogue, "good") == "hi"
    assert catalogue.problems == ()


def test_a_folder_that_cannot_be_read_is_one_problem_until_it_can(tmp_path: Path) -> None:
    """While the folder of node types cannot be read, the types that were there stay; then all is as before."""
    write_plugin(tmp_path, "good", GOOD)
    catalogue = NodeCatalogue(tmp_path)
    before = said(catalogue, "good")
    (tmp_path / "nodes").rename(tmp_path / "elsewhere")
    (tmp_path / "nodes").symlink_to("nodes")
    during, problems = said(catalogue, "good"), catalogue.problems
    again = said(catalogue, "good")
    (tmp_path / "nodes").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "nodes")

    assert [before, during, again, said(catalogue, "good")] == ["hi"] * 4
    assert [(problem.code, problem.file) for problem in problems] == [("NODE-003", str(tmp_path / "nodes"))]
    assert catalogue.problems == ()


@pytest.mark.parametrize("name", [".hidden.py", "_private.py", "notes.txt", "good.py~", "__init__.py"])
def test_other_files_are_left_alone(tmp_path: Path, name: str) -> None:
    """Hidden, private and other files beside the types are none, also the ones that editors make."""
    write_plugin(tmp_path, "good", GOOD)
    (tmp_path / "nodes" / name).write_text("def", encoding="utf-8")
    catalogue = NodeCatalogue(tmp_path)

    assert said(catalogue, "good") == "hi"
    assert catalogue.problems == ()


def test_a_file_instead_of_the_folder_is_no_type(tmp_path: Path) -> None:
    """A file named `nodes` is somebody's own matter."""
    (tmp_path / "nodes").write_text("mine", encoding="utf-8")
    catalogue = NodeCatalogue(tmp_path)

    assert said(catalogue, "good") is None
    assert catalogue.problems == ()


def test_of_two_files_with_one_name_the_first_is_taken_until_it_goes(tmp_path: Path) -> None:
    """The second file with a name is a problem that names the first; when that goes, the second is used."""
    first = write_plugin(tmp_path, "a", GOOD)
    second = write_plugin(tmp_path, "b", GOOD.replace('"hi"', '"second"'))
    catalogue = NodeCatalogue(tmp_path)
    before, problems = said(catalogue, "good"), catalogue.problems
    first.unlink()

    assert before == "hi"
    assert [(each.code, each.file, each.line) for each in problems] == [("NODE-002", str(second), 11)]
    assert "nodes/a.py" in problems[0].message
    assert said(catalogue, "good") == "second"
    assert catalogue.problems == ()


def test_a_type_with_a_new_name_leaves_its_old_one(tmp_path: Path) -> None:
    """After a change of its name a type is found by the new one only."""
    path = write_plugin(tmp_path, "a", GOOD)
    catalogue = NodeCatalogue(tmp_path)
    before = said(catalogue, "good")
    path.write_text(GOOD.replace('"good"', '"better"'), encoding="utf-8")

    assert (before, said(catalogue, "good"), said(catalogue, "better")) == ("hi", None, "hi")


def test_a_base_class_may_stay_beside_its_type(tmp_path: Path) -> None:
    """A class whose name begins with an underscore, and a second name of the type, are no second type."""
    source = GOOD.replace("class Say(NodeType):", "class _Base(NodeType):\n    pass\n\nclass Say(_Base):")
    write_plugin(tmp_path, "good", f"{source}\nAlias = Say\n")
    catalogue = NodeCatalogue(tmp_path)

    assert said(catalogue, "good") == "hi"
    assert catalogue.problems == ()


def test_generations_count_changes_alone(tmp_path: Path) -> None:
    """Looking changes nothing; a new, a changed and a removed file each do."""
    catalogue = NodeCatalogue(tmp_path)
    assert (catalogue.refresh(), catalogue.generation) == (0, 0)
    path = write_plugin(tmp_path, "good", GOOD)
    first, second = catalogue.refresh(), catalogue.refresh()
    path.write_text("def", encoding="utf-8")
    third = catalogue.refresh()
    path.unlink()

    assert first == second
    assert 0 < first < third < catalogue.refresh()


def test_a_broken_version_leaves_no_module_behind(tmp_path: Path) -> None:
    """The modules that Python knows are those of the types in use."""
    path = write_plugin(tmp_path, "good", GOOD)
    catalogue = NodeCatalogue(tmp_path)
    catalogue.refresh()
    known = {name: module for name, module in sys.modules.items() if name.startswith("atomiton_flow_nodes_")}
    path.write_text("x = 1 / 0", encoding="utf-8")
    catalogue.refresh()
    write_plugin(tmp_path, "other", "x = 1 / 0")
    catalogue.refresh()

    found = {name: module for name, module in sys.modules.items() if name.startswith("atomiton_flow_nodes_")}
    assert found == known


def test_a_file_anywhere_can_be_checked(tmp_path: Path) -> None:
    """A file that is no flow's neighbour is judged in the same way."""
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(GOOD, encoding="utf-8")
    bad.write_text("def", encoding="utf-8")

    assert problems_of_file(good) == ()
    assert [problem.line for problem in problems_of_file(bad)] == [1]


def test_complaints_that_fail_are_the_type_s_fault(tmp_path: Path) -> None:
    """A type whose own check of its parameters raises makes a problem of the flow, not a fault of the loader."""
    write_plugin(tmp_path, "good", f"{GOOD}    def complaints(self, parameters): return 1 / 0\n")
    found = NodeCatalogue(tmp_path).find("good")
    assert found is not None

    assert [complaint.code for complaint in found.check({})] == ["NODE-011"]


def test_ctrl_c_is_not_taken_for_a_fault(tmp_path: Path) -> None:
    """Whoever interrupts the program while a plug-in is loaded ends the program."""
    write_plugin(tmp_path, "endless", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        NodeCatalogue(tmp_path).refresh()


def package(site: Path, module: str, *lines: str) -> None:
    """Install a package by hand: a module and its entry points."""
    (site / f"{module}.py").write_text(GOOD, encoding="utf-8")
    information = site / f"{module}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", "utf-8")
    (information / "entry_points.txt").write_text("\n".join(["[atomiton.nodes]", *lines]), encoding="utf-8")
    (information / "RECORD").write_text(f"{module}-1.0.dist-info/entry_points.txt,,\n", encoding="utf-8")


def package_problems(monkeypatch: pytest.MonkeyPatch, site: Path) -> dict[str, Problem]:
    """Return what is wrong with the packages of a folder: the name of the file -> problem."""
    monkeypatch.syspath_prepend(str(site))
    assert [point.name for each in site.glob("*-info") for point in PathDistribution(each).entry_points]
    catalogue = NodeCatalogue()
    catalogue.names()
    return {Path(problem.file).name: problem for problem in catalogue.problems}


def test_a_broken_package_is_said_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that cannot be imported is a problem of its own line; a wrong entry point, of where it is written."""
    package(tmp_path, "broken_package", "broken = broken_package:Say")
    (tmp_path / "broken_package.py").write_text("x = 1\ny = x / 0\n", encoding="utf-8")
    package(tmp_path, "misnamed_package", "other = misnamed_package:Say")

    found = package_problems(monkeypatch, tmp_path)

    assert set(found) == {"broken_package.py", "entry_points.txt"}
    assert found["broken_package.py"].line == 2
    assert 'write `good = "misnamed_package:Say"`' == found["entry_points.txt"].hint
    assert "entry point `other = misnamed_package:Say`" in found["entry_points.txt"].message


def test_words_of_an_exception_are_one_short_line() -> None:
    """Whatever an exception has to say is one line with an end."""
    assert words(ValueError("a\n b")) == "ValueError: a b"
    assert words(ValueError()) == "ValueError"
    assert len(words(ValueError("x" * 1000))) < 330


def test_a_source_that_is_no_python_has_no_places() -> None:
    """A fault of a class that cannot be found is at the beginning."""
    fault = SourcePlaces(b"def").class_fault("Say", "wrong")

    assert (fault.line, fault.column, fault.width) == (1, 1, 1)
