"""A run in the hands of who asked for it: its newest events are held, older ones are read where they are wanted."""

from collections.abc import Sequence

import pytest

from atomiton_runtime.actors.backlog import size_bytes
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import document
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.running import WINDOW_BYTES, Run
from atomiton_runtime.storage.create import create_memory_engine
from tests.doubles.journals import AT, queued, started

RUN = RunId("R1")
MANY = 10_000
PART = 64 * 1024


def journal(count: int = MANY) -> list[RunEvent]:
    """Return a journal of so many events, most of them what a node said."""
    said = [
        ev.NodeLogged(run_id=RUN, seq=seq, at=AT, node=NodeId("read"), attempt=1, text="x")
        for seq in range(2, count - 1)
    ]
    return [
        queued("R1"),
        started("R1"),
        *said,
        ev.RunSucceeded(run_id=RUN, seq=count - 1, at=AT, duration_s=1.0),
    ]


class Store:
    """Keeps a run, and counts how often it is read."""

    def __init__(self) -> None:
        self.engine = create_memory_engine()
        self.engine.open()
        self.reads: list[int] = []

    def part(self, run_id: RunId, place: int) -> Sequence[RunEvent]:
        self.reads.append(place)
        return self.engine.part(run_id, place, limit_bytes=PART)

    def run(self) -> Run:
        return Run(RUN, FlowId("daily"), lambda _: None, self.part)


@pytest.fixture
def store() -> Store:
    return Store()


def told(store: Store, events: list[RunEvent]) -> Run:
    """Return a run of which all of this was kept and then told, in groups."""
    run = store.run()
    for begin in range(0, len(events), 100):
        store.engine.append(events[begin : begin + 100])
        run.receive(events[begin : begin + 100])
    return run


def test_who_comes_late_gets_all_events_though_few_are_held(store: Store) -> None:
    """From the first to the last, and the document; the store is read once for each part, not for each event."""
    events = journal()
    run = told(store, events)

    held = run.news(run.news(MANY - 1, timeout_s=0)[0].seq - 100, timeout_s=0)
    assert store.reads == []
    assert len(held) == 101
    assert list(run.events()) == events
    parts = len(store.reads)
    assert 1 < parts < MANY / 100
    assert run.result(0) == document(events)
    assert len(store.reads) == 2 * parts
    assert run.last == events[-1]
    assert run.done


def test_what_is_held_is_bounded(store: Store) -> None:
    """However many events come, what the newest of them weigh is limited; the store is asked for the rest."""
    run = told(store, journal())
    oldest = next(place for place in range(MANY) if _is_held(run, store, place))
    held = run.news(oldest, timeout_s=0)

    assert sum(map(size_bytes, held)) <= WINDOW_BYTES
    assert len(held) == MANY - oldest


def _is_held(run: Run, store: Store, place: int) -> bool:
    store.reads.clear()
    run.news(place, timeout_s=0)
    return not store.reads


def test_who_keeps_up_never_reads_the_store(store: Store) -> None:
    """Events are taken as they come."""
    events, run, seen = journal(), store.run(), list[RunEvent]()
    for event in events:
        run.receive([event])
        seen += run.news(len(seen), timeout_s=0)

    assert seen == events
    assert store.reads == []


def test_events_that_could_not_be_kept_are_passed_over(store: Store) -> None:
    """Of a run whose store failed, the first event, the newest and the document are there all the same."""
    events, run = journal(), store.run()
    run.receive(events)
    seen = list(run.events())

    assert seen[0] == events[0]
    assert seen[1:] == events[-len(seen) + 1 :]
    assert sum(map(size_bytes, seen[1:])) <= WINDOW_BYTES
    assert run.result(0).status == "succeeded"
    assert store.reads == [0, 1, 0, 1]


def test_a_large_event_is_held_alone(store: Store) -> None:
    """The newest event is there, whatever it weighs."""
    run = store.run()
    large = ev.NodeLogged(
        run_id=RUN, seq=1, at=AT, node=NodeId("read"), attempt=1, text="x" * (WINDOW_BYTES + 1)
    )
    run.receive([queued("R1")])
    run.receive([large])

    assert run.news(1, timeout_s=0) == [large]
    assert run.news(0, timeout_s=0) == [queued("R1")]
    assert store.reads == [0]


def test_a_run_that_goes_on_is_waited_for_no_longer_than_wanted(store: Store) -> None:
    """No event in time is an error for who wants all, and nothing for who asks for news."""
    run = store.run()

    assert run.last is None
    assert run.news(0, timeout_s=0) == []
    with pytest.raises(TimeoutError, match="goes on"):
        next(run.events(0))
    with pytest.raises(TimeoutError, match="goes on"):
        run.result(0)
