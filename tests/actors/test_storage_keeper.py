"""The single writer: nobody hears of an event before it is kept, and a full disk ends runs, not the runtime."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from atomiton_runtime.actors.active_run import ActiveRun
from atomiton_runtime.actors.messages import (
    Append,
    ExecuteNode,
    FindRuns,
    Flush,
    Publish,
    ReadJournal,
    ReadSummaries,
    StartRun,
    StoreFailed,
    Tidy,
)
from atomiton_runtime.actors.storage_keeper import KeeperBook, StorageKeeper, recover
from atomiton_runtime.errors import ErrorInfo, StorageError
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.effects import Execute
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.notices import NoticeRaised
from atomiton_runtime.storage.create import create_sqlite_engine
from atomiton_runtime.storage.retention import Housekeeping, Tidied
from tests.doubles.addresses import Collected
from tests.doubles.engines import FULL, FailingEngine
from tests.doubles.flows import MIDNIGHT, RUN_ID, flow, node, queued

FIRST = queued(flow(node("a")))
STARTED = ev.RunStarted(run_id=RUN_ID, seq=1, at=MIDNIGHT)
LAST = ev.RunFailed(run_id=RUN_ID, seq=2, at=MIDNIGHT, duration_s=0.0, error=FULL.info())


class Desk:
    """A keeper without a thread, and those it speaks to."""

    def __init__(self) -> None:
        self.engine = FailingEngine()
        self.engine.open()
        self.bus, self.conductor, self.own = Collected("bus"), Collected("conductor"), Collected("keeper")
        self.faults: list[object] = []
        self.book = KeeperBook()
        self.keeper = StorageKeeper(
            self.own,
            self.faults.append,
            engine=self.engine,
            bus=self.bus,
            conductor=self.conductor,
            housekeeping=Housekeeping(self.engine),
            book=self.book,
        )

    def give(self, *events: RunEvent, order: ExecuteNode | None = None) -> Collected:
        """Let the keeper get events, and an order that waits for them; return where the order goes."""
        worker = Collected("worker")
        self.keeper.on_receive(Append(events=events, then=((worker.tell, order),) if order else ()))
        return worker

    def flush(self) -> None:
        """Let the keeper get to its own message."""
        assert self.own.next() == Flush()
        self.keeper.on_receive(Flush())


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.engine.close()


def an_order() -> ExecuteNode:
    """Return an order with a token of its own."""
    request = StartRun(run_id=RUN_ID, flow=flow(node("a")), variables={}, trigger="api")
    return ActiveRun(request, MIDNIGHT, "").order(Execute(0, 1))


def test_what_comes_before_the_flush_is_one_group_and_is_kept_before_it_is_told(desk: Desk) -> None:
    """Events of several messages are kept together; the bus and waiting orders follow."""
    order = an_order()
    worker = desk.give(FIRST, order=order)
    desk.give(STARTED)
    assert desk.bus.all_so_far() == []
    assert worker.all_so_far() == []
    desk.flush()
    assert desk.own.all_so_far() == []
    assert desk.engine.journal(RUN_ID) == (FIRST, STARTED)
    assert desk.bus.all_so_far() == [Publish(facts=(FIRST, STARTED))]
    assert worker.all_so_far() == [order]


def test_an_order_without_events_goes_out_with_the_next_flush(desk: Desk) -> None:
    """An order that waited for a worker finds its start kept long ago."""
    order = an_order()
    worker = desk.give(order=order)
    desk.flush()
    assert worker.all_so_far() == [order]
    assert desk.bus.all_so_far() == [Publish(facts=())]


def test_reads_see_everything_told_before(desk: Desk) -> None:
    """Whoever asks after an append finds it, whatever is on its way."""
    desk.give(FIRST)
    assert desk.keeper.receive(ReadJournal(run_id=RUN_ID)) == (FIRST,)
    desk.give(STARTED)
    summaries = desk.keeper.receive(ReadSummaries())
    assert isinstance(summaries, tuple)
    assert len(summaries) == 1
    assert desk.keeper.receive(FindRuns(prefix=RUN_ID[:6])) == (RUN_ID,)


def test_a_full_disk_ends_the_runs_it_hit_and_says_why(desk: Desk) -> None:
    """Orders go out cancelled, the conductor ends the run, its end is kept as soon as there is room again."""
    desk.give(FIRST)
    desk.flush()
    desk.bus.all_so_far()
    desk.engine.failure = FULL
    order = an_order()
    worker = desk.give(STARTED, order=order)
    desk.flush()
    assert order.cancel.cancelled
    assert worker.all_so_far() == [order]
    assert desk.bus.all_so_far() == [Publish(facts=(NoticeRaised(level="error", error=FULL.info()),))]
    assert desk.conductor.all_so_far() == [StoreFailed(run_ids=(RUN_ID,), error=FULL.info())]
    desk.engine.failure = None
    desk.give(LAST)
    desk.flush()
    assert desk.engine.journal(RUN_ID) == (FIRST, STARTED, LAST)
    assert desk.bus.all_so_far() == [Publish(facts=(STARTED, LAST))]
    assert desk.book.broken == {}


def test_the_end_of_a_run_is_told_even_when_it_cannot_be_kept(desk: Desk) -> None:
    """Whoever waits for a run gets its end; other runs are not held back by a broken one."""
    desk.engine.failure = FULL
    desk.give(FIRST, STARTED)
    desk.flush()
    held_back = ev.NodeStarted(run_id=RUN_ID, seq=2, at=MIDNIGHT, node=flow(node("a")).nodes[0].id, attempt=1)
    desk.give(held_back)
    desk.flush()
    assert desk.bus.all_so_far()[-1] == Publish(facts=())
    last = ev.RunFailed(run_id=RUN_ID, seq=3, at=MIDNIGHT, duration_s=0.0, error=FULL.info())
    desk.give(last)
    desk.flush()
    told = desk.bus.all_so_far()[-1]
    assert isinstance(told, Publish)
    assert told.facts[-1] == last
    assert desk.conductor.all_so_far() == [StoreFailed(run_ids=(RUN_ID,), error=FULL.info())]
    assert desk.book.broken == {}


def test_a_success_that_could_not_be_kept_is_told_as_a_failure(desk: Desk) -> None:
    """Nobody is told of a success that the next look at the store would not find."""
    desk.engine.failure = FULL
    success = ev.RunSucceeded(run_id=RUN_ID, seq=2, at=MIDNIGHT, duration_s=1.5)
    desk.give(FIRST, STARTED, success)
    desk.flush()
    told = desk.bus.all_so_far()[-1]
    assert isinstance(told, Publish)
    failed = ev.RunFailed(run_id=RUN_ID, seq=2, at=MIDNIGHT, duration_s=1.5, error=FULL.info())
    assert told.facts[1:] == (FIRST, STARTED, failed)


def test_a_fault_while_keeping_is_a_store_that_failed(desk: Desk) -> None:
    """Memory that runs out inside the engine ends the runs of the group, and the keeper goes on."""
    desk.engine.failure = MemoryError()
    desk.give(FIRST)
    desk.flush()
    failed = desk.conductor.next()
    assert isinstance(failed, StoreFailed)
    assert failed.error.code == "RUN-012"
    assert len(desk.faults) == 1
    desk.engine.failure = None
    desk.give(STARTED, LAST)
    desk.flush()
    assert desk.engine.journal(RUN_ID) == (FIRST, STARTED, LAST)


def test_a_stop_that_overtakes_the_flush_loses_nothing(desk: Desk) -> None:
    """What came before the stop is kept and told, though the keeper's own message is still in the mailbox."""
    desk.give(FIRST)
    desk.keeper.address.closing = True
    desk.keeper.on_stop()
    assert desk.engine.journal(RUN_ID) == (FIRST,)
    assert desk.bus.all_so_far() == [Publish(facts=(FIRST,))]


def test_a_message_is_taken_once_whatever_fault_follows(desk: Desk) -> None:
    """The door hands a message back after a fault; its events are not doubled."""
    message = Append(events=(FIRST,))
    desk.keeper.on_receive(message)
    desk.keeper.on_fault(message, ValueError())
    desk.keeper.on_fault(Append(events=(STARTED,)), ValueError())
    desk.flush()
    assert desk.engine.journal(RUN_ID) == (FIRST, STARTED)


class FailingHousekeeping(Housekeeping):
    """Cannot delete anything."""

    def tidy(self) -> Tidied:
        """Fail."""
        raise FULL


def test_old_runs_that_cannot_be_deleted_are_worth_a_word_only(desk: Desk) -> None:
    """The run that was just kept is not touched by it."""
    keeper = StorageKeeper(
        desk.own,
        desk.faults.append,
        engine=desk.engine,
        bus=desk.bus,
        conductor=desk.conductor,
        housekeeping=FailingHousekeeping(desk.engine),
        book=desk.book,
    )
    keeper.on_receive(Append(events=(FIRST, STARTED, LAST)))
    keeper.on_receive(Flush())
    told = desk.bus.all_so_far()
    assert told[-1] == Publish(facts=(NoticeRaised(level="warning", error=FULL.info()),))
    assert desk.faults == []


class Portions(Housekeeping):
    """Has something to delete three times, and then meets a run that is too large."""

    left = 3

    def is_due(self, finished: int) -> bool:
        """Always be due."""
        del finished
        return True

    def tidy(self) -> Tidied:
        """Delete nothing."""
        self.left -= 1
        return Tidied(gone=(), more=self.left > 0, oversized=None if self.left else (RUN_ID, FULL.info()))


def test_tidying_goes_on_behind_what_waits(desk: Desk) -> None:
    """Each portion is a message of its own; a run that is too large is told to the conductor."""
    keeper = StorageKeeper(
        desk.own,
        desk.faults.append,
        engine=desk.engine,
        bus=desk.bus,
        conductor=desk.conductor,
        housekeeping=(portions := Portions(desk.engine)),
        book=desk.book,
    )
    keeper.on_receive(Append(events=(FIRST,)))
    keeper.on_receive(desk.own.next())
    assert (2, Tidy()) == (portions.left, desk.own.next())
    keeper.on_receive(Append(events=(STARTED,)))
    keeper.on_receive(desk.own.next())
    assert portions.left == 2, "a second one is not begun beside the one that is on its way"
    keeper.on_receive(Tidy())
    keeper.on_receive(desk.own.next())

    assert portions.left == 0
    assert desk.own.all_so_far() == []
    assert [StoreFailed(run_ids=(RUN_ID,), error=FULL.info())] == desk.conductor.all_so_far()


def interrupted(journal: Sequence[RunEvent]) -> RunEvent:
    """Return the last event of a run whose process died."""
    return ev.RunInterrupted(
        run_id=RUN_ID, seq=len(journal), at=MIDNIGHT, duration_s=0.0, error=ErrorInfo("RUN-010", "died")
    )


def test_recovery_ends_the_runs_of_the_dead_only(tmp_path: Path) -> None:
    """A run whose process lives is left alone, one that ended too."""
    engine = create_sqlite_engine(tmp_path / "runs.sqlite3")
    engine.open()
    engine.append([FIRST, STARTED])
    assert recover(engine, lambda _: True, interrupted) == 0
    assert recover(engine, lambda _: False, interrupted) == 1
    assert recover(engine, lambda _: False, interrupted) == 0
    summary = engine.summary(RUN_ID)
    assert summary is not None
    assert summary.status == "interrupted"
    engine.close()


@pytest.mark.parametrize(("code", "raises"), [("STORE-003", False), ("STORE-002", True)])
def test_recovery_gives_way_to_a_faster_one(desk: Desk, code: str, raises: bool) -> None:
    """Another process may have said the same an instant ago; a full disk is another matter."""
    desk.engine.append([FIRST, STARTED])
    desk.engine.failure = StorageError(code, "no")
    if raises:
        with pytest.raises(StorageError):
            recover(desk.engine, lambda _: False, interrupted)
    else:
        assert recover(desk.engine, lambda _: False, interrupted) == 0
