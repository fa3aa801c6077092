"""One owner of a data folder, however many start at once; others hand their runs over to it, and follow them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from atomiton_runtime import control
from atomiton_runtime.errors import RuntimeUnusable
from atomiton_runtime.ownership import Owner, Ownership, announce, owner_of
from tests.doubles.terminal import DEADLINE_S, Terminal, atomiton, command, environment, started
from tests.guards.campaign import note, sized

HELLO = '[variables]\nwho = "you"\n[nodes.a]\ntype = "edit-fields"\nvalues = { to = "{{ vars.who }}" }\n'
SLOW = '[nodes.a]\ntype = "shell-command"\nprogram = "sleep"\nargs = ["60"]\n'
STARTS = sized(6, 50)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with two flows."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "hello.toml").write_text(HELLO)
    (tmp_path / "flows" / "slow.toml").write_text(SLOW)
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


def history(place: Path) -> list[dict[str, object]]:
    return json.loads(atomiton(place, "history", "--json").stdout)


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
    assert (client.returncode, out) == (5, "")
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
    """One that never does is told as what it is."""
    first, second = Ownership(tmp_path), Ownership(tmp_path)
    assert first.take() is None
    with pytest.raises(RuntimeUnusable) as refused:
        second.take(patience_s=0.1)
    assert refused.value.code == "TRAY-012"
    me = Owner(process="me", kind="tray", pid=os.getpid())
    announce(tmp_path, me)
    assert second.take() == me
    assert owner_of(tmp_path) is None, "nobody of this name lives"
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
        assert control._is_ours(here)
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
            return control._is_ours(here)
    finally:
        os.seteuid(0)
