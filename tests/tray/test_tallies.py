"""The events of nodes are counted where they come in, and go no further."""

from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.notices import FlowRemoved, Notice
from atomiton_runtime.tray.tallies import Tallied, Tallies
from tests.tray.cases import ENDS, FLOW, NOW, RUN, queued, started

REUSED = ev.NodeReused(run_id=RUN, seq=2, at=NOW, node=NodeId("a"), source=RunId("R0"), attempt=1)
RAN = ev.NodeSucceeded(run_id=RUN, seq=2, at=NOW, node=NodeId("b"), attempt=1, duration_s=1.0, outputs={})


def heard(*facts: RunEvent | Notice) -> list[RunEvent | Notice | Tallied]:
    """Return what is handed on of these facts."""
    taken: list[RunEvent | Notice | Tallied] = []
    tallies = Tallies(taken.append)
    for fact in facts:
        tallies.hear(fact)
    return taken


def test_the_sum_comes_before_the_end() -> None:
    """What the tray shows is handed on, events of nodes are not; their sum comes right before the run's end."""
    end, removed = ENDS["succeeded"], FlowRemoved(flow=FLOW, path="")
    told = heard(queued(), started(), REUSED, removed, RAN, end)
    assert [queued(), started(), removed, Tallied(RUN, "1 run, 1 reused"), end] == told


def test_runs_without_reused_nodes_have_no_sum() -> None:
    """Of a run that executed all of its nodes, and of one whose beginning nobody heard, nothing is said."""
    assert [queued(), ENDS["failed"]] == heard(queued(), RAN, ENDS["failed"])
    assert [ENDS["failed"]] == heard(REUSED, ENDS["failed"])
