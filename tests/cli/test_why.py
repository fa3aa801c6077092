import json
from pathlib import Path

import pytest

from tests.doubles.flow_files import BROKEN, write_flows
from tests.doubles.terminal import atomiton


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_flows(tmp_path)
    return tmp_path


def test_why_a_node_was_executed(place: Path) -> None:
    """The run, what became of the node, the reasons and what it was compared with are told."""
    atomiton(place, "run", "hello")
    first = json.loads(atomiton(place, "show", "last", "--json").stdout)["run_id"]
    atomiton(place, "run", "hello", "--who", "Ada", "--fresh")
    shown = atomiton(place, "why", "hello", "greeting")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("greeting was executed in run 01")
    assert lines[0].endswith(" by cli")
    assert lines[1] == "  everything was asked for"
    assert lines[2].startswith("  parameter `values` ")
    assert lines[2].endswith(", flows/hello.toml:12")
    assert lines[3] == f"  compared with its result in run {first}"


def test_why_as_json(place: Path) -> None:
    """`--json` gives the same as data."""
    atomiton(place, "run", "hello")
    document = json.loads(atomiton(place, "why", "hello", "greeting", "--json").stdout)
    assert (document["node"], document["status"], document["trigger"]) == ("greeting", "succeeded", "cli")
    assert [reason["message"] for reason in document["reasons"]] == [
        "a run by cli executes everything, unless it is told otherwise",
        "it had no result before",
    ]


def test_why_a_node_was_reused_or_failed(place: Path) -> None:
    """A node that was reused names the run that executed it; one that failed shows its error."""
    atomiton(place, "run", "two")
    atomiton(place, "run", "two", "--from", "b")
    shown = atomiton(place, "why", "two", "a").stdout
    assert shown.startswith("a was reused in run 01")
    assert ", from run 01" in shown
    assert "  nothing that its result depends on has changed\n" in shown
    atomiton(place, "run", "failing")
    failed = atomiton(place, "why", "failing", "look").stdout
    assert "look was executed, and failed in run 01" in failed
    assert "error[SHELL-003]" in failed


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere", "a"), "FLOW-404"),
        (("broken", "read"), "FLOW-008"),
        (("two", "a"), "RUN-025"),
        (("hello", "greetin"), "RUN-025"),
    ],
)
def test_what_cannot_be_explained(place: Path, arguments: tuple[str, ...], code: str) -> None:
    """An unknown flow or node, a broken flow and a flow that never ran are errors that say so."""
    write_flows(place, broken=BROKEN)
    atomiton(place, "run", "hello")
    shown = atomiton(place, "why", *arguments)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert f"error[{code}]" in shown.stderr
