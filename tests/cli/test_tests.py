import json
from pathlib import Path

import pytest

from tests.doubles.flow_files import BROKEN
from tests.doubles.terminal import atomiton

FLOW = """\
[nodes.a]
type = "edit-fields"
values = { n = 1, list = [1, 2, 3] }

[[test]]
name = "the right one"
expect.a = { n = 1, list = [1, 2, 3] }
"""
WRONG = """
[[test]]
name = "the wrong one"
expect.a = { n = 2, list = [1, 2, 3] }  # kept
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "it.toml").write_text(FLOW)
    (tmp_path / "flows" / "none.toml").write_text(FLOW[: FLOW.index("[[test]]")])
    return tmp_path


def add(place: Path, text: str, name: str = "it") -> Path:
    path = place / "flows" / f"{name}.toml"
    path.write_text((path.read_text() if path.exists() else "") + text)
    return path


@pytest.mark.parametrize("arguments", [(), ("flows",), ("it",), ("flows/it.toml", "it")])
def test_all_passed(place: Path, arguments: tuple[str, ...]) -> None:
    """A line for each test, each once however it is named; exit code 0; the data folder is not touched."""
    shown = atomiton(place, "test", *arguments)
    assert (0, "1 passed, 0 failed\n") == (shown.returncode, shown.stderr)
    assert shown.stdout.startswith("passed  it: the right one (")
    assert 1 == shown.stdout.count("\n")
    assert not (place / "data").exists()


def test_one_failed(place: Path) -> None:
    """What was expected and what came is shown, with the place; exit code 1."""
    add(place, WRONG)
    shown = atomiton(place, "test")
    assert (1, "1 passed, 1 failed\n") == (shown.returncode, shown.stderr)
    lines = shown.stdout.splitlines()
    assert lines[1].startswith("failed  it: the wrong one (")
    assert "  flows/it.toml:11: `result` of `a` is not what the test expects" == lines[2]
    assert ['    -   "n": 2', '    +   "n": 1'] == [line for line in lines if line[4:5] in ("-", "+")]


def test_as_json(place: Path) -> None:
    """`--json` gives each test with its place and what it was about."""
    add(place, WRONG)
    document = json.loads(atomiton(place, "test", "--json").stdout)
    assert (1, 1, [], []) == (
        document["passed"],
        document["failed"],
        document["problems"],
        document["updated"],
    )
    right, wrong = document["tests"]
    assert ("it", "the right one", "passed", 5, []) == (
        right["flow"],
        right["name"],
        right["status"],
        right["line"],
        right["mismatches"],
    )
    (mismatch,) = wrong["mismatches"]
    assert {"n": 2, "list": [1, 2, 3]} == mismatch["expected"]
    assert {"n": 1, "list": [1, 2, 3]} == mismatch["got"]
    assert ("a", "result", 11) == (mismatch["node"], mismatch["port"], mismatch["where"]["line"])


def test_some_by_name(place: Path) -> None:
    """`-k` takes a part of the flow's id or of the test's name, in capitals or not; nothing of it is a mistake."""
    add(place, WRONG)
    assert "1 passed, 0 failed\n" == atomiton(place, "test", "-k", "RIGHT").stderr
    assert "1 passed, 1 failed\n" == atomiton(place, "test", "-k", "it:").stderr
    shown = atomiton(place, "test", "-k", "rihgt")
    assert 2 == shown.returncode
    assert "error[TEST-003]: no test has 'rihgt' in its name" in shown.stderr


def test_none(place: Path) -> None:
    """That there are no tests is said."""
    shown = atomiton(place, "test", "none")
    assert (0, "", "no tests found\n") == (shown.returncode, shown.stdout, shown.stderr)


def test_an_invalid_flow(place: Path) -> None:
    """Its problems are shown and the tests of the others executed; exit code 2."""
    add(place, BROKEN, "broken")
    shown = atomiton(place, "test")
    assert (2, "1 passed, 0 failed\n") == (shown.returncode, shown.stderr)
    assert "flows/broken.toml:2:8: error[FLOW-008]" in shown.stdout
    assert 3 == len(json.loads(atomiton(place, "test", "--json").stdout)["problems"])


def test_what_is_not_there(place: Path) -> None:
    """It is an error of its own."""
    shown = atomiton(place, "test", "nowhere")
    assert 2 == shown.returncode
    assert "error[FLOW-404]" in shown.stderr


def test_update(place: Path) -> None:
    """`--update` replaces what is expected in the file, says so, and the test passes the next time."""
    path = add(place, WRONG + "[[test]]\nname = 'spread'\nexpect.a.n = 2\n")
    shown = atomiton(place, "test", "--update")
    assert 1 == shown.returncode
    assert "\nflows/it.toml:11: a.result of the wrong one: updated\n" in shown.stdout
    assert (
        "\nflows/it.toml:14: a.result of spread: not updated: it is not written as one value" in shown.stdout
    )
    assert WRONG.replace("n = 2", "n = 1") in path.read_text()
    again = atomiton(place, "test", "-k", "one", "--update", "--json")
    assert (0, []) == (again.returncode, json.loads(again.stdout)["updated"])
