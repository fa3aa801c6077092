"""`kill -9` at every step of the journal, and at any moment: the history stays true, and a run can be continued."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.control.presence import live_processes
from atomiton_runtime.errors import UsageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.nodes.processes import MARK
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary
from tests.doubles.crashing_process import KILLED
from tests.guards.campaign import note, sized

ROOT = Path(__file__).parents[2]
RANDOM_KILLS = sized(6, 300)
LAST_KILL_S = 0.45
"""A whole process takes a little less; the first 0.2 s of it it starts. One that has ended was not killed."""
GONE_S = 10.0
FLOW = """\
[settings]
timeout = "30s"

[nodes.first]
type = "shell-command"
shell = true
program = "echo first >> done"

[nodes.shape]
type = "edit-fields"
values = { n = 3 }

[nodes.wrong]
type = "file-system"
operation = "read"
path = "not-there"
on_error = "continue"

[nodes.each]
type = "loop"
mode = "times"
count = "{{ input.n }}"
input = "shape"
after = ["first", "wrong"]

[nodes.each.nodes.work]
type = "shell-command"
shell = true
program = "echo each/$1/work >> done"
args = ["{{ index }}"]

[nodes.each.nodes.note]
after = "work"
type = "edit-fields"
keep_only_set = true
values = { at = "{{ index }}" }

[nodes.last]
type = "shell-command"
shell = true
program = "echo last >> done"
after = "each"

[nodes.tidy]
always = true
after = "last"
type = "shell-command"
shell = true
program = "echo tidy >> done"
"""
NEVER: Counter[str] = Counter()
WRITERS = ("first", "each/0/work", "each/1/work", "each/2/work", "last", "tidy")


class Desk:
    """Two folders, and processes that die at a given step."""

    def __init__(self, folder: Path) -> None:
        self.flows, self.data = folder / "flows", folder / "data"
        self.flows.mkdir()
        (self.flows / "it.toml").write_text(FLOW)

    def start(self, fail_at: int, *command: str) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "tests.doubles.crashing_process"]
        return subprocess.Popen(
            [*words, str(self.flows), str(self.data), str(fail_at), *command],
            cwd=ROOT,
            start_new_session=True,
        )

    def runtime(self) -> Runtime:
        return Runtime(flows=self.flows, data=self.data)

    def done(self) -> Counter[str]:
        """Return how often each command did its work."""
        written = self.flows / "done"
        return Counter(written.read_text().split()) if written.exists() else Counter()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def left_alive(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Return what the attempts of a process started and that still lives."""
    found: list[psutil.Process] = []
    for each in psutil.process_iter():
        try:
            mark = each.environ().get(MARK, "")
            if mark.startswith(f"{process.pid}-") and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.Error:
            continue
    return found


def nothing_is_left(process: "subprocess.Popen[bytes]") -> None:
    """Wait until nothing of a killed process is alive."""
    deadline = time.monotonic() + GONE_S
    while alive := left_alive(process):
        assert time.monotonic() < deadline, alive
        time.sleep(0.01)


def is_true(
    desk: Desk, runtime: Runtime, summary: RunSummary, executed: Counter[str], again: Counter[str] = NEVER
) -> set[str]:
    """Expect that what the history says of a dead process's run is so; return the nodes that it says succeeded.

    Args:
        desk: where it ran.
        runtime: another one over the same folders.
        summary: what the history says.
        executed: node -> how often it did its work.
        again: node -> how often it was in doubt and executed again.
    """
    journal = runtime.journal(summary.run_id)
    succeeded = {event.node for event in journal if isinstance(event, ev.NodeSucceeded | ev.NodeReused)}
    assert [event.seq for event in journal] == list(range(len(journal)))
    assert summary.status in ("interrupted", "succeeded")
    assert summary.duration_s is not None
    assert live_processes(desk.data) == {runtime.process}
    for node in succeeded.intersection(WRITERS):
        assert 1 <= executed[node] <= 1 + again[node], (node, executed, again)
    return succeeded


def continued(runtime: Runtime, run_id: RunId) -> tuple[RunId, list[str]]:
    """Continue a run; where nodes are in doubt, execute them again. Return the new run and those nodes."""
    doubtful: list[str] = []
    while True:
        try:
            run = runtime.resume(run_id, rerun=doubtful)
        except UsageError as error:
            if error.code != "RUN-017" or doubtful:
                raise
            doubtful = error.message.split(" w")[0].split(", ")
        else:
            assert run.result(timeout_s=30).status == "succeeded"
            return run.id, doubtful


def test_a_kill_at_every_step_of_the_journal(desk: Desk) -> None:
    """Wherever it dies, the run is told as interrupted, what had finished stands, and a resume completes it."""
    steps, losses = 0, 0
    while True:
        (desk.flows / "done").unlink(missing_ok=True)
        process = desk.start(steps, "run", "it")
        if process.wait(60) == 0:
            break
        assert process.returncode == KILLED
        nothing_is_left(process)
        with desk.runtime() as runtime:
            newest = runtime.history(limit=1)
            if steps == 0:
                assert not newest, "a run that was never kept was never accepted"
            else:
                assert newest[0].status == "interrupted"
                succeeded = is_true(desk, runtime, newest[0], desk.done())
                last, doubtful = continued(runtime, newest[0].run_id)
                executed = desk.done()
                losses += sum(executed[node] == 0 for node in WRITERS)
                assert all(executed[node] == 1 for node in succeeded.intersection(WRITERS))
                assert all(executed[node] <= 1 for node in WRITERS if node not in doubtful), (steps, executed)
                assert {node.status for node in runtime.show(last).nodes.values()} <= {
                    "succeeded",
                    "reused",
                    "failed",
                }
        steps += 1
    assert losses == 0
    assert steps > 30
    note("crash truth", kill_points=steps, losses=losses)


def test_a_kill_while_a_run_is_continued(desk: Desk) -> None:
    """A run that continues another one may die as well, at each of its steps, and be continued itself."""
    first = desk.start(12, "run", "it")
    assert first.wait(60) == KILLED
    again = Counter[str]()
    for fail_at in range(1, 40, sized(6, 1)):
        with desk.runtime() as runtime:
            newest = runtime.history(limit=1)[0]
            assert newest.status == "interrupted"
            is_true(desk, runtime, newest, desk.done(), again)
            doubtful = [node for node in WRITERS if _in_doubt(runtime, newest.run_id, node)]
        process = desk.start(fail_at, "resume", newest.run_id, *doubtful)
        if process.wait(60) == 0:
            break
        nothing_is_left(process)
        again.update(doubtful)
    with desk.runtime() as runtime:
        newest = runtime.history(limit=1)[0]
        if newest.status != "succeeded":
            continued(runtime, newest.run_id)
        assert set(desk.done()) == set(WRITERS)


def _in_doubt(runtime: Runtime, run_id: RunId, node: str) -> bool:
    """Return whether a node would have to be named; nothing is executed."""
    try:
        runtime.resume(run_id, rerun=("nobody",))
    except UsageError as error:
        return error.hint is not None and node in error.hint.removeprefix("in doubt: ").split(", ")
    raise AssertionError("a resume with a wrong name must be refused")


def test_kills_at_any_moment(desk: Desk) -> None:
    """Also between two steps: no lock is left, no process lives, the store opens, no run is lost."""
    chance = random.Random(20261124)
    known: dict[str, str] = {}
    kills = 0
    while kills < RANDOM_KILLS:
        (desk.flows / "done").unlink(missing_ok=True)
        process = desk.start(-1, "run", "it")
        try:
            process.wait(chance.uniform(0.15, LAST_KILL_S))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            kills += 1
        nothing_is_left(process)
        with desk.runtime() as runtime:
            for summary in runtime.history(limit=2):
                if summary.run_id not in known:
                    is_true(desk, runtime, summary, desk.done())
                    known[summary.run_id] = summary.status
    with desk.runtime() as runtime:
        for summary in runtime.history(limit=10_000):
            assert known[summary.run_id] == summary.status
    note("crash truth at random", kills=kills, **Counter(known.values()))
