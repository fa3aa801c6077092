"""Nothing that a handler raises passes its actor's door: the actor lives, and so do the others."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pykka
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.actors import messages as msg
from atomiton_runtime.actors import system
from atomiton_runtime.actors.base import Address, Rank
from atomiton_runtime.actors.speech import Speech
from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable
from atomiton_runtime.ids import ROOT, RunId
from atomiton_runtime.requests import Chosen, RunFlow
from atomiton_runtime.run.events import FINAL_EVENTS
from atomiton_runtime.run.notices import NoticeRaised
from tests.doubles.addresses import Collected
from tests.doubles.faulty_actors import FaultyEngine, Fuse, with_fuse

FAULTS = (ValueError, SystemExit, KeyboardInterrupt, MemoryError, RecursionError)
ERROR = ErrorInfo("STORE-001", "the disk is full")
HELLO = """
[nodes.greet]
type = "edit-fields"
values = { text = "hello" }

[nodes.again]
type = "edit-fields"
input = "greet"
values = { more = "{{ input.text }}" }
"""
SLEEPER = """
[nodes.sleep]
type = "shell-command"
program = "sleep"
args = ["60"]
"""
RAISES = '''
"""A node type that raises what it is told to."""

import builtins
from typing import Annotated

import msgspec

from atomiton_runtime.nodes.base import Example, NodeType, Port


class RaisesParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which."""

    fault: Annotated[str, msgspec.Meta(description="the name of a built-in exception")]


class Raises(NodeType):
    """Raise an exception by its name."""

    name = "raises"
    ports = (Port("result", "never there"),)
    examples = (
        Example(title="a fault", toml='fault = "ValueError"', error="NODE-011"),
        Example(title="another one", toml='fault = "SystemExit"', error="NODE-011"),
    )
    Parameters = RaisesParameters

    def execute(self, parameters, context):
        """Raise."""
        raise getattr(builtins, parameters.fault)("from inside the node type")
'''


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "hello.toml").write_text(HELLO, encoding="utf-8")
    (folder / "sleeper.toml").write_text(SLEEPER, encoding="utf-8")
    return folder


@pytest.fixture(params=FAULTS, ids=lambda fault: fault.__name__)
def fault(request: pytest.FixtureRequest) -> BaseException:
    return request.param("injected")


@pytest.fixture
def notices() -> Collected:
    return Collected("notices")


def address_of(runtime: Runtime, actor: str) -> Address:
    return runtime._system._factories[actor][0]


def alive() -> set[str]:
    """Return the names of the actor classes of which one is alive."""
    return {ref.actor_class.__name__ for ref in pykka.ActorRegistry.get_all()}


def runs_well(runtime: Runtime) -> None:
    assert runtime.run("hello").result(10).status == "succeeded"


def told_of(kind: type, notices: Collected) -> str:
    """Return the first notice about a message of this kind; others (of the store, say) may come before it."""
    while True:
        said = notices.next()
        assert isinstance(said, NoticeRaised)
        if kind.__name__ in said.error.message:
            return said.error.message


# --- what is told -----------------------------------------------------------------------------------------

Evoke = Callable[[Runtime], object]


def run_once(runtime: Runtime) -> None:
    """Execute a flow; whatever becomes of it, it ends."""
    runtime.run("hello").result(10)


def reuse_once(runtime: Runtime) -> None:
    """Execute a flow again, with what still holds of the first time."""
    runtime.run("hello").result(10)
    runtime.start_run(
        RunFlow(flow="hello", chosen=Chosen(from_node=runtime.flow("hello").nodes[-1].id))
    ).result(10)


def cancel_once(runtime: Runtime) -> None:
    """Cancel a run; it ends."""
    run = runtime.run("sleeper")
    next(event for event in run.events(10) if type(event).__name__ == "NodeStarted")
    run.cancel()
    run.result(10)


def subscribe_once(runtime: Runtime) -> None:
    runtime.subscribe(lambda fact: None)()


def told(actor: str, message: object) -> Evoke:
    return lambda runtime: address_of(runtime, actor).tell(message)


def saved(runtime: Runtime) -> None:
    address_of(runtime, "Conductor").tell(msg.FlowSaved(flow=runtime.flow("hello")))


SETTLED = msg.FileSettled(path="/nowhere/new.toml", content=b"", first_scan=True)
TOLD: dict[tuple[str, type], Evoke] = {
    ("Conductor", msg.StartRun): run_once,
    ("Conductor", msg.NodeAnswered): run_once,
    ("Conductor", msg.ReusableFound): told(
        "Conductor", msg.ReusableFound(run_id=RunId("nobody"), worker=None, kept={})
    ),
    ("Conductor", msg.NodeSpoke): told(
        "Conductor",
        msg.NodeSpoke(run_id=RunId("nobody"), scope=ROOT, node=0, attempt=1, speech=Speech(lambda _: None)),
    ),
    ("Conductor", msg.TimeIsUp): told("Conductor", msg.TimeIsUp()),
    ("Conductor", msg.EndRun): cancel_once,
    ("Conductor", msg.EndAllRuns): told("Conductor", msg.EndAllRuns(ended=lambda: None)),
    ("Conductor", msg.FlowSaved): saved,
    ("Conductor", msg.StoreFailed): told("Conductor", msg.StoreFailed(run_ids=(), error=ERROR)),
    ("NodeExecution", msg.ExecuteNode): run_once,
    ("NodeExecution", msg.FindReusable): reuse_once,
    ("StorageKeeper", msg.Append): run_once,
    ("StorageKeeper", msg.Flush): run_once,
    ("StorageKeeper", msg.Tidy): lambda runtime: runtime._system.keeper.tell(msg.Tidy()),
    ("EventBusActor", msg.Publish): run_once,
    ("EventBusActor", msg.Subscribe): subscribe_once,
    ("EventBusActor", msg.Unsubscribe): subscribe_once,
    ("FlowShelf", msg.FileSettled): told("FlowShelf", SETTLED),
    ("FlowShelf", msg.FileUnreadable): told("FlowShelf", msg.FileUnreadable(path="/nowhere", error=ERROR)),
    ("FlowShelf", msg.TypesChanged): told("FlowShelf", msg.TypesChanged()),
    ("FlowShelf", msg.FileGone): told("FlowShelf", msg.FileGone(path="/nowhere/new.toml")),
    ("FlowWatcher", msg.Hint): told("FlowWatcher", msg.Hint(paths=("/nowhere/new.toml",))),
    ("FlowWatcher", msg.LookAgain): told("FlowWatcher", msg.LookAgain(path="/nowhere/new.toml")),
    ("FlowWatcher", msg.TimeIsUp): told("FlowWatcher", msg.TimeIsUp()),
    ("Supervisor", msg.ActorFaulted): told("Supervisor", msg.ActorFaulted(actor="x", message="y", fault="z")),
    ("Supervisor", msg.ActorStopped): told("Supervisor", msg.ActorStopped(actor="NodeExecution 0")),
    ("Supervisor", msg.Raise): told("Supervisor", msg.Raise(notice=NoticeRaised(level="info", error=ERROR))),
    ("Supervisor", msg.TimeIsUp): told("Supervisor", msg.TimeIsUp()),
}
ASKED: dict[tuple[str, type], Evoke] = {
    ("Conductor", msg.GetActiveRuns): lambda runtime: runtime.active(),
    ("Conductor", msg.GetLeft): lambda runtime: runtime.left(RunId("01")),
    ("StorageKeeper", msg.ReadPart): lambda runtime: runtime.part(RunId("01"), 0),
    ("StorageKeeper", msg.ReadSummary): lambda runtime: runtime.summary(RunId("01")),
    ("StorageKeeper", msg.ReadJournal): lambda runtime: runtime.journal(RunId("01")),
    ("StorageKeeper", msg.ReadSummaries): lambda runtime: runtime.history(),
    ("StorageKeeper", msg.FindRuns): lambda runtime: runtime.find_run("01"),
    ("FlowShelf", msg.LoadFlow): lambda runtime: address_of(runtime, "FlowShelf").ask(
        msg.LoadFlow(path=runtime.flow("hello").path), asker=Rank.CLIENT
    ),
    ("FlowShelf", msg.GetFlow): lambda runtime: runtime.flow("hello"),
    ("FlowShelf", msg.ListFlows): lambda runtime: runtime.flows(),
}


def ids(table: dict[tuple[str, type], Evoke]) -> list[str]:
    return [f"{actor}-{kind.__name__}" for actor, kind in table]


def fused_runtime(flows: Path, monkeypatch: pytest.MonkeyPatch, actor: str, fuse: Fuse) -> Runtime:
    monkeypatch.setattr(system, actor, with_fuse(getattr(system, actor), fuse))
    return Runtime(flows, "memory:", data=flows.parent / "data", watch=actor == "FlowWatcher")


@pytest.mark.parametrize(
    ("actor", "kind"),
    list(TOLD),
    ids=ids(TOLD),
)
def test_a_handler_that_raises_hurts_nobody(
    actor: str,
    kind: type,
    fault: BaseException,
    flows: Path,
    monkeypatch: pytest.MonkeyPatch,
    notices: Collected,
) -> None:
    """Whatever a told message makes a handler raise: all actors live, the fault is told, flows run."""
    fuse = Fuse(kind, fault)
    with fused_runtime(flows, monkeypatch, actor, fuse) as runtime:
        runtime.subscribe(notices.tell, kinds=("NoticeRaised",))
        runs_well(runtime)
        before = alive()
        fuse.armed = True
        TOLD[actor, kind](runtime)
        assert fuse.blown.wait(10)

        assert alive() == before
        assert repr(fault) in told_of(kind, notices)
        if kind is msg.EndAllRuns:  # it was handled once more, and after it no run is accepted
            assert runtime.run("hello").result(10).status == "cancelled"
        else:
            runs_well(runtime)


@pytest.mark.parametrize(("actor", "kind"), list(ASKED), ids=ids(ASKED))
def test_who_asks_is_told_what_went_wrong(
    actor: str, kind: type, fault: BaseException, flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An asked handler's error is raised in the asker; what would end a process arrives as RuntimeUnusable."""
    expected = type(fault) if isinstance(fault, Exception) else RuntimeUnusable
    fuse = Fuse(kind, fault)
    with fused_runtime(flows, monkeypatch, actor, fuse) as runtime:
        runs_well(runtime)
        before = alive()
        fuse.armed = True
        with pytest.raises(expected):
            ASKED[actor, kind](runtime)

        assert alive() == before
        runs_well(runtime)


def test_the_tables_know_every_message() -> None:
    """A new message cannot escape these tests."""
    receivers = {
        "Conductor": msg.ConductorMessage,
        "StorageKeeper": msg.KeeperMessage,
        "EventBusActor": msg.BusMessage,
        "FlowShelf": msg.ShelfMessage,
        "FlowWatcher": msg.WatcherMessage,
        "Supervisor": msg.SupervisorMessage,
    }
    expected = {(actor, kind) for actor, union in receivers.items() for kind in union.__args__}

    assert {*TOLD, *ASKED} == expected | {
        ("NodeExecution", msg.ExecuteNode),
        ("NodeExecution", msg.FindReusable),
    }


# --- the true places of faults ----------------------------------------------------------------------------


def test_a_node_type_may_raise_anything(fault: BaseException, flows: Path) -> None:
    """What a node type raises is the failure of its attempt, and of nothing else."""
    (flows / "nodes").mkdir()
    (flows / "nodes" / "raises.py").write_text(RAISES, encoding="utf-8")
    name = type(fault).__name__
    (flows / "bad.toml").write_text(f'[nodes.bad]\ntype = "raises"\nfault = "{name}"\n', encoding="utf-8")
    with Runtime(flows, "memory:", data=flows.parent / "data") as runtime:
        runs_well(runtime)
        before = alive()
        document = runtime.run("bad").result(10)

        assert document.status == "failed"
        assert document.error is not None
        assert (document.error.code, document.error.node) == ("NODE-011", "bad")
        assert name in document.error.message
        assert alive() == before
        runs_well(runtime)


def test_an_engine_may_raise_anything(
    fault: BaseException, flows: Path, monkeypatch: pytest.MonkeyPatch, notices: Collected
) -> None:
    """A store that breaks once is told of; the run ends, well only if all of it was kept in a second try."""
    engine = FaultyEngine([])
    monkeypatch.setattr("atomiton_runtime.runtime.create_storage", lambda url, durability: engine)
    with Runtime(flows, "memory:", data=flows.parent / "data") as runtime:
        runtime.subscribe(notices.tell, kinds=("NoticeRaised",))
        runs_well(runtime)
        before = alive()
        engine.faults.append(fault)
        document = runtime.run("hello").result(10)

        if document.status == "succeeded":
            assert runtime.show(document.run_id).status == "succeeded"
        else:
            assert document.status == "failed"
        assert isinstance(notices.next(), NoticeRaised)
        assert alive() == before
        runs_well(runtime)


def test_a_subscriber_may_raise_anything(fault: BaseException, flows: Path) -> None:
    """A subscriber that raises at every fact hurts neither the run nor another subscriber."""
    heard = Collected("subscriber")

    def raise_it(fact: object) -> None:
        raise fault

    with Runtime(flows, "memory:", data=flows.parent / "data") as runtime:
        runtime.subscribe(raise_it)
        runtime.subscribe(heard.tell, kinds=("RunSucceeded",))
        runs_well(runtime)
        runs_well(runtime)

        assert isinstance(heard.next(), FINAL_EVENTS)
        assert isinstance(heard.next(), FINAL_EVENTS)


def test_a_loader_may_raise_anything(
    fault: BaseException, flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loader that breaks on one file is that file's problem."""
    (flows / "odd.toml").write_text("# odd\n" + HELLO, encoding="utf-8")
    true_loader = system_loader()

    def loader(data: bytes, path: Path, *others: object, **more: object) -> object:
        if path.stem == "odd":
            raise fault
        return true_loader(data, path, *others, **more)

    monkeypatch.setattr("atomiton_runtime.actors.flow_reading.load_flow", loader)
    with Runtime(flows, "memory:", data=flows.parent / "data") as runtime:
        with pytest.raises(Exception, match=r"injected|failed"):
            runtime.flow("odd")
        runs_well(runtime)


def system_loader() -> Callable[..., object]:
    from atomiton_runtime.flow.loader import load_flow

    return load_flow


@pytest.fixture(autouse=True)
def every_actor_ended() -> Iterator[None]:
    """After each test no actor is left."""
    yield
    assert alive() == set()
