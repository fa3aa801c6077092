import itertools

import msgspec
import pytest

from atomiton_runtime.ids import ROOT
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import NodeStatus, RunEvent, RunStatus
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.scope import NodeState
from atomiton_runtime.run.state import NODE_STEPS, RUN_STEPS, IllegalEvent, RunState, new_run, next_ready
from tests.doubles.flows import BROKEN, MIDNIGHT, OUTPUTS, RUN_ID, flow, node, queued

EVENTS = tuple(RunEvent.__args__)
WHILE_RUNNING = (ev.NodeLogged, ev.BodyOpened, ev.BodyStarted, ev.BodyStopRequested)
NODE_EVENTS = tuple(
    event for event in EVENTS if event.__name__.startswith("Node") and event not in WHILE_RUNNING
)
RUN_EVENTS = tuple(event for event in EVENTS if event.__name__.startswith("Run"))
FIELDS: dict[str, object] = {
    "run_id": RUN_ID,
    "at": MIDNIGHT,
    "node": "a",
    "duration_s": 0.5,
    "delay_s": 1.0,
    "outputs": OUTPUTS,
    "error": BROKEN,
    "handled": False,
    "reason": "user",
    "text": "a line",
    "plan": Plan(),
    "began_s": 0.0,
    "index": 0,
    "source": RUN_ID,
}
OF_SUCCESS = {ev.NodeReused: {"error": None}}
"""What an event says that leads where the table says: one that is reused with its failure is failed."""
TO_NODE_STATUS: dict[NodeStatus, tuple[type[RunEvent], ...]] = {
    "pending": (),
    "running": (ev.NodeStarted,),
    "succeeded": (ev.NodeStarted, ev.NodeSucceeded),
    "failed": (ev.NodeStarted, ev.NodeFailed),
    "skipped": (ev.NodeSkipped,),
    "reused": (ev.NodeReused,),
    "cancelled": (ev.NodeCancelled,),
}
TO_RUN_STATUS: dict[RunStatus, tuple[type[RunEvent], ...]] = {
    "queued": (),
    "running": (ev.RunStarted,),
    "succeeded": (ev.RunStarted, ev.RunSucceeded),
    "failed": (ev.RunFailed,),
    "cancelled": (ev.RunCancelled,),
    "timed_out": (ev.RunStarted, ev.RunTimedOut),
    "interrupted": (ev.RunInterrupted,),
}


def event(kind: type[RunEvent], state: RunState, **changes: object) -> RunEvent:
    """Return an event of this kind that continues the journal, about the node `a`."""
    begun = state.nodes[0].attempt if len(state.nodes) else 0
    if kind is ev.RunQueued:
        return msgspec.structs.replace(queued(state.flow), seq=state.next_seq)
    given = {
        **FIELDS,
        **OF_SUCCESS.get(kind, {}),
        "seq": state.next_seq,
        "attempt": begun + (kind is ev.NodeStarted),
        **changes,
    }
    return kind(**{name: value for name, value in given.items() if name in kind.__struct_fields__})


def after(state: RunState, *kinds: type[RunEvent]) -> RunState:
    """Return the state after one event of each kind."""
    for kind in kinds:
        state = apply(state, event(kind, state))
    return state


def begun_run() -> RunState:
    return after(new_run(flow(node("a"), node("b", "a")), RUN_ID), ev.RunQueued, ev.RunStarted)


def refuses(state: RunState, wrong: RunEvent) -> None:
    """Expect that the event is illegal, and that the state stays what it was."""
    before = msgspec.structs.replace(state)
    with pytest.raises(IllegalEvent):
        apply(state, wrong)
    assert state == before


@pytest.mark.parametrize(("status", "kind"), list(itertools.product(TO_NODE_STATUS, NODE_EVENTS)))
def test_node_steps(status: NodeStatus, kind: type[RunEvent]) -> None:
    """An event of a node does what the table says, or is illegal and changes nothing."""
    state = after(begun_run(), *TO_NODE_STATUS[status])
    assert state.nodes[0].status == status

    if kind in NODE_STEPS[status]:
        assert after(state, kind).nodes[0].status == NODE_STEPS[status][kind]
    else:
        refuses(state, event(kind, state))


@pytest.mark.parametrize(("status", "kind"), list(itertools.product(TO_RUN_STATUS, RUN_EVENTS)))
def test_run_steps(status: RunStatus, kind: type[RunEvent]) -> None:
    """An event of a run does what the table says, or is illegal and changes nothing."""
    state = after(new_run(flow(), RUN_ID), ev.RunQueued, *TO_RUN_STATUS[status])
    assert state.status == status

    if kind in RUN_STEPS[status]:
        assert after(state, kind).status == RUN_STEPS[status][kind]
    else:
        refuses(state, event(kind, state))


def test_the_tables_know_every_status() -> None:
    """No status and no event is forgotten in the tables."""
    assert set(NODE_STEPS) == set(NodeStatus.__args__)
    assert set(RUN_STEPS) == set(RunStatus.__args__)
    assert {kind for row in NODE_STEPS.values() for kind in row} == set(NODE_EVENTS)
    assert {kind for row in RUN_STEPS.values() for kind in row} == {*RUN_EVENTS} - {ev.RunQueued}


@pytest.mark.parametrize("kind", EVENTS)
def test_a_journal_begins_with_run_queued(kind: type[RunEvent]) -> None:
    """Nothing but `RunQueued` can be the first event."""
    state = new_run(flow(node("a")), RUN_ID)

    if kind is ev.RunQueued:
        assert after(state, kind).next_seq == 1
    else:
        refuses(state, event(kind, state))


@pytest.mark.parametrize("kind", [*NODE_EVENTS, *WHILE_RUNNING])
@pytest.mark.parametrize("run", ["queued", "failed", "cancelled", "interrupted"])
def test_nodes_move_only_while_the_run_is_running(run: RunStatus, kind: type[RunEvent]) -> None:
    """Before the run begins and after it has ended no node changes."""
    state = after(new_run(flow(node("a")), RUN_ID), ev.RunQueued, *TO_RUN_STATUS[run])

    refuses(state, event(kind, state))


@pytest.mark.parametrize(
    "changes",
    [{"seq": 1}, {"seq": 3}, {"run_id": "another"}, {"node": "nobody"}, {"attempt": 0}, {"attempt": 2}],
)
def test_an_event_out_of_place_is_refused(changes: dict[str, object]) -> None:
    """Another `seq`, run, node or attempt than the next one is illegal."""
    state = begun_run()

    refuses(state, event(ev.NodeStarted, state, **changes))


@pytest.mark.parametrize(
    "kind", [ev.NodeSucceeded, ev.NodeRetrying, ev.NodeFailed, ev.NodeCancelled, ev.NodeStarted]
)
def test_an_event_of_another_attempt_is_refused(kind: type[RunEvent]) -> None:
    """What is said of an attempt that is not the last one begun is illegal."""
    state = after(begun_run(), ev.NodeStarted, ev.NodeRetrying, ev.NodeStarted)

    refuses(state, event(kind, state, attempt=1))


def test_a_node_begins_only_when_its_turn_has_come() -> None:
    """A node whose parents are not settled, or that is not the next in the queue, cannot begin."""
    state = begun_run()
    refuses(state, event(ev.NodeStarted, state, node="b", attempt=1))

    both = after(new_run(flow(node("a"), node("b")), RUN_ID), ev.RunQueued, ev.RunStarted)
    refuses(both, event(ev.NodeStarted, both, node="b", attempt=1))


@pytest.mark.parametrize("kind", [ev.RunSucceeded, ev.RunFailed, ev.RunCancelled, ev.RunTimedOut])
def test_a_run_does_not_end_before_its_nodes(kind: type[RunEvent]) -> None:
    """While a node is not settled a run that began can only be found dead."""
    state = after(begun_run(), ev.NodeStarted)

    refuses(state, event(kind, state))
    assert after(state, ev.RunInterrupted).status == "interrupted"


def test_nodes_wait_in_line() -> None:
    """Nodes begin in the order in which they became ready, roots in file order."""
    state = after(
        new_run(flow(node("a"), node("b"), node("c", "a"), node("d", "a")), RUN_ID),
        ev.RunQueued,
        ev.RunStarted,
    )
    seen: list[tuple[int, int] | None] = []
    for name in ("a", "b", "c", "d"):
        seen.append(next_ready(state))
        state = apply(state, event(ev.NodeStarted, state, node=name, attempt=1))
        state = apply(state, event(ev.NodeSucceeded, state, node=name, attempt=1))

    assert seen == [(ROOT, 0), (ROOT, 1), (ROOT, 2), (ROOT, 3)]
    assert next_ready(state) is None


def test_the_state_keeps_what_the_events_said() -> None:
    """Outputs, errors and attempts of the nodes are those of the last events."""
    state = after(begun_run(), ev.NodeStarted, ev.NodeRetrying)
    assert state.nodes[0] == NodeState("pending", 1, None, BROKEN)

    again = after(state, ev.NodeStarted)
    assert again.nodes[0] == NodeState("running", 2)
    assert after(again, ev.NodeSucceeded).nodes[0] == NodeState("succeeded", 2, OUTPUTS)
    assert after(again, ev.NodeFailed).nodes[0] == NodeState("failed", 2, None, BROKEN)


def test_a_pause_between_attempts_keeps_its_place() -> None:
    """A node in a pause counts among those under way; a settled one does not."""
    pausing = after(begun_run(), ev.NodeStarted, ev.NodeRetrying)
    assert pausing.running == 1
    assert after(pausing, ev.NodeStarted).running == 1
    assert after(pausing, ev.NodeCancelled).running == 0


@pytest.mark.parametrize("handled", [True, False])
def test_the_first_unhandled_failure_is_kept(handled: bool) -> None:
    """A handled failure leaves no mark on the run; of the others the first one stays."""
    state = after(new_run(flow(node("a"), node("b")), RUN_ID), ev.RunQueued, ev.RunStarted, ev.NodeStarted)
    state = apply(state, event(ev.NodeFailed, state, handled=handled))
    assert state.failure == (None if handled else BROKEN)

    later = msgspec.structs.replace(BROKEN, message="later")
    state = apply(state, event(ev.NodeStarted, state, node="b", attempt=1))
    state = apply(state, event(ev.NodeFailed, state, node="b", attempt=1, error=later))
    assert state.failure == (later if handled else BROKEN)


@pytest.mark.parametrize(
    ("reasons", "cancel", "reaches_all"),
    [
        (["user"], "user", False),
        (["timeout", "user"], "timeout", True),
        (["fault"], "fault", True),
        (["user", "fault"], "fault", True),
    ],
)
def test_the_first_cancel_names_the_reason_and_a_fault_overrules(
    reasons: list[str], cancel: str, reaches_all: bool
) -> None:
    """The second cancel, and a fault, reach `always` nodes; the reason is the first one, or the fault."""
    state = begun_run()
    for reason in reasons:
        state = apply(state, event(ev.RunCancelRequested, state, reason=reason, error=None))

    assert (state.cancel, state.cancel_all) == (cancel, reaches_all)
    assert state.failure is None
