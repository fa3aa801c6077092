"""Opens a store so that what it says is true: a damaged one is rebuilt, runs of dead processes get their end."""

from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from atomiton_runtime.actors.messages import ReadSummaries
from atomiton_runtime.actors.storage_keeper import recover
from atomiton_runtime.clock import SystemClock
from atomiton_runtime.control.presence import live_processes
from atomiton_runtime.errors import ErrorInfo, StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary, summarize
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.storage.failures import shown_all_the_same

_DAMAGED = "STORE-005"
_ALL = 1_000_000


def open_own(engine: StorageEngine, data: Path) -> ErrorInfo | None:
    """Open the store of the data folder; return what its user must know.

    One that is damaged is moved aside, and another made of what can be read.

    Raises:
        StorageError: it cannot be opened, or it is damaged and other processes use it (STORE-005).
    """
    try:
        engine.open()
    except StorageError as error:
        if error.code != _DAMAGED:
            raise
    else:
        return None
    with FileLock(data / "rebuild.lock", thread_local=False):
        try:
            engine.open()  # who was faster has done it
        except StorageError as error:
            if error.code != _DAMAGED:
                raise
            if others := live_processes(data):
                raise StorageError(
                    error.code,
                    error.message,
                    hint=f"end the processes that use it first; there are {len(others)}",
                ) from error
            return engine.rebuild()
    return None


def open_to_read(engine: StorageEngine, refused: StorageError) -> ErrorInfo:
    """Open a store that could not be opened to write; return what its user must know.

    Raises:
        StorageError: it is for another reason than its disk that it could not be opened (the same one), there is none,
            or it cannot be read.
    """
    if refused.code not in ("STORE-001", "STORE-002"):
        raise refused
    try:
        engine.open_for_reading()
    except StorageError as unreadable:
        raise (refused if unreadable.code == "STORE-001" else unreadable) from unreadable
    return shown_all_the_same(refused)


class UnkeptEnds:
    """The last events of runs whose process died, where the store cannot be told: they are added to what it says."""

    def __init__(self) -> None:
        self._events: dict[RunId, RunEvent] = {}

    def take(self, events: Sequence[RunEvent]) -> None:
        """Remember these."""
        self._events |= {event.run_id: event for event in events}

    def whole(self, journal: tuple[RunEvent, ...]) -> tuple[RunEvent, ...]:
        """Return a run's journal with its end."""
        end = self._events.get(journal[0].run_id)
        return journal if end is None else (*journal, end)

    def part(self, run_id: RunId, place: int, events: tuple[RunEvent, ...]) -> tuple[RunEvent, ...]:
        """Return the events of a run from `place` on, with its end where they lead up to it."""
        end = self._events.get(run_id)
        return (*events, end) if end is not None and end.seq == place + len(events) else events

    def told(
        self, wanted: ReadSummaries, read: Callable[[ReadSummaries], tuple[RunSummary, ...]]
    ) -> tuple[RunSummary, ...]:
        """Return the summaries that are wanted, as they truly are."""
        if not self._events:
            return read(wanted)
        # What is kept has other statuses than what is true, so it is chosen here.
        kept = read(ReadSummaries(flow=wanted.flow, statuses=(), limit=_ALL))
        true = map(self.true, kept)
        chosen = [run for run in true if not wanted.statuses or run.status in wanted.statuses]
        return tuple(chosen[: wanted.limit])

    def true(self, kept: RunSummary) -> RunSummary:
        """Return a summary as it truly is."""
        end = self._events.get(kept.run_id)
        return kept if end is None else summarize(kept, end) or kept


def end_runs_of_the_dead(
    engine: StorageEngine,
    meeting_place: Path | None,
    keep: Callable[[Sequence[RunEvent]], object] | None = None,
) -> None:
    """Give runs whose process died (`kill -9`, power) their true last event.

    Args:
        engine: an open store.
        meeting_place: the folder where those who share the store say that they live; None: nobody shares it.
        keep: takes these events where the store cannot; default: the store.

    Raises:
        StorageError: the store cannot be read or written.
    """
    live: set[str] | None = None

    def is_alive(process: str) -> bool:
        nonlocal live
        if live is None and meeting_place is not None:
            live = live_processes(meeting_place)
        return live is None or process in live

    recover(engine, is_alive, _interrupted, keep)


def _interrupted(journal: Sequence[RunEvent]) -> RunEvent:
    """Return the last event of a run whose process died; it lasted at least until the last thing that is known."""
    started_at = next((event.at for event in journal if isinstance(event, ev.RunStarted)), journal[-1].at)
    return ev.RunInterrupted(
        run_id=journal[-1].run_id,
        seq=journal[-1].seq + 1,
        at=SystemClock().now(),
        duration_s=max((journal[-1].at - started_at).total_seconds(), 0.0),
        error=ErrorInfo(
            "RUN-010",
            "the end of this run was never kept: its process died, or the store could not be written",
            hint=f"`atomiton resume {journal[-1].run_id}` continues it",
        ),
    )
