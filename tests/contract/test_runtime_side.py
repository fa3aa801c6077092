"""The runtime's side: it executes the written requests and returns what is written."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.requests import (
    CancelAccepted,
    CancelRun,
    FindLeft,
    LeftToEnd,
    Refused,
    RunAccepted,
    RunFlow,
)
from atomiton_runtime.run.events import FINAL_EVENTS
from tests.contract import written
from tests.doubles.addresses import Collected

BY_TRAY, BY_CLI, HANDED_OVER, RESUME, REPLAY, CANCEL, LEFT = written.requests()
ACCEPTED, CANCELLING, NO_FLOW, NO_RUN, LEFT_TO_END = map(written.shape, written.responses())


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(written.install_flows(tmp_path / "flows"), "memory:", data=tmp_path / "data") as running:
        yield running


@pytest.fixture
def ends(runtime: Runtime) -> Collected:
    """What the runtime says of ends of runs."""
    heard = Collected("ends")
    runtime.subscribe(heard.tell, kinds=tuple(kind.__name__ for kind in FINAL_EVENTS))
    return heard


@pytest.mark.parametrize("request_", [BY_TRAY, BY_CLI], ids=["tray", "cli"])
def test_a_written_run_request_is_accepted_and_executed(
    request_: RunFlow, runtime: Runtime, ends: Collected
) -> None:
    """The answer names the run; its end and its document follow."""
    response = runtime.submit(request_)
    assert isinstance(response, RunAccepted)
    assert written.shape(response) == ACCEPTED

    assert ends.next().run_id == response.run_id
    told = runtime.show(response.run_id)
    who = request_.variables.get("who", "world")
    assert (told.status, told.trigger) == ("succeeded", request_.trigger)
    assert told.outputs == {"shout": {"result": {"text": f"hello {who}", "loud": f"HELLO {who}".upper()}}}


def test_the_journal_of_a_written_request_is_the_written_one(runtime: Runtime, ends: Collected) -> None:
    """Event by event, the run of the CLI's request has the written shape; so has its document."""
    response = runtime.submit(BY_CLI)
    assert isinstance(response, RunAccepted)
    ends.next()
    document = msgspec.json.decode((written.FOLDER / "document.json").read_bytes())

    assert written.shape(runtime.journal(response.run_id)) == written.shape(written.events())
    assert written.shape(runtime.show(response.run_id)) == written.shape(document)


def test_a_run_that_is_handed_over_is_served_as_written(runtime: Runtime) -> None:
    """After the response come the run's events until its last, under the id that the client chose, and once only."""
    assert isinstance(HANDED_OVER, RunFlow)
    served = runtime.serve(HANDED_OVER)
    assert isinstance(served, Iterator)
    response, *news = [said for said in served if said]
    again = runtime.serve(HANDED_OVER)
    assert isinstance(again, Iterator)
    (refused,) = again

    assert written.shape(response) == ACCEPTED
    events = [event for group in news for event in group]
    assert {event.run_id for event in events} == {HANDED_OVER.run_id}
    assert written.shape(events) == written.shape(written.events())
    assert isinstance(refused, Refused)
    assert refused.errors[0].code == "RUN-022"


def test_a_written_cancel_request_ends_a_run(runtime: Runtime, ends: Collected) -> None:
    """The answer comes at once; the journal has the written shape when the run has ended."""
    accepted = runtime.submit(RunFlow(flow="waiting", trigger="tray"))
    assert isinstance(accepted, RunAccepted)
    assert isinstance(CANCEL, CancelRun)
    response = runtime.submit(msgspec.structs.replace(CANCEL, run_id=accepted.run_id))
    assert isinstance(response, CancelAccepted)
    assert written.shape(response) == CANCELLING

    ends.next()
    expected = written.shape(written.events("events-of-a-cancelled-run"))
    assert written.shape(runtime.journal(accepted.run_id)) == expected


def test_what_is_left_of_a_run_is_told_as_written(runtime: Runtime) -> None:
    """A run that is being cancelled has nodes that still end; one that is not has none to tell of."""
    assert isinstance(LEFT, FindLeft)
    nobody = runtime.submit(LEFT)

    assert nobody == LeftToEnd(nodes=None)
    assert LEFT_TO_END == written.shape(LeftToEnd(nodes=("wait",)))


def test_a_request_for_nothing_is_refused_as_written(runtime: Runtime) -> None:
    """A flow or a run that is not there gives a reason and a hint, and never an exception."""
    no_flow = runtime.submit(RunFlow(flow="greetings"))
    no_run = runtime.submit(CANCEL)

    assert isinstance(no_flow, Refused)
    assert isinstance(no_run, Refused)
    assert [written.shape(no_flow), written.shape(no_run)] == [NO_FLOW, NO_RUN]
