"""Is the single writer: keeps events in groups, and lets nobody hear of an event before it is kept."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from atomiton_runtime.actors.base import Address, GuardedActor
from atomiton_runtime.actors.messages import (
    Append,
    ExecuteNode,
    FindRuns,
    Flush,
    KeeperMessage,
    NodeMessage,
    Order,
    Publish,
    ReadJournal,
    ReadPart,
    ReadSummaries,
    ReadSummary,
    StoreFailed,
    Tidy,
)
from atomiton_runtime.errors import ErrorInfo, StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import RunEvent, RunFailed, RunSucceeded, is_final
from atomiton_runtime.run.notices import NoticeRaised
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.storage.retention import Housekeeping

log = logging.getLogger(__name__)

_FLUSH, _TIDY = Flush(), Tidy()


class KeeperBook:
    """What the keeper owes: the state that outlives an incarnation of it."""

    def __init__(self) -> None:
        self.pending: list[RunEvent] = []
        self.orders: list[tuple[Order, NodeMessage]] = []
        self.taken: Append | None = None
        """The last message whose events are among the pending ones: it is not taken twice after a fault."""
        self.flushing = False
        """True while a `Flush` is on its way."""
        self.tidying = False
        """True while a `Tidy` is on its way."""
        self.broken: dict[RunId, list[RunEvent]] = {}
        """Runs whose events could not be kept -> those events; tried once more with the run's last one."""


class StorageKeeper(GuardedActor[KeeperMessage]):
    """Owns the engine: no other thread touches it while the runtime lives.

    Owns: the engine and what is not kept yet. Receives: `Append`, `Flush` and `Tidy` (its own), reads. Sends: `Publish`
    to the bus after the commit, waiting orders to node executions after the commit, `StoreFailed` to the
    conductor. Rank: KEEPER. When it dies its successor has the same book and mailbox.

    A group is whatever has come by the time the keeper gets to its own `Flush`: one event when little happens,
    hundreds under load, without any waiting on purpose.
    """

    def __init__(
        self,
        address: Address,
        supervisor: Callable[[object], None],
        *,
        engine: StorageEngine,
        bus: Address,
        conductor: Address,
        housekeeping: Housekeeping,
        book: KeeperBook,
    ) -> None:
        super().__init__(address, supervisor)
        self._engine = engine
        self._housekeeping = housekeeping
        self._bus = bus
        self._conductor = conductor
        self._book = book

    def receive(self, message: KeeperMessage) -> object:
        """Handle one message."""
        match message:
            case Append():
                return self._take(message)
            case Flush():
                self._book.flushing = False
                return self._flush()
            case Tidy():
                self._book.tidying = False
                return self._tidy()
            case ReadJournal(run_id=run_id):
                self._flush()
                return self._engine.journal(run_id)
            case ReadPart(run_id=run_id, place=place, limit_bytes=limit_bytes):
                self._flush()
                return self._engine.part(run_id, place, limit_bytes=limit_bytes)
            case ReadSummary(run_id=run_id):
                self._flush()
                return self._engine.summary(run_id)
            case ReadSummaries(flow=flow, statuses=statuses, limit=limit):
                self._flush()
                return self._engine.summaries(flow=flow, statuses=statuses, limit=limit)
            case FindRuns(prefix=prefix):
                self._flush()
                return self._engine.find_runs(prefix)
            case _:
                assert_never(message)

    def end(self) -> None:
        """Keep what came before the stop: the stop may have overtaken the keeper's own `Flush`."""
        self._flush()

    def _take(self, message: Append) -> None:
        book = self._book
        if book.taken is not message:
            book.pending.extend(message.events)
            book.orders.extend(message.then)
            book.taken = message
        if not book.flushing:
            self.address.tell(_FLUSH)
            book.flushing = True

    def _flush(self) -> None:
        """Keep all that is pending as one group, then say so."""
        book = self._book
        if not book.pending and not book.orders:
            return
        events, orders = book.pending, book.orders
        if book.broken:
            events = self._mended(events)
        try:
            if events:
                self._engine.append(events)
        except StorageError as error:
            book.pending, book.orders = [], []
            self._give_up(events, orders, error.info())
            return
        book.pending, book.orders = [], []
        self._bus.tell(Publish(facts=tuple(events)))
        for order, message in orders:
            order(message)
        is_due = self._housekeeping.is_due(sum(map(is_final, events)))
        # At once, not by a message of its own: a process that ends with its only run would never get to that.
        if is_due and not book.tidying:
            self._tidy()

    def _tidy(self) -> None:
        """Let the store forget old runs; that it cannot is worth a word, and no run's failure."""
        try:
            tidied = self._housekeeping.tidy()
        except StorageError as error:
            log.warning("old runs could not be deleted: %s", error.message)
            self._bus.tell(Publish(facts=(NoticeRaised(level="warning", error=error.info()),)))
            return
        if tidied.more:
            self.address.tell(_TIDY)
            self._book.tidying = True
        if tidied.oversized is not None:
            run_id, error = tidied.oversized
            self._conductor.tell(StoreFailed(run_ids=(run_id,), error=error))

    def _mended(self, events: list[RunEvent]) -> list[RunEvent]:
        """Return the events to keep now: those of a broken run are held back until its last, then all come."""
        now: list[RunEvent] = []
        for event in events:
            held = self._book.broken.get(event.run_id)
            if held is None:
                now.append(event)
            elif not is_final(event):
                held.append(event)
            else:
                now += [*self._book.broken.pop(event.run_id), event]
        return now

    def _give_up(
        self, events: list[RunEvent], orders: Iterable[tuple[Order, NodeMessage]], error: ErrorInfo
    ) -> None:
        """Make the runs of a group that could not be kept end, and say why; nothing else is lost."""
        log.error("events could not be kept: %s", error.message)
        finals = [event for event in events if is_final(event)]
        ended = {event.run_id for event in finals}
        for event in events:
            if event.run_id not in ended:
                self._book.broken.setdefault(event.run_id, []).append(event)
        # A run that ended has nobody who waits for its disk: its end is told, but as what it is: not kept.
        untold = [_unkept(event, error) for event in events if event.run_id in ended]
        self._bus.tell(Publish(facts=(NoticeRaised(level="error", error=error), *untold)))
        for order, message in orders:
            if isinstance(message, ExecuteNode):
                message.cancel.cancel()
            order(message)
        open_runs = tuple(dict.fromkeys(event.run_id for event in events if event.run_id not in ended))
        if open_runs:
            self._conductor.tell(StoreFailed(run_ids=open_runs, error=error))

    def on_fault(self, message: object, error: BaseException) -> None:
        """Take what was not taken; treat a fault while keeping (memory ran out, say) as a store that failed."""
        book = self._book
        if isinstance(message, Append):
            self._take(message)
        elif isinstance(message, Tidy):
            book.tidying = (
                False  # what is left to delete is chosen anew, and the runs that go on are not touched
            )
        elif book.pending or book.orders:
            book.flushing = False
            events, orders = book.pending, book.orders
            book.pending, book.orders = [], []
            self._give_up(events, orders, ErrorInfo("RUN-012", f"the store failed: {error!r}"))


def _unkept(event: RunEvent, error: ErrorInfo) -> RunEvent:
    """Return the event; in the place of a success, that its run failed because nothing of it could be kept."""
    if not isinstance(event, RunSucceeded):
        return event
    return RunFailed(
        run_id=event.run_id, seq=event.seq, at=event.at, duration_s=event.duration_s, error=error
    )


def recover(
    engine: StorageEngine,
    is_alive: Callable[[str], bool],
    ended: Callable[[Sequence[RunEvent]], RunEvent],
    keep: Callable[[Sequence[RunEvent]], object] | None = None,
) -> int:
    """Give each run whose process died its last event; return how many there were.

    Args:
        engine: open, and not used by anybody else yet.
        is_alive: whether the process of this name lives.
        ended: makes the last event of a run from its journal so far.
        keep: takes that event; default: the engine.

    Raises:
        StorageError: the store cannot be read or written.
    """
    found = 0
    for summary in engine.summaries(statuses=("queued", "running"), limit=1_000_000):
        if is_alive(summary.process):
            continue
        journal = engine.journal(summary.run_id)
        if not journal or is_final(journal[-1]):
            continue  # a damaged list of runs; whoever reads the run meets that
        try:
            (keep or engine.append)([ended(journal)])
        except StorageError as error:
            if error.code != "STORE-003":
                raise
            continue  # another process that starts just now was faster, and said the same
        found += 1
    return found
