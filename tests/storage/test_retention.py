"""Old runs go, by count, age and size; active ones and the newest stay."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.storage.create import create_memory_engine
from atomiton_runtime.storage.engine import StoredRun
from atomiton_runtime.storage.memory import MemoryEngine
from atomiton_runtime.storage.retention import Housekeeping, Retention, Tidied, runs_to_delete
from tests.doubles.journals import AT, failed, journal, node_succeeded, queued, succeeded

UNLIMITED = Retention(keep_runs=None, keep_days=None, max_bytes=None)


@pytest.fixture
def engine() -> Iterator[MemoryEngine]:
    """Return an empty store."""
    made = MemoryEngine()
    made.open()
    yield made
    made.close()


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

    housekeeping = Housekeeping(engine, retention)
    assert housekeeping.tidy().gone == ("R0", "R1", "R2")
    assert housekeeping.tidy().gone == ()
    assert [summary.run_id for summary in engine.summaries()] == ["R5", "R4", "R3"]
    engine.close()


def finished(housekeeping: Housekeeping) -> tuple[RunId, ...]:
    """Let a run finish; return the runs that go with that."""
    return housekeeping.tidy().gone if housekeeping.is_due(1) else ()


def test_housekeeping_works_now_and_then() -> None:
    """The first finished run starts a pass, then each tenth."""
    engine = create_memory_engine()
    engine.open()
    housekeeping = Housekeeping(engine, Retention(keep_runs=2), every=10)
    gone: list[tuple[RunId, ...]] = []
    for number in range(21):
        engine.append(journal(f"R{number:02d}"))
        gone.append(finished(housekeeping))

    assert [0, *(number for number, runs in enumerate(gone) if runs)] == [0, 10, 20]
    assert len(engine.summaries()) == 2
    assert finished(Housekeeping(engine)) == ()
    engine.close()


def kilobytes(run_id: str, count: int) -> list[RunEvent]:
    """Return a whole run with an output of so many kilobytes."""
    outputs = {"result": msgspec.Raw(b'"' + b"x" * count * 1000 + b'"')}
    return [queued(run_id), node_succeeded(run_id, 1, outputs=outputs), succeeded(run_id, 2)]


def test_a_pass_is_due_when_much_was_appended(engine: MemoryEngine) -> None:
    """Not runs alone count: when a 64th of the limit was appended, of whatever run, the store is measured."""
    limit = 640_000
    housekeeping = Housekeeping(engine, Retention(max_bytes=limit))
    assert finished(housekeeping) == ()
    gone: list[RunId] = []
    for number in range(200):
        events = kilobytes(f"R{number:03d}", 9)
        engine.append(events[:2])
        while housekeeping.is_due(0):
            gone += housekeeping.tidy().gone
        assert engine.stored_bytes() <= limit * 17 / 16
        engine.append(events)

    assert gone == [f"R{number:03d}" for number in range(len(gone))]
    assert len(gone) > 120
    assert housekeeping.is_due(0) is False


def test_without_a_limit_of_bytes_only_runs_count(engine: MemoryEngine) -> None:
    """Whatever is appended, no pass is due before runs have finished."""
    housekeeping = Housekeeping(engine, Retention(max_bytes=None))
    assert finished(housekeeping) == ()
    engine.append(kilobytes("R1", 5000))

    assert housekeeping.is_due(0) is False
    assert housekeeping.tidy() == Tidied(gone=())


def test_a_pass_frees_a_little_more_than_it_must(engine: MemoryEngine) -> None:
    """Else there would be something to delete with every run from then on."""
    runs = [run(f"{number:03d}", size=10) for number in range(65)]
    assert len(runs_to_delete(runs, 650, Retention(max_bytes=649), AT)) == 2
    assert len(runs_to_delete(runs, 650, Retention(max_bytes=650), AT)) == 0


def test_much_to_delete_is_deleted_in_portions(engine: MemoryEngine) -> None:
    """A portion is so many bytes or so many runs, and more than was appended since the last one."""
    for number in range(250):
        engine.append(kilobytes(f"R{number:03d}", 1))
    for number in range(250, 260):
        engine.append(kilobytes(f"R{number:03d}", 1500))
    housekeeping = Housekeeping(engine, Retention(keep_runs=2))
    portions = [housekeeping.tidy(), housekeeping.tidy()]
    assert housekeeping.is_due(0)
    engine.append(kilobytes("R260", 6000))
    portions.append(housekeeping.tidy())

    assert [200, 52, 6] == [len(portion.gone) for portion in portions]
    assert [True, True, False] == [portion.more for portion in portions]
    assert not housekeeping.is_due(0)


def test_a_fault_in_a_pass_ends_it(engine: MemoryEngine) -> None:
    """What was chosen is chosen anew by the next pass."""
    for number in range(3):
        engine.append(kilobytes(f"R{number}", 1))
    housekeeping = Housekeeping(engine, Retention(keep_runs=1))
    engine.close()
    with pytest.raises(StorageError):
        housekeeping.tidy()
    engine.open()

    assert Tidied(gone=()) == housekeeping.tidy()


def test_the_newest_ended_run_can_be_looked_at(engine: MemoryEngine) -> None:
    """One that is larger than the store may be stays until others need the room."""
    housekeeping = Housekeeping(engine, Retention(max_bytes=64_000))
    engine.append(kilobytes("R1", 70))
    assert housekeeping.tidy().gone == ()
    engine.append(kilobytes("R2", 2)[:2])
    assert housekeeping.tidy().gone == ("R1",)


def test_open_runs_that_are_too_large_must_end(engine: MemoryEngine) -> None:
    """The largest one is named when the open runs alone are too much for the store, and not before."""
    housekeeping = Housekeeping(engine, Retention(max_bytes=64_000))
    engine.append(kilobytes("R1", 30)[:2])
    assert housekeeping.tidy().oversized is None
    engine.append(kilobytes("R2", 40)[:2])
    oversized = housekeeping.tidy().oversized

    assert oversized is not None
    assert ("R2", "STORE-018") == (oversized[0], oversized[1].code)
    assert "64,000" in oversized[1].message
    engine.append([failed("R2", 2)])
    assert housekeeping.tidy() == Tidied(gone=("R2",))


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
    assert finished(housekeeping) == ()
    clock.wall += timedelta(days=36_500)
    assert finished(housekeeping) == ()
    clock.wall = AT
    assert finished(housekeeping) == ()
    clock.wall += timedelta(days=91)
    clock.since_boot_s += 91 * 86_400
    assert finished(housekeeping) == ("R1",)
    engine.close()
