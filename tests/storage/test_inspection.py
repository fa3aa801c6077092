"""A store can be looked at without being opened: nothing beside or in it changes."""

import sqlite3
from pathlib import Path

import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.storage.create import create_sqlite_engine
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.storage.inspection import inspect_sqlite
from atomiton_runtime.values import LARGE_VALUE_BYTES
from tests.doubles.journals import queued


def opened(path: Path) -> StorageEngine:
    """Return an open store."""
    engine = create_sqlite_engine(path)
    engine.open()
    return engine


def files_of(folder: Path) -> dict[str, bytes]:
    """Return name -> content of every file; what SQLite shares between processes is no content."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the place of a store, whose name needs quoting in an address."""
    return tmp_path / "runs 100%?#.sqlite3"


def test_no_file_is_no_store(path: Path) -> None:
    """What is not there is not made."""
    assert inspect_sqlite(path, in_use=False) is None
    assert list(path.parent.iterdir()) == []


def test_an_empty_file_is_a_store_to_be(path: Path) -> None:
    """A file without a byte is what a crash at the very beginning leaves; it is opened like a new one."""
    path.touch()
    report = inspect_sqlite(path, in_use=False)

    assert report is not None
    assert (report.schema, report.runs, report.size_bytes) == (0, 0, 0)


def test_a_closed_store_is_counted_and_unchanged(path: Path) -> None:
    """Runs, schema and size are said, large values included; not a byte changes and no file comes."""
    engine = opened(path)
    engine.append([queued("R1"), queued("R2")])
    engine.large_values.pack({"result": "x" * (LARGE_VALUE_BYTES + 1)})
    engine.close()
    before = files_of(path.parent)

    report = inspect_sqlite(path, in_use=False)

    assert report is not None
    assert (report.engine, report.schema, report.runs, report.unfinished) == ("sqlite", 2, 2, False)
    assert report.size_bytes == sum(map(len, before.values()))
    assert files_of(path.parent) == before


def test_a_store_in_use_is_read_with_its_newest_runs(path: Path) -> None:
    """What another connection has committed a moment ago is counted; it goes on undisturbed."""
    engine = opened(path)
    engine.append([queued("R1")])
    before = files_of(path.parent)
    report = inspect_sqlite(path, in_use=True)
    unchanged = files_of(path.parent) == before
    engine.append([queued("R2")])
    engine.close()

    assert report is not None
    assert (report.runs, report.unfinished, unchanged) == (1, False, True)


def test_what_a_dead_process_left_is_left(path: Path, tmp_path: Path) -> None:
    """A store whose process was killed is read as far as it was closed, and its log stays for the next start."""
    engine = opened(path)
    engine.append([queued("R1")])
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    for name, content in files_of(path.parent).items():
        (copy.parent / name).write_bytes(content)
    engine.close()
    before = files_of(copy.parent)

    report = inspect_sqlite(copy, in_use=False)

    assert report is not None
    assert report.unfinished
    assert files_of(copy.parent) == before


def make_newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:4296] = b"\xff" * 200
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (make_newer, "STORE-004"),
        (damage, "STORE-005"),
        (lambda path: path.write_bytes(b"short"), "STORE-005"),
        (lambda path: path.write_bytes(b"x" * 5000), "STORE-005"),
        (lambda path: (path.unlink(), path.mkdir()), "STORE-001"),
    ],
)
def test_a_spoilt_store_is_said_and_left(path: Path, spoil: object, code: str) -> None:
    """A newer, damaged or foreign file is told apart, and stays as it is."""
    engine = opened(path)
    engine.append([queued(f"R{number}") for number in range(200)])
    engine.close()
    assert callable(spoil)
    spoil(path)
    before = files_of(path.parent)

    with pytest.raises(StorageError) as caught:
        inspect_sqlite(path, in_use=False)

    assert caught.value.code == code
    assert files_of(path.parent) == before


def test_a_large_store_is_not_read_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of every page is for files of a size that is read in a moment."""
    monkeypatch.setattr("atomiton_runtime.storage.inspection._CHECKED_BYTES", 0)
    engine = opened(path)
    engine.append([queued("R1")])
    engine.close()
    report = inspect_sqlite(path, in_use=False)

    assert report is not None
    assert report.runs == 1
