"""A run of any size leaves the lists at once, and the disk in portions; nothing else waits for all of it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.reuse import Key
from atomiton_runtime.storage.retention import Housekeeping, Retention
from atomiton_runtime.storage.sqlite import SqliteEngine
from tests.doubles.journals import journal, node_succeeded, queued, succeeded

RUN = RunId("R1")
EVENTS = 3000
PORTION_BYTES = 100_000


def many_events(run_id: str) -> list[RunEvent]:
    """Return a whole run of many events, each of them a result."""
    results = [
        msgspec.structs.replace(node_succeeded(run_id, seq), key=Key(hash=f"{run_id} {seq}", parts={}))
        for seq in range(1, EVENTS)
    ]
    return [queued(run_id), *results, succeeded(run_id, EVENTS)]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SqliteEngine]:
    """Return an empty store."""
    made = SqliteEngine(tmp_path / "runs.sqlite3")
    made.open()
    yield made
    made.close()


def test_a_run_that_is_being_deleted_is_seen_by_nobody(engine: SqliteEngine) -> None:
    """While most of its events are still on the disk, it is in no list, and asking for it is no damage."""
    engine.append(many_events("R1"))
    engine.append(journal("R2"))

    assert engine.delete_runs([RUN], limit_bytes=PORTION_BYTES)
    while engine.reclaim(limit_bytes=PORTION_BYTES):
        assert engine.journal(RUN) == ()
        assert engine.part(RUN, 0, limit_bytes=1) == ()
        assert engine.summary(RUN) is None
        assert engine.find_runs("R") == ("R2",)
        assert [entry.summary.run_id for entry in engine.stored_runs()] == ["R2"]
    assert tuple(journal("R2")) == engine.journal(RunId("R2"))


def test_each_portion_gives_a_little_back(engine: SqliteEngine) -> None:
    """The space shrinks from portion to portion, and in the end nothing of the run is left."""
    engine.append(journal("R2"))
    empty_bytes = engine.stored_bytes()
    engine.append(many_events("R1"))
    whole_bytes = engine.stored_bytes()
    engine.delete_runs([RUN], limit_bytes=PORTION_BYTES)
    left_bytes = [engine.stored_bytes()]
    while engine.reclaim(limit_bytes=PORTION_BYTES):
        left_bytes.append(engine.stored_bytes())

    assert sorted(left_bytes, reverse=True) == left_bytes
    assert left_bytes[0] > whole_bytes / 2
    assert len(left_bytes) > 10
    assert engine.stored_bytes() <= empty_bytes
    assert not engine.reclaim(limit_bytes=PORTION_BYTES)


def test_what_a_dead_process_has_left_to_delete_is_deleted_later(
    engine: SqliteEngine, tmp_path: Path
) -> None:
    """The store itself knows what is left of deleted runs."""
    engine.append(many_events("R1"))
    engine.append(many_events("R2"))
    engine.delete_runs([RUN, RunId("R2")], limit_bytes=PORTION_BYTES)
    engine.close()
    again = SqliteEngine(tmp_path / "runs.sqlite3")
    again.open()
    empty = Housekeeping(again, Retention())
    while empty.tidy().more:
        assert empty.is_due(0)

    assert again.stored_bytes() < PORTION_BYTES
    again.close()


def test_without_a_limit_all_goes_at_once(engine: SqliteEngine) -> None:
    """Nothing is left to reclaim, of however many runs."""
    engine.append(many_events("R1"))
    engine.append(many_events("R2"))

    assert not engine.delete_runs([RUN, RUN, RunId("R2")])
    assert not engine.reclaim(limit_bytes=1)
    assert engine.stored_bytes() < PORTION_BYTES


def test_retention_deletes_a_large_run_in_portions(engine: SqliteEngine) -> None:
    """The run is gone with the first portion; a pass ends with the last one, and then measures anew."""
    engine.append(many_events("R1"))
    for number in range(2, 5):
        engine.append(journal(f"R{number}"))
    housekeeping = Housekeeping(engine, Retention(keep_runs=1), portion_bytes=PORTION_BYTES)
    first = housekeeping.tidy()
    assert first.gone[0] == RUN
    assert first.more
    portions = 1
    while housekeeping.is_due(0):
        portions += housekeeping.tidy().more

    assert portions > 10
    assert [summary.run_id for summary in engine.summaries()] == ["R4"]


def test_a_store_that_cannot_be_written_reclaims_nothing(engine: SqliteEngine, tmp_path: Path) -> None:
    """What is left of deleted runs is no obstacle to reading the others."""
    engine.append(many_events("R1"))
    engine.append(journal("R2"))
    engine.delete_runs([RUN], limit_bytes=PORTION_BYTES)
    engine.close()
    reader = SqliteEngine(tmp_path / "runs.sqlite3")
    reader.open_for_reading()

    assert reader.journal(RUN) == ()
    assert tuple(journal("R2")) == reader.journal(RunId("R2"))
    with pytest.raises(StorageError):
        reader.reclaim(limit_bytes=PORTION_BYTES)
    reader.close()
