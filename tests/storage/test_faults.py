"""A disk that refuses, a file that is damaged: the store says so, stays as it was and is usable afterwards."""

import errno
import os
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import RunEvent, encode_event
from atomiton_runtime.storage import filesystem, run_folder
from atomiton_runtime.storage import sqlite as sqlite_engine
from atomiton_runtime.storage.create import create_filesystem_engine, create_sqlite_engine, create_storage
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.storage.sqlite_errors import explained
from atomiton_runtime.storage.undo import UndoNote
from atomiton_runtime.values import LARGE_VALUE_BYTES
from tests.doubles.journals import journal, node_started, node_succeeded, queued, started
from tests.storage.test_engine import address

DISK_ENGINES = ["sqlite", "files"]


@contextmanager
def files_end_at(limit_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond `limit_bytes`, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=DISK_ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageEngine]:
    engine = create_storage(address(request.param, tmp_path))
    engine.open()
    yield engine
    engine.close()


def large_event(run: str, seq: int, size_bytes: int) -> RunEvent:
    return node_succeeded(run, seq, outputs={"result": msgspec.Raw(b'"' + b"x" * size_bytes + b'"')})


def test_a_full_disk_changes_nothing(engine: StorageEngine) -> None:
    """A group that does not fit is STORE-002 as a whole; what fits later is stored, what was there is readable."""
    engine.append([queued("R1"), queued("R2")])
    group = [started("R1"), started("R2"), large_event("R2", 2, 900_000), queued("R3")]
    with files_end_at(400_000), pytest.raises(StorageError) as caught:
        engine.append(group)

    assert caught.value.code == "STORE-002"
    assert "store" in caught.value.message
    assert caught.value.hint
    assert [len(engine.journal(RunId(run))) for run in ("R1", "R2", "R3")] == [1, 1, 0]
    assert [summary.status for summary in engine.summaries()] == ["queued", "queued"]
    engine.append(group)
    assert [len(engine.journal(RunId(run))) for run in ("R1", "R2", "R3")] == [2, 3, 1]


def test_a_full_disk_refuses_a_large_value(engine: StorageEngine) -> None:
    """A value whose file does not fit is STORE-002 and leaves no half of a file."""
    with files_end_at(LARGE_VALUE_BYTES // 2), pytest.raises(StorageError) as caught:
        engine.large_values.pack({"result": "x" * LARGE_VALUE_BYTES})

    assert caught.value.code == "STORE-002"
    assert engine.large_values.stored_bytes() == 0


def appended_until_full(engine: StorageEngine) -> None:
    for number in range(100):
        engine.append([queued(f"R{number:02d}"), large_event(f"R{number:02d}", 1, 30_000)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
@pytest.mark.parametrize("scheme", DISK_ENGINES)
def test_a_truly_full_disk(scheme: str, tmp_path: Path) -> None:
    """On a file system of 1 MiB every acknowledged run stays readable when it is full, and deleting frees it."""
    if os.system(f"mount -t tmpfs -o size=1m none {tmp_path} 2>/dev/null"):
        pytest.skip("this machine does not allow mounting")
    engine = create_storage(address(scheme, tmp_path))
    try:
        engine.open()
        with pytest.raises(StorageError) as caught:
            appended_until_full(engine)
        kept = len(engine.summaries(limit=100))
        assert caught.value.code == "STORE-002"
        assert "No space left on device" in caught.value.message
        assert 5 < kept < 40
        for number in range(kept):
            assert len(engine.journal(RunId(f"R{number:02d}"))) == 2
        assert engine.journal(RunId(f"R{kept:02d}")) == ()
    finally:
        engine.close()
        os.system(f"umount {tmp_path}")


@pytest.mark.parametrize("scheme", DISK_ENGINES)
def test_a_place_that_cannot_be_a_store(scheme: str, tmp_path: Path) -> None:
    """A file in the way of the folder is STORE-001 with path, reason and hint."""
    (tmp_path / "file").write_text("mine")
    engine = create_storage(f"{scheme}:///{tmp_path / 'file' / 'store'}")
    with pytest.raises(StorageError) as caught:
        engine.open()

    assert caught.value.code == "STORE-001"
    assert str(tmp_path / "file") in caught.value.message
    assert "Not a directory" in caught.value.message or "File exists" in caught.value.message
    assert caught.value.hint
    assert (tmp_path / "file").read_text() == "mine"
    engine.close()


def test_a_folder_where_the_database_should_be(tmp_path: Path) -> None:
    """A folder named like the database is STORE-001 with the system's words."""
    with pytest.raises(StorageError, match="Is a directory") as caught:
        create_sqlite_engine(tmp_path).open()

    assert caught.value.code == "STORE-001"


def filled(path: Path) -> None:
    engine = create_sqlite_engine(path)
    engine.open()
    for number in range(40):
        engine.append(journal(f"R{number:02d}", middle=10))
    engine.close()


def opened_and_read(engine: StorageEngine) -> None:
    engine.open()
    for number in range(40):
        engine.journal(RunId(f"R{number:02d}"))


def test_a_cut_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    """A database cut at any length gives a StorageError, at opening or reading, and keeps its bytes."""
    whole = tmp_path / "whole"
    filled(whole)
    content = whole.read_bytes()
    path = tmp_path / "cut"
    for length in (
        1,
        50,
        99,
        100,
        1000,
        4096,
        5000,
        8192,
        len(content) // 2,
        len(content) - 4096,
    ):
        path.write_bytes(content[:length])
        engine = create_sqlite_engine(path)
        try:
            with pytest.raises(StorageError) as caught:
                opened_and_read(engine)
        finally:
            engine.close()
        assert caught.value.code == "STORE-005"
        assert str(path) in caught.value.message
        assert content[:length][100:] == path.read_bytes()[100:]


@pytest.mark.parametrize(
    ("statement", "code"),
    [("PRAGMA user_version = 99", "STORE-004"), ("CREATE TABLE theirs (a)", "STORE-005")],
)
def test_a_database_of_others_is_refused(tmp_path: Path, statement: str, code: str) -> None:
    """A newer schema and another program's database are refused, and left as they are."""
    path = tmp_path / "store"
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()
    content = path.read_bytes()
    engine = create_sqlite_engine(path)
    with pytest.raises(StorageError) as caught:
        engine.open()

    assert code == caught.value.code
    assert caught.value.hint
    assert content == path.read_bytes()


def test_text_is_no_database(tmp_path: Path) -> None:
    """A text file is STORE-005 and keeps its content."""
    (tmp_path / "store").write_text("shopping list\n" * 100)
    with pytest.raises(StorageError, match="not a database") as caught:
        create_sqlite_engine(tmp_path / "store").open()

    assert caught.value.code == "STORE-005"
    assert (tmp_path / "store").read_text().startswith("shopping list")


@pytest.mark.parametrize(("table", "read"), [("events", "journal"), ("runs", "summary")])
def test_a_damaged_row_is_named(tmp_path: Path, table: str, read: str) -> None:
    """A row that is no event or summary is STORE-005, not a traceback."""
    path = tmp_path / "store"
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {table} SET body = '{{}}' WHERE run_id = 'R00'")
    connection.close()
    engine = create_sqlite_engine(path)
    engine.open()
    with pytest.raises(StorageError, match="cannot be understood") as caught:
        getattr(engine, read)(RunId("R00"))

    assert caught.value.code == "STORE-005"
    engine.close()


def test_a_locked_database_is_waited_for_then_reported(tmp_path: Path) -> None:
    """A store that another process keeps locked is STORE-007, and usable once it is free."""
    from atomiton_runtime.storage.sqlite import SqliteEngine

    engine = SqliteEngine(tmp_path / "store", busy_timeout_s=0.01)
    engine.open()
    other = sqlite3.connect(tmp_path / "store", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError) as caught:
        engine.append([queued("R1")])
    other.close()
    engine.append([queued("R1")])

    assert caught.value.code == "STORE-007"
    engine.close()


def test_a_file_system_without_wal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite cannot share memory between processes (a network folder) the store is refused: STORE-006."""
    connect = sqlite3.connect

    def without_locks(path: Path, **options: object) -> sqlite3.Connection:
        return connect(f"file:{path}?vfs=unix-none", uri=True, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", without_locks)
    with pytest.raises(StorageError) as caught:
        create_sqlite_engine(tmp_path / "store").open()

    assert caught.value.code == "STORE-006"


def test_sqlite_words_become_ours(tmp_path: Path) -> None:
    """Each kind of refusal has its code; an unknown one keeps SQLite's words."""

    def code_of(kind: int) -> str:
        error = sqlite3.OperationalError("odd")
        error.sqlite_errorcode = kind
        found = explained(error, "STORE-002", "write", tmp_path / "store")
        assert str(tmp_path / "store") in found.message
        return found.code

    assert code_of(sqlite3.SQLITE_FULL) == "STORE-002"
    assert code_of(sqlite3.SQLITE_IOERR_WRITE) == "STORE-002"
    assert code_of(sqlite3.SQLITE_CORRUPT) == "STORE-005"
    assert code_of(sqlite3.SQLITE_CANTOPEN) == "STORE-002"
    assert "odd" in explained(sqlite3.OperationalError("odd"), "STORE-011", "read", tmp_path).message
    assert "No such file" in explained(FileNotFoundError(2, "x"), "STORE-011", "read", tmp_path).message
    (tmp_path / "there").touch()
    error = sqlite3.OperationalError("unable to open")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert "cannot open" in explained(error, "STORE-001", "open", tmp_path / "there").message


@pytest.fixture
def files(tmp_path: Path) -> Iterator[StorageEngine]:
    engine = create_filesystem_engine(tmp_path / "store")
    engine.open()
    yield engine
    engine.close()


def test_a_run_can_be_read_with_cat(files: StorageEngine, tmp_path: Path) -> None:
    """run.toml and events.jsonl are text that a person reads."""
    files.append(journal("R1"))
    folder = tmp_path / "store" / "customers" / "R1"
    text = (folder / "run.toml").read_text()

    assert 'status = "succeeded"' in text
    assert "limit = 5" in text
    assert "started_at = 2026-11-23" in text
    assert len((folder / "events.jsonl").read_text().splitlines()) == 7


def test_a_torn_line_is_cut_off(files: StorageEngine, tmp_path: Path) -> None:
    """What a kill left of an unfinished line is not read, and the next append removes it."""
    files.append([queued("R1"), started("R1")])
    path = tmp_path / "store" / "customers" / "R1" / "events.jsonl"
    path.write_bytes(path.read_bytes() + b'{"kind":"NodeSta')
    assert len(files.journal(RunId("R1"))) == 2
    files.append(journal("R1"))

    assert len(files.journal(RunId("R1"))) == 7


@pytest.mark.parametrize("content", [None, "", "status = 1", "not toml", 'status = "failed"\nsize_bytes = 1'])
def test_run_toml_is_made_anew_from_the_events(
    files: StorageEngine, tmp_path: Path, content: str | None
) -> None:
    """A run.toml that is missing or spoilt loses nothing: the events are the truth."""
    files.append(journal("R1"))
    path = tmp_path / "store" / "customers" / "R1" / "run.toml"
    path.unlink() if content is None else path.write_text(content)

    assert files.summary(RunId("R1")).status == "succeeded"


def test_an_unfinished_group_is_taken_back_at_the_next_use(files: StorageEngine, tmp_path: Path) -> None:
    """A process that died in a group leaves a note; whoever comes next brings the store back."""
    root = tmp_path / "store"
    files.append([queued("R1")])
    events = root / "customers" / "R1" / "events.jsonl"
    new = root / "customers" / "R2" / "events.jsonl"
    UndoNote(root, sync=False).write([(events, events.stat().st_size), (new, 0)])
    run_folder.append_lines(events, [b"half a group"], sync=False)
    new.parent.mkdir()
    run_folder.append_lines(new, [b"the other half"], sync=False)

    assert len(files.journal(RunId("R1"))) == 1
    assert not new.parent.exists()
    files.append(journal("R1"))


def test_an_unreadable_note_is_discarded(files: StorageEngine, tmp_path: Path) -> None:
    """A note that a power cut spoilt was never followed by an acknowledgement."""
    (tmp_path / "store" / ".undo").write_bytes(b"")
    files.append(journal("R1"))

    assert not (tmp_path / "store" / ".undo").exists()


def test_a_line_that_is_no_event_is_named(files: StorageEngine, tmp_path: Path) -> None:
    """A damaged line is STORE-005 with the file's path."""
    files.append([queued("R1")])
    path = tmp_path / "store" / "customers" / "R1" / "events.jsonl"
    path.write_bytes(b"{}\n")
    with pytest.raises(StorageError, match=r"events\.jsonl") as caught:
        files.journal(RunId("R1"))

    assert caught.value.code == "STORE-005"


def test_a_run_removed_by_hand_is_gone(files: StorageEngine, tmp_path: Path) -> None:
    """Who deletes a run's folder or its events deletes the run; stray folders are no runs."""
    files.append([queued("R1"), queued("R2")])
    shutil.rmtree(tmp_path / "store" / "customers" / "R1")
    (tmp_path / "store" / "customers" / "R2" / "events.jsonl").unlink()
    (tmp_path / "store" / "customers" / "R3").mkdir()
    files.append([queued("R1")])
    files.append([queued("R2")])

    assert [len(files.journal(RunId(run))) for run in ("R1", "R2", "R3")] == [1, 1, 0]
    assert [summary.run_id for summary in files.summaries()] == ["R2", "R1"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("photo.jpg", "x", "STORE-005"),
        ("store.toml", "version = 9", "STORE-004"),
        ("store.toml", "?", "STORE-005"),
    ],
)
def test_a_folder_of_others_is_refused(tmp_path: Path, name: str, content: str, code: str) -> None:
    """A folder with other things, or of a newer version, is refused and left as it is."""
    (tmp_path / name).write_text(content)
    engine = create_filesystem_engine(tmp_path)
    with pytest.raises(StorageError) as caught:
        engine.open()

    assert code == caught.value.code
    assert content == (tmp_path / name).read_text()


def test_a_locked_folder_is_waited_for_then_reported(tmp_path: Path) -> None:
    """A folder that another process keeps locked is STORE-007."""
    import filelock

    from atomiton_runtime.storage.filesystem import FilesystemEngine

    engine = FilesystemEngine(tmp_path / "store", busy_timeout_s=0.01)
    engine.open()
    with (
        filelock.FileLock(tmp_path / "store" / ".lock", is_singleton=False),
        pytest.raises(StorageError) as caught,
    ):
        engine.append([queued("R1")])
    engine.append([queued("R1")])

    assert caught.value.code == "STORE-007"
    engine.close()


def test_a_delete_that_fails_deletes_nothing(files: StorageEngine, tmp_path: Path) -> None:
    """When one of several runs cannot be moved out of the store, all of them stay."""
    files.append([*journal("R1"), *journal("R2")])
    in_the_way = tmp_path / "store" / ".deleted" / "R2" / "file"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    with pytest.raises(StorageError) as caught:
        files.delete_runs([RunId("R1"), RunId("R2")])

    assert caught.value.code == "STORE-002"
    assert [len(files.journal(RunId(run))) for run in ("R1", "R2")] == [7, 7]


def test_a_folder_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system cannot lock (a network folder) the store is refused: STORE-006."""
    import filelock

    def without_locks(_lock: filelock.FileLock) -> None:
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", without_locks)
    with pytest.raises(StorageError) as caught:
        create_filesystem_engine(tmp_path / "store").open()

    assert caught.value.code == "STORE-006"


@pytest.mark.parametrize("limit_bytes", [10, 1500])
def test_a_full_disk_at_the_note_or_the_summary(
    files: StorageEngine, tmp_path: Path, limit_bytes: int
) -> None:
    """Also when the undo note or run.toml is what does not fit, the store stays as it was."""
    first = queued("R1")
    first.variables["numbers"] = [1] * 300  # a line each in run.toml, two characters each in the journal
    with files_end_at(limit_bytes), pytest.raises(StorageError) as caught:
        files.append([first, started("R1")])

    assert caught.value.code == "STORE-002"
    assert files.summaries() == ()
    assert not list((tmp_path / "store").rglob("*.new"))
    files.append([first, started("R1")])
    assert files.summary(RunId("R1")).status == "running"


def test_what_is_no_run_is_not_listed(files: StorageEngine, tmp_path: Path) -> None:
    """A folder with a run.toml but no events, and a journal without its begin, are no runs."""
    folder = tmp_path / "store" / "customers" / "R1"
    folder.mkdir(parents=True)
    (folder / "run.toml").touch()
    headless = tmp_path / "store" / "customers" / "R2" / "events.jsonl"
    headless.parent.mkdir()
    run_folder.append_lines(headless, [encode_event(started("R2"))], sync=False)
    UndoNote(tmp_path / "store", sync=False).write([(headless, headless.stat().st_size)])

    assert files.summaries() == ()


def test_a_table_that_vanished_is_told(tmp_path: Path) -> None:
    """A store that another program destroyed while it is open is an error with SQLite's words."""
    engine = create_sqlite_engine(tmp_path / "store")
    engine.open()
    with sqlite3.connect(tmp_path / "store") as other:
        other.execute("DROP TABLE events")
    other.close()
    with pytest.raises(StorageError, match="no such table") as caught:
        engine.journal(RunId("R1"))

    assert caught.value.code == "STORE-005"
    engine.close()


def test_a_disk_too_full_to_begin(tmp_path: Path) -> None:
    """A store that could not be created can be created once there is room."""
    engine = create_sqlite_engine(tmp_path / "store")
    with files_end_at(8192), pytest.raises(StorageError) as caught:
        engine.open()
    engine.open()
    engine.append(journal("R1"))

    assert caught.value.code == "STORE-001"
    engine.close()


def test_forgotten_tails_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine with more active runs than it remembers continues them all the same."""
    from atomiton_runtime.storage import sqlite

    monkeypatch.setattr(sqlite, "_ACTIVE_TAILS", 2)
    engine = create_sqlite_engine(tmp_path / "store")
    engine.open()
    for seq in range(4):
        engine.append([journal(f"R{number}")[seq] for number in range(5)])

    assert [len(engine.journal(RunId(f"R{number}"))) for number in range(5)] == [4] * 5
    engine.close()


def test_half_a_schema_is_rolled_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When one table cannot be made, none is, and the next opening begins anew."""
    from atomiton_runtime.storage import sqlite_schema

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "_STEPS", ("CREATE TABLE events (a); CREATE NONSENSE",))
        with pytest.raises(StorageError) as caught:
            create_sqlite_engine(tmp_path / "store").open()
    engine = create_sqlite_engine(tmp_path / "store")
    engine.open()
    engine.append(journal("R1"))

    assert caught.value.code == "STORE-005"
    engine.close()


def test_a_database_that_could_once_not_be_opened_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite then goes on reading; a write opens it anew, once that is possible, and else says why."""
    store = tmp_path / "store"
    engine = create_sqlite_engine(store)
    engine.open()
    engine.append([queued("R1")])
    engine._connection.close()  # pyright: ignore
    engine._connection = sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True, isolation_level=None)  # pyright: ignore

    def refuse(*_: object, **__: object) -> None:
        raise sqlite_says(sqlite3.SQLITE_CANTOPEN)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_engine.sqlite3, "connect", refuse)
        with pytest.raises(StorageError) as caught:
            engine.append([started("R1")])
    assert caught.value.code == "STORE-002"
    assert engine.journal(RunId("R1")) == (queued("R1"),)
    engine.append([started("R1")])
    assert len(engine.journal(RunId("R1"))) == 2
    opened_anew = engine._connection  # pyright: ignore
    with pytest.raises(StorageError, match="the next event has seq 2"):
        engine.append([node_started("R1", 5)])
    assert engine._connection is opened_anew  # pyright: ignore  # what is refused for another reason opens nothing
    engine.close()


def sqlite_says(kind: int) -> sqlite3.OperationalError:
    """Return an error of SQLite of this kind."""
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = kind
    return error


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("/proc", errno.ENOSPC), ("/nowhere/at/all", errno.EIO)],  # /proc has no room, and says so
)
def test_a_failing_write_is_a_full_disk_where_there_is_no_room(folder: str, reason: int) -> None:
    """SQLite calls it an input/output error when its shared memory cannot grow; what is meant is told."""
    told = explained(sqlite_says(sqlite3.SQLITE_IOERR), "STORE-002", "write", Path(folder, "runs.sqlite3"))
    assert told.code == "STORE-002"
    assert os.strerror(reason).lower() in told.message.lower()


def test_a_refusal_without_a_reason_leaves_no_file(tmp_path: Path) -> None:
    """What SQLite would not open, the system would: it is said without a reason, and nothing is made."""
    told = explained(sqlite_says(sqlite3.SQLITE_CANTOPEN), "STORE-001", "open", tmp_path / "runs.sqlite3")
    assert told.code == "STORE-001"
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_with_a_reason_names_it() -> None:
    """What SQLite keeps to itself is asked of the system."""
    told = explained(sqlite_says(sqlite3.SQLITE_CANTOPEN), "STORE-001", "open", Path("/nowhere/runs.sqlite3"))
    assert os.strerror(errno.ENOENT).lower() in told.message.lower()


def test_a_name_that_is_no_text_is_damage() -> None:
    """The names of tables are read from the file too, and SQLite's own words may then be none."""
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    assert explained(error, "STORE-001", "open", Path("store")).code == "STORE-005"


def test_space_that_cannot_be_given_back_now_is_used_or_given_back_later(tmp_path: Path) -> None:
    """The runs are deleted all the same, and the next deletion makes the file small."""
    path = tmp_path / "store"
    engine = create_sqlite_engine(path)
    engine.open()
    for run in ("R1", "R2"):
        engine.append([*journal(run)[:3], large_event(run, 3, 900_000)])

    def deny(action: int, name: str | None, *_: object) -> int:
        is_shrinking = action == sqlite3.SQLITE_PRAGMA and name == "incremental_vacuum"
        return sqlite3.SQLITE_DENY if is_shrinking else sqlite3.SQLITE_OK

    engine._connection.set_authorizer(deny)  # pyright: ignore
    engine.delete_runs([RunId("R1")])
    before = path.stat().st_size
    engine._connection.set_authorizer(None)  # pyright: ignore
    assert before > 1_800_000
    assert engine.journal(RunId("R1")) == ()
    engine.delete_runs([RunId("R2")])
    engine.close()

    assert path.stat().st_size < 100_000


def test_a_large_value_that_another_process_has_put_since_stays(tmp_path: Path) -> None:
    """To keep the event of one process says nothing about the value that another one has on its way."""
    ours, theirs = (create_sqlite_engine(tmp_path / "store") for _ in range(2))
    ours.open()
    theirs.open()
    outputs = ours.large_values.pack({"result": "x" * LARGE_VALUE_BYTES})
    assert outputs == theirs.large_values.pack({"result": "x" * LARGE_VALUE_BYTES})
    ours.append([queued("R1"), node_succeeded("R1", 1, outputs=outputs)])
    ours.delete_runs([RunId("R1")])
    assert theirs.large_values.stored_bytes() > LARGE_VALUE_BYTES
    theirs.append([queued("R2"), node_succeeded("R2", 1, outputs=outputs)])
    ours.delete_runs([RunId("R2")])

    assert ours.large_values.stored_bytes() == 0
    ours.close()
    theirs.close()


def test_files_that_somebody_has_deleted_take_no_space(tmp_path: Path) -> None:
    """A store of files can be measured also where parts of a run are missing."""
    engine = create_filesystem_engine(tmp_path / "store")
    engine.open()
    engine.append(journal("R1"))
    whole = engine.stored_bytes()
    folder = tmp_path / "store" / "customers" / "R1"
    size_bytes = (folder / "run.toml").stat().st_size
    (folder / "run.toml").unlink()

    assert whole - size_bytes == engine.stored_bytes()
    engine.close()


def test_a_part_of_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    """What cannot be understood, or is not where it belongs, is damage: in a database and in a file alike."""
    run, events = RunId("R1"), journal("R1")
    sqlite = create_sqlite_engine(tmp_path / "runs.sqlite3")
    files = create_filesystem_engine(tmp_path / "runs")
    for engine in (sqlite, files):
        engine.open()
        engine.append(events)
    with sqlite3.connect(tmp_path / "runs.sqlite3") as other:
        other.execute("UPDATE events SET body = ? WHERE seq = 2", (b"{",))
        other.execute("DELETE FROM events WHERE seq = 4")
    other.close()
    (path,) = (tmp_path / "runs").rglob("events.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{\n", *lines[3:]]))
    for engine, place in ((sqlite, 2), (sqlite, 4), (files, 2)):
        with pytest.raises(StorageError) as refused:
            engine.part(run, place, limit_bytes=1_000_000)
        assert refused.value.code == "STORE-005"
    path.unlink()
    assert files.part(run, 0, limit_bytes=1) == ()
    with sqlite3.connect(tmp_path / "runs.sqlite3") as other:
        other.execute("DROP TABLE events")
    other.close()
    with pytest.raises(StorageError, match="events"):
        sqlite.part(run, 0, limit_bytes=1)
    for engine in (sqlite, files):
        engine.close()


def test_more_runs_than_places_remembered_are_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place of one that is no longer remembered is looked for from the beginning."""
    monkeypatch.setattr(filesystem, "_READERS", 1)
    files = create_filesystem_engine(tmp_path / "runs")
    files.open()
    for run in ("R1", "R2"):
        files.append(journal(run))
    parts = [
        [event.seq for event in files.part(RunId(run), place, limit_bytes=1)]
        for place in (0, 1, 2)
        for run in ("R1", "R2")
    ]
    files.close()

    assert parts == [[0], [0], [1], [1], [2], [2]]
