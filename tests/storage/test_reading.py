"""Stores on disks that cannot be written are read all the same, and stay as they are."""

import shutil
import tempfile
from pathlib import Path

import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.storage import sqlite_reading
from atomiton_runtime.storage.create import ENGINES, create_storage
from atomiton_runtime.storage.engine import StorageEngine
from tests.doubles.journals import journal, queued
from tests.storage.test_faults import files_end_at

RUN = RunId("R1")


def left_behind(scheme: str, folder: Path, *, killed: bool) -> Path:
    """Return where a store with one run lies that nobody has open; of a killed process, without its shared memory."""
    here, there = folder / "here" / "store", folder / "there" / "store"
    engine = create_storage(f"{scheme}:///{here}")
    engine.open()
    engine.append(journal("R1"))
    if not killed:
        engine.close()
    ignored = shutil.ignore_patterns("*-shm", "*.lock")
    shutil.copytree(here.parent, there.parent, ignore=ignored)
    engine.close()
    return there


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def opened_for_reading(scheme: str, store: Path) -> StorageEngine:
    engine = create_storage(f"{scheme}:///{store}")
    engine.open_for_reading()
    return engine


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("scheme", ["sqlite", "files"])
def test_a_store_is_read_and_not_touched(tmp_path: Path, scratch: Path, scheme: str, killed: bool) -> None:
    """All that was kept is there, every change is refused, and no file is made, changed or left."""
    store = left_behind(scheme, tmp_path, killed=killed)
    before = content(store.parent)
    engine = opened_for_reading(scheme, store)

    assert list(engine.journal(RUN)) == journal("R1")
    assert engine.find_runs("r") == (RUN,)
    summary = engine.summary(RUN)
    assert summary is not None
    assert engine.summaries() == (summary,)
    assert [run.summary for run in engine.stored_runs()] == [summary]
    assert engine.stored_bytes() > 0
    for change in (lambda: engine.append([queued("R2")]), lambda: engine.delete_runs([RUN])):
        with pytest.raises(StorageError) as refused:
            change()
        assert refused.value.code == "STORE-002"
    engine.close()
    assert content(store.parent) == before
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("scheme", ENGINES)
def test_a_store_that_is_not_there_cannot_be_read(tmp_path: Path, scheme: str) -> None:
    """Nothing is made in its place."""
    engine = create_storage("memory:" if scheme == "memory" else f"{scheme}:///{tmp_path / 'store'}")
    with pytest.raises(StorageError) as raised:
        engine.open_for_reading()
    assert raised.value.code == "STORE-001"
    assert not (tmp_path / "store").exists()


def test_a_store_may_be_opened_again_to_write(tmp_path: Path) -> None:
    """Reading is over when it is closed."""
    for scheme in ("sqlite", "files"):
        store = left_behind(scheme, tmp_path / scheme, killed=True)
        engine = opened_for_reading(scheme, store)
        engine.close()
        engine.open()
        engine.append([queued("R2")])
        assert engine.find_runs("R2") == (RunId("R2"),)
        engine.close()


def test_where_no_disk_has_room_memory_has(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that a write-ahead log needs goes where there is room; nowhere: that is said."""
    store = left_behind("sqlite", tmp_path, killed=True)
    scratch.rmdir()
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(sqlite_reading, "IN_MEMORY", memory)
    engine = opened_for_reading("sqlite", store)
    assert list(engine.journal(RUN)) == journal("R1")
    engine.close()
    assert list(memory.iterdir()) == []

    with files_end_at(1000), pytest.raises(StorageError) as raised:
        opened_for_reading("sqlite", store)
    assert raised.value.code == "STORE-011"
    assert list(memory.iterdir()) == []
    memory.rmdir()
    with pytest.raises(StorageError) as raised:
        opened_for_reading("sqlite", store)
    assert raised.value.code == "STORE-011"


def test_a_damaged_store_cannot_be_read(tmp_path: Path) -> None:
    """That it cannot be written either does not make it whole."""
    store = tmp_path / "store"
    store.write_text("no database")
    with pytest.raises(StorageError) as raised:
        opened_for_reading("sqlite", store)
    assert raised.value.code == "STORE-005"
