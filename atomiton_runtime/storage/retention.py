"""Decides which runs a store need not keep any longer."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from atomiton_runtime.clock import Clock, SystemClock
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.storage.engine import StorageEngine, StoredRun

_SUSPICIOUS_S = 86_400.0
"""A wall clock that was moved by more than this does not decide, for one pass, what is too old."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much a store keeps; None: no limit. Queued and running runs are always kept."""

    keep_runs: int | None = 1000
    """Ended runs of each flow."""
    keep_days: float | None = 90.0
    """Since a run began."""
    max_bytes: int | None = 1024 * 1024 * 1024
    """Of the whole store."""


def runs_to_delete(
    runs: Sequence[StoredRun], stored_bytes: int, retention: Retention, now: datetime
) -> tuple[RunId, ...]:
    """Return the runs to delete, oldest first.

    Args:
        runs: all runs of the store, oldest first (`StorageEngine.stored_runs`).
        stored_bytes: the space of the whole store (`StorageEngine.stored_bytes`). A large value that several
            runs share counts once here and in each run's size; so a pass may free too little, never too much.
        retention: the limits.
        now: the wall clock, aware.
    """
    oldest_kept = now - timedelta(days=retention.keep_days) if retention.keep_days is not None else None
    excess_bytes = stored_bytes - retention.max_bytes if retention.max_bytes is not None else 0
    surplus = _surplus(runs, retention.keep_runs)
    chosen: list[RunId] = []
    for run in runs:
        summary = run.summary
        if not _ended(run):
            continue
        expired = oldest_kept is not None and summary.started_at < oldest_kept
        if expired or summary.run_id in surplus or excess_bytes > 0:
            chosen.append(summary.run_id)
            excess_bytes -= run.size_bytes
    return tuple(chosen)


def prune(engine: StorageEngine, retention: Retention, now: datetime) -> tuple[RunId, ...]:
    """Delete what `retention` does not keep; return the runs that are gone.

    Raises:
        StorageError: the store cannot be read or written.
    """
    chosen = runs_to_delete(engine.stored_runs(), engine.stored_bytes(), retention, now)
    if chosen:
        engine.delete_runs(chosen)
    return chosen


class Housekeeping:
    """Prunes a store now and then: with the first finished run, then with each `every`-th."""

    def __init__(
        self,
        engine: StorageEngine,
        retention: Retention | None = None,
        *,
        every: int = 100,
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._retention = retention or Retention()
        self._every = every
        self._clock = clock or SystemClock()
        self._finished = 0
        self._boot_s = self._booted_s()

    def run_finished(self) -> tuple[RunId, ...]:
        """Count a finished run, in the engine's thread; return the runs that are gone, mostly none.

        Raises:
            StorageError: the store cannot be read or written; the next pass tries again.
        """
        due = self._finished % self._every == 0
        self._finished += 1
        if not due:
            return ()
        retention = self._retention
        if self._clock_was_set():
            # By a clock that was just set a hundred years ahead every run would be old: the next pass knows better.
            retention = msgspec.structs.replace(retention, keep_days=None)
        return prune(self._engine, retention, self._clock.now())

    def _clock_was_set(self) -> bool:
        before, self._boot_s = self._boot_s, self._booted_s()
        return abs(self._boot_s - before) > _SUSPICIOUS_S

    def _booted_s(self) -> float:
        """Return when the monotonic clock began, by the wall clock: it moves when that is set, or the machine slept."""
        return self._clock.now().timestamp() - self._clock.monotonic()


def _ended(run: StoredRun) -> bool:
    return run.summary.status not in ("queued", "running")


def _surplus(runs: Sequence[StoredRun], keep_runs: int | None) -> frozenset[RunId]:
    """Return the runs beyond the newest `keep_runs` ended ones of their flow."""
    if keep_runs is None:
        return frozenset()
    kept: dict[FlowId, int] = {}
    surplus: set[RunId] = set()
    for run in reversed(runs):
        if _ended(run):
            count = kept.get(run.summary.flow, 0)
            kept[run.summary.flow] = count + 1
            if count >= keep_runs:
                surplus.add(run.summary.run_id)
    return frozenset(surplus)
