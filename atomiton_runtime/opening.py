"""Opens a store so that what it says is true: a damaged one is rebuilt, runs of dead processes get their end."""

from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from atomiton_runtime.actors.storage_keeper import recover
from atomiton_runtime.clock import SystemClock
from atomiton_runtime.control.presence import live_processes
from atomiton_runtime.errors import ErrorInfo, StorageError
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage.engine import StorageEngine

_DAMAGED = "STORE-005"


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


def end_runs_of_the_dead(engine: StorageEngine, meeting_place: Path | None) -> None:
    """Give runs whose process died (`kill -9`, power) their true last event.

    Args:
        engine: an open store.
        meeting_place: the folder where those who share the store say that they live; None: nobody shares it.

    Raises:
        StorageError: the store cannot be read or written.
    """
    live: set[str] | None = None

    def is_alive(process: str) -> bool:
        nonlocal live
        if live is None and meeting_place is not None:
            live = live_processes(meeting_place)
        return live is None or process in live

    recover(engine, is_alive, _interrupted)


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
