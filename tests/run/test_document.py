"""The run document and the summary are folds of the journal."""

import msgspec
import pytest

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary, document, summarize
from atomiton_runtime.run.events import RunEvent
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

ERROR = ErrorInfo("NODE-001", "no such file", "read", None, "look again")
RUN = {"run_id": RunId("R1"), "at": AT}
NODE = {**RUN, "node": NodeId("read")}


def folded(events: list[RunEvent]) -> RunSummary | None:
    summary = None
    for event in events:
        summary = summarize(summary, event)
    return summary


def test_the_document_is_what_the_design_shows() -> None:
    """The JSON of a small run has exactly the documented keys and values."""
    events = [queued("R1"), started("R1"), node_started("R1", 2, "save"), node_succeeded("R1", 3, "save")]
    shown = msgspec.to_builtins(document([*events, succeeded("R1", 4)]))

    pending = {"status": "pending", "attempts": 0, "duration_s": None, "outputs": None, "error": None}
    outputs = {"result": {"rows": [1, 2]}}
    saved = {"status": "succeeded", "attempts": 1, "duration_s": 0.25, "outputs": outputs, "error": None}
    assert shown == {
        "run_id": "R1",
        "flow": "customers",
        "status": "succeeded",
        "trigger": "cli",
        "started_at": "2026-11-23T19:15:00.123Z",
        "duration_s": 1.5,
        "flow_hash": "f00d",
        "variables": {"limit": 5, "nothing": None, "names": ["ä", None]},
        "outputs": {"save": outputs},
        "nodes": {"read": pending, "save": saved},
        "error": None,
    }


@pytest.mark.parametrize(
    ("events", "status", "attempts", "duration_s", "error"),
    [
        ([], "pending", 0, None, None),
        ([ev.NodeStarted(seq=1, attempt=1, **NODE)], "running", 1, None, None),
        ([ev.NodeSkipped(seq=1, reason="when", **NODE)], "skipped", 0, None, None),
        ([ev.NodeCancelled(seq=1, attempt=0, duration_s=0, **NODE)], "cancelled", 0, None, None),
        (
            [
                ev.NodeStarted(seq=1, attempt=1, **NODE),
                ev.NodeCancelled(seq=2, attempt=1, duration_s=0.5, **NODE),
            ],
            "cancelled",
            1,
            0.5,
            None,
        ),
        (
            [
                ev.NodeStarted(seq=1, attempt=1, **NODE),
                ev.NodeRetrying(seq=2, attempt=1, duration_s=0.5, error=ERROR, delay_s=1, **NODE),
            ],
            "pending",
            1,
            0.5,
            ERROR,
        ),
        (
            [
                ev.NodeRetrying(seq=1, attempt=1, duration_s=0.5, error=ERROR, delay_s=1, **NODE),
                ev.NodeStarted(seq=2, attempt=2, **NODE),
                ev.NodeSucceeded(seq=3, attempt=2, duration_s=0.25, outputs={}, **NODE),
            ],
            "succeeded",
            2,
            0.25,
            None,
        ),
        (
            [ev.NodeFailed(seq=1, attempt=1, duration_s=1, error=ERROR, handled=True, **NODE)],
            "failed",
            0,
            1,
            ERROR,
        ),
        ([ev.RunCancelRequested(seq=1, reason="user", **RUN)], "pending", 0, None, None),
    ],
)
def test_a_node_is_what_its_events_say(
    events: list[RunEvent], status: str, attempts: int, duration_s: float | None, error: ErrorInfo | None
) -> None:
    """Status, attempts, duration and error of a node follow its latest event."""
    node = document([queued("R1"), *events]).nodes["read"]

    assert (node.status, node.attempts, node.duration_s, node.error) == (status, attempts, duration_s, error)


@pytest.mark.parametrize(
    ("event", "status", "error"),
    [
        (ev.RunSucceeded(seq=2, duration_s=1, **RUN), "succeeded", None),
        (ev.RunFailed(seq=2, duration_s=1, error=ERROR, **RUN), "failed", ERROR),
        (ev.RunCancelled(seq=2, duration_s=1, error=ERROR, **RUN), "cancelled", ERROR),
        (ev.RunTimedOut(seq=2, duration_s=1, error=ERROR, **RUN), "timed_out", ERROR),
        (ev.RunInterrupted(seq=2, duration_s=1, error=ERROR, **RUN), "interrupted", ERROR),
    ],
)
def test_the_final_event_decides_the_run(event: RunEvent, status: str, error: ErrorInfo | None) -> None:
    """Each final event has its status; summary and document agree."""
    events = [queued("R1"), started("R1"), event]
    summary = folded(events)
    whole = document(events)

    assert summary is not None
    assert (status, error, 1) == (summary.status, summary.error, summary.duration_s)
    assert (status, error, 1) == (whole.status, whole.error, whole.duration_s)


def test_summary_and_document_agree_at_every_moment() -> None:
    """Whatever part of a journal is folded, both tell the same."""
    events = [*journal("R1")[:-1], failed("R1", 6)]
    for length in range(1, len(events) + 1):
        summary, whole = folded(events[:length]), document(events[:length])
        assert summary is not None
        assert summary.status == whole.status
        assert f"{summary.started_at:%Y-%m-%dT%H:%M:%S}" == whole.started_at[:19]
    assert folded([queued("R1")]).status == "queued"
    assert folded([queued("R1"), started("R1")]).status == "running"


def test_child_nodes_and_missing_sinks_have_a_place() -> None:
    """Events of nodes that the flow's list does not name (children) are shown; a sink nobody knows is left out."""
    first = msgspec.structs.replace(queued("R1"), sinks=(NodeId("save"), NodeId("gone")))
    child = node_succeeded("R1", 1, "each/3/resize")
    error = ev.NodeFailed(
        **{**NODE, "node": NodeId("each/4/x")}, seq=2, attempt=1, duration_s=1, error=ERROR, handled=False
    )
    whole = document([first, child, error])

    assert whole.nodes["each/3/resize"].status == "succeeded"
    assert whole.nodes["each/4/x"].error == ERROR
    assert whole.outputs == {}


@pytest.mark.parametrize("events", [[], [started("R1")]])
def test_a_journal_without_its_begin_is_no_document(events: list[RunEvent]) -> None:
    """A document needs RunQueued first; a summary waits for it."""
    with pytest.raises(ValueError, match="begins with RunQueued"):
        document(events)
    assert folded(events) is None
    assert folded([succeeded("R1", 0), failed("R1", 1)]) is None


@pytest.mark.parametrize(("error", "status"), [(None, "reused"), (ERROR, "failed")])
def test_a_node_that_is_reused_names_the_run_it_comes_from(error: ErrorInfo | None, status: str) -> None:
    """Its outputs are those of that run; in this one it has made no attempt."""
    outputs = None if error else {"result": msgspec.Raw(b"1")}
    reused = ev.NodeReused(seq=1, source=RunId("R0"), attempt=2, outputs=outputs, error=error, **NODE)
    told = document([queued("R1"), reused]).nodes["read"]

    assert (told.status, told.attempts, told.error) == (status, 0, error)
    assert told.outputs == (None if error else {"result": 1})
    assert msgspec.to_builtins(told)["reused_from"] == "R0"
