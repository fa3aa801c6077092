"""A whole flow without any client: from a file to a document, through every layer, event by event."""

from pathlib import Path

import msgspec
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.run.document import document
from tests.contract import written
from tests.doubles.addresses import Collected


@pytest.mark.parametrize("storage", ["memory:", "sqlite:///{}/runs.sqlite3", "files:///{}/runs"])
def test_a_flow_runs_through_all_layers(storage: str, tmp_path: Path) -> None:
    """What was heard live, what is kept and what is written down are the same journal."""
    flows = written.install_flows(tmp_path / "flows")
    heard = Collected("heard")
    with Runtime(flows, storage.format(tmp_path), data=tmp_path / "data") as runtime:
        runtime.subscribe(heard.tell)
        run = runtime.run("greeting", who="Ada")
        live = list(run.events(10))
        told = run.result(10)
        kept = runtime.journal(run.id)
        by_bus = [heard.next() for _ in live]

    assert live == list(kept) == by_bus
    expected = written.events()
    expected[0] = msgspec.structs.replace(expected[0], trigger="api")
    assert written.shape(live) == written.shape(expected)
    assert msgspec.json.encode(told) == msgspec.json.encode(document(kept))


def test_a_later_process_reads_what_an_earlier_one_did(tmp_path: Path) -> None:
    """The journal outlives the runtime that wrote it."""
    flows, storage = written.install_flows(tmp_path / "flows"), f"sqlite:///{tmp_path}/runs.sqlite3"
    with Runtime(flows, storage, data=tmp_path / "data") as first:
        told = first.run("greeting", who="Ada").result(10)
    with Runtime(flows, storage, data=tmp_path / "data") as second:
        assert second.find_run("last") == told.run_id
        assert msgspec.json.encode(second.show(told.run_id)) == msgspec.json.encode(told)
