"""`atomiton replay` executes one node of a run once more, and tells people and programs what comes out otherwise."""

import json
import signal
from pathlib import Path

import pytest

from tests.doubles.flow_files import write_flows
from tests.doubles.terminal import Terminal, atomiton, started

ROWS = """
[nodes.rows]
type = "edit-fields"
values = { n = 2 }

[nodes.each]
type = "loop"
input = "rows"
items = [1, 2]

[nodes.each.nodes.say]
type = "transform"
operation = "map"
data = ["{{ item }}"]
expression = "item * 2"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A user's folder with a run of the flow `rows`."""
    write_flows(tmp_path, rows=ROWS)
    assert atomiton(tmp_path, "run", "rows").returncode == 0
    return tmp_path


def edit(place: Path, old: str, new: str) -> None:
    path = place / "flows" / "rows.toml"
    path.write_text(path.read_text().replace(old, new))


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_what_differs_is_shown(place: Path) -> None:
    """That a result is the same is said; else the old and the new one are shown. `last` is never a replay."""
    same = atomiton(place, "replay", "last", "each/1/say")
    edit(place, "item * 2", "item * 3")
    other = atomiton(place, "replay", "last", "each/1/say")
    there = atomiton(place, "replay", "last", "rows", "--set", "values.n=abc", "--set", 'values.m="1"')

    assert (0, "") == (same.returncode, same.stderr)
    assert words(same.stdout)[0].startswith("each/1/say succeeded (")
    assert "the result is the same" == words(same.stdout)[1]
    assert "~ result[0] 4 -> 6 (+2)" == words(other.stdout)[1]
    assert ["~ result.n 2 -> abc", '+ result.m "1"'] == words(there.stdout)[1:]


def test_a_failure_is_shown_with_its_place(place: Path) -> None:
    """The error goes to stderr with place and hint, and the exit code is that of a run that failed."""
    edit(place, "item * 2", "item / 0")

    failed = atomiton(place, "replay", "last", "each/0/say")

    assert 1 == failed.returncode
    assert ["each/0/say failed", "succeeded -> failed"] == [
        line.partition(" (")[0] for line in words(failed.stdout)
    ]
    assert failed.stderr.startswith("flows/rows.toml:")
    assert "division by zero" in failed.stderr


def test_the_document_of_a_replay(place: Path) -> None:
    """`--json` gives the new run, the difference and where the definition is from."""
    run_id = json.loads(atomiton(place, "show", "last", "--json").stdout)["run_id"]
    edit(place, "item * 2", "item * 3")
    told = json.loads(atomiton(place, "replay", run_id[:20], "each/1/say", "--json").stdout)
    (place / "flows" / "rows.toml").unlink()
    gone = atomiton(place, "replay", run_id, "each/1/say")

    assert (run_id, "each/1/say", "succeeded", "file") == (
        told["replayed"],
        told["node"],
        told["status"],
        told["definition"],
    )
    assert told["run_id"] == told["document"]["run_id"] != run_id
    assert "replay" == told["document"]["trigger"]
    assert 1 == told["difference"]["outputs"]["counts"]["changed"]
    assert "as it was in the run: the flow's file, or the node in it, is gone" == words(gone.stdout)[1]
    assert "the result is the same" == words(gone.stdout)[2]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["last", "nowhere"], "RUN-027"),
        (["nobody", "rows"], "RUN-001"),
        (["last", "rows", "--set", "values"], "CLI-027"),
        (["last", "rows", "--set", "valeus=1"], "PARAM-001"),
        (["last", "rows", "--set", "when=true"], "RUN-030"),
    ],
)
def test_what_cannot_be_replayed_is_said(place: Path, arguments: list[str], code: str) -> None:
    """The exit code is 2, nothing goes to stdout, and the error has a code and a hint."""
    refused = atomiton(place, "replay", *arguments)

    assert (2, "") == (refused.returncode, refused.stdout)
    assert f"error[{code}]" in refused.stderr
    assert "hint: " in refused.stderr


def test_beside_the_owner_of_the_data_folder(place: Path) -> None:
    """Where another process runs the flows, it executes the replay; what is wrong is said here."""
    with started(place, "watch") as watch:
        assert watch.stdout is not None
        assert "watching" in watch.stdout.readline()
        done = atomiton(place, "replay", "last", "each/1/say", "--set", 'expression="item"')
        refused = atomiton(place, "replay", "last", "nowhere")
        watch.send_signal(signal.SIGTERM)
        told, _ = watch.communicate()

    assert (0, "") == (done.returncode, done.stderr)
    assert "~ result[0] 4 -> 2 (-2)" == words(done.stdout)[1]
    assert 2 == refused.returncode
    assert "RUN-027" in refused.stderr
    assert "rows" in told, "the owner has executed it"


def test_each_save_replays(place: Path) -> None:
    """A save replays the node: what differs from the run, and from the replay before; problems with their caret."""
    with Terminal(place, "replay", "last", "each/1/say", "--watch") as terminal:
        terminal.wait_for("the result is the same[\\s\\S]*Ctrl-C ends that")
        edit(place, "item * 2", "item * 3")
        terminal.wait_for("4 -> 6")
        edit(place, "item * 3", "item * 4")
        terminal.wait_for("4 -> 8[\\s\\S]*since the last replay\\s+~\\s+result\\[0\\]\\s+6 -> 8")
        edit(place, "item * 4", "item *")
        terminal.wait_for("error\\[EXPR-[\\s\\S]*\\^")
        edit(place, "item *", "item * 2")
        terminal.wait_for("since the last replay\\s+~\\s+result\\[0\\]\\s+8 -> 4")
        terminal.type("\x03")
        assert 130 == terminal.wait()
    assert "Traceback" not in terminal.text
