"""What is known of earlier executions: one contract, over the table of engines itself."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.reuse import Digest, Key, make_key
from atomiton_runtime.storage.create import ENGINES, create_storage
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.storage.filesystem import FilesystemEngine
from atomiton_runtime.storage.results import Execution
from atomiton_runtime.values import LargeValue
from tests.doubles.journals import AT, queued, started, succeeded

PATH = "/flows/customers.toml"
OTHER_PATH = "/elsewhere/customers.toml"
SAVE = NodeId("save")
ON_DISK = [scheme for scheme in ENGINES if scheme != "memory"]
PATIENCE_S = 20.0
KEPT = Path(__file__).parent / "kept"


def key_of(content: str) -> Key:
    return make_key({"parameter content": content})


A, B = key_of("A"), key_of("B")


def run_of(
    run_id: str, *nodes: RunEvent, path: str = PATH, goes_on: bool = False, flow: str = "customers"
) -> list[RunEvent]:
    """Return the journal of a run with these events of nodes."""
    first = msgspec.structs.replace(queued(run_id, flow=flow), flow_path=path)
    events = [first, started(run_id), *nodes]
    events = [
        msgspec.structs.replace(event, run_id=RunId(run_id), seq=seq) for seq, event in enumerate(events)
    ]
    return events if goes_on else [*events, succeeded(run_id, len(events))]


def begins(node: str = "save", attempt: int = 1) -> ev.NodeStarted:
    return ev.NodeStarted(run_id=RunId(""), seq=0, at=AT, node=NodeId(node), attempt=attempt, may_write=True)


def gives(key: Key | None, node: str = "save", result: str = "1", attempt: int = 1) -> ev.NodeSucceeded:
    return ev.NodeSucceeded(
        run_id=RunId(""),
        seq=0,
        at=AT,
        node=NodeId(node),
        attempt=attempt,
        duration_s=0.1,
        outputs={"result": msgspec.Raw(result.encode())},
        key=key,
        wrote=True,
    )


def reuses(key: Key, source: str, node: str = "save", *, wrote: bool = True, **more: Any) -> ev.NodeReused:
    return ev.NodeReused(
        run_id=RunId(""),
        seq=0,
        at=AT,
        node=NodeId(node),
        source=RunId(source),
        attempt=1,
        outputs={"result": msgspec.Raw(b"1")},
        key=key,
        wrote=wrote,
        **more,
    )


def executes(key: Key | None, node: str = "save", result: str = "1") -> tuple[RunEvent, RunEvent]:
    return begins(node), gives(key, node, result)


def source_of(engine: StorageEngine, key: Key, node: str = "save", path: str = PATH) -> str | None:
    """Return the run whose journal holds the result that is found."""
    found = engine.results.find(path, NodeId(node), key.hash)
    return None if found is None else found.run_id


def new_engine(scheme: str, folder: Path) -> StorageEngine:
    return create_storage("memory:" if scheme == "memory" else f"{scheme}:///{folder / 'store'}")


@pytest.fixture(params=[*ENGINES])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageEngine]:
    engine = new_engine(request.param, tmp_path)
    engine.open()
    yield engine
    engine.close()


@pytest.fixture(params=ON_DISK)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[StorageEngine, StorageEngine]]:
    """Two engines on one store, as two processes have them."""
    both = new_engine(request.param, tmp_path), new_engine(request.param, tmp_path)
    for engine in both:
        engine.open()
    yield both
    for engine in both:
        engine.close()


def test_a_result_is_found_by_its_key(engine: StorageEngine) -> None:
    """The newest with this key; of another key, another node or none at all there is nothing."""
    engine.append(run_of("R1", *executes(A, result="1")))
    engine.append(run_of("R2", *executes(B)))
    engine.append(run_of("R3", *executes(A, result="3"), *executes(None, "other")))

    found = engine.results.find(PATH, SAVE, A.hash)
    assert isinstance(found, ev.NodeSucceeded)
    assert (found.run_id, bytes(found.outputs["result"]), found.key) == ("R3", b"3", A)
    assert source_of(engine, B) == "R2"
    assert source_of(engine, key_of("C")) is None
    assert source_of(engine, A, node="other") is None


def test_what_is_kept_after_the_first_question_is_found(engine: StorageEngine) -> None:
    """Nobody has to ask for the runs before: a run that goes on finds what the one before it has done."""
    assert source_of(engine, A) is None
    assert engine.results.latest(PATH, SAVE) is None
    engine.append(run_of("R1", *executes(A)))
    assert source_of(engine, A) == "R1"
    engine.append(run_of("R2", begins(), goes_on=True))

    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R2"), 1, SAVE)
    assert engine.results.newest_runs(PATH, limit=9) == ("R2", "R1")


def test_a_result_that_was_reused_is_found_where_it_was_reused_last(engine: StorageEngine) -> None:
    """So that it outlives the run that made it; the execution is still the one that was."""
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", reuses(A, "R1")))

    assert source_of(engine, A) == "R2"
    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R1"), 1, SAVE)
    engine.delete_runs([RunId("R1")])
    assert source_of(engine, A) == "R2"


def test_the_last_execution_is_the_last_that_began(engine: StorageEngine) -> None:
    """Whether it has ended or not; and each attempt is one of its own."""
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", begins(), begins(attempt=2), goes_on=True))

    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R2"), 2, SAVE)
    assert engine.results.latest(PATH, NodeId("other")) is None


def test_who_asks_is_not_the_last_execution_himself(engine: StorageEngine) -> None:
    """He has begun before he asks; after him the one before counts, and to nobody else."""
    asking = Execution(RunId("R2"), 1, SAVE)
    engine.append(run_of("R2", begins(), goes_on=True))
    assert engine.results.latest(PATH, SAVE, but=asking) is None
    engine.delete_runs([RunId("R2")])
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", begins(), goes_on=True))

    assert engine.results.latest(PATH, SAVE, but=asking) == Execution(RunId("R1"), 1, SAVE)
    assert engine.results.latest(PATH, SAVE, but=Execution(RunId("R3"), 1, SAVE)) == asking
    assert engine.results.latest(PATH, SAVE) == asking


def test_the_second_attempt_comes_after_the_first(engine: StorageEngine) -> None:
    """Which may have changed anything before it failed."""
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", begins(), begins(attempt=2), goes_on=True))

    second = Execution(RunId("R2"), 2, SAVE)
    assert engine.results.latest(PATH, SAVE, but=second) == Execution(RunId("R2"), 1, SAVE)


def test_one_that_began_and_was_found_reused_has_changed_nothing(engine: StorageEngine) -> None:
    """The last execution is again the one whose result it is."""
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", begins(), reuses(A, "R1")))

    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R1"), 1, SAVE)


def test_what_only_reads_leaves_the_last_execution(engine: StorageEngine) -> None:
    """Reused or executed."""
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", reuses(B, "R0", wrote=False)))

    assert source_of(engine, B) == "R2"
    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R1"), 1, SAVE)


def test_an_item_is_found_by_any_index(engine: StorageEngine) -> None:
    """It may have moved; what it has changed outside belongs to the one place where it was."""
    engine.append(run_of("R1", *executes(A, "each/3/in/0/save")))

    assert source_of(engine, A, node="each/0/in/7/save") == "R1"
    assert source_of(engine, A, node="each/0/in/save") is None
    moved = NodeId("each/0/in/7/save")
    assert engine.results.latest(PATH, moved) is None
    there = NodeId("each/3/in/0/save")
    assert engine.results.latest(PATH, there) == Execution(RunId("R1"), 1, there)
    engine.append(run_of("R2", reuses(A, "R1", moved, executed_as=there)))
    assert engine.results.latest(PATH, moved) == Execution(RunId("R1"), 1, there)


def test_another_file_of_the_same_name_is_another_flow(engine: StorageEngine) -> None:
    """Whatever the store calls both; also where it was kept after the first question."""
    engine.append(run_of("R1", *executes(A)))
    assert source_of(engine, A, path=OTHER_PATH) is None
    engine.append(run_of("R2", *executes(B), path=OTHER_PATH))

    assert (source_of(engine, A), source_of(engine, B)) == ("R1", None)
    assert source_of(engine, B, path=OTHER_PATH) == "R2"
    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R1"), 1, SAVE)
    assert engine.results.newest_runs(PATH, limit=9) == ("R1",)
    assert engine.results.newest_runs(OTHER_PATH, limit=9) == ("R2",)


def test_the_newest_runs_come_first(engine: StorageEngine) -> None:
    """As many as are wanted, those that go on as well, of this flow alone."""
    for run in ("R1", "R3", "R2"):
        engine.append(run_of(run))
    engine.append(run_of("R4", goes_on=True))
    engine.append(run_of("R5", path="/flows/other.toml", flow="other"))

    assert engine.results.newest_runs(PATH, limit=3) == ("R4", "R3", "R2")
    assert engine.results.newest_runs(PATH, limit=9) == ("R4", "R3", "R2", "R1")
    assert engine.results.newest_runs("/flows/nobody.toml", limit=3) == ()


def test_journals_are_read(engine: StorageEngine) -> None:
    """Whole, once their flow was asked about; of a run that is not there nothing."""
    events = run_of("R1", *executes(A))
    engine.append(events)
    engine.results.newest_runs(PATH, limit=1)

    assert list(engine.results.journal(RunId("R1"))) == events
    assert engine.results.journal(RunId("NO")) == ()


def test_what_deleted_runs_have_done_is_not_known(engine: StorageEngine) -> None:
    """Neither a result nor an execution; those of other runs stay."""
    engine.append(run_of("R1", *executes(A), *executes(A, "first")))
    engine.append(run_of("R2", *executes(B)))
    assert source_of(engine, B) == "R2"
    engine.delete_runs([RunId("R2")])

    assert source_of(engine, B) is None
    assert engine.results.latest(PATH, SAVE) is None
    assert engine.results.newest_runs(PATH, limit=9) == ("R1",)
    assert engine.results.journal(RunId("R2")) == ()
    assert source_of(engine, A, "first") == "R1"
    assert engine.results.latest(PATH, NodeId("first")) == Execution(RunId("R1"), 1, NodeId("first"))


@pytest.mark.parametrize("scheme", ON_DISK)
def test_all_is_known_after_reopening(scheme: str, tmp_path: Path) -> None:
    """By another engine, and by the same one."""
    engine = new_engine(scheme, tmp_path)
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", begins(), goes_on=True))
    asking = Execution(RunId("R2"), 1, SAVE)
    again = new_engine(scheme, tmp_path)
    for store in (engine, again):
        store.close()
        store.open()
        assert source_of(store, A) == "R1"
        assert store.results.latest(PATH, SAVE) == asking
        assert store.results.latest(PATH, SAVE, but=asking) == Execution(RunId("R1"), 1, SAVE)
        store.close()


def test_what_another_process_keeps_is_found(pair: tuple[StorageEngine, StorageEngine]) -> None:
    """At the latest once the newest runs were asked for; so is that it has deleted something."""
    one, other = pair
    assert one.results.newest_runs(PATH, limit=9) == ()
    events = run_of("R1", *executes(A), *executes(B, "other"))
    other.append(events[:3])
    assert one.results.newest_runs(PATH, limit=9) == ("R1",)
    assert one.results.latest(PATH, SAVE) == Execution(RunId("R1"), 1, SAVE)
    other.append(events[3:])
    one.results.newest_runs(PATH, limit=9)
    assert source_of(one, A) == source_of(one, B, "other") == "R1"
    other.delete_runs([RunId("R1")])

    assert one.results.newest_runs(PATH, limit=9) == ()
    assert source_of(one, A) is None
    assert one.results.latest(PATH, SAVE) is None
    assert one.results.journal(RunId("R1")) == ()


def test_what_was_executed_long_ago_does_not_become_the_last(
    pair: tuple[StorageEngine, StorageEngine],
) -> None:
    """When the run in which it was, of another process, goes on."""
    one, other = pair
    earlier = run_of("R1", *executes(A), *executes(B, "other"))
    other.append(earlier[:4])
    one.results.newest_runs(PATH, limit=9)
    one.append(run_of("R2", *executes(B)))
    other.append(earlier[4:])
    one.results.newest_runs(PATH, limit=9)

    assert one.results.latest(PATH, SAVE) == Execution(RunId("R2"), 1, SAVE)


def test_results_are_found_while_others_are_kept(engine: StorageEngine) -> None:
    """From another thread: each question has an answer that was true at some moment."""
    journals = [run_of(f"R{number:03}", *executes(A, result=str(number))) for number in range(60)]
    engine.append(journals[0])
    seen: list[str | None] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            engine.results.newest_runs(PATH, limit=1)
            seen.append(source_of(engine, A))

    asker = threading.Thread(target=ask)
    asker.start()
    for events in journals[1:]:
        engine.append(events)
    ended.set()
    asker.join(PATIENCE_S)

    assert not asker.is_alive()
    assert None not in seen
    assert seen == sorted(filter(None, seen))
    assert source_of(engine, A) == "R059"


@pytest.mark.parametrize("scheme", ON_DISK)
def test_a_store_that_can_only_be_read_is_asked(scheme: str, tmp_path: Path) -> None:
    """As if it could be written; for SQLite also where a log lies beside it."""
    engine = new_engine(scheme, tmp_path / "here")
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    shutil.copytree(tmp_path / "here", tmp_path / "there", ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    engine.close()
    for place in ("here", "there"):
        reader = new_engine(scheme, tmp_path / place)
        reader.open_for_reading()
        assert source_of(reader, A) == "R1"
        assert reader.results.latest(PATH, SAVE) == Execution(RunId("R1"), 1, SAVE)
        assert reader.results.newest_runs(PATH, limit=1) == ("R1",)
        assert len(reader.results.journal(RunId("R1"))) == 5
        reader.close()


QUESTIONS: list[Callable[[StorageEngine], object]] = [
    lambda engine: engine.results.find(PATH, SAVE, A.hash),
    lambda engine: engine.results.latest(PATH, SAVE),
    lambda engine: engine.results.newest_runs(PATH, limit=9),
    lambda engine: engine.results.journal(RunId("R1")),
]


def test_questions_to_a_closed_store_are_not_answered_from_memory(engine: StorageEngine) -> None:
    """Nothing is found there, or it says that it is closed."""
    engine.append(run_of("R1", *executes(A)))
    engine.results.newest_runs(PATH, limit=9)
    engine.close()
    for question in QUESTIONS:
        try:
            assert not question(engine)
        except StorageError as error:
            assert error.code == "STORE-010"  # noqa: PT017


# -- damage ----------------------------------------------------------------------------------------------------


def damage(store: Path, statement: str) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "questions"),
    [
        ("UPDATE events SET body = 5", (0, 3)),
        ("UPDATE events SET body = x'ff'", (0, 3)),
        ("UPDATE events SET body = x'7b7d'", (0, 3)),
        ("UPDATE runs SET body = 5", (2,)),
        ("UPDATE runs SET body = x'7b7d'", (2,)),
        ("UPDATE runs SET body = x'ff'", (2,)),
    ],
)
def test_damaged_rows_are_damage(tmp_path: Path, statement: str, questions: tuple[int, ...]) -> None:
    """Whoever meets them is told so; it is no mistake of a program."""
    engine = new_engine("sqlite", tmp_path)
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    damage(tmp_path / "store", statement)
    for number in questions:
        with pytest.raises(StorageError) as raised:
            QUESTIONS[number](engine)
        assert raised.value.code == "STORE-005"
    engine.close()


def test_tables_that_are_gone_are_said_to_be(tmp_path: Path) -> None:
    """The rest of the store can be used."""
    engine = new_engine("sqlite", tmp_path)
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    damage(tmp_path / "store", "DROP TABLE results")
    damage(tmp_path / "store", "DROP TABLE executions")
    for number in (0, 1):
        with pytest.raises(StorageError) as raised:
            QUESTIONS[number](engine)
        assert raised.value.code == "STORE-005"
    assert len(engine.journal(RunId("R1"))) == 5
    engine.close()


def test_a_row_that_names_another_event_gives_nothing(tmp_path: Path) -> None:
    """Only what has a result is one."""
    engine = new_engine("sqlite", tmp_path)
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    damage(tmp_path / "store", "UPDATE results SET seq = 1")
    assert source_of(engine, A) is None
    damage(tmp_path / "store", "UPDATE results SET seq = 99")
    assert source_of(engine, A) is None
    engine.close()


def test_a_damaged_journal_hides_no_execution(tmp_path: Path) -> None:
    """Where one of a flow cannot be read, nothing is said of the flow, as often as is asked; of others it is."""
    engine = FilesystemEngine(tmp_path / "store")
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", *executes(B)))
    engine.append(run_of("R3", *executes(A), path="/flows/other.toml", flow="other"))
    events = next((tmp_path / "store").rglob("R2/events.jsonl"))
    whole = events.read_bytes()
    events.write_bytes(whole.replace(b"NodeStarted", b"NodeSlept"))
    for _ in range(2):
        for question in QUESTIONS[:3]:
            with pytest.raises(StorageError) as raised:
                question(engine)
            assert raised.value.code == "STORE-005"
    assert source_of(engine, A, path="/flows/other.toml") == "R3"
    events.write_bytes(whole)

    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R2"), 1, SAVE)
    events.write_bytes(b"nonsense\n")
    with pytest.raises(StorageError):
        engine.results.find(PATH, SAVE, B.hash)
    engine.close()


def test_a_journal_that_is_another_now_gives_no_wrong_result(tmp_path: Path) -> None:
    """What was read while it was written, and had to be taken back, is found no more."""
    engine = FilesystemEngine(tmp_path / "store")
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    assert source_of(engine, A) == "R1"
    events = next((tmp_path / "store").rglob("R1/events.jsonl"))
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:3]))
    assert source_of(engine, A) is None
    events.write_bytes(b"".join([*lines[:3], lines[2], lines[4]]))
    assert source_of(engine, A) is None
    engine.close()


def test_an_empty_folder_of_a_run_says_nothing(tmp_path: Path) -> None:
    """A killed process may have made it and nothing more."""
    engine = FilesystemEngine(tmp_path / "store")
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    (tmp_path / "store" / "customers" / "R2").mkdir()
    (tmp_path / "store" / "customers" / "R3").mkdir()
    (tmp_path / "store" / "customers" / "R3" / "events.jsonl").write_text("torn")

    assert engine.results.newest_runs(PATH, limit=9) == ("R1",)
    engine.close()


# -- stores that are deleted, replaced, rebuilt or old ----------------------------------------------------------


def test_a_store_that_was_deleted_is_written_again(tmp_path: Path) -> None:
    """With all that is known of executions."""
    engine = new_engine("sqlite", tmp_path)
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    assert source_of(engine, A) == "R1"
    for path in tmp_path.glob("store*"):
        path.unlink()
    engine.append(run_of("R2", *executes(B)))

    assert (source_of(engine, A), source_of(engine, B)) == ("R1", "R2")
    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R2"), 1, SAVE)
    engine.close()
    engine.open()
    assert source_of(engine, A) == "R1"
    engine.close()


@pytest.mark.parametrize("newest", ["deleted", "put back"])
def test_a_backup_that_is_put_back_makes_nothing_the_last(tmp_path: Path, newest: str) -> None:
    """What the newest run of both stores has done counts."""
    backup = new_engine("sqlite", tmp_path / "backup")
    engine = new_engine("sqlite", tmp_path / "used")
    for store, run in ((engine, "R2"), (backup, "R1" if newest == "deleted" else "R3")):
        store.open()
        store.append(run_of("R0", *executes(A)))
        store.append(run_of(run, *executes(B if store is engine else A)))
    backup.close()
    for path in (tmp_path / "used").glob("store*"):
        path.unlink()
    shutil.copy(tmp_path / "backup" / "store", tmp_path / "used" / "store")
    engine.append(run_of("R4"))

    last = RunId("R2" if newest == "deleted" else "R3")
    assert engine.results.latest(PATH, SAVE) == Execution(last, 1, SAVE)
    assert source_of(engine, A) == ("R1" if newest == "deleted" else "R3")
    assert source_of(engine, B) == "R2"
    engine.close()


def test_a_store_that_is_rebuilt_knows_what_could_be_read(tmp_path: Path) -> None:
    """In the order in which it was."""
    engine = new_engine("sqlite", tmp_path)
    engine.open()
    engine.append(run_of("R1", *executes(A)))
    engine.append(run_of("R2", *executes(B)))
    engine.append(run_of("R3", reuses(B, "R2")))
    engine.close()
    engine.rebuild()

    assert (source_of(engine, A), source_of(engine, B)) == ("R1", "R3")
    assert engine.results.latest(PATH, SAVE) == Execution(RunId("R2"), 1, SAVE)
    engine.close()


@pytest.mark.parametrize("kept", sorted(path.name for path in KEPT.iterdir()))
def test_old_stores_are_asked(tmp_path: Path, kept: str) -> None:
    """Of runs that have no keys, or no path, nothing is found, and that is no mistake; new ones are found."""
    shutil.copytree(KEPT / kept, tmp_path / "kept")
    engine = create_storage(f"{kept.partition('-')[0]}:///{tmp_path / 'kept' / 'store'}")
    engine.open()
    summary = engine.summaries()[0]
    first = engine.journal(summary.run_id)[0]
    assert isinstance(first, ev.RunQueued)
    path = first.flow_path

    runs = engine.results.newest_runs(path, limit=1)
    assert runs == ((summary.run_id,) if summary.flow_path or kept.startswith("files") else ())
    assert engine.results.journal(summary.run_id)[0] == first
    assert engine.results.find(path, SAVE, A.hash) is None
    engine.append(run_of("Z1", *executes(A), path=path, flow=summary.flow))
    assert source_of(engine, A, path=path) == "Z1"
    engine.close()


# -- large values ------------------------------------------------------------------------------------------------


def test_large_values_are_kept_read_and_asked_for(engine: StorageEngine) -> None:
    """By their marker, until their file goes; one that is cut short is there by its name alone."""
    values = engine.large_values
    unknown = LargeValue(f"/nowhere/{'0' * 64}", 3)
    assert not values.has(unknown)
    assert not values.renew(unknown)
    marker = values.keep(b"some text")

    assert (marker.size_bytes, values.read(marker)) == (9, b"some text")
    assert values.has(marker)
    os.utime(marker.path, (0, 0))
    assert values.renew(marker)
    assert Path(marker.path).stat().st_mtime > 0
    assert not values.has(unknown)
    assert not values.renew(unknown)
    Path(marker.path).write_bytes(b"some")
    assert (values.has(marker), values.renew(marker)) == (True, False)
    with pytest.raises(StorageError) as raised:
        values.read(marker)
    assert raised.value.code == "STORE-008"
    Path(marker.path).unlink()
    assert not values.has(marker)


def test_a_key_of_another_length_is_no_key(engine: StorageEngine) -> None:
    """Whatever is asked for, nothing but an equal key is found."""
    engine.append(run_of("R1", *executes(A)))

    for other in ("", A.hash[:-1], f"{A.hash}0", A.hash.upper() + "'"):
        assert engine.results.find(PATH, SAVE, Digest(other)) is None
