"""An actor that stops by accident is started anew, where its last one stopped; a stop that is wanted leaves nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pykka
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.actors.base import Address, GuardedActor, Rank, stop_actor
from atomiton_runtime.actors.messages import ActorStopped, GetActiveRuns, GetFlow, Ping, TimeIsUp
from atomiton_runtime.actors.supervisor import RESTARTS_A_MINUTE
from atomiton_runtime.errors import RuntimeUnusable
from atomiton_runtime.run.notices import NoticeRaised
from tests.doubles.addresses import Collected

PATIENCE_S = 10.0
HELLO = """
[nodes.greet]
type = "edit-fields"
values = { text = "hello" }
"""
SLEEPER = """
[nodes.sleep]
type = "shell-command"
program = "sleep"
args = ["60"]
"""
ACTORS = (
    "Supervisor",
    "EventBus",
    "StorageKeeper",
    "Conductor",
    "FlowShelf",
    "FlowWatcher",
    "NodeExecution 0",
)


class Parrot(GuardedActor[object]):
    """Owns a gate: until it is open, a handler of `"wait"` does not return. Answers what it is asked."""

    def __init__(self, address: Address, supervisor: Collected, gate: threading.Event) -> None:
        super().__init__(address, supervisor.tell)
        self._gate = gate

    def begin(self) -> None:
        if self._gate.is_set() and self.address.name == "bad start":
            raise ValueError("at the start")

    def end(self) -> None:
        if self.address.name == "bad end":
            raise ValueError("at the end")

    def receive(self, message: object) -> object:
        if message == "wait":
            self._gate.wait(PATIENCE_S)
        if isinstance(message, TimeIsUp):
            self._gate.set()
        return message


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "hello.toml").write_text(HELLO, encoding="utf-8")
    (folder / "sleeper.toml").write_text(SLEEPER, encoding="utf-8")
    return folder


@pytest.fixture
def runtime(flows: Path) -> Iterator[Runtime]:
    with Runtime(flows, "memory:", data=flows.parent / "data", watch=True) as running:
        yield running


@pytest.fixture
def supervisor() -> Collected:
    return Collected("Supervisor")


def stop_from_outside(runtime: Runtime, actor: str) -> None:
    """Stop an actor behind everybody's back, and wait until that one is gone."""
    runtime._system._alive[actor].stop(timeout=PATIENCE_S)


def runs_well(runtime: Runtime) -> None:
    assert runtime.run("hello").result(PATIENCE_S).status == "succeeded"


# --- started anew -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ACTORS)
def test_an_actor_stopped_from_outside_is_started_anew(actor: str, runtime: Runtime) -> None:
    """Whichever actor is stopped, another one takes its place, is told of, and flows run as before."""
    notices = Collected("notices")
    runtime.subscribe(notices.tell, kinds=("NoticeRaised",))
    runs_well(runtime)
    first = runtime._system._alive[actor]
    stop_from_outside(runtime, actor)
    runs_well(runtime)

    if actor != "Supervisor":  # its end and its successor are silent: nobody is above it
        said = notices.next()
        assert isinstance(said, NoticeRaised)
        assert said.error.message == f"{actor} stopped by accident and was started anew"
    assert runtime._system._alive[actor] is not first
    assert runtime._system._alive[actor].is_alive()


@pytest.mark.parametrize("actor", ["Conductor", "EventBus", "StorageKeeper"])
def test_a_run_outlives_the_actors_that_carry_it(actor: str, runtime: Runtime) -> None:
    """A run that goes on keeps its state, its listeners and its journal when an actor is replaced."""
    run = runtime.run("sleeper")
    next(event for event in run.events(PATIENCE_S) if type(event).__name__ == "NodeStarted")
    stop_from_outside(runtime, actor)
    assert [each.run_id for each in runtime.active()] == [run.id]
    run.cancel()

    assert run.result(PATIENCE_S).status == "cancelled"
    assert [event.seq for event in runtime.journal(run.id)] == list(range(len(runtime.journal(run.id))))


def test_what_is_in_the_mailbox_is_handled_by_the_next_actor(supervisor: Collected) -> None:
    """Messages behind the stop wait in the mailbox, in order, for the actor that follows."""
    address, gate = Address("parrot", Rank.BUS), threading.Event()
    first = Parrot.start(address, supervisor, gate)
    address.tell("wait")
    first.stop(block=False)
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(address.ask("last", asker=Rank.CLIENT)))
    asking.start()
    gate.set()
    assert supervisor.next() == ActorStopped(actor="parrot")
    second = Parrot.start(address, supervisor, gate)
    asking.join(PATIENCE_S)

    assert answers == ["last"]
    assert stop_actor(second, address, PATIENCE_S)
    assert supervisor.all_so_far() == []


def test_an_actor_that_stops_all_the_time_is_kept_alive(runtime: Runtime) -> None:
    """After so many starts within a minute each further one waits for a moment, and that is said once."""
    notices = Collected("notices")
    runtime.subscribe(notices.tell, kinds=("NoticeRaised",))
    for _ in range(RESTARTS_A_MINUTE):
        stop_from_outside(runtime, "FlowShelf")
        notices.next()
        assert runtime.flow("hello").id == "hello"
    for _ in range(3):
        stop_from_outside(runtime, "FlowShelf")
        assert runtime.flow("hello").id == "hello"
    (said,) = notices.all_so_far()

    assert isinstance(said, NoticeRaised)
    assert said.error.message.endswith("times within a minute, and is kept alive")


@pytest.mark.parametrize(("name", "part"), [("bad start", "start"), ("bad end", "stop")])
def test_a_start_or_stop_that_raises_is_told(name: str, part: str, supervisor: Collected) -> None:
    """An actor whose `begin` or `end` raises lives on, or ends, and the fault is not lost."""
    address, gate = Address(name, Rank.BUS), threading.Event()
    gate.set()
    actor = Parrot.start(address, supervisor, gate)
    assert address.ask("hello", asker=Rank.CLIENT) == "hello"
    assert stop_actor(actor, address, PATIENCE_S)

    told = supervisor.next()
    assert (told.actor, told.fault) == (name, f"ValueError('at the {'end' if part == 'stop' else part}')")


# --- asking -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asker", Rank)
@pytest.mark.parametrize("asked", Rank)
def test_only_a_higher_rank_asks_a_lower_one(asker: Rank, asked: Rank, supervisor: Collected) -> None:
    """An ask upwards, or among equals, is refused before anything is sent: so no two wait for each other."""
    address = Address("parrot", asked)
    if asker > asked:
        parrot = Parrot.start(address, supervisor, threading.Event())
        assert address.ask("hello", asker=asker) == "hello"
        assert stop_actor(parrot, address, PATIENCE_S)
    else:
        with pytest.raises(AssertionError, match=f"{asker.name} must not ask parrot"):
            address.ask("hello", asker=asker)


def test_an_ask_of_a_busy_actor_ends(supervisor: Collected) -> None:
    """Whoever asks an actor that does not get to it hears so in time; the actor is none the worse."""
    address, gate = Address("parrot", Rank.BUS), threading.Event()
    parrot = Parrot.start(address, supervisor, gate)
    address.tell("wait")
    with pytest.raises(RuntimeUnusable) as raised:
        address.ask("hello", asker=Rank.CLIENT, timeout_s=0.05)
    assert raised.value.code == "RUN-011"

    gate.set()
    assert address.ask(Ping(), asker=Rank.CLIENT) is True
    assert stop_actor(parrot, address, PATIENCE_S)


def test_an_ask_of_nobody_ends() -> None:
    """An address behind which no actor lives answers with an error, never with silence for ever."""
    with pytest.raises(RuntimeUnusable):
        Address("nobody", Rank.BUS).ask("hello", asker=Rank.CLIENT, timeout_s=0.05)


def test_a_blocked_actor_blocks_no_other_question(
    runtime: Runtime, flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the shelf hangs, history and the list of runs answer (the tray and the CLI go on)."""
    gate, entered = threading.Event(), threading.Event()

    def hang(*given: object, **more: object) -> object:
        entered.set()
        gate.wait(PATIENCE_S)
        raise ValueError("hung")

    runs_well(runtime)
    monkeypatch.setattr("atomiton_runtime.actors.flow_reading.load_flow", hang)
    (flows / "slow.toml").write_text(HELLO, encoding="utf-8")
    runtime._system.shelf.tell(GetFlow(ref="slow"))
    assert entered.wait(PATIENCE_S)
    with pytest.raises(RuntimeUnusable):
        runtime._system.shelf.ask(Ping(), asker=Rank.CLIENT, timeout_s=0.05)

    assert runtime.active() == ()
    assert [each.flow for each in runtime.history()] == ["hello"]
    gate.set()
    runs_well(runtime)


def test_a_deadline_wakes_the_actor_once(supervisor: Collected) -> None:
    """The mailbox itself tells an actor that its time is up; a deadline that passed does not come again."""
    address, gate = Address("parrot", Rank.BUS), threading.Event()
    parrot = Parrot.start(address, supervisor, gate)
    address.mailbox.deadline = 0.0
    address.tell("anything")

    assert gate.wait(PATIENCE_S)
    assert address.mailbox.deadline is None
    assert stop_actor(parrot, address, PATIENCE_S)


# --- the end ----------------------------------------------------------------------------------------------


def test_a_busy_actor_that_is_to_stop_is_told_apart(supervisor: Collected) -> None:
    """A stop that an actor does not get to in time says so; the actor ends when it can."""
    address, gate = Address("parrot", Rank.BUS), threading.Event()
    parrot = Parrot.start(address, supervisor, gate)
    address.tell("wait")
    assert not stop_actor(parrot, address, 0.05)

    gate.set()
    assert parrot.actor_stopped.wait(PATIENCE_S)
    assert supervisor.all_so_far() == []


@pytest.mark.parametrize("storage", ["memory:", "sqlite:///{}/runs.sqlite3", "files:///{}/runs"])
def test_nothing_is_left_after_stop(storage: str, flows: Path, tmp_path: Path) -> None:
    """Stop ends every actor and every thread, also those of a run that was going on."""
    threads = set(threading.enumerate())
    runtime = Runtime(flows, storage.format(tmp_path), data=tmp_path / "data", watch=True).start()
    runs_well(runtime)
    run = runtime.run("sleeper")
    next(event for event in run.events(PATIENCE_S) if type(event).__name__ == "NodeStarted")
    runtime.subscribe(lambda fact: None)
    runtime.stop()

    assert pykka.ActorRegistry.get_all() == []
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= threads
    assert run.result(0).status == "cancelled"
    runtime.stop()  # a second time changes nothing


def test_a_stopped_runtime_answers_that_it_is(flows: Path) -> None:
    """Questions after the stop end at once, with an error that says why."""
    with Runtime(flows, "memory:", data=flows.parent / "data") as runtime:
        runs_well(runtime)
    for question in (runtime.flows, runtime.history, lambda: runtime.run("hello")):
        with pytest.raises(RuntimeUnusable):
            question()


def test_no_actor_is_started_anew_once_the_end_has_begun(flows: Path) -> None:
    """An actor that is stopped because the runtime stops has no successor."""
    runtime = Runtime(flows, "memory:", data=flows.parent / "data").start()
    runs_well(runtime)
    conductor = runtime._system.conductor
    runtime.stop()
    runtime._system._restart("Conductor")

    assert pykka.ActorRegistry.get_all() == []
    with pytest.raises(RuntimeUnusable):
        conductor.ask(GetActiveRuns(), asker=Rank.CLIENT, timeout_s=0.05)
