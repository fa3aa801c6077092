"""What node types say about the outside before an execution is what the execution then has to do with it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from atomiton_runtime.nodes.base import Example, NodeError, Outside
from atomiton_runtime.nodes.python_code import Python
from atomiton_runtime.nodes.registry import CataloguedType, built_in_types
from tests.doubles.attempts import compiled, executed, outside
from tests.doubles.example_web import example_web

TYPES = built_in_types()
EXAMPLES = [(each, example) for each in TYPES if each.body is None for example in each.node_type.examples]
FIT = [
    (each, example)
    for each, example in EXAMPLES
    if not each.check(compiled(each, tomllib.loads(example.toml)))
]
"""Without the examples whose parameters are refused before anything is asked."""


def named(parameter: object) -> str:
    """Return the id of a parametrized case."""
    return parameter.name if isinstance(parameter, CataloguedType) else getattr(parameter, "title", "")


def listing(folder: Path) -> dict[Path, object]:
    """Return all that is below a folder, with what shows that it was written anew, even with the same content."""
    found: dict[Path, object] = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[path] = "folder" if path.is_dir() else (status.st_ino, status.st_mtime_ns, path.read_bytes())
    return found


def prepared(example: Example, folder: Path) -> dict[str, Any]:
    """Write the files of an example and return its parameters as written."""
    for path, content in example.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    return tomllib.loads(example.toml)


@pytest.mark.parametrize(("catalogued", "example"), FIT, ids=named)
def test_examples_touch_what_their_type_says(
    catalogued: CataloguedType, example: Example, tmp_path: Path
) -> None:
    """Asking touches nothing; executing touches all that it leaves and nothing else; what it reads is there."""
    written = prepared(example, tmp_path)
    before = listing(tmp_path)
    _, said = outside(catalogued.name, tmp_path, example.input, **written)
    assert before == listing(tmp_path)
    assert all(path.is_absolute() for path in (*said.reads, *said.leaves))
    if example.error is None:
        assert [] == [path for path in said.reads if not path.exists()]

    succeeded = _succeeds(catalogued, example, tmp_path, written)

    after = listing(tmp_path)
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert succeeded == (example.error is None)
    if succeeded:
        assert [] == [path for path in said.leaves if path not in touched]
    # Folders that are made on the way to a file, and all that is in a folder, belong to it.
    beyond = [
        path
        for path in touched
        if not any(path == left or left in path.parents or path in left.parents for left in said.leaves)
    ]
    assert beyond == []


def _succeeds(catalogued: CataloguedType, example: Example, folder: Path, written: dict[str, Any]) -> bool:
    try:
        with example_web(example.replies):
            executed(catalogued.name, folder, example.input, **written)
    except NodeError:
        return False
    return True


@pytest.mark.parametrize(("catalogued", "example"), FIT, ids=named)
def test_effect_and_outside_agree(catalogued: CataloguedType, example: Example, tmp_path: Path) -> None:
    """What is pure has nothing to do with the outside; what reads leaves nothing; what writes says what it does."""
    effect, said = outside(catalogued.name, tmp_path, example.input, **tomllib.loads(example.toml))

    match effect:
        case "pure":
            assert Outside() == said
        case "reads":
            assert said.leaves == ()
        case "writes":
            assert said.does
            assert not said.looks
    assert not (said.looks and said.reads)


@pytest.mark.parametrize("catalogued", [each for each in TYPES if each.body is not None], ids=named)
def test_bodies_leave_it_to_their_nodes(catalogued: CataloguedType) -> None:
    """A loop reads and leaves nothing by itself: its children do, each as a node of its own."""
    declared = type(catalogued.node_type)

    assert "outside" not in vars(declared)
    assert "effect" not in vars(declared)


def test_only_python_takes_names_by_itself() -> None:
    """The function of a `python` node gets the variables of the flow, whether its parameters name them or not."""
    assert {"python": {"vars"}} == {each.name: each.node_type.uses for each in TYPES if each.node_type.uses}
    assert frozenset({"vars"}) == Python.uses


@pytest.mark.parametrize(
    ("node", "written", "reads", "leaves", "does"),
    [
        ("file-system", {"operation": "read", "path": "a"}, ["a"], [], ""),
        ("file-system", {"operation": "write", "path": "./a/../b"}, [], ["b"], "writes ./a/../b"),
        ("file-system", {"operation": "append", "path": "a\nb"}, [], ["a\nb"], "appends to a b"),
        ("file-system", {"operation": "create", "path": "a/b"}, [], ["a/b"], "creates a/b"),
        ("file-system", {"operation": "delete", "path": "a"}, [], ["a"], "deletes a"),
        (
            "file-system",
            {"operation": "copy", "path": "a", "target": "b"},
            ["a"],
            ["b"],
            "copies a to b",
        ),
        (
            "file-system",
            {"operation": "move", "path": "x/a", "target": "b/"},
            ["x/a"],
            ["x/a", "b/a"],
            "moves x/a to b/",
        ),
        ("spreadsheet", {"path": "a.csv"}, ["a.csv"], [], ""),
        ("spreadsheet", {"data": "a,b"}, [], [], ""),
        ("spreadsheet", {"operation": "write", "path": "a.csv"}, [], ["a.csv"], "writes a.csv"),
        ("python", {"code": "def run(): pass"}, [], [], "calls run()"),
        ("python", {"file": "a.py"}, ["a.py"], [], "calls run() of a.py"),
        ("python", {"file": "a.py", "function": "f"}, ["a.py"], [], "calls f() of a.py"),
        ("shell-command", {"program": "sort", "args": ["-r", 1]}, [], [], "runs sort -r 1"),
        ("shell-command", {"program": "./a.sh"}, ["a.sh"], [], "runs ./a.sh"),
        ("shell-command", {"program": "./a.sh", "cwd": "x"}, ["x/a.sh"], [], "runs ./a.sh"),
        ("shell-command", {"program": "echo a > b", "shell": True}, [], [], "runs a shell script"),
        ("http-request", {"url": "https://ada:pw@x.org/a?key=1"}, [], [], "GET https://***@x.org/a?…"),
        ("http-request", {"url": "http://x.org", "method": "put"}, [], [], "PUT http://x.org"),
        ("image", {"operation": "info", "path": "a.png"}, ["a.png"], [], ""),
        ("image", {"operation": "info", "paths": ["a.png", "b.png"]}, ["a.png", "b.png"], [], ""),
        (
            "image",
            {"operation": "convert", "path": "a.png", "output": "b.jpg"},
            ["a.png"],
            ["b.jpg"],
            "writes b.jpg",
        ),
        (
            "image",
            {"operation": "convert", "path": "x/a.png", "output": "y/", "format": "webp"},
            ["x/a.png"],
            ["y/a.webp"],
            "writes an image to y/",
        ),
        (
            "image",
            {"operation": "convert", "paths": ["a.png", {"path": "b.gif"}], "output": "y"},
            ["a.png", "b.gif"],
            ["y/a.png", "y/b.gif"],
            "writes 2 images to y",
        ),
        ("image", {"operation": "convert", "paths": [], "output": "y"}, [], [], ""),
        (
            "image",
            {"operation": "overlay", "path": "a.png", "paths": ["b.png"], "output": "c.png"},
            ["a.png", "b.png"],
            ["c.png"],
            "writes c.png",
        ),
        (
            "image",
            {"operation": "watermark", "path": "a.png", "mark": "m.png", "output": "c.png"},
            ["a.png", "m.png"],
            ["c.png"],
            "writes c.png",
        ),
        (
            "image",
            {"operation": "watermark", "path": "a.png", "text": "x", "font": "f/f.ttf", "output": "c.png"},
            ["a.png", "f/f.ttf"],
            ["c.png"],
            "writes c.png",
        ),
        (
            "image",
            {"operation": "watermark", "path": "a.png", "text": "x", "font": "f.ttf", "output": "c.png"},
            ["a.png"],
            ["c.png"],
            "writes c.png",
        ),
    ],
)
def test_what_is_read_left_and_done(
    tmp_path: Path, node: str, written: dict[str, Any], reads: list[str], leaves: list[str], does: str
) -> None:
    """Each operation names its files by absolute paths, and what it does as its author wrote it."""
    _, said = outside(node, tmp_path, **written)

    paths = [tuple(tmp_path / path for path in each) for each in (reads, leaves)]
    assert Outside(reads=paths[0], leaves=paths[1], does=does) == said


@pytest.mark.parametrize("operation", ["list", "exists"])
def test_what_can_only_be_looked_at_again_says_so(tmp_path: Path, operation: str) -> None:
    """What is in a folder, and whether something is there, no fingerprint of a file can tell."""
    assert outside("file-system", tmp_path, operation=operation, path="a") == ("reads", Outside(looks=True))


def test_a_long_command_is_cut(tmp_path: Path) -> None:
    """What a command does fits a line."""
    _, said = outside("shell-command", tmp_path, program="echo", args=["x" * 200])

    assert said.does.startswith("runs echo xxx")
    assert len(said.does) == 80


def test_images_of_the_input_count_too(tmp_path: Path) -> None:
    """Where another node names the images, they are what is read."""
    _, said = outside("image", tmp_path, [{"path": "a.png"}], operation="convert", output="y/")

    assert (
        Outside(reads=(tmp_path / "a.png",), leaves=(tmp_path / "y/a.png",), does="writes an image to y/")
        == said
    )


@pytest.mark.parametrize(
    ("node", "value", "written", "code"),
    [
        ("file-system", None, {"operation": "read", "path": "a\0"}, "FILE-007"),
        ("file-system", None, {"operation": "move", "path": "a", "target": " "}, "FILE-007"),
        ("image", None, {"operation": "convert", "output": "y/"}, "DATA-001"),
        ("image", ["x/a.png", "y/a.png"], {"operation": "convert", "output": "z/"}, "IMAGE-006"),
    ],
)
def test_what_cannot_be_executed_cannot_be_asked_about(
    tmp_path: Path, node: str, value: Any, written: dict[str, Any], code: str
) -> None:
    """The reason for which the execution would fail is the answer."""
    with pytest.raises(NodeError) as refused:
        outside(node, tmp_path, value, **written)

    assert refused.value.code == code
