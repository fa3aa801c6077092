"""It is counted what became of the nodes of a run, from its events as they come and from its document."""

import msgspec
import pytest

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import document
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.tally import Tally, counted_in, tally_of
from tests.doubles.journals import AT, node_succeeded, queued, started, succeeded

RUN = RunId("R2")
FAULT = ErrorInfo("FILE-001", "it is not there", "read")


def began(node: str) -> ev.NodeStarted:
    return ev.NodeStarted(run_id=RUN, seq=0, at=AT, node=NodeId(node), attempt=1)


def reused(node: str, error: ErrorInfo | None = None) -> ev.NodeReused:
    return ev.NodeReused(
        run_id=RUN, seq=0, at=AT, node=NodeId(node), source=RunId("R1"), attempt=2, error=error
    )


def failed(node: str) -> ev.NodeFailed:
    return ev.NodeFailed(
        run_id=RUN, seq=0, at=AT, node=NodeId(node), attempt=1, duration_s=1.0, error=FAULT, handled=True
    )


def skipped(node: str) -> ev.NodeSkipped:
    return ev.NodeSkipped(run_id=RUN, seq=0, at=AT, node=NodeId(node), reason="read failed")


def cancelled(node: str, attempt: int) -> ev.NodeCancelled:
    return ev.NodeCancelled(run_id=RUN, seq=0, at=AT, node=NodeId(node), attempt=attempt, duration_s=0.5)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], ""),
        ([began("a"), node_succeeded(RUN, 0, "a")], ""),
        ([reused("a"), reused("b")], "nothing had changed, 2 reused"),
        ([reused("a"), began("b"), node_succeeded(RUN, 0, "b")], "1 run, 1 reused"),
        (
            [reused("a"), began("b"), failed("b"), began("c"), node_succeeded(RUN, 0, "c"), skipped("d")],
            "2 run (1 failed), 1 reused, 1 skipped",
        ),
        ([reused("a"), skipped("b")], "1 reused, 1 skipped"),
        ([reused("a"), began("b"), cancelled("b", 1), cancelled("c", 0)], "1 run, 1 reused"),
        ([began("a"), reused("a")], "nothing had changed, 1 reused"),
        ([reused("a", FAULT)], "nothing had changed, 1 reused"),
        (
            [began("each"), began("each/0/a"), reused("each/0/b"), node_succeeded(RUN, 0, "each/0/a")],
            "",
        ),
    ],
)
def test_the_nodes_of_the_flow_itself_are_counted(events: list[RunEvent], expected: str) -> None:
    """The same comes of the events as of the document; nodes within bodies are not counted."""
    journal = [queued(RUN, nodes=("a", "b", "c", "d", "each")), started(RUN), *events, succeeded(RUN, 0)]
    tally = Tally()
    for event in journal:
        tally = counted_in(tally, event)

    assert expected == tally.words
    assert tally == tally_of(document(journal).nodes)


def test_what_is_continued_may_have_changed() -> None:
    """A run that continues another one reuses what was settled, which does not mean that nothing had changed."""
    first = msgspec.structs.replace(queued(RUN), resumes=RunId("R1"))
    tally = counted_in(counted_in(Tally(), first), reused("read"))
    assert tally.words == "1 reused"
    assert tally == tally_of(document([first, reused("read")]).nodes, continues=True)


def test_a_node_that_had_begun_and_is_reused_was_not_executed() -> None:
    """No attempt was made, and nothing took time, whatever was begun to find out that it can be reused."""
    node = document([queued(RUN), started(RUN), began("read"), reused("read")]).nodes["read"]
    assert ("reused", 0, None, "R1") == (node.status, node.attempts, node.duration_s, node.reused_from)
