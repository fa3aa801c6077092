"""The contract of storage engines, checked over the table of engines itself."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run.events import NodeReused, RunEvent, encode_event
from atomiton_runtime.storage.create import ENGINES, create_storage
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.values import LARGE_VALUE_BYTES, Value
from tests.doubles.journals import (
    AT,
    failed,
    journal,
    node_started,
    node_succeeded,
    queued,
    started,
    succeeded,
)

Reopen = Callable[..., StorageEngine]


def address(scheme: str, folder: Path) -> str:
    return "memory:" if scheme == "memory" else f"{scheme}:///{folder / 'store'}"


@pytest.fixture(params=[*ENGINES, "sqlite-power", "files-power"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageEngine]:
    scheme, _, power = request.param.partition("-")
    engine = create_storage(address(scheme, tmp_path), durability="power" if power else "process")
    engine.open()
    yield engine
    engine.close()


def encoded(events: tuple[RunEvent, ...] | list[RunEvent]) -> list[bytes]:
    return [encode_event(event) for event in events]


@pytest.fixture
def reopened() -> Iterator[Reopen]:
    """Give a second engine on a store, or the same one where a store does not outlive its engine."""
    opened: list[StorageEngine] = []

    def reopen(engine: StorageEngine, *, close: bool = True) -> StorageEngine:
        if engine.durability == "none":
            return engine
        if close:
            engine.close()
        opened.append(create_storage(engine.url))
        opened[-1].open()
        return opened[-1]

    yield reopen
    for engine in opened:
        engine.close()


def test_a_journal_comes_back_as_it_was(engine: StorageEngine, reopened: Reopen) -> None:
    """What is appended, in groups of any size, is what is read, also after reopening."""
    events = journal("R1")
    engine.append(events[:1])
    engine.append(events[1:4])
    engine.append([])
    engine.append(events[4:])

    assert encoded(events) == encoded(engine.journal(RunId("R1")))
    again = reopened(engine)
    assert encoded(events) == encoded(again.journal(RunId("R1")))
    assert again.summary(RunId("R1")).status == "succeeded"


def test_a_journal_is_read_in_parts(engine: StorageEngine, reopened: Reopen) -> None:
    """From any place on, as much as is wanted and one event at least; the parts together are the journal."""
    events = journal("R1")
    engine.append(events[:4])
    run = RunId("R1")

    assert encoded(events[:1]) == encoded(engine.part(run, 0, limit_bytes=0))
    assert encoded(events[1:4]) == encoded(engine.part(run, 1, limit_bytes=1_000_000))
    assert engine.part(run, 4, limit_bytes=1_000_000) == ()
    assert engine.part(run, 9, limit_bytes=1_000_000) == ()
    engine.append(events[4:])
    assert encoded(events[4:]) == encoded(engine.part(run, 4, limit_bytes=1_000_000))
    for look in (lambda: engine, lambda: reopened(engine)):
        store = look()
        read: list[RunEvent] = []
        while part := store.part(run, len(read), limit_bytes=len(encode_event(events[0])) + 1):
            read += part
        assert encoded(events) == encoded(read)
        two = sum(len(encode_event(event)) for event in events[2:4])
        assert encoded(events[2:4]) == encoded(store.part(run, 2, limit_bytes=two))
        assert store.part(RunId("NO"), 0, limit_bytes=1) == ()


def test_a_run_that_is_not_there_is_empty(engine: StorageEngine) -> None:
    """An unknown run has no events and no summary, and deleting it is no mistake."""
    assert engine.journal(RunId("NO")) == ()
    assert engine.summary(RunId("NO")) is None
    assert engine.find_runs("NO") == ()
    engine.delete_runs([RunId("NO")])


def test_reading_gives_copies(engine: StorageEngine) -> None:
    """Who changes what he read or wrote does not change the store."""
    first = queued("R1")
    engine.append([first])
    first.variables["limit"] = 99
    engine.journal(RunId("R1"))[0].variables["limit"] = 98

    assert engine.journal(RunId("R1"))[0].variables["limit"] == 5


@pytest.mark.parametrize(
    ("stored", "refused"),
    [
        ([], [started("R1")]),
        ([], [started("R1", seq=0)]),
        ([queued("R1")], [node_started("R1", 2)]),
        ([queued("R1")], [started("R1", seq=-1)]),
        ([queued("R1")], [queued("R1", flow="another")]),
        ([queued("R1"), started("R1")], [node_started("R1", 1)]),
        ([], [queued("R1"), started("R1"), node_started("R1", 1)]),
        ([queued("R1")], [queued("R2"), started("R2"), started("R1"), node_started("R1", 3)]),
    ],
    ids=[
        "no-begin",
        "wrong-begin",
        "gap",
        "negative",
        "other-begin",
        "other-event",
        "within-group",
        "other-run",
    ],
)
def test_a_gap_or_conflict_is_refused_whole(
    engine: StorageEngine, stored: list[RunEvent], refused: list[RunEvent]
) -> None:
    """An event that does not continue its journal is STORE-003, and nothing of its group is stored."""
    engine.append(stored)

    with pytest.raises(StorageError) as caught:
        engine.append(refused)

    assert caught.value.code == "STORE-003"
    assert encoded(stored) == encoded(engine.journal(RunId("R1")))
    assert engine.journal(RunId("R2")) == ()
    engine.append([*stored, *journal("R2")])


def test_events_sent_again_are_passed_over(engine: StorageEngine, reopened: Reopen) -> None:
    """A group may be sent again, whole, in part, or with more behind it; also after reopening."""
    events = journal("R1")
    engine.append(events[:3])
    engine.append(events[:3])
    engine.append([*events[1:5], events[4]])
    again = reopened(engine)
    again.append(events)
    again.append(events)

    assert encoded(events) == encoded(again.journal(RunId("R1")))


def test_an_event_without_json_form_is_refused(engine: StorageEngine) -> None:
    """Text that is no UTF-8 (half a surrogate pair) is STORE-012, and the store goes on."""
    with pytest.raises(StorageError) as caught:
        engine.append([queued("R1"), node_started("R1", 1, node="\ud800")])

    assert caught.value.code == "STORE-012"
    engine.append(journal("R1"))


def test_summaries_are_filtered_and_newest_first(engine: StorageEngine) -> None:
    """Lists are sorted by run id downwards and limited after filtering."""
    engine.append([*journal("R1"), *journal("R2", flow="other"), queued("R3"), started("R3"), queued("R4")])
    engine.append([queued("R5"), started("R5"), failed("R5", 2)])

    def ids(**chosen: object) -> list[str]:
        return [summary.run_id for summary in engine.summaries(**chosen)]

    assert ids() == ["R5", "R4", "R3", "R2", "R1"]
    assert ids(limit=2) == ["R5", "R4"]
    assert ids(limit=0) == []
    assert ids(flow=FlowId("other")) == ["R2"]
    assert ids(flow=FlowId("nobody")) == []
    assert ids(statuses=("queued", "running")) == ["R4", "R3"]
    assert ids(flow=FlowId("customers"), statuses=("succeeded",)) == ["R1"]
    assert engine.summaries()[0] == engine.summary(RunId("R5"))
    assert engine.summary(RunId("R5")).error.message == "no such file"
    assert [summary.run_id for summary in engine.summaries()] == ids()


def test_runs_are_found_by_prefix(engine: StorageEngine) -> None:
    """A prefix in any case finds runs; characters that SQL or a shell would expand mean themselves."""
    engine.append([queued("01AB"), queued("01AC"), queued("01XY"), queued("0_%")])

    assert engine.find_runs("01a") == ("01AC", "01AB")
    assert engine.find_runs("01", limit=1) == ("01XY",)
    assert engine.find_runs("0_") == ("0_%",)
    assert engine.find_runs("%") == ()
    assert len(engine.find_runs("")) == 4


@pytest.mark.parametrize("flow", ["größe 1", "..", ".hidden", "a/b", "con", "", "-", "100%", "名"])
def test_every_name_of_a_flow_can_be_kept(engine: StorageEngine, reopened: Reopen, flow: str) -> None:
    """A flow's name never leads out of the store nor collides with another's."""
    engine.append(journal("R1", flow=flow))
    engine.append(journal("R2", flow="a%2Fb"))
    again = reopened(engine)

    assert [summary.run_id for summary in again.summaries(flow=FlowId(flow))] == ["R1"]
    assert len(again.journal(RunId("R1"))) == 7
    again.delete_runs([RunId("R1")])
    assert [summary.run_id for summary in again.summaries()] == ["R2"]


def test_deleting_gives_space_back(engine: StorageEngine) -> None:
    """Deleted runs are gone whole, their space is free, and others stay."""
    empty = engine.stored_bytes()
    filling = {"result": msgspec.Raw(b'"' + b"x" * 50_000 + b'"')}
    for number in range(10):
        run = f"R{number}"
        engine.append([queued(run), node_succeeded(run, 1, outputs=filling), succeeded(run, 2)])
    full = engine.stored_bytes()
    engine.delete_runs([RunId(f"R{number}") for number in range(9)])

    assert full > empty + 500_000
    assert engine.stored_bytes() < empty + 100_000
    assert [summary.run_id for summary in engine.summaries()] == ["R9"]
    assert engine.journal(RunId("R0")) == ()
    assert len(engine.journal(RunId("R9"))) == 3
    engine.append(journal("R0"))
    assert len(engine.journal(RunId("R0"))) == 7


def test_the_disk_gets_deleted_runs_back(engine: StorageEngine) -> None:
    """Files become smaller by what is deleted, at once: events and large values, however young they are."""
    if engine.url == "memory:":
        pytest.skip("it has no files but those of large values")
    small = {"result": msgspec.Raw(b'"' + b"x" * 900_000 + b'"')}
    for number in range(20):
        run = f"R{number:02d}"
        large = engine.large_values.pack({"more": f"{number}" + "x" * LARGE_VALUE_BYTES})
        engine.append([queued(run), node_succeeded(run, 1, outputs={**small, **large}), succeeded(run, 2)])
    full = disk_bytes(engine)
    engine.delete_runs([RunId(f"R{number:02d}") for number in range(19)])

    assert full > 20 * (900_000 + LARGE_VALUE_BYTES)
    assert disk_bytes(engine) < 2 * (900_000 + LARGE_VALUE_BYTES)
    assert len(engine.journal(RunId("R19"))) == 3


def disk_bytes(engine: StorageEngine) -> int:
    """Return what the files of a store take, its log included."""
    folder = Path(engine.url.partition("///")[2]).parent
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_growth_is_counted(engine: StorageEngine) -> None:
    """Events and new large values count once, and what of it belongs to open runs is known."""
    events = journal("R1")
    engine.append(events[:3])
    engine.append(events[:3])
    assert sum(map(len, encoded(events[:3]))) == engine.appended_bytes == engine.open_bytes[RunId("R1")]
    outputs = engine.large_values.pack({"a": "x" * LARGE_VALUE_BYTES, "b": "x" * LARGE_VALUE_BYTES})
    assert LARGE_VALUE_BYTES < engine.appended_bytes < LARGE_VALUE_BYTES + 2000
    engine.append([queued("R2"), node_succeeded("R2", 1, outputs=outputs), *events[3:]])

    assert [RunId("R2")] == list(engine.open_bytes)
    assert engine.open_bytes[RunId("R2")] > 2 * LARGE_VALUE_BYTES


def test_large_values_of_a_run_live_on_in_the_one_that_reuses_them(engine: StorageEngine) -> None:
    """A resumed run mentions what its predecessor made, and keeps it when that is deleted."""
    value: Value = "y" * LARGE_VALUE_BYTES
    outputs = engine.large_values.pack({"result": value})
    engine.append([queued("R1"), node_succeeded("R1", 1, outputs=outputs), failed("R1", 2)])
    reused = NodeReused(
        run_id=RunId("R2"), seq=1, at=AT, node=NodeId("read"), source=RunId("R1"), attempt=1, outputs=outputs
    )
    engine.append([queued("R2"), reused, succeeded("R2", 2)])
    engine.delete_runs([RunId("R1")])
    assert value == engine.large_values.unpack(outputs["result"])
    engine.delete_runs([RunId("R2")])

    assert engine.large_values.stored_bytes() == 0


def test_a_large_value_that_is_on_its_way_stays(engine: StorageEngine) -> None:
    """It was put once more since the deleted run put it, and the event that mentions it has not come yet."""
    value: Value = "y" * LARGE_VALUE_BYTES
    outputs = engine.large_values.pack({"result": value})
    again = engine.large_values.pack({"result": value})
    engine.append([queued("R1"), node_succeeded("R1", 1, outputs=outputs), succeeded("R1", 2)])
    engine.delete_runs([RunId("R1")])
    assert value == engine.large_values.unpack(again["result"])
    engine.append([queued("R2"), node_succeeded("R2", 1, outputs=again), succeeded("R2", 2)])
    engine.delete_runs([RunId("R2")])

    assert engine.large_values.stored_bytes() == 0


def test_sizes_count_events_and_large_values(engine: StorageEngine, reopened: Reopen) -> None:
    """A run's size is that of its events and of the large values they mention; oldest first."""
    outputs = engine.large_values.pack({"result": "x" * LARGE_VALUE_BYTES})
    engine.append([queued("R2"), node_succeeded("R2", 1, outputs=outputs)])
    again = reopened(engine)
    again.append([*journal("R1"), succeeded("R2", 2)])
    small, large = again.stored_runs()

    assert (small.summary.run_id, large.summary.run_id) == ("R1", "R2")
    assert sum(map(len, encoded(journal("R1")))) == small.size_bytes
    assert LARGE_VALUE_BYTES < large.size_bytes < LARGE_VALUE_BYTES + 2000
    assert again.stored_bytes() > LARGE_VALUE_BYTES


def test_large_values_live_as_long_as_a_run_mentions_them(engine: StorageEngine) -> None:
    """A file goes when no run mentions it any more, and an old orphan goes with the next deletion."""
    value: Value = "y" * LARGE_VALUE_BYTES
    outputs = engine.large_values.pack({"result": value})
    engine.append([queued("R1"), node_succeeded("R1", 1, outputs=outputs), succeeded("R1", 2)])
    engine.append([queued("R2"), node_succeeded("R2", 1, outputs=outputs), succeeded("R2", 2)])
    make_old(outputs["result"])
    engine.delete_runs([RunId("R1")])
    assert value == engine.large_values.unpack(engine.journal(RunId("R2"))[1].outputs["result"])
    engine.delete_runs([RunId("R2")])

    with pytest.raises(StorageError) as caught:
        engine.large_values.unpack(outputs["result"])
    assert caught.value.code == "STORE-008"


def make_old(raw: msgspec.Raw) -> None:
    import os

    os.utime(msgspec.json.decode(raw)["$file"], (0, 0))


def test_a_store_that_is_not_open_says_so(engine: StorageEngine) -> None:
    """Every use after `close` is STORE-010; a second `close` changes nothing."""
    engine.close()
    engine.close()
    uses: list[Callable[[], object]] = [
        lambda: engine.append([queued("R1")]),
        lambda: engine.journal(RunId("R1")),
        engine.summaries,
        lambda: engine.summary(RunId("R1")),
        lambda: engine.find_runs(""),
        lambda: engine.delete_runs([RunId("R1")]),
        engine.stored_runs,
        engine.stored_bytes,
    ]
    for use in uses:
        with pytest.raises(StorageError) as caught:
            use()
        assert caught.value.code == "STORE-010"


def test_two_engines_share_a_store(engine: StorageEngine, reopened: Reopen) -> None:
    """What one engine adds, another one on the same store sees, continues and defends."""
    if engine.durability == "none":
        return  # a store in memory has no address that another engine could open
    other = reopened(engine, close=False)
    engine.append([queued("R1"), started("R1")])
    other.append([node_started("R1", 2)])
    engine.append([node_succeeded("R1", 3)])
    other.append([succeeded("R1", 4)])
    with pytest.raises(StorageError) as caught:
        engine.append([failed("R1", 4)])
    engine.append([queued("R2")])
    other.delete_runs([RunId("R2")])
    with pytest.raises(StorageError):
        engine.append([started("R2")])
    engine.append([queued("R2")])

    assert caught.value.code == "STORE-003"
    assert len(engine.journal(RunId("R1"))) == 5
    assert other.summaries() == engine.summaries()
