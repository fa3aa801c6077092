"""Actors that are killed all the time, under a load of runs: nothing is lost, done twice or told wrongly."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pykka
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.clock import SystemClock
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.notices import Notice
from atomiton_runtime.run.state import new_run
from atomiton_runtime.running import Run
from atomiton_runtime.tray import state as tray_state
from atomiton_runtime.tray.state import TrayState
from tests.guards.campaign import note, sized

KILLS = sized(60, 1000)
AT_ONCE = 8
END_S = 120.0
FLOWS = {
    "line": """
[settings]
on_busy = "queue"
[nodes.a]
type = "edit-fields"
values = { n = 1 }
[nodes.mark]
type = "file-system"
operation = "append"
path = "done"
content = "{{ run.id }} mark\\n"
after = "a"
""",
    "loop": """
[settings]
on_busy = "queue"
[nodes.each]
type = "loop"
mode = "times"
count = 4
concurrency = 2
[nodes.each.nodes.mark]
type = "file-system"
operation = "append"
path = "done"
content = "{{ run.id }} {{ index }}\\n"
""",
    "retry": """
[settings]
on_busy = "queue"
[nodes.wrong]
type = "file-system"
operation = "read"
path = "not-there"
retry = { attempts = 2, delay = "10ms" }
on_error = "continue"
[nodes.mark]
type = "file-system"
operation = "append"
path = "done"
content = "{{ run.id }} mark\\n"
after = "wrong"
""",
}
MARKS = {"line": ["mark"], "loop": ["0", "1", "2", "3"], "retry": ["mark"]}


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A runtime with a store on disk that watches its folder."""
    flows = tmp_path / "flows"
    flows.mkdir()
    for name, text in FLOWS.items():
        (flows / f"{name}.toml").write_text(text)
    with Runtime(flows=flows, data=tmp_path / "data", watch=True) as started:
        yield started


class Killer(threading.Thread):
    """Stops one actor after the other behind everybody's back."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(name="killer", daemon=True)
        self._alive = runtime._system._alive
        self.killed = Counter[str]()
        self.enough = threading.Event()

    def run(self) -> None:
        """Kill until it was enough; each one a moment after the last."""
        chance = random.Random(7)
        while self.killed.total() < KILLS:
            name, actor = chance.choice(list(self._alive.items()))
            if actor.is_alive():
                try:
                    actor.stop(block=False)
                except pykka.ActorDeadError:  # somebody was faster: it has just ended
                    continue
                self.killed[name.rstrip(" 0123456789")] += 1
            self.enough.wait(chance.uniform(0.0, 0.01))
        self.enough.set()


class Watcher:
    """Folds what the bus says into what a tray shows."""

    def __init__(self) -> None:
        self.state = TrayState()
        self.ended = Counter[str]()

    def hear(self, fact: RunEvent | Notice) -> None:
        """Take in a fact."""
        self.state = tray_state.apply(self.state, fact)
        if isinstance(fact, ev.RunSucceeded):
            self.ended[fact.run_id] += 1


def test_actors_that_are_killed_all_the_time(runtime: Runtime, tmp_path: Path) -> None:
    """Every accepted run succeeds, each of its nodes works once, journals are whole, and the tray's state is right."""
    flows = {name: runtime.flow(name) for name in FLOWS}
    watcher, killer = Watcher(), Killer(runtime)
    stop = runtime.subscribe(watcher.hear, kinds=tray_state.KINDS)
    killer.start()
    runs: list[Run] = []
    while not killer.enough.is_set() or len(runs) < AT_ONCE:
        going_on = [run for run in runs[-2 * AT_ONCE :] if not run.done]
        if len(going_on) < AT_ONCE:
            runs.append(runtime.run(list(FLOWS)[len(runs) % len(FLOWS)]))
        else:
            going_on[0].result(timeout_s=END_S)
    documents = [run.result(timeout_s=END_S) for run in runs]
    killer.join(END_S)

    assert {document.status for document in documents} == {"succeeded"}
    done = Counter((tmp_path / "flows" / "done").read_text().splitlines())
    wanted = Counter(f"{run.id} {mark}" for run in runs for mark in MARKS[run.flow])
    assert done == wanted
    for run in runs:
        state = new_run(flows[run.flow], run.id)
        for event in runtime.journal(run.id):
            state = apply(state, event)
        assert state.status == "succeeded"
    history = runtime.history(limit=100_000)
    assert {summary.run_id for summary in history} == {run.id for run in runs}
    assert runtime.active() == ()
    assert SystemClock().now() >= max(summary.started_at for summary in history)
    stop()
    assert watcher.state.active == {}
    assert watcher.ended == {run.id: 1 for run in runs}
    note(
        "supervision",
        kills=killer.killed.total(),
        runs=len(runs),
        lost=(wanted - done).total(),
        twice=(done - wanted).total(),
    )
