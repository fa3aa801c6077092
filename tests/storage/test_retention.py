"""Old runs go, by count, age and size; active ones and the newest stay."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunStatus
from atomiton_runtime.storage.create import create_memory_engine
from atomiton_runtime.storage.engine import StoredRun
from atomiton_runtime.storage.retention import Housekeeping, Retention, prune, runs_to_delete
from tests.doubles.journals import AT, journal, queued

UNLIMITED = Retention(keep_runs=None, keep_days=None, max_bytes=None)


def run(
    run_id: str, *, flow: str = "f", status: RunStatus = "succeeded", days: float = 0, size: int = 10
) -> StoredRun:
    summary = RunSummary(
        run_id=RunId(run_id),
        flow=FlowId(flow),
        status=status,
        trigger="cli",
        started_at=AT - timedelta(days=days),
    )
    return StoredRun(summary=summary, size_bytes=size)


RUNS = [
    run("1", days=100),
    run("2", days=95, status="running"),
    run("3", flow="g", days=50),
    run("4", days=40, status="failed"),
    run("5", status="queued"),
    run("6"),
]


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        (UNLIMITED, ""),
        (Retention(), "1"),
        (Retention(keep_runs=None, keep_days=45.0, max_bytes=None), "13"),
        (Retention(keep_runs=1, keep_days=None, max_bytes=None), "14"),
        (Retention(keep_runs=0, keep_days=None, max_bytes=None), "1346"),
        (Retention(keep_runs=None, keep_days=None, max_bytes=60), ""),
        (Retention(keep_runs=None, keep_days=None, max_bytes=59), "1"),
        (Retention(keep_runs=None, keep_days=None, max_bytes=40), "13"),
        (Retention(keep_runs=None, keep_days=None, max_bytes=0), "1346"),
        (Retention(keep_runs=2, keep_days=99.0, max_bytes=45), "13"),
    ],
)
def test_the_oldest_go_first(retention: Retention, expected: str) -> None:
    """Each limit chooses the oldest ended runs, and what one limit frees counts for the other."""
    assert tuple(expected) == runs_to_delete(RUNS, 60, retention, AT)


@given(
    statuses=st.lists(st.sampled_from(["queued", "running", "succeeded", "interrupted"]), max_size=12),
    keep=st.integers(0, 5),
    limit=st.integers(0, 150),
)
def test_no_active_run_is_ever_chosen(statuses: list[RunStatus], keep: int, limit: int) -> None:
    """Only ended runs are chosen, and afterwards the limits hold or nothing ended is left."""
    runs = [run(f"{number:02d}", status=status) for number, status in enumerate(statuses)]
    retention = Retention(keep_runs=keep, keep_days=None, max_bytes=limit)
    chosen = runs_to_delete(runs, 10 * len(runs), retention, AT)
    left = [entry for entry in runs if entry.summary.run_id not in chosen]
    ended = [entry for entry in left if entry.summary.status in ("succeeded", "interrupted")]

    assert all(entry in left for entry in runs if entry.summary.status in ("queued", "running"))
    assert len(ended) <= keep
    assert 10 * len(left) <= limit or not ended


def test_pruning_deletes() -> None:
    """What was chosen is gone from the store, and a second pass finds nothing."""
    engine = create_memory_engine()
    engine.open()
    for number in range(5):
        engine.append(journal(f"R{number}"))
    engine.append([queued("R5")])
    retention = Retention(keep_runs=2)

    assert prune(engine, retention, AT) == ("R0", "R1", "R2")
    assert prune(engine, retention, AT) == ()
    assert [summary.run_id for summary in engine.summaries()] == ["R5", "R4", "R3"]
    engine.close()


def test_housekeeping_works_now_and_then() -> None:
    """The first finished run starts a pass, then each tenth."""
    engine = create_memory_engine()
    engine.open()
    housekeeping = Housekeeping(engine, Retention(keep_runs=2), every=10)
    gone: list[tuple[RunId, ...]] = []
    for number in range(21):
        engine.append(journal(f"R{number:02d}"))
        gone.append(housekeeping.run_finished())

    assert [0, *(number for number, runs in enumerate(gone) if runs)] == [0, 10, 20]
    assert len(engine.summaries()) == 2
    assert Housekeeping(engine).run_finished() == ()
    engine.close()


class SetClock:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.wall, self.since_boot_s = AT, 1000.0

    def now(self) -> datetime:
        """Return the wall clock."""
        return self.wall

    def monotonic(self) -> float:
        """Return the monotonic clock."""
        return self.since_boot_s


def test_a_clock_that_was_set_ahead_makes_nothing_old_at_once() -> None:
    """By a clock that is a hundred years ahead all would go; if it stays there, the next pass deletes them."""
    engine = create_memory_engine()
    engine.open()
    clock = SetClock()
    housekeeping = Housekeeping(engine, every=1, clock=clock)
    engine.append(journal("R1"))
    assert housekeeping.run_finished() == ()
    clock.wall += timedelta(days=36_500)
    assert housekeeping.run_finished() == ()
    clock.wall = AT
    assert housekeeping.run_finished() == ()
    clock.wall += timedelta(days=91)
    clock.since_boot_s += 91 * 86_400
    assert housekeeping.run_finished() == ("R1",)
    engine.close()
