"""Quitting takes ten seconds at most, whatever resists; until something has ended, it is named as what is left."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.terminal import DEADLINE_S, atomiton, wait_for_file
from tests.faults.test_processes import Desk, read_until, wait_until

PROMISED_S = 10.0
DEAF = '''\
"""A node type that never looks whether it is told to stop."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from atomiton_runtime.nodes.base import Example, NodeContext, NodeType, Port


class DeafParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


class Deaf(NodeType):
    """Waits for a file."""

    name = "deaf"
    ports = (Port("result", "Nothing."),)
    examples = (Example(title="None", toml="", outputs={"result": None}),)
    Parameters = DeafParameters

    def execute(self, parameters: DeafParameters, context: NodeContext) -> dict[str, object]:
        """Wait, with a thread that the interpreter would wait for."""
        pool = ThreadPoolExecutor(1)
        waiting = pool.submit(self.wait, context.folder)
        (context.folder.parent / "deaf").write_text("begun")
        return {"result": waiting.result()}

    def wait(self, folder: Path) -> None:
        """Wait for the file."""
        while not (folder.parent / "let-go").exists():
            time.sleep(0.02)

    def close(self) -> None:
        """Hang here as well."""
        threading.Event().wait(60 if (Path(__file__).parents[2] / "hang").exists() else 0)
'''
ALONE = '[nodes.deaf]\ntype = "deaf"\n'
ALL = """\
[nodes.deaf]
type = "deaf"

[nodes.stopped]
type = "shell-command"
program = "sh"
args = ["-c", "trap '' TERM; echo $$ > ../stopped; kill -STOP $$; while :; do sleep 0.1; done"]

[nodes.stubborn]
type = "shell-command"
always = true
after = "stopped"
program = "sh"
args = ["-c", "trap '' TERM INT HUP; (setsid sleep 300 &); echo $$ > ../stubborn; while :; do sleep 0.1; done"]
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with a node type that does not listen; afterwards nobody of it is alive."""
    made = Desk(tmp_path)
    (made.flows / "nodes").mkdir()
    (made.flows / "nodes" / "deaf.py").write_text(DEAF)
    yield made
    made.await_nobody()


@pytest.mark.parametrize("closing", ["closes", "hangs"])
def test_a_watch_ends_in_time_whatever_resists(desk: Desk, closing: str) -> None:
    """A node type that does not listen, a stopped command, a clean-up that hangs: ten seconds, nobody is left."""
    if closing == "hangs":
        (desk.folder / "hang").touch()
    desk.save("all", ALL)
    with desk.start("watch") as watch:
        read_until(watch, "watching")
        desk.save("all", ALL + "# saved\n")
        wait_for_file(desk.folder / "stopped")
        wait_for_file(desk.folder / "deaf")
        began = time.monotonic()
        watch.send_signal(signal.SIGTERM)
        wait_for_file(desk.folder / "stubborn")
        _, said = watch.communicate(timeout=DEADLINE_S)
        took_s = time.monotonic() - began
    desk.await_nobody()
    shown = json.loads(atomiton(desk.folder, "show", "last", "--json").stdout)

    assert took_s < PROMISED_S
    assert (5, True) == (watch.returncode, "RUN-011" in said)
    assert "deaf of all" in said
    assert "stubborn" not in said
    assert "Traceback" not in said
    states = {node: state["status"] for node, state in shown["nodes"].items()}
    assert ("interrupted", "cancelled", "cancelled") == (
        shown["status"],
        states["stopped"],
        states["stubborn"],
    )


def test_a_node_that_does_not_listen_is_named_until_it_ends(desk: Desk) -> None:
    """The run is `cancelling` and says what is left; it is cancelled once that has ended, not before."""
    desk.save("alone", ALONE)
    with desk.start("watch") as watch:
        read_until(watch, "watching")
        desk.save("alone", ALONE + "# saved\n")
        wait_for_file(desk.folder / "deaf")
        with desk.start("cancel", "last") as cancel:
            wait_until(lambda: "cancelling" in atomiton(desk.folder, "show", "last").stdout)
            shown = atomiton(desk.folder, "show", "last").stdout
            listed = atomiton(desk.folder, "history").stdout
            status = desk.runs()[0]["status"]
            still_waits = cancel.poll() is None
            (desk.folder / "let-go").touch()
            told, _ = cancel.communicate(timeout=DEADLINE_S)
        after = desk.runs()[0]["status"]
        watch.terminate()
        watch.communicate(timeout=DEADLINE_S)

    assert shown.startswith("alone cancelling, 1 node left: deaf")
    assert "waits for" in listed
    assert ("running", True, "cancelled") == (status, still_waits, after)
    assert told.startswith("alone cancelled after")
    assert (0, 0) == (cancel.returncode, watch.returncode)
