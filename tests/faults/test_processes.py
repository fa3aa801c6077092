"""Signals and `kill -9` from outside: the history tells the truth, nothing is left alive, a new start works."""

import contextlib
import json
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psutil
import pytest

from tests.desktop.private_bus import PrivateBus
from tests.doubles.terminal import DEADLINE_S, atomiton, command, environment, wait_for_file

MARK = "ATOMITON_FAULT_TEST"
HELLO = '[nodes.a]\ntype = "edit-fields"\nvalues = { n = 1 }\n'
STUBBORN = '''\
[nodes.a]
type = "shell-command"
program = "sh"
args = ["-c", """
trap '' TERM INT HUP
(setsid sh -c 'trap "" TERM; sleep 300' &)
nohup sleep 301 >/dev/null 2>&1 &
sh -c '(setsid setsid sleep 302 &)'
echo $$ > ../begun
while :; do sleep 0.1; done
"""]
'''
"""Ignores SIGTERM, with descendants that have left its session and forked twice."""
GONE_S = 5.0
"""Two seconds of grace between SIGTERM and SIGKILL, and some more on a machine that is shared."""


class Desk:
    """A folder with flows, and the processes of its user, which all carry a mark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flows = folder / "flows"
        self.flows.mkdir()
        self.mark = uuid.uuid4().hex
        self.save("hello", HELLO)
        self.save("stubborn", STUBBORN)

    def save(self, name: str, text: str) -> None:
        """Save a flow, as editors do, by renaming."""
        draft = self.flows / f".{name}.tmp"
        draft.write_text(text)
        draft.replace(self.flows / f"{name}.toml")

    @contextlib.contextmanager
    def start(self, *arguments: str, **more: str) -> Generator["subprocess.Popen[str]"]:
        """Start `atomiton`; in the end it is killed, if it is still there."""
        with subprocess.Popen(
            command(*arguments),
            cwd=self.folder,
            env=environment(self.folder, **{MARK: self.mark}, **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def await_begun(self) -> None:
        """Wait until the stubborn command has started its family."""
        wait_for_file(self.folder / "begun")
        (self.folder / "begun").unlink()

    def runs(self) -> list[dict[str, str]]:
        """Return the history, newest first."""
        shown = atomiton(self.folder, "history", "--json")
        assert (shown.returncode, shown.stderr) == (0, "")
        return json.loads(shown.stdout)

    def await_nobody(self) -> None:
        """Wait until no process of this user is alive."""
        deadline = time.monotonic() + GONE_S
        while alive := self._alive():
            assert time.monotonic() < deadline, f"still alive: {alive}"
            time.sleep(0.02)

    def _alive(self) -> list[str]:
        found: list[str] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:80]}")
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk; afterwards nobody of it is alive."""
    made = Desk(tmp_path)
    yield made
    made.await_nobody()


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ((signal.SIGTERM,), 3),
        ((signal.SIGINT, signal.SIGINT), 130),
        ((signal.SIGINT, signal.SIGINT, signal.SIGINT), 130),
    ],
)
def test_signals_end_a_run_with_its_whole_family(
    desk: Desk, signals: tuple[signal.Signals, ...], code: int
) -> None:
    """However often and by which signal: the exit code says how it ended, and nobody is left."""
    with desk.start("run", "stubborn") as process:
        desk.await_begun()
        for number in signals:
            process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE_S)
    desk.await_nobody()
    assert process.returncode == code
    assert "Traceback" not in said
    assert desk.runs()[0]["status"] in ("cancelled", "interrupted")


@pytest.mark.parametrize("command", ["run", "watch", "tray"])
def test_kill_9_leaves_the_truth_and_no_obstacle(desk: Desk, command: str) -> None:
    """A killed process's run is `interrupted`, its commands die, its locks hold nobody up."""
    with PrivateBus() as bus:
        more = {"DBUS_SESSION_BUS_ADDRESS": bus.address}
        arguments = {"run": ("run", "stubborn"), "watch": ("watch",), "tray": ("tray", "--run", "stubborn")}
        with desk.start(*arguments[command], **more) as process:
            if command == "watch":
                assert process.stdout is not None
                assert process.stdout.readline().startswith("watching")
                desk.save("stubborn", STUBBORN + "# saved\n")
            desk.await_begun()
            process.kill()
        desk.await_nobody()
        (run,) = desk.runs()
        shown = atomiton(desk.folder, "show", "last", "--json")
        cancelled = atomiton(desk.folder, "cancel", "last")
        again = {"run": ("run", "hello"), "watch": ("watch",), "tray": ("tray", "--run", "hello")}
        with desk.start(*again[command], **more) as second:
            if command == "watch":
                assert second.stdout is not None
                assert second.stdout.readline().startswith("watching")
            if command == "tray":
                wait_until(lambda: desk.runs()[0]["flow"] == "hello")
            if command != "run":
                second.terminate()
            second.communicate(timeout=DEADLINE_S)

    assert run["status"] == "interrupted"
    assert json.loads(shown.stdout)["error"]["code"] == "RUN-010"
    assert cancelled.returncode == 2
    assert "error[RUN-002]" in cancelled.stderr
    assert second.returncode == 0


def test_kill_9_at_many_moments(desk: Desk) -> None:
    """Killed at whatever moment of its start, run or end, a run is in the history truly or not at all."""
    for moment in range(5):
        with desk.start("run", "hello") as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05 + moment * 0.05)
            process.kill()
    assert {run["status"] for run in desk.runs()} <= {"succeeded", "interrupted"}
    assert atomiton(desk.folder, "run", "hello").returncode == 0
    assert desk.runs()[0]["status"] == "succeeded"


def test_cancel_from_another_process(desk: Desk) -> None:
    """`cancel` finds a run by the beginning of its id, and says what it did; a second time there is nothing to end."""
    with desk.start("run", "stubborn") as process:
        desk.await_begun()
        run_id = desk.runs()[0]["run_id"]
        cancelled = atomiton(desk.folder, "cancel", run_id[:20])
        process.communicate(timeout=DEADLINE_S)
        desk.await_nobody()
        again = atomiton(desk.folder, "cancel", run_id)
        unknown = atomiton(desk.folder, "cancel", "nope")

    assert (cancelled.returncode, process.returncode) == (0, 3)
    assert cancelled.stdout.startswith("stubborn cancelled after")
    assert again.returncode == unknown.returncode == 2
    assert f"error[RUN-002]: run {run_id} has ended already: cancelled" in again.stderr
    assert "error[RUN-001]: there is no run nope" in unknown.stderr


def test_a_tray_beside_a_tray_a_watch_and_a_run(desk: Desk) -> None:
    """One tray for a data folder; a second hands its flow over; watch, run and cancel work beside it."""
    with PrivateBus() as bus, desk.start("tray", DBUS_SESSION_BUS_ADDRESS=bus.address) as tray:
        wait_for_file(desk.folder / "data" / "owner.process")
        with desk.start("tray", "--run", "stubborn") as second:
            _, said = second.communicate(timeout=DEADLINE_S)
        desk.await_begun()
        beside = atomiton(desk.folder, "run", "hello")
        (stubborn,) = [run for run in desk.runs() if run["flow"] == "stubborn"]
        cancelled = atomiton(desk.folder, "cancel", stubborn["run_id"])
        tray.send_signal(signal.SIGTERM)
        tray.communicate(timeout=DEADLINE_S)

    assert second.returncode == 0
    assert "already runs" in said
    assert (stubborn["status"], stubborn["trigger"]) == ("running", "tray")
    assert (beside.returncode, cancelled.returncode, tray.returncode) == (0, 0, 0)


@pytest.mark.parametrize("address", ["", "unix:path=/nonexistent/bus"])
def test_a_tray_without_a_bus_waits_for_one(desk: Desk, address: str) -> None:
    """Without a session bus, or with a dead address, the tray says so once and works on."""
    more = {"DBUS_SESSION_BUS_ADDRESS": address} if address else {}
    with desk.start("tray", "--run", "hello", **more) as tray:
        wait_until(lambda: any(run["status"] == "succeeded" for run in desk.runs()))
        tray.terminate()
        _, said = tray.communicate(timeout=DEADLINE_S)
    assert tray.returncode == 0
    assert said.count("TRAY-001") == 1
    assert "Traceback" not in said


def test_a_watch_beside_a_watch_and_its_folder(desk: Desk) -> None:
    """A save runs once, for the second watch says who watches and ends; a folder that comes back is watched again."""
    with desk.start("watch") as one:
        assert one.stdout is not None
        assert one.stdout.readline().startswith("watching")
        wait_for_file(desk.folder / "data" / "owner.process")
        with desk.start("watch") as two:
            _, said = two.communicate(timeout=DEADLINE_S)
        assert (two.returncode, f"process {one.pid}" in said) == (0, True)
        desk.save("hello", HELLO.replace("1", "2"))
        read_until(one, "hello succeeded")
        aside = desk.folder / "aside"
        desk.flows.rename(aside)
        read_until(one, "WATCH-")
        aside.rename(desk.flows)
        desk.save("hello", HELLO.replace("1", "3"))
        read_until(one, "hello succeeded")
        one.send_signal(signal.SIGINT)
        _, said = one.communicate(timeout=DEADLINE_S)
        assert (one.returncode, said) == (130, "")
    assert {run["status"] for run in desk.runs()} == {"succeeded"}


def wait_until(true: Callable[[], bool]) -> None:
    """Ask again and again until it is true; not within the deadline is a failure."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.05)


def read_until(process: "subprocess.Popen[str]", word: str) -> None:
    """Read lines of the process until one holds the word; a process that ends or says nothing fails the test."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    pytest.fail(f"{word!r} never came")


def test_large_flows_and_outputs(desk: Desk) -> None:
    """2000 nodes, 10 MB of output, an endless output with a timeout: each ends, with its own exit code."""
    chain = '[nodes.n0]\ntype = "edit-fields"\nvalues = { n = 0 }\n'
    chain += "".join(
        f'[nodes.n{each}]\ntype = "edit-fields"\ninput = "n{each - 1}"\nvalues = {{ n = {each} }}\n'
        for each in range(1, 2000)
    )
    desk.save("chain", chain)
    desk.save(
        "wide",
        '[nodes.a]\ntype = "shell-command"\nprogram = "head"\nargs = ["-c", "10000000", "/dev/zero"]\n',
    )
    desk.save("endless", '[nodes.a]\ntype = "shell-command"\nprogram = "yes"\ntimeout = "0.5s"\n')
    for number in range(300):
        desk.save(f"many-{number}", HELLO)

    chained = atomiton(desk.folder, "run", "chain")
    wide = atomiton(desk.folder, "run", "wide")
    endless = atomiton(desk.folder, "run", "endless")
    listed = atomiton(desk.folder, "list", "--json")

    assert (chained.returncode, chained.stdout) == (0, '{"n":1999}\n')
    assert (wide.returncode, len(wide.stdout)) == (0, 10_000_001)
    assert endless.returncode == 1
    assert "error[NODE-010]" in endless.stderr
    assert len(json.loads(listed.stdout)) == 305
