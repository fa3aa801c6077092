"""A store that is damaged, deleted or replaced: it is moved aside, saved as far as it can be read, and life goes on."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import ErrorInfo, StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.storage.create import create_sqlite_engine, create_storage
from tests.doubles.journals import journal
from tests.doubles.terminal import atomiton
from tests.guards.campaign import note, sized

HELLO = '[nodes.a]\ntype = "edit-fields"\nvalues = { text = "hello" }\n'
CUTS = sized(25, 2000)
FLIPS = sized(25, 2000)
RUNS = 12
SCHEMA_VERSION = range(60, 64)
"""Where a database keeps `user_version` (https://sqlite.org/fileformat.html)."""


class Desk:
    """A data folder whose store holds some runs, and copies of that store to be damaged."""

    def __init__(self, folder: Path) -> None:
        self.flows, self.data = folder / "flows", folder / "data"
        self.flows.mkdir()
        (self.flows / "hello.toml").write_text(HELLO)
        with self.runtime() as runtime:
            runs = [runtime.run("hello") for _ in range(RUNS)]
            for run in runs:
                run.result(timeout_s=30)
            self.run_ids = {run.id for run in runs}
            self.journals = {run.id: runtime.journal(run.id) for run in runs}
        self.whole = self.store.read_bytes()
        self.warnings: list[ErrorInfo] = []
        self.lost_starts = 0

    @property
    def store(self) -> Path:
        return self.data / "runs.sqlite3"

    def runtime(self) -> Runtime:
        return Runtime(flows=self.flows, data=self.data, warn=lambda error: self.warnings.append(error))

    def damage(self, content: bytes) -> None:
        """Put a damaged store into a fresh data folder."""
        shutil.rmtree(self.data)
        self.data.mkdir()
        self.store.write_bytes(content)
        self.warnings.clear()

    def copies(self) -> list[Path]:
        return [
            path
            for path in self.data.glob("runs.sqlite3.damaged-*")
            if not path.name.endswith(("-wal", "-shm"))
        ]

    def goes_on(self) -> set[RunId]:
        """Expect that flows run and the history can be read; return the runs of before that are still known."""
        with self.runtime() as runtime:
            run = runtime.run("hello")
            document = run.result(timeout_s=30)
            if document.error is not None:
                raise StorageError(document.error.code, document.error.message)
            known = {summary.run_id for summary in runtime.history(limit=1000)}
            assert run.id in known
            for run_id in known & self.run_ids:
                assert runtime.show(run_id).status in ("succeeded", "interrupted")
        return known & self.run_ids


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def survives(desk: Desk, content: bytes) -> set[RunId]:
    """Expect that a damaged store costs at most one start that fails with the reason; return the runs that are left."""
    desk.damage(content)
    try:
        return desk.goes_on()
    except StorageError as error:
        assert error.code == "STORE-005"  # noqa: PT017  # what is wrong is met only when it is read
        desk.lost_starts += 1
    return desk.goes_on()


def test_a_store_that_was_cut(desk: Desk) -> None:
    """Whatever its length, the start goes on; what was cut is kept aside."""
    chance = random.Random(1)
    lengths = {0, 1, 50, 99, 100, 4096, len(desk.whole) - 1}
    lengths |= {chance.randrange(len(desk.whole)) for _ in range(CUTS)}
    for length in sorted(lengths):
        left = survives(desk, desk.whole[:length])
        if length:
            (copy,) = desk.copies()
            assert copy.stat().st_size >= min(length, 4096) or copy.read_bytes() == desk.whole[:length]
            assert not left or left < desk.run_ids or length > len(desk.whole) // 2
    assert (desk.flows / "hello.toml").read_text() == HELLO
    note("store cut", lengths=len(lengths), lost_starts=desk.lost_starts)


def test_a_store_whose_bits_flip(desk: Desk) -> None:
    """Wherever that is, nothing is told that cannot be so, and flows run."""
    chance = random.Random(2)
    kept = 0
    for _ in range(FLIPS):
        content = bytearray(desk.whole)
        for _ in range(chance.choice((1, 1, 8, 200))):
            place = chance.randrange(len(content))
            # The version of the schema is left alone: a store of a newer one is refused, and never moved.
            content[place] ^= 0 if place in SCHEMA_VERSION else 1 << chance.randrange(8)
        kept += len(survives(desk, bytes(content)))
    assert kept > FLIPS * RUNS // 4, "most of a store with single flips can be read"
    note(
        "store flipped",
        stores=FLIPS,
        lost_starts=desk.lost_starts,
        runs_kept_percent=round(100 * kept / (FLIPS * RUNS)),
    )


def test_what_is_read_of_a_damaged_store_is_as_it_was(desk: Desk) -> None:
    """A table that is lost costs what was in it only; the user is told where the rest is."""
    with closing(sqlite3.connect(desk.store)) as connection:
        connection.execute("DROP TABLE files")
        connection.commit()
    desk.store.with_name("runs.sqlite3.suspect").touch()
    with desk.runtime() as runtime:
        known = {summary.run_id: runtime.journal(summary.run_id) for summary in runtime.history()}
        assert {run_id: known[run_id] for run_id in desk.run_ids} == desk.journals
    (warning,) = [each for each in desk.warnings if each.code == "STORE-013"]
    (copy,) = desk.copies()
    assert str(copy) in (warning.hint or "")


def test_a_suspicion_that_was_wrong_changes_nothing(desk: Desk) -> None:
    """A store in which all can be read is used as it is."""
    suspicion = desk.store.with_name("runs.sqlite3.suspect")
    suspicion.touch()

    assert desk.goes_on() == desk.run_ids
    assert not suspicion.exists()
    assert not desk.copies()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = '{}' WHERE seq = 2",
        "UPDATE events SET body = x'ff' WHERE seq = 0",
        "DELETE FROM events WHERE seq = 1",
        "DELETE FROM events",
        "UPDATE runs SET status = 'running'",
        "DROP TABLE events",
        "DROP TABLE runs",
        "ALTER TABLE runs RENAME COLUMN size_bytes TO rise_bytes",
    ],
)
def test_content_that_cannot_be_true(desk: Desk, statement: str) -> None:
    """A file that SQLite finds in order may still hold what no runtime has written."""
    with closing(sqlite3.connect(desk.store)) as connection:
        connection.execute(statement)
        connection.commit()
    desk.store.with_name("runs.sqlite3.suspect").touch()

    desk.goes_on()
    assert len(desk.copies()) == 1


def test_the_store_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """Where an address was given, nothing is moved: it may be a file that is no store at all."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8" * 4000)
    with pytest.raises(StorageError) as refused:
        Runtime(flows=tmp_path, storage=f"sqlite:///{photo}").start()

    assert refused.value.code == "STORE-005"
    assert photo.read_bytes() == b"\xff\xd8" * 4000


def test_a_newer_store_is_never_moved(desk: Desk) -> None:
    """It is whole; this version only cannot read it."""
    with closing(sqlite3.connect(desk.store)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError) as refused:
        desk.runtime().start()

    assert refused.value.code == "STORE-004"
    assert not desk.copies()


def test_a_store_that_others_use_is_not_moved(desk: Desk) -> None:
    """Who has it open would go on writing into the copy."""
    with desk.runtime():
        content = bytearray(desk.store.read_bytes())
        content[:16] = b"garbage garbage!"
        desk.store.write_bytes(content)
        with pytest.raises(StorageError) as refused:
            desk.runtime().start()
    assert refused.value.code == "STORE-005"
    assert "end the processes" in (refused.value.hint or "")


def test_an_engine_that_cannot_be_rebuilt(tmp_path: Path) -> None:
    """It says so, with the address."""
    with pytest.raises(StorageError) as refused:
        create_storage(f"files:///{tmp_path}").rebuild()

    assert refused.value.code == "STORE-005"


def test_damage_that_comes_twice_in_a_second(desk: Desk) -> None:
    """Each copy keeps its own name."""
    for _ in range(2):
        desk.store.write_bytes(b"garbage" * 1000)
        desk.goes_on()

    assert len(desk.copies()) == 2


def test_the_command_line_tells_of_it(tmp_path: Path) -> None:
    """On stderr, as a warning; the command does what it was asked to."""
    desk = Desk(tmp_path)
    desk.damage(b"garbage" * 1000)
    listed = atomiton(tmp_path, "history", "--json")

    assert (listed.returncode, listed.stdout.strip()) == (0, "[]")
    assert "warning[STORE-013]" in listed.stderr


# --- deleted while it is used -------------------------------------------------------------------------------


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_is_deleted_while_it_is_used(tmp_path: Path, replaced: bool) -> None:
    """All that was kept is written again, into a new file or beside what is there now; and that is told."""
    path = tmp_path / "store"
    told: list[ErrorInfo] = []
    engine = create_sqlite_engine(path)
    engine.tell = told.append
    engine.open()
    first, second = journal("R1"), journal("R2")
    engine.append([*first, second[0]])
    for part in tmp_path.iterdir():
        if part.is_file():
            part.unlink()
    if replaced:
        other = create_sqlite_engine(path)
        other.open()
        other.append(journal("R3"))
        other.close()
    engine.append(second[1:])
    engine.close()

    again = create_sqlite_engine(path)
    again.open()
    assert again.journal(RunId("R1")) == tuple(first)
    assert again.journal(RunId("R2")) == tuple(second)
    assert bool(again.journal(RunId("R3"))) == replaced
    again.close()
    assert [each.code for each in told] == ["STORE-014"]


def test_a_store_that_cannot_be_written_again(tmp_path: Path) -> None:
    """The run is told why; once there is a place for it, nothing is lost."""
    folder = tmp_path / "data"
    engine = create_sqlite_engine(folder / "store")
    engine.open()
    first, second = journal("R1"), journal("R2")
    engine.append(first)
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    with pytest.raises(StorageError) as refused:
        engine.append(second)
    assert str(folder) in refused.value.message
    folder.unlink()
    engine.append(second)

    assert engine.journal(RunId("R1")) == tuple(first)
    assert engine.journal(RunId("R2")) == tuple(second)
    engine.close()
