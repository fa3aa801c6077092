"""A look-up is a process that can be ended: with the last who waits for it, and with us."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.http.names import Address, addresses
from atomiton_runtime.nodes.http.resolver import Resolver
from tests.doubles.slow_names import DEADLINE_S, SlowServer


class Asker(threading.Thread):
    """An attempt that looks up a name; how it ended, and which of these processes were alive then."""

    def __init__(self, resolver: Resolver, name: str, watched: list[int] | None = None) -> None:
        super().__init__()
        self.token = CancelToken()
        self.host = name
        self.found: list[Address] = []
        self.error: Exception | None = None
        self.alive: list[int] = []
        self._resolver, self._watched = resolver, watched if watched is not None else []
        self.start()

    def run(self) -> None:
        """Ask."""
        try:
            self.found = addresses(self.host, 80, self.token, timeout_s=DEADLINE_S, names=self._resolver)
        except (NodeError, NodeCancelledError) as error:
            self.error = error
        self.alive = [pid for pid in self._watched if psutil.pid_exists(pid)]

    def ended(self) -> "Asker":
        """Wait for the end."""
        self.join(DEADLINE_S)
        assert not self.is_alive()
        return self


@pytest.fixture
def server() -> Iterator[SlowServer]:
    """Give a name server that answers nobody by itself."""
    made = SlowServer()
    yield made
    made.close()


@pytest.fixture
def resolver(server: SlowServer) -> Iterator[Resolver]:
    """Give a resolver that asks this server."""
    made = Resolver(server.program())
    yield made
    made.close()


def pid_of(found: list[Address]) -> int:
    """Return the process that answered."""
    return found[0][1][1]


def await_end(pid: int) -> None:
    """Wait until a process is gone."""
    deadline = time.monotonic() + DEADLINE_S
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"{pid} is still alive"
            threading.Event().wait(0.01)


def test_the_system_is_asked_in_a_process() -> None:
    """Without anything in its place, the system's own look-up answers."""
    resolver = Resolver()
    found = addresses("localhost", 80, CancelToken(), timeout_s=DEADLINE_S, names=resolver)
    resolver.close()

    assert (socket.AF_INET, ("127.0.0.1", 80)) in found


def test_a_cancelled_look_up_is_gone_when_its_attempt_ends(server: SlowServer, resolver: Resolver) -> None:
    """Who is told to stop does not wait for the name server, and nothing works on his question any longer."""
    watched: list[int] = []
    asker = Asker(resolver, "slow.example", watched)
    pid, name, _ = server.asked()
    watched.append(pid)
    asker.token.cancel()

    assert (name, NodeCancelledError, []) == ("slow.example", type(asker.ended().error), asker.alive)


def test_a_look_up_that_takes_too_long_is_gone_as_well(resolver: Resolver) -> None:
    """After the time there is, the failure says what took so long."""
    pid = pid_of(Asker(resolver, "quick.example").ended().found)
    with pytest.raises(NodeError) as caught:
        addresses("slow.example", 80, CancelToken(), timeout_s=0.01, names=resolver)

    assert caught.value.code == "HTTP-004"
    assert "looking up slow.example took longer than 0.01 s" in caught.value.message
    assert not psutil.pid_exists(pid)


def test_a_cancel_costs_others_nothing_but_time(server: SlowServer, resolver: Resolver) -> None:
    """What others asked the process that had to end is asked again, and answered."""
    mine, theirs = Asker(resolver, "mine.example"), Asker(resolver, "theirs.example")
    first, _, _ = server.asked()
    server.asked()
    mine.token.cancel()
    again, name, asker = server.asked()
    server.answer(asker)

    assert isinstance(mine.ended().error, NodeCancelledError)
    assert ("theirs.example", again) == (name, pid_of(theirs.ended().found))
    assert again != first


def test_a_question_is_asked_once_for_all(server: SlowServer, resolver: Resolver) -> None:
    """Who asks for the same shares the answer; a cancel of one of them disturbs nobody."""
    askers = [Asker(resolver, "slow.example") for _ in range(3)]
    pid, _, asker = server.asked()
    askers[0].token.cancel()
    assert isinstance(askers[0].ended().error, NodeCancelledError)
    server.answer(asker)

    assert [pid, pid] == [pid_of(each.ended().found) for each in askers[1:]]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_dies_or_hangs(server: SlowServer, resolver: Resolver, number: signal.Signals) -> None:
    """Killed by somebody else, the next one is asked; stopped, a cancel still ends it."""
    watched: list[int] = []
    asker = Asker(resolver, "slow.example", watched)
    pid, _, _ = server.asked()
    watched.append(pid)
    os.kill(pid, number)
    if number is signal.SIGKILL:
        again, _, whom = server.asked()
        server.answer(whom)
        assert again == pid_of(asker.ended().found)
    else:
        asker.token.cancel()
        assert isinstance(asker.ended().error, NodeCancelledError)
    assert [] == asker.alive


@pytest.mark.parametrize("program", [(sys.executable, "-c", ""), ("/nowhere/python",)])
def test_a_process_that_ends_at_once_is_given_up(program: tuple[str, ...]) -> None:
    """Where no process stays, the attempt fails instead of waiting for ever, and the next one may try again."""
    resolver = Resolver(program)
    for _ in range(2):
        with pytest.raises(NodeError, match=r"x\.example cannot be looked up: the process that does it"):
            addresses("x.example", 80, CancelToken(), timeout_s=DEADLINE_S, names=resolver)
    resolver.close()


def test_no_thread_to_be_had_is_a_failure(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> None:
    """Where the system gives no thread, the attempt fails and the next one may ask again."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(NodeError, match="can't start new thread"):
                addresses("x.example", 80, CancelToken(), timeout_s=DEADLINE_S, names=resolver)


def test_no_process_to_be_had_is_a_failure(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> None:
    """Where the system gives no pipe, its reason is told."""

    def refuse() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", refuse)
    with pytest.raises(NodeError, match=r"x\.example cannot be looked up: Too many open files"):
        addresses("x.example", 80, CancelToken(), timeout_s=DEADLINE_S, names=resolver)


def test_failures_come_back_as_they_were(resolver: Resolver) -> None:
    """An unknown name is one; a fault in the process is no answer about the name."""
    unknown, broken = Asker(resolver, "unknown.example").ended(), Asker(resolver, "broken.example").ended()

    assert "there is no host of the name unknown.example" in str(unknown.error)
    assert "broken.example cannot be looked up: a fault of its own" in str(broken.error)


def test_what_else_is_printed_is_no_answer(resolver: Resolver) -> None:
    """Modules that the system looks names up with may say what they like."""
    assert pid_of(Asker(resolver, "chatty.example").ended().found)


def test_an_idle_process_ends_and_another_takes_its_place(server: SlowServer) -> None:
    """A resolver that nobody asks for some time costs nothing."""
    resolver = Resolver(server.program("0.01"))
    first = pid_of(Asker(resolver, "quick.example").ended().found)
    await_end(first)
    second = pid_of(Asker(resolver, "quick.example").ended().found)
    resolver.close()

    assert first != second


def test_closing_fails_what_is_still_asked(server: SlowServer, resolver: Resolver) -> None:
    """Nobody is left waiting, and no process."""
    asker = Asker(resolver, "slow.example")
    pid, _, _ = server.asked()
    resolver.close()

    assert "cannot be looked up" in str(asker.ended().error)
    assert not psutil.pid_exists(pid)


def test_the_process_gets_no_secret(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> None:
    """What the environment holds for flows alone is not handed on, neither as environment nor as arguments."""
    monkeypatch.setenv("ATOMITON_SECRET_KEY", "canary-7c1f")
    pid = pid_of(Asker(resolver, "quick.example").ended().found)
    process = psutil.Process(pid)

    assert "canary-7c1f" not in str(process.environ()) + str(process.cmdline())
    assert process.environ()["PATH"] == os.environ["PATH"]


_KILLED = """
import sys
from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.nodes.http.names import addresses
from atomiton_runtime.nodes.http.resolver import Resolver
addresses("slow.example", 80, CancelToken(), timeout_s=60, names=Resolver(sys.argv[1:]))
"""


def test_it_dies_with_us(server: SlowServer, tmp_path: Path) -> None:
    """After `kill -9` of the runtime, its look-up is gone, however long the name server is silent."""
    command: list[Any] = [sys.executable, "-c", _KILLED, *server.program()]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as us:
        pid, _, _ = server.asked()
        us.kill()
    await_end(pid)
