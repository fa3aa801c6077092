"""Whoever is told of a run is told what of it was reused, and from which run."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.doubles.flow_files import write_flows
from tests.doubles.terminal import Terminal, atomiton, started

TWO = """
[nodes.rows]
type = "edit-fields"
values = { rows = 1 }

[nodes.said]
type = "edit-fields"
values = { text = "Hello" }

[nodes.never]
type = "edit-fields"
when = "false"
input = "said"
values = { a = 1 }
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_flows(tmp_path, two=TWO)
    return tmp_path


def save(place: Path, *texts: str) -> list[str]:
    """Save the flow with these texts, one after the other, while it is watched; return how each run ended."""
    ends: list[str] = []
    with started(place, "watch", "two") as watching:
        assert watching.stdout is not None
        while "save it to run it" not in watching.stdout.readline():
            assert watching.poll() is None
        for text in texts:
            (place / "flows" / "two.toml").write_text(text)
            while " in " not in (line := watching.stdout.readline()) and " after " not in line:
                assert line, "the run never came to an end"
            ends.append(re.sub(r"[0-9<.]+ m?s\b", "N ms", line.split("  ", 1)[1].strip()))
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(30) == 0
    return ends


def run_id(place: Path) -> str:
    return json.loads(atomiton(place, "run", "two", "--json").stdout)["run_id"]


def test_a_save_says_what_was_reused(place: Path) -> None:
    """The line of a finished run says how many nodes ran and were reused; `show` and `logs` name the run it is from."""
    first = run_id(place)
    changed = TWO.replace("Hello", "Good day")

    ends = save(place, changed)
    assert ["two succeeded in N ms: 1 run, 1 reused, 1 skipped"] == ends
    shown = [line.split(maxsplit=2) for line in atomiton(place, "show", "last").stdout.splitlines() if line]
    assert "1 run, 1 reused, 1 skipped" == " ".join(shown[0]).partition(": ")[2]
    assert ["rows", "reused", f"reused from run {first} (just now)"] in shown
    logged = atomiton(place, "logs", "last").stdout
    assert f"rows reused from run {first} (just now)\n" in logged
    document = json.loads(atomiton(place, "show", "last", "--json").stdout)
    assert {"rows": first} == {
        name: node["reused_from"] for name, node in document["nodes"].items() if "reused_from" in node
    }
    assert (0, None) == (document["nodes"]["rows"]["attempts"], document["nodes"]["rows"]["duration_s"])


def test_a_whole_run_that_is_reused(place: Path) -> None:
    """Where nothing had changed, that is said, by `watch` and by `show`."""
    text = TWO.partition("[nodes.never]")[0]
    write_flows(place, two=text)
    run_id(place)
    assert ["two succeeded in N ms: nothing had changed, 2 reused"] == save(place, "# a comment" + text)
    assert atomiton(place, "show", "last").stdout.splitlines()[0].endswith(": nothing had changed, 2 reused")


def test_live_progress_of_what_is_reused(place: Path) -> None:
    """A terminal shows from which run a result is, without a duration, and the sum at the end."""
    first = run_id(place)
    with Terminal(place, "run", "two", "--from", "said") as terminal:
        assert terminal.wait() == 0
        told = [" ".join(line.split()) for line in terminal.text.splitlines()]
    assert f"✓ rows reused from run {first} (just now)" in told
    assert any(line.endswith(": 1 run, 1 reused, 1 skipped") for line in told)
