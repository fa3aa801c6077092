"""A journal is whole, or it is damage: what is told of it to others is never a part that looks like all."""

import sqlite3
from pathlib import Path

import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.document import RunSummary, summarize
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage.salvage import is_whole
from atomiton_runtime.storage.sqlite import SqliteEngine
from tests.doubles.journals import journal

RUN = RunId("R1")


def summary_of(events: list[RunEvent]) -> RunSummary | None:
    """Return what the events come to."""
    told: RunSummary | None = None
    for event in events:
        told = summarize(told, event)
    return told


def test_a_run_that_is_not_there_is_whole_without_a_summary_alone() -> None:
    """No events and no summary are no damage; one of them without the other is."""
    events = journal("R1")

    assert is_whole(RUN, (), None)
    assert not is_whole(RUN, (), summary_of(events))
    assert not is_whole(RUN, events, None)
    assert is_whole(RUN, events, summary_of(events))
    assert not is_whole(RunId("R2"), events, summary_of(events))
    assert not is_whole(RUN, events[1:], summary_of(events))


def test_a_journal_with_a_gap_is_damage(tmp_path: Path) -> None:
    """An event that is gone from under a running store is told, and not passed over."""
    path = tmp_path / "runs.sqlite3"
    engine = SqliteEngine(path)
    engine.open()
    engine.append(journal("R1"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DELETE FROM events WHERE run_id = 'R1' AND seq = 1")
    other.close()

    with pytest.raises(StorageError, match="the journal of the run R1 is not whole"):
        engine.journal(RUN)
    engine.close()
