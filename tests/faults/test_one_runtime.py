"""One owner of a data folder, however many start at once; others hand their runs over to it, and follow them."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import cast

import pytest

from atomiton_runtime.control.conversation import request
from atomiton_runtime.control.door import ControlDoor
from atomiton_runtime.control.peer import is_same_user
from atomiton_runtime.control.presence import processes_folder
from atomiton_runtime.errors import RuntimeUnusable
from atomiton_runtime.ownership import Owner, Ownership, announce, owner_of, retire
from atomiton_runtime.requests import Refused, RunAccepted, RunFlow
from atomiton_runtime.runtime import Runtime
from atomiton_runtime.storage import create
from tests.doubles.engines import FULL, FailingEngine
from tests.doubles.terminal import DEADLINE_S, Terminal, atomiton, command, environment, started
from tests.guards.campaign import note, sized

HELLO = '[variables]\nwho = "you"\n[nodes.a]\ntype = "edit-fields"\nvalues = { to = "{{ vars.who }}" }\n'
SLOW = '[nodes.a]\ntype = "shell-command"\nprogram = "sleep"\nargs = ["60"]\n'
TRACE = """
[variables]
mark = ""
[nodes.a]
type = "shell-command"
program = "sh"
args = ["-c", "echo {{ vars.mark }} >> marks; sleep 0.2"]
"""
RESISTING = """
[nodes.a]
type = "shell-command"
program = "sleep"
args = ["60"]
[nodes.tidy]
type = "shell-command"
program = "sleep"
args = ["2"]
after = "a"
always = true
"""
STARTS = sized(6, 50)
CLIENTS = sized(6, 50)
KILLS = sized(2, 100)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with two flows."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "hello.toml").write_text(HELLO)
    (tmp_path / "flows" / "slow.toml").write_text(SLOW)
    (tmp_path / "flows" / "trace.toml").write_text(TRACE)
    (tmp_path / "flows" / "resisting.toml").write_text(RESISTING)
    return tmp_path


@contextlib.contextmanager
def watching(place: Path) -> "Generator[subprocess.Popen[str]]":
    """Start `atomiton watch`, and wait until it owns the folder."""
    with started(place, "watch") as process:
        deadline = time.monotonic() + DEADLINE_S
        while (owner := owner_of(place / "data")) is None or owner.pid != process.pid:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def owner(place: Path) -> "Iterator[subprocess.Popen[str]]":
    """A `watch` that owns the folder."""
    with watching(place) as process:
        yield process


def history(place: Path, limit: int = 100) -> list[dict[str, object]]:
    return json.loads(atomiton(place, "history", "--json", "--limit", str(limit)).stdout)


def test_many_starts_at_once_make_one_owner(place: Path) -> None:
    """The others say who it is, and end well."""
    arguments = [("watch",) if number % 2 else ("tray",) for number in range(STARTS)]
    processes = [
        subprocess.Popen(
            command(*words),
            cwd=place,
            env=environment(place, DBUS_SESSION_BUS_ADDRESS="", DISPLAY=""),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for words in arguments
    ]
    alive = processes
    try:
        deadline = time.monotonic() + 4 * DEADLINE_S
        while len(alive := [process for process in processes if process.poll() is None]) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (last,) = alive
        owner = owner_of(place / "data")
        assert owner is not None
        assert owner.pid == last.pid
        last.send_signal(signal.SIGTERM)
        for process in processes:
            _, said = process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 0, said
            assert process is last or f"process {last.pid}" in said, said
    finally:
        for process in alive:
            process.kill()
    note("one owner", starts=STARTS, owners=len(alive))


def test_a_run_beside_an_owner_is_executed_by_it(place: Path, owner: "subprocess.Popen[str]") -> None:
    """With the results, the document and the exit code of a run of one's own."""
    shown = atomiton(place, "run", "hello", "--who", "Ada")
    document = json.loads(atomiton(place, "run", "hello", "--json").stdout)
    mine = owner_of(place / "data")

    assert (shown.returncode, shown.stdout, shown.stderr) == (0, '{"to":"Ada"}\n', "")
    assert (document["status"], document["trigger"]) == ("succeeded", "cli")
    assert mine is not None
    assert mine.pid == owner.pid
    assert {run["process"] for run in history(place)} == {mine.process}


def test_a_signal_cancels_the_run_there(place: Path, owner: "subprocess.Popen[str]") -> None:
    """Its end is awaited here; the owner goes on."""
    with Terminal(place, "run", "slow") as terminal:
        terminal.wait_for("Ctrl-C cancels")
        terminal.type("\x03")
        terminal.wait_for("cancelled")
        assert terminal.wait() == 130
    assert [run["status"] for run in history(place)] == ["cancelled"]
    assert owner.poll() is None


def test_an_owner_that_dies(place: Path) -> None:
    """Who follows a run of it is told; its lock is no obstacle, and the run can be continued."""
    with watching(place) as process, started(place, "run", "slow") as client:
        deadline = time.monotonic() + DEADLINE_S
        while not [run for run in history(place) if run["status"] == "running"]:
            assert time.monotonic() < deadline
        process.kill()
        out, said = client.communicate(timeout=DEADLINE_S)
    assert (client.returncode, out) == (130, "")
    assert "error[RUN-010]" in said
    assert "atomiton resume" in said
    with watching(place):
        assert [run["status"] for run in history(place)] == ["interrupted"]
        refused = atomiton(place, "resume", "last")
        assert (refused.returncode, "RUN-017" in refused.stderr) == (2, True)


def test_what_the_owner_refuses(place: Path, owner: "subprocess.Popen[str]") -> None:
    """Is told as if it had been refused here."""
    flow = place / "open.toml"
    flow.write_text(HELLO)
    flow.chmod(0o666)
    refused = atomiton(place, "run", str(flow), ATOMITON_TRUST_FLOWS="1")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "error[TRUST-001]" in refused.stderr
    assert owner.poll() is None


def test_a_resume_beside_an_owner(place: Path, owner: "subprocess.Popen[str]") -> None:
    """It is handed over as well."""
    (place / "flows" / "later.toml").write_text(
        '[nodes.a]\ntype = "file-system"\noperation = "read"\npath = "x"\n'
    )
    assert atomiton(place, "run", "later").returncode == 1
    (place / "flows" / "x").write_text("now")
    again = atomiton(place, "resume", "last")
    mine = owner_of(place / "data")

    assert (again.returncode, again.stdout.strip()) == (0, "now")
    assert mine is not None
    assert {run["process"] for run in history(place)} == {mine.process}


def test_an_owner_that_names_itself_late_is_waited_for(tmp_path: Path) -> None:
    """One that never does, or has said that it ends, is told as what it is; a name of the dead counts for nothing."""
    first, second = Ownership(tmp_path), Ownership(tmp_path)
    assert first.take() is None
    with pytest.raises(RuntimeUnusable) as refused:
        second.take(patience_s=0.1)
    assert refused.value.code == "TRAY-012"
    me = Owner(process="me", kind="tray", pid=os.getpid(), flows="")
    announce(tmp_path, me)
    with pytest.raises(RuntimeUnusable):
        second.take(patience_s=0.1)
    assert owner_of(tmp_path) is None, "nobody of this name lives"
    door = ControlDoor(processes_folder(tmp_path), "me", lambda _: Refused(errors=()))
    door.start()
    assert second.take() == owner_of(tmp_path) == me
    retire(tmp_path)
    with pytest.raises(RuntimeUnusable):
        second.take(patience_s=0.1)
    door.stop()
    first.release()
    assert second.take() is None
    second.release()
    second.release()


def test_a_folder_that_cannot_be_owned(tmp_path: Path) -> None:
    """The reason is the system's."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeUnusable, match="cannot be used"):
        Ownership(tmp_path / "file").take()


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="this system does not tell who knocks")
def test_only_ones_own_processes_are_let_in() -> None:
    """The system says who is at the other end of a local socket."""
    here, there = socket.socketpair()
    with here, there:
        assert is_same_user(here)
    if os.geteuid() == 0:
        assert not _is_let_in_as(54321)


def _is_let_in_as(user: int) -> bool:
    """Return whether a door of one user opens for a process of another."""
    os.seteuid(user)
    try:
        here, there = socket.socketpair()
        os.seteuid(0)
        os.seteuid(user + 1)
        with here, there:
            return is_same_user(here)
    finally:
        os.seteuid(0)


def await_running(place: Path, flow: str) -> None:
    """Wait until the history shows a run of the flow that goes on."""
    deadline = time.monotonic() + DEADLINE_S
    while not [run for run in history(place) if (run["flow"], run["status"]) == (flow, "running")]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_starts_while_the_owner_ends_are_not_lost(place: Path) -> None:
    """A watch takes its place, and a run is executed; nobody is sent to one that ends."""
    with watching(place) as ending:
        assert atomiton(place, "tray", "--run", "resisting").returncode == 0
        await_running(place, "resisting")
        ending.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DEADLINE_S
        while owner_of(place / "data") is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with started(place, "run", "hello") as client, watching(place) as next_one:
            out, said = client.communicate(timeout=DEADLINE_S)
            assert (client.returncode, out, said) == (0, '{"to":"you"}\n', "")
            assert ending.wait(DEADLINE_S) == 0
            assert next_one.poll() is None
        assert next_one.returncode == 0


def test_an_owner_of_other_flows_is_no_owner_of_mine(place: Path, owner: "subprocess.Popen[str]") -> None:
    """That nobody runs these on save is an error, not a word in passing; a flow of them can be handed over."""
    (place / "others").mkdir()
    (place / "others" / "mine.toml").write_text(TRACE)
    for command_ in ("watch", "tray"):
        refused = atomiton(place, "--flows", "others", command_)
        assert (refused.returncode, refused.stdout) == (5, "")
        assert "CLI-025" in refused.stderr
    handed_over = atomiton(place, "--flows", "others", "tray", "--run", "mine")
    assert handed_over.returncode == 0
    assert history(place)[0]["flow"] == "mine"
    assert owner.poll() is None


def test_an_owner_that_is_stopped_does_nothing_behind_ones_back(
    place: Path, owner: "subprocess.Popen[str]"
) -> None:
    """Who was told that it does not answer does not find the run executed when it goes on."""
    mine = owner_of(place / "data")
    assert mine is not None
    owner.send_signal(signal.SIGSTOP)
    with pytest.raises(RuntimeUnusable) as silent:
        request(place / "data", mine.process, RunFlow(flow="hello"), timeout_s=0.5)
    owner.send_signal(signal.SIGCONT)
    assert silent.value.code == "CLI-020"
    assert atomiton(place, "run", "hello").returncode == 0
    assert len(history(place)) == 1


def test_a_client_that_is_stopped_learns_the_truth_later(place: Path) -> None:
    """It holds nobody up; when it goes on, the run has ended, its owner too, and that is what it says."""
    with watching(place) as process, started(place, "run", "slow", "--json") as client:
        await_running(place, "slow")
        client.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)
        client.send_signal(signal.SIGCONT)
        out, _ = client.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert (client.returncode, json.loads(out)["status"]) == (3, "cancelled")


def test_a_client_that_dies_leaves_its_run(place: Path, owner: "subprocess.Popen[str]") -> None:
    """The owner has accepted it; it can still be cancelled."""
    with started(place, "run", "slow") as client:
        await_running(place, "slow")
        client.kill()
    cancelled = atomiton(place, "cancel", "last")
    assert (cancelled.returncode, history(place)[0]["status"]) == (0, "cancelled")
    assert owner.poll() is None


def test_many_clients_at_once(place: Path, owner: "subprocess.Popen[str]") -> None:
    """Each gets its own result."""
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(started(place, "run", "hello", "--who", f"n{number}"))
            for number in range(CLIENTS)
        ]
        results = [client.communicate(timeout=4 * DEADLINE_S) for client in clients]
    assert results == [(f'{{"to":"n{number}"}}\n', "") for number in range(CLIENTS)]
    assert owner.poll() is None
    mine = owner_of(place / "data")
    assert mine is not None
    assert {run["process"] for run in history(place)} == {mine.process}


def test_a_store_that_is_full_does_not_leave_the_client_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a run that cannot be kept is told to who follows it, as what it is."""
    engine = FailingEngine()
    monkeypatch.setitem(create.ENGINES, "memory", lambda path, durability: engine)
    (tmp_path / "hello.toml").write_text(HELLO)
    with Runtime(tmp_path, "memory:", data=tmp_path / "data") as runtime:
        engine.failure = FULL
        served = runtime.serve(RunFlow(flow="hello", follow=True))
        assert isinstance(served, Iterator)
        accepted, *news = [said for said in served if said]
        engine.failure = None
    end = [event for group in news for event in group][-1]
    assert accepted.run_id == end.run_id
    assert (type(end).__name__, end.error.code) == ("RunFailed", "STORE-002")


def test_a_run_of_which_nothing_is_kept_was_not_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only leaves a run with the owner hears nothing afterwards: the answer says what the store says."""
    engine = FailingEngine()
    monkeypatch.setitem(create.ENGINES, "memory", lambda path, durability: engine)
    (tmp_path / "hello.toml").write_text(HELLO)
    (tmp_path / "wrong.toml").write_text('[nodes.a]\ntype = "file-system"\noperation = "read"\npath = "x"\n')
    with Runtime(tmp_path, "memory:", data=tmp_path / "data") as runtime:
        engine.failure = FULL
        (refused,) = [said for said in cast("Iterator[object]", runtime.serve(RunFlow(flow="hello"))) if said]
        engine.failure = None
        (accepted,) = [
            said for said in cast("Iterator[object]", runtime.serve(RunFlow(flow="wrong"))) if said
        ]
        assert [run.flow for run in runtime.history()] == ["wrong"]
    assert isinstance(refused, Refused)
    assert refused.errors[0].code == "STORE-002"
    assert isinstance(accepted, RunAccepted)


def test_an_owner_is_killed_at_any_moment_of_a_hand_over(place: Path) -> None:
    """Each run is executed once at most, and exactly once where its client says so; the history is true in the end."""
    marks = place / "flows" / "marks"
    marks.write_text("")
    told: dict[str, int] = {}
    for kill in range(KILLS):
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(watching(place))
            names = [f"m{kill}-{number}" for number in range(3)]
            clients = [stack.enter_context(started(place, "run", "trace", "--mark", name)) for name in names]
            with contextlib.suppress(subprocess.TimeoutExpired):
                clients[0].wait(random.uniform(0.1, 0.9))
            process.kill()
            for name, client in zip(names, clients, strict=True):
                _, said = client.communicate(timeout=DEADLINE_S)
                told[name] = client.returncode
                assert client.returncode in (0, 130), said
    executed = Counter(marks.read_text().split())
    statuses = Counter(str(run["status"]) for run in history(place, limit=10_000))
    codes = Counter(told.values())
    note("hand-over", kills=KILLS, runs=len(told), interrupted=statuses["interrupted"])

    assert max(executed.values(), default=0) <= 1
    assert all(executed[name] == 1 for name, code in told.items() if code == 0)
    assert set(statuses) <= {"succeeded", "interrupted"}
    assert (statuses["succeeded"], statuses["interrupted"]) == (codes[0], codes[130])
