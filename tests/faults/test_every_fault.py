"""Saves, clicks, cancels, kills, restarts, full disks and clock jumps in any order: the promises hold.

The processes are real: a resident `watch` is asked through its door, killed with SIGKILL, stopped by SIGTERM; its
disk is full by the system's own limit of file sizes.
"""

import contextlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from atomiton_runtime import Runtime
from atomiton_runtime.control.conversation import request
from atomiton_runtime.errors import RuntimeUnusable
from atomiton_runtime.ids import RunId
from atomiton_runtime.ownership import owner_of
from atomiton_runtime.requests import CancelRun, Refused, Request, Response, RunAccepted, RunFlow
from atomiton_runtime.tray.state import FINAL_STATUSES
from tests.doubles.terminal import ROOT, environment
from tests.faults.test_crash_truth import nothing_is_left
from tests.guards.campaign import note, sized

CANARY = "canary-7f3a91bc"
GOOD = """\
# {number}
[nodes.work]
type = "shell-command"
program = "sh"
args = ["-c", 'sleep {pause}; echo "$1 $2" >> done', "sh", "{{{{ run.id }}}}", "{name}"]
env = {{ TOKEN = "{{{{ secrets.TOKEN }}}}" }}

[nodes.say]
type = "edit-fields"
after = ["work"]
values = {{ token = "{{{{ secrets.TOKEN }}}}", number = {number} }}
"""
BROKEN = '# {number}\n[nodes.work]\ntype = "no-such-type"\nname = "{name}{pause}"\n'
STORE_LIMIT_BYTES = 32 * 2**20
NAMES = ("a", "b")
PATIENCE_S = 20.0
TEXTS = st.sampled_from([GOOD, GOOD, BROKEN])
PAUSES = st.sampled_from(["0", "0.2", "33.3"])

totals: Counter[str] = Counter()


class Promises(RuleBasedStateMachine):
    """What a user and a bad day may do, and what has to be true whenever the dust has settled."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="atomiton-faults-"))
        self.flows, self.data, self.clock = self.folder / "flows", self.folder / "data", self.folder / "clock"
        self.flows.mkdir(mode=0o755)
        self.clock.write_text("0")
        self.saved: dict[str, str] = {}
        self.accepted: list[RunId] = []
        self.how: dict[RunId, tuple[str, int]] = {}
        """Of each: its flow, and the limit of the disk."""
        self.number = 0
        self.process: subprocess.Popen[bytes] | None = None

    @initialize()
    def begin(self) -> None:
        """Two flows and one that nobody touches, and the resident that watches them."""
        for name in (*NAMES, "steady"):
            self._write(name, GOOD, "0")
        self._start()

    # -- what may happen ---------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(NAMES),
        text=st.sampled_from([GOOD, GOOD, BROKEN]),
        pause=st.sampled_from(["0", "0.2", "33.3"]),
    )
    def save(self, name: str, text: str, pause: str) -> None:
        """A flow is saved: valid, slow, or broken."""
        self._write(name, text, pause)

    @rule(name=st.sampled_from((*NAMES, "steady")))
    def click(self, name: str) -> None:
        """A flow is asked for; what is accepted must not get lost."""
        answer = self._ask(RunFlow(flow=name, trigger="tray"))
        if isinstance(answer, RunAccepted):
            self.accepted.append(answer.run_id)
            self.how[answer.run_id] = (name, resource.prlimit(self._living().pid, resource.RLIMIT_FSIZE)[0])
        elif answer is not None:
            assert isinstance(answer, Refused)
            assert all(error.code and error.message for error in answer.errors)

    @precondition(lambda self: self.accepted)
    @rule(place=st.integers(1, 3))
    def cancel(self, place: int) -> None:
        """One of the latest runs is cancelled, whether it still runs or not."""
        self._ask(CancelRun(run_id=self.accepted[-min(place, len(self.accepted))]))

    @rule()
    def kill(self) -> None:
        """The resident dies, and nothing of it lives on; another one starts."""
        process = self._living()
        process.kill()
        process.wait(10)
        nothing_is_left(process)
        self._start()

    @rule()
    def restart(self) -> None:
        """The resident is told to end, and another one starts."""
        self._stop()
        self._start()

    @rule(full=st.booleans())
    def fill_the_disk(self, full: bool) -> None:
        """No file can be written any more, or they can again."""
        limit = (4096 if full else resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self._living().pid, resource.RLIMIT_FSIZE, limit)

    @rule(days=st.sampled_from([-30, 0, 50]))
    def set_the_clock(self, days: int) -> None:
        """Somebody sets the wall clock, by less than what makes a run too old to be kept."""
        draft = self.clock.with_suffix(".new")
        draft.write_text(str(days))
        draft.replace(self.clock)

    @rule(pause_s=st.sampled_from([0.02, 0.3]))
    def wait(self, pause_s: float) -> None:
        """Time passes."""
        time.sleep(pause_s)

    # -- what has to be true -----------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Settle everything, then look."""
        try:
            if self.process is not None:
                self._settle()
                self._check()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait(10)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _settle(self) -> None:
        self._stop()
        for name in NAMES:  # what was saved last may be slow
            self._write(name, GOOD, "0")
        self._start()
        deadline = time.monotonic() + PATIENCE_S
        while not isinstance(answer := self._ask(RunFlow(flow="steady", trigger="tray")), RunAccepted):
            assert time.monotonic() < deadline, answer
        self.accepted.append(answer.run_id)
        self.how[answer.run_id] = ("steady", resource.RLIM_INFINITY)
        with Runtime(self.flows, data=self.data) as reader:
            while reader.show(answer.run_id).status not in FINAL_STATUSES:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert reader.show(answer.run_id).status == "succeeded"  # another flow's faults are not its own
        self._stop()

    def _check(self) -> None:
        assert self.process is not None
        nothing_is_left(self.process)
        told: list[object] = []
        with Runtime(self.flows, data=self.data, warn=told.append) as runtime:
            history = runtime.history(limit=10_000)
            ids = Counter(summary.run_id for summary in history)
            assert set(ids.values()) <= {1}
            assert [(run, self.how[run]) for run in self.accepted if run not in ids] == []
            assert [summary for summary in history if summary.status not in FINAL_STATUSES] == []
            for summary in history:
                assert runtime.show(summary.run_id).status == summary.status
        assert told == []
        done = self._done()
        assert [run for run, times in done.items() if times > 1] == []
        for summary in history:
            if summary.status == "succeeded":
                assert done[summary.run_id] == 1
        for name, text in self.saved.items():
            assert (self.flows / f"{name}.toml").read_text() == text
        files = [path for path in self.data.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < STORE_LIMIT_BYTES
        for file in files:
            assert CANARY.encode() not in file.read_bytes(), file
        totals.update(sequences=1, runs=len(history), accepted=len(self.accepted))
        note("all faults in any order", **totals, lost=0, executed_twice=0, orphans=0)  # the last line counts

    def _done(self) -> Counter[str]:
        """Return how often each run did its work."""
        path = self.flows / "done"
        return (
            Counter(line.split()[0] for line in path.read_text().splitlines()) if path.exists() else Counter()
        )

    # -- how it is done ----------------------------------------------------------------------------------------

    def _write(self, name: str, text: str, pause: str) -> None:
        self.number += 1
        self.saved[name] = text.format(number=self.number, pause=pause, name=name)
        draft = self.flows / f".{name}.new"
        draft.write_text(self.saved[name])
        draft.replace(self.flows / f"{name}.toml")

    def _start(self) -> None:
        words = [sys.executable, "-m", "tests.doubles.resident_process"]
        self.process = subprocess.Popen(
            [*words, str(self.clock), str(self.flows), str(self.data)],
            cwd=ROOT,
            env=environment(self.folder, ATOMITON_SECRET_TOKEN=CANARY),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_S
        while (owner := owner_of(self.data)) is None or owner.pid != self.process.pid:
            assert self.process.poll() is None, self.process.returncode
            assert time.monotonic() < deadline, owner
            time.sleep(0.01)

    def _stop(self) -> None:
        process = self._living()
        process.terminate()
        process.wait(PATIENCE_S)
        nothing_is_left(process)

    def _living(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None
        assert self.process.poll() is None, f"the resident ended by itself: {self.process.returncode}"
        return self.process

    def _ask(self, what: Request) -> Response | None:
        owner = owner_of(self.data)
        assert owner is not None
        assert psutil.pid_exists(owner.pid)
        with contextlib.suppress(
            RuntimeUnusable
        ):  # a full disk: nothing is accepted, and that is said in time
            return request(self.data, owner.process, what, timeout_s=15)
        return None


TestPromises = Promises.TestCase
TestPromises.settings = settings(
    max_examples=sized(3, 100),
    stateful_step_count=sized(12, 30),
    deadline=None,
    phases=(Phase.generate,),  # a shorter sequence of real faults need not fail in the same way
    suppress_health_check=list(HealthCheck),
)
