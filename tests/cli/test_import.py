"""The command `atomiton import`, as a process."""

import json
from pathlib import Path

import pytest

from tests.doubles.terminal import atomiton

FLOW = """\
name: Old one
nodes:
  - id: made
    type: edit-fields
    parameters: {values: {a: 1}}
  - id: asked
    type: user-input
    parameters: {question: "who?"}
edges:
  - {source: made, target: asked}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_text(FLOW, encoding="utf-8")
    return tmp_path


def test_a_file_is_written(place: Path) -> None:
    """The flow goes into the flows folder, its path to stdout, the remarks with their lines to stderr."""
    done = atomiton(place, "import", "old.yaml")
    written = place / "flows" / "old-one.toml"
    assert (done.returncode, done.stdout) == (2, f"{written}\n")
    assert "error[FLOW-008]: there is no node type `user-input`" in done.stderr
    assert "old.yaml:8: look[IMPORT-010]: its parameter `question`\n  | who?\n" in done.stderr
    assert "#   | who?" in written.read_text(encoding="utf-8")
    assert "FLOW-008" in atomiton(place, "check").stdout


def test_nothing_is_overwritten_without_force(place: Path) -> None:
    """A file that is there stays as it is, unless asked for."""
    target = place / "kept.toml"
    target.write_text("mine", encoding="utf-8")
    refused = atomiton(place, "import", "old.yaml", "--output", "kept.toml")
    assert (refused.returncode, target.read_text(encoding="utf-8")) == (2, "mine")
    assert "CLI-010" in refused.stderr
    assert atomiton(place, "import", "old.yaml", "--output", "kept.toml", "--force").returncode == 2
    assert 'name = "Old one"' in target.read_text(encoding="utf-8")
    assert sorted(path.name for path in place.glob("*kept*")) == ["kept.toml"]


def test_stdout(place: Path) -> None:
    """The text goes to stdout, and no file is written."""
    done = atomiton(place, "import", "old.yaml", "--stdout")
    assert done.returncode == 2
    assert 'name = "Old one"' in done.stdout
    assert not (place / "flows").exists()


@pytest.mark.parametrize(
    ("content", "arguments", "code"),
    [
        (b"nodes: [", (), "IMPORT-001"),
        (b"\xff\xfe", (), "IMPORT-003"),
        (b"a: 1", (), "IMPORT-005"),
        (b"nodes: [{id: a}, {type: b}]", (), "IMPORT-006"),
        (None, (), "CLI-019"),
        (FLOW.encode(), ("--output", "bad.yaml/x.toml"), "CLI-012"),
        (FLOW.encode(), ("--output", "x", "--stdout"), "CLI-001"),
    ],
)
def test_what_cannot_be_imported(
    tmp_path: Path, content: bytes | None, arguments: tuple[str, ...], code: str
) -> None:
    """A wrong file or place exits 2 with the problem, and never with a traceback."""
    if content is not None:
        (tmp_path / "bad.yaml").write_bytes(content)
    done = atomiton(tmp_path, "import", "bad.yaml", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert code in done.stderr
    assert "Traceback" not in done.stderr


WHOLE = "name: Whole\nnodes: [{id: made, type: edit-fields, parameters: {values: {a: 1}}}]\nedges: []\n"


def test_a_flow_without_problems_exits_0_and_is_a_document(place: Path) -> None:
    """`--json` has the path, the text, the remarks and the problems; what was written runs."""
    (place / "whole.yaml").write_text(WHOLE, encoding="utf-8")
    done = atomiton(place, "import", "whole.yaml", "--json")
    document = json.loads(done.stdout)

    assert done.returncode == 0
    assert document["path"] == str(place / "flows" / "whole.toml")
    assert (document["remarks"], document["problems"]) == ([], [])
    assert document["toml"] == (place / "flows" / "whole.toml").read_text(encoding="utf-8")
    assert json.loads(atomiton(place, "run", "whole").stdout) == {"a": 1}


def test_stdin(place: Path) -> None:
    """`-` is what comes in."""
    done = atomiton(place, "import", "-", "--stdout", given=WHOLE)

    assert (done.returncode, 'name = "Whole"' in done.stdout) == (0, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the full device of Linux")
def test_a_full_disk_leaves_nothing(place: Path) -> None:
    """The reason is said, and the file that was to be replaced is as it was."""
    (place / "whole.yaml").write_text(WHOLE, encoding="utf-8")
    (place / ".kept.toml.new").symlink_to("/dev/full")
    (place / "kept.toml").write_text("mine", encoding="utf-8")
    done = atomiton(place, "import", "whole.yaml", "--output", "kept.toml", "--force")

    assert (done.returncode, (place / "kept.toml").read_text(encoding="utf-8")) == (2, "mine")
    assert "CLI-012" in done.stderr
    assert "No space left" in done.stderr
    assert not (place / ".kept.toml.new").is_symlink()
