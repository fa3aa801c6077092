"""Which execution of a node counts as the latest, in every engine: one that only begins hides none before it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run.events import NodeSkipped, RunEvent
from atomiton_runtime.storage.create import ENGINES, create_storage
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.storage.results import Execution
from tests.doubles.journals import AT, failed, node_started, queued, started

PATH, SAVE = "/flows/customers.toml", NodeId("save")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageEngine]:
    """An engine of each kind."""
    address = "memory:" if request.param == "memory" else f"{request.param}:///{tmp_path / 'store'}"
    engine = create_storage(address)
    engine.open()
    yield engine
    engine.close()


def begun(run_id: str) -> list[RunEvent]:
    """Return a journal in which a node that may write has begun."""
    start = msgspec.structs.replace(node_started(run_id, 2, SAVE), may_write=True)
    return [queued(run_id), started(run_id), start]


def execution(run_id: str) -> Execution:
    return Execution(RunId(run_id), 1, SAVE)


def skipped(run_id: str) -> NodeSkipped:
    return NodeSkipped(run_id=RunId(run_id), seq=3, at=AT, node=SAVE, reason="`when` is false")


def test_who_asks_is_told_of_the_one_before_it(engine: StorageEngine) -> None:
    """An execution that has just begun is the latest for all but itself."""
    engine.append([*begun("R1"), failed("R1", 3)])
    engine.append(begun("R2"))

    assert execution("R2") == engine.results.latest(PATH, SAVE)
    assert execution("R1") == engine.results.latest(PATH, SAVE, but=execution("R2"))


def test_the_first_one_has_none_before_it(engine: StorageEngine) -> None:
    """Nothing came before the first execution."""
    engine.append(begun("R1"))

    assert engine.results.latest(PATH, SAVE, but=execution("R1")) is None


def test_one_that_came_to_nothing_is_taken_back(engine: StorageEngine) -> None:
    """A node that has begun and was skipped has done nothing: the execution before it is the latest."""
    engine.append([*begun("R1"), failed("R1", 3)])
    engine.append([*begun("R2"), skipped("R2")])

    assert execution("R1") == engine.results.latest(PATH, SAVE)


def test_a_node_that_was_skipped_without_a_start_takes_nothing_back(engine: StorageEngine) -> None:
    """A node that was skipped in another run has no say about the latest execution."""
    engine.append([*begun("R1"), failed("R1", 3)])
    engine.append([*begun("R2")[:2], msgspec.structs.replace(skipped("R2"), seq=2)])

    assert execution("R1") == engine.results.latest(PATH, SAVE)
