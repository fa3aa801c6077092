"""Decides which runs a store need not keep any longer."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from atomiton_runtime.clock import Clock, SystemClock
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.storage.engine import StorageEngine, StoredRun

_SUSPICIOUS_S = 86_400.0
"""A wall clock that was moved by more than this does not decide, for one pass, what is too old."""
_PORTION_BYTES = 2 * 1024 * 1024
_PORTION_RUNS = 200
"""What is deleted at once: some tens of milliseconds in which the store answers nobody."""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much a store keeps; None: no limit. Queued and running runs are always kept."""

    keep_runs: int | None = 1000
    """Ended runs of each flow."""
    keep_days: float | None = 90.0
    """Since a run began."""
    max_bytes: int | None = 1024 * 1024 * 1024
    """Of the whole store; it may hold a 16th more for a while, what is written at that moment, and SQLite's log."""

    @property
    def slack_bytes(self) -> int:
        """How much is appended before the store is measured again, and how far below the limit it is then brought."""
        return (self.max_bytes or 0) // 64


class Tidied(msgspec.Struct, frozen=True, kw_only=True):
    """What a portion of tidying has done."""

    gone: tuple[RunId, ...]
    """The runs that were deleted."""
    more: bool = False
    """Whether there are more runs to delete."""
    oversized: tuple[RunId, ErrorInfo] | None = None
    """An open run that must end, and why: deleting ended ones no longer makes room."""


def runs_to_delete(
    runs: Sequence[StoredRun],
    stored_bytes: int,
    retention: Retention,
    now: datetime,
    *,
    spared: RunId | None = None,
) -> tuple[RunId, ...]:
    """Return the runs to delete, oldest first.

    Args:
        runs: all runs of the store, oldest first (`StorageEngine.stored_runs`).
        stored_bytes: the space of the whole store (`StorageEngine.stored_bytes`). A large value that several
            runs share counts once here and in each run's size; so a pass may free too little, never too much.
        retention: the limits.
        now: the wall clock, aware.
        spared: a run that does not go for the sake of `max_bytes`.
    """
    oldest_kept = now - timedelta(days=retention.keep_days) if retention.keep_days is not None else None
    excess_bytes = stored_bytes - retention.max_bytes if retention.max_bytes is not None else 0
    if excess_bytes > 0:
        excess_bytes += retention.slack_bytes  # else there would be something to delete with every run
    surplus = _surplus(runs, retention.keep_runs)
    chosen: list[RunId] = []
    for run in runs:
        summary = run.summary
        if not _ended(run):
            continue
        expired = oldest_kept is not None and summary.started_at < oldest_kept
        too_much = excess_bytes > 0 and summary.run_id != spared
        if expired or summary.run_id in surplus or too_much:
            chosen.append(summary.run_id)
            excess_bytes -= run.size_bytes
    return tuple(chosen)


class Housekeeping:
    """Prunes a store while it is used.

    A pass is due with the first finished run, with each `every`-th, and whenever `Retention.slack_bytes` were appended.
    It is done in portions, so that whoever asks the store something does not wait for a whole one.

    What several processes append is counted by each for itself.
    """

    def __init__(
        self,
        engine: StorageEngine,
        retention: Retention | None = None,
        *,
        every: int = 100,
        portion_bytes: int = _PORTION_BYTES,
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._retention = retention or Retention()
        self._every = every
        self._portion_bytes = portion_bytes
        self._clock = clock or SystemClock()
        self._until_due = 1
        """So many runs may still finish before a pass is due."""
        self._measured_at = self._deleted_at = engine.appended_bytes
        """What had been appended when the last pass began, and when the last portion was deleted."""
        self._chosen: list[StoredRun] = []
        """What is left to delete of the pass that goes on, oldest first."""
        self._has_remains = False
        """Whether the space of deleted runs is not all given back yet."""
        self._boot_s = self._booted_s()

    def is_due(self, finished: int) -> bool:
        """Count runs that finished; return whether `tidy` has something to do."""
        self._until_due -= finished
        appended = self._engine.appended_bytes - self._measured_at
        is_much = self._retention.max_bytes is not None and appended > self._retention.slack_bytes
        return bool(self._chosen) or self._has_remains or self._until_due <= 0 or is_much

    def tidy(self) -> Tidied:
        """Delete a portion of what is not kept any longer, in the engine's thread.

        Raises:
            StorageError: the store cannot be read or written; the next pass tries again.
        """
        room_bytes = self._room_bytes()
        if self._engine.reclaim(limit_bytes=room_bytes):
            self._has_remains = True
            return Tidied(gone=(), more=True)
        chosen, self._chosen = self._chosen or self._choose(), []
        portion, rest = _portion(chosen, room_bytes)
        gone = tuple(run.summary.run_id for run in portion)
        self._has_remains = bool(gone) and self._engine.delete_runs(gone, limit_bytes=room_bytes)
        self._chosen = rest
        more = bool(rest) or self._has_remains
        return Tidied(gone=gone, more=more, oversized=None if more else self._oversized())

    def _choose(self) -> list[StoredRun]:
        engine, retention = self._engine, self._retention
        self._until_due = self._every
        self._measured_at = engine.appended_bytes
        if self._clock_was_set():
            # By a clock that was just set a hundred years ahead every run would be old: the next pass knows better.
            retention = msgspec.structs.replace(retention, keep_days=None)
        runs = engine.stored_runs()
        # Its end should be told for a while, above all when it was too large; but it does not crowd out open runs.
        newest = next((run.summary.run_id for run in reversed(runs) if _ended(run)), None)
        is_spared = sum(engine.open_bytes.values()) <= retention.slack_bytes
        ids = runs_to_delete(
            runs, engine.stored_bytes(), retention, self._clock.now(), spared=newest if is_spared else None
        )
        chosen = frozenset(ids)
        return [run for run in runs if run.summary.run_id in chosen]

    def _room_bytes(self) -> int:
        """Return how much to delete now: more than was appended meanwhile."""
        appended = self._engine.appended_bytes
        room_bytes = max(self._portion_bytes, 2 * (appended - self._deleted_at))
        self._deleted_at = appended
        return room_bytes

    def _oversized(self) -> tuple[RunId, ErrorInfo] | None:
        """Return the largest open run, if the open ones alone are more than the store may hold."""
        limit, taken = self._retention.max_bytes, self._engine.open_bytes
        # Both: values that runs share count in each of them, and in the store may be what nobody mentions yet.
        if limit is None or sum(taken.values()) <= limit or self._engine.stored_bytes() <= limit:
            return None
        run_id = max(taken, key=taken.__getitem__)
        return run_id, ErrorInfo(
            "STORE-018",
            f"the run has kept {taken[run_id]:,} bytes, and the store may hold {limit:,}",
            hint="let nodes write files and pass on their paths; or let the store hold more (ATOMITON_KEEP_BYTES)",
        )

    def _clock_was_set(self) -> bool:
        before, self._boot_s = self._boot_s, self._booted_s()
        return abs(self._boot_s - before) > _SUSPICIOUS_S

    def _booted_s(self) -> float:
        """Return when the monotonic clock began, by the wall clock: it moves when that is set, or the machine slept."""
        return self._clock.now().timestamp() - self._clock.monotonic()


def _portion(chosen: list[StoredRun], room_bytes: int) -> tuple[list[StoredRun], list[StoredRun]]:
    """Return the runs to delete now, and the rest."""
    count = 0
    for run in chosen[:_PORTION_RUNS]:
        if room_bytes <= 0:
            break
        room_bytes -= run.size_bytes
        count += 1
    return chosen[:count], chosen[count:]


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
