"""A save is run or explained, whatever happens around it: the whole runtime, real files, real time."""

import contextlib
import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pykka
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.actors.base import GuardedActor
from atomiton_runtime.actors.flow_shelf import FlowShelf
from atomiton_runtime.actors.flow_watcher import FlowWatcher
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.run.events import (
    FINAL_EVENTS,
    Event,
    NodeStarted,
    RunCancelled,
    RunEvent,
    RunFailed,
    RunQueued,
    RunSucceeded,
)
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice, NoticeRaised
from tests.doubles.addresses import Collected

_LAST = "zz-last"
_numbers = itertools.count(1_000_000)
BROKEN = '[nodes.a]\ntype = "edit-feelds"\n'


def counting(number: int, more: str = "") -> str:
    return f'{more}\n[nodes.a]\ntype = "edit-fields"\nvalues = {{ n = {number} }}\n'


def waiting_for(gate: Path, version: int, on_busy: str) -> str:
    script = f"until test -e '{gate}'; do sleep 0.02; done"
    return (
        f'description = "version {version}"\n[settings]\non_busy = "{on_busy}"\n'
        f'[nodes.a]\ntype = "shell-command"\nprogram = "sh"\nargs = ["-c", "{script}"]\n'
    )


class Desk:
    """A runtime that watches a folder, and somebody who saves files and sees what happens."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.runtime = runtime
        self.folder = folder
        self.facts = Collected("a subscriber")

    def save(self, name: str, text: str) -> str:
        """Save a flow in place; return the hash of its content."""
        (self.folder / f"{name}.toml").write_text(text, encoding="utf-8")
        return hashlib.sha256(text.encode()).hexdigest()

    def await_fact(self, wanted: Callable[[RunEvent | Notice], bool]) -> RunEvent | Notice:
        """Return the next fact that is `wanted`, passing over the others."""
        while not wanted(fact := self.facts.next(20)):  # type: ignore[arg-type]  # a subscriber is told facts only
            pass
        return fact  # type: ignore[return-value]  # as above

    def await_run(self, flow_hash: str) -> RunQueued:
        """Return the first event of the next run of a version of a flow."""
        queued = self.await_fact(lambda fact: isinstance(fact, RunQueued) and fact.flow_hash == flow_hash)
        assert isinstance(queued, RunQueued)
        return queued

    def await_end(self, queued: RunQueued) -> RunEvent:
        """Return the last event of a run."""
        last = self.await_fact(lambda fact: isinstance(fact, FINAL_EVENTS) and fact.run_id == queued.run_id)
        assert isinstance(last, FINAL_EVENTS)
        return last

    def settled(self) -> list[RunEvent | Notice]:
        """Return all facts until now: those before the end of the run of a last save."""
        last_hash = self.save(_LAST, counting(next(_numbers)))
        facts = list[RunEvent | Notice]()
        queued: RunQueued | None = None
        while True:
            fact = self.await_fact(lambda _: True)
            if isinstance(fact, RunQueued) and fact.flow_hash == last_hash:
                queued = fact
            if queued and isinstance(fact, FINAL_EVENTS) and fact.run_id == queued.run_id:
                return [each for each in facts if getattr(each, "flow", "") != _LAST]
            if not (queued and isinstance(fact, Event) and fact.run_id == queued.run_id):
                facts.append(fact)


@contextlib.contextmanager
def desk_at(folder: Path) -> Iterator[Desk]:
    """Start a runtime over `folder`; what was there has been loaded."""
    with Runtime(folder, "memory:", data=folder.parent / "data", watch=True) as runtime:
        desk = Desk(runtime, folder)
        stop = runtime.subscribe(desk.facts.tell)
        if folder.is_dir():
            # The first scan is told before the second save of the last file, and the first makes the file known.
            known = desk.save(_LAST, counting(next(_numbers)))
            desk.await_fact(lambda fact: isinstance(fact, FlowLoaded) and fact.hash == known)
            desk.settled()
        yield desk
        stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a flows folder that holds the flow `a`."""
    made = tmp_path / "flows"
    made.mkdir()
    (made / "a.toml").write_text(counting(0))
    return made


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    """Return a desk over `folder`."""
    with desk_at(folder) as made:
        yield made


def runs(facts: list[RunEvent | Notice]) -> list[RunQueued]:
    return [fact for fact in facts if isinstance(fact, RunQueued)]


def test_a_save_is_run(desk: Desk) -> None:
    """Save the file, see the result: a run of the new content, with the trigger `save`."""
    for number in (1, 2):
        queued = desk.await_run(desk.save("a", counting(number)))
        assert queued.trigger == "save"
        assert isinstance(desk.await_end(queued), RunSucceeded)
        assert desk.runtime.show(queued.run_id).outputs == {"a": {"result": {"n": number}}}


def test_what_is_there_at_the_start_is_not_run(folder: Path) -> None:
    """Starting the runtime is no save, also if files changed while none was running."""
    for number in (1, 2):
        (folder / "a.toml").write_text(counting(number))
        with desk_at(folder) as desk:
            assert desk.runtime.flow("a").nodes[0].parameters == {"values": {"n": number}}
            assert [run.flow for run in desk.runtime.history() if run.flow != _LAST] == []


def test_a_save_without_a_change_is_not_run(desk: Desk) -> None:
    """The same content again, a touch and a look at the file are no news."""
    desk.save("a", counting(0))
    (desk.folder / "a.toml").touch()
    (desk.folder / "a.toml").read_bytes()
    assert desk.settled() == []


def test_a_save_that_needs_a_variable_is_explained(desk: Desk) -> None:
    """A flow that cannot run without being asked something has a failed run that says so."""
    queued = desk.await_run(desk.save("a", counting(1, 'variables.who = { type = "string" }')))
    end = desk.await_end(queued)
    assert isinstance(end, RunFailed)
    assert end.error.code == "VAR-012"


@pytest.mark.parametrize(
    ("on_busy", "ends"),
    [
        ("queue-latest", ["RunSucceeded", "RUN-005", "RunSucceeded"]),
        ("queue", ["RunSucceeded", "RunSucceeded", "RunSucceeded"]),
        ("skip", ["RunSucceeded", "RUN-009", "RUN-009"]),
        ("restart", ["RUN-005", "RUN-005", "RunSucceeded"]),
    ],
)
def test_a_save_during_a_run_follows_on_busy(
    desk: Desk, tmp_path: Path, on_busy: str, ends: list[str]
) -> None:
    """Each of three saves has its run, and each run the end that the flow asked for."""
    gate = tmp_path / "gate"
    queued = list[RunQueued]()
    for version in range(3):
        queued.append(desk.await_run(desk.save("a", waiting_for(gate, version, on_busy))))
        if version == 0:
            desk.await_fact(lambda fact: isinstance(fact, NodeStarted) and fact.run_id == queued[0].run_id)
    gate.touch()
    desk.settled()

    for run in queued:
        _await_end_in_journal(desk, run)
    last_events = [desk.runtime.journal(run.run_id)[-1] for run in queued]
    assert [
        event.error.code if isinstance(event, RunCancelled) else type(event).__name__ for event in last_events
    ] == ends


def _await_end_in_journal(desk: Desk, run: RunQueued) -> None:
    if not isinstance(desk.runtime.journal(run.run_id)[-1], FINAL_EVENTS):
        desk.await_end(run)


def test_a_broken_save_is_reported_and_the_last_version_runs(desk: Desk) -> None:
    """All problems are told, nothing runs by itself, and whoever asks gets the last valid version."""
    desk.save("a", BROKEN)
    broken = desk.await_fact(lambda fact: isinstance(fact, FlowBroken))
    assert isinstance(broken, FlowBroken)
    assert [problem.code for problem in broken.problems] == ["FLOW-008"]
    assert broken.runnable
    assert desk.settled() == []

    document = desk.runtime.run("a").result(20)
    assert document.status == "succeeded"
    assert document.outputs == {"a": {"result": {"n": 0}}}
    (entry,) = (entry for entry in desk.runtime.flows() if entry.id == "a")
    assert (entry.runnable, len(entry.problems)) == (True, 1)

    queued = desk.await_run(desk.save("a", counting(1)))
    assert isinstance(desk.await_end(queued), RunSucceeded)


def test_a_broken_flow_disturbs_no_other(desk: Desk) -> None:
    """Files of every broken kind appear in the folder, and a save of another flow runs as ever."""
    desk.save("broken", BROKEN)
    (desk.folder / "folder.toml").mkdir()
    (desk.folder / "dangling.toml").symlink_to("nowhere")
    (desk.folder / "bytes.toml").write_bytes(b"\x00\xff\xfe")
    (desk.folder / "deep.toml").write_bytes(b"a = " + b"[" * 10_000)

    reported = [desk.await_fact(lambda _: True) for _ in range(5)]

    assert {fact.flow for fact in reported if isinstance(fact, FlowBroken)} == {
        "broken",
        "bytes",
        "dangling",
        "deep",
        "folder",
    }
    assert desk.settled() == []
    assert isinstance(desk.await_end(desk.await_run(desk.save("a", counting(1)))), RunSucceeded)
    with pytest.raises(FlowInvalid):
        desk.runtime.run("broken")


def test_a_new_file_is_loaded_and_not_run(desk: Desk) -> None:
    """A file that appears can be run; its next save runs it."""
    new = desk.save("new", counting(5))
    assert desk.settled() == [FlowLoaded(flow="new", path=str(desk.folder / "new.toml"), hash=new)]
    assert desk.runtime.run("new").result(20).status == "succeeded"
    assert desk.await_run(desk.save("new", counting(6))).trigger == "save"


def test_deleting_and_renaming_are_followed(desk: Desk) -> None:
    """A renamed flow goes and comes, and runs under its new name only; a deleted one goes."""
    content = hashlib.sha256((desk.folder / "a.toml").read_bytes()).hexdigest()
    (desk.folder / "a.toml").rename(desk.folder / "b.toml")
    facts = desk.settled()
    assert runs(facts) == []
    assert sorted(facts, key=lambda fact: type(fact).__name__) == [
        FlowLoaded(flow="b", path=str(desk.folder / "b.toml"), hash=content),
        FlowRemoved(flow="a", path=str(desk.folder / "a.toml")),
    ]
    assert desk.runtime.run("b").result(20).status == "succeeded"

    (desk.folder / "b.toml").unlink()
    desk.await_fact(lambda fact: isinstance(fact, FlowRemoved) and fact.flow == "b")
    for flow in ("a", "b"):
        with pytest.raises(UsageError) as raised:
            desk.runtime.run(flow)
        assert raised.value.code == "FLOW-404"


def test_the_folder_vanishes_and_comes_back(desk: Desk) -> None:
    """A lost folder is said once and takes no flow away; when it is back, what changed in it is run."""
    shutil.move(desk.folder, desk.folder.parent / "away")
    lost = desk.await_fact(lambda fact: isinstance(fact, NoticeRaised))
    assert isinstance(lost, NoticeRaised)
    assert lost.error.code == "WATCH-004"
    assert desk.runtime.run("a").result(20).status == "succeeded"
    assert "a" in [entry.id for entry in desk.runtime.flows()]

    changed = counting(7)
    (desk.folder.parent / "away" / "a.toml").write_text(changed)
    shutil.move(desk.folder.parent / "away", desk.folder)
    queued = desk.await_run(hashlib.sha256(changed.encode()).hexdigest())
    assert queued.trigger == "save"
    assert isinstance(desk.await_end(queued), RunSucceeded)


def test_two_thousand_saves_end_with_the_last(desk: Desk) -> None:
    """After a flood of saves the last content has run, few runs were made, and each of them has ended."""
    last = ""
    for number in range(1, 2001):
        last = desk.save("a", counting(number))
    queued = desk.await_run(last)
    assert isinstance(desk.await_end(queued), RunSucceeded)
    assert desk.runtime.show(queued.run_id).outputs == {"a": {"result": {"n": 2000}}}
    made = desk.runtime.history("a", limit=2000)
    assert len(made) <= 20
    assert {run.status for run in made} <= {"succeeded", "cancelled"}


@pytest.mark.parametrize("actor", [FlowWatcher, FlowShelf])
def test_an_actor_that_dies_costs_no_save(desk: Desk, actor: type[GuardedActor[object]]) -> None:
    """A watcher or shelf that stops by accident is started anew, and the save of that moment is run."""
    (alive,) = pykka.ActorRegistry.get_by_class(actor)
    saved = desk.save("a", counting(1))
    alive.stop(timeout=10)
    queued = desk.await_run(saved)
    assert isinstance(desk.await_end(queued), RunSucceeded)
    assert isinstance(desk.await_end(desk.await_run(desk.save("a", counting(2)))), RunSucceeded)
