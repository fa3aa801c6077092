"""What keeps a run from being cancelled, by its journal and by its state."""

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.graph import body_of
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.left import left_of, left_to_end
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.state import new_run
from tests.doubles import flows
from tests.doubles.journals import AT, node_started, queued, started

ERROR = ErrorInfo("NODE-001", "no such file", "read", None, "look again")
RUN = {"run_id": RunId("R1"), "at": AT}
BEGAN = [
    queued("R1"),
    started("R1"),
    node_started("R1", 2, "read"),
    node_started("R1", 3, "each"),
    node_started("R1", 4, "each/0/a"),
]


def test_what_is_left_of_a_run_that_is_being_cancelled() -> None:
    """The nodes that are under way, without those that only wait for nodes within them; nothing once it is over."""
    asked = ev.RunCancelRequested(seq=5, reason="user", **RUN)
    ended = ev.RunCancelled(seq=6, duration_s=0.5, error=ERROR, **RUN)

    assert left_to_end(BEGAN) is None
    assert left_to_end([*BEGAN, asked]) == ("read", "each/0/a")
    assert left_to_end([*BEGAN, asked, ended]) is None


def test_what_has_ended_is_not_left() -> None:
    """A node that came to its end keeps nobody waiting; the two ways to look agree."""
    inner = body_of((msgspec.structs.replace(flows.node("a"), index=0),))
    each = msgspec.structs.replace(flows.node("each"), body=inner)
    written = flows.flow(each, flows.node("read"), max_parallel=4)
    plan = Plan(count=2, takes=(0,), numbered=True)
    head = {"run_id": flows.RUN_ID, "at": flows.MIDNIGHT}
    one = {"attempt": 1, **head}
    journal = [
        flows.queued(written),
        ev.RunStarted(seq=1, **head),
        ev.NodeStarted(seq=2, node=NodeId("each"), **one),
        ev.NodeStarted(seq=3, node=NodeId("read"), **one),
        ev.BodyOpened(seq=4, node=NodeId("each"), plan=plan, began_s=0.0, **one),
        ev.BodyStarted(seq=5, node=NodeId("each"), index=0, **head),
        ev.NodeStarted(seq=6, node=NodeId("each/0/a"), **one),
        ev.RunCancelRequested(seq=7, reason="user", **head),
    ]
    state = new_run(written, flows.RUN_ID)
    for event in journal:
        state = apply(state, event)

    assert left_of(state) == ("read", "each/0/a")
    assert set(left_of(state)) == set(left_to_end(journal) or ())
    cancelled = ev.NodeCancelled(seq=8, node=NodeId("read"), duration_s=0.1, **one)
    assert left_of(apply(state, cancelled)) == ("each/0/a",)
    assert left_to_end([*journal, cancelled]) == ("each/0/a",)


def test_what_was_found_reused_is_not_left() -> None:
    """Though it had begun."""
    asked = ev.RunCancelRequested(seq=5, reason="user", **RUN)
    reused = ev.NodeReused(seq=6, node=NodeId("read"), source=RunId("R0"), attempt=1, **RUN)

    assert left_to_end([*BEGAN, asked, reused]) == ("each/0/a",)
