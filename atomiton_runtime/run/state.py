"""Is the state of one run: what folding its events gives, and the tables of what may follow what.

`apply` is a function of values. An event that the tables do not allow raises and changes nothing, because the
state it was given is never touched: each step makes a new one that shares nearly everything with the old.
"""

from typing import TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import CancelReason, NodeStatus, RunEvent, RunStatus
from atomiton_runtime.run.pages import Pages

NODE_STEPS: dict[NodeStatus, dict[type[RunEvent], NodeStatus]] = {
    "pending": {
        ev.NodeStarted: "running",
        ev.NodeSkipped: "skipped",
        ev.NodeCancelled: "cancelled",
    },
    "running": {
        ev.NodeSucceeded: "succeeded",
        ev.NodeRetrying: "pending",
        ev.NodeFailed: "failed",
        ev.NodeSkipped: "skipped",
        ev.NodeCancelled: "cancelled",
    },
    "succeeded": {},
    "failed": {},
    "skipped": {},
    "reused": {},
    "cancelled": {},
}
"""Node status -> event -> next status. A status without a row of its own is settled: nothing follows."""

RUN_STEPS: dict[RunStatus, dict[type[RunEvent], RunStatus]] = {
    "queued": {
        ev.RunStarted: "running",
        ev.RunFailed: "failed",
        ev.RunCancelled: "cancelled",
        ev.RunInterrupted: "interrupted",
    },
    "running": {
        ev.RunCancelRequested: "running",
        ev.RunSucceeded: "succeeded",
        ev.RunFailed: "failed",
        ev.RunCancelled: "cancelled",
        ev.RunTimedOut: "timed_out",
        ev.RunInterrupted: "interrupted",
    },
    "succeeded": {},
    "failed": {},
    "cancelled": {},
    "timed_out": {},
    "interrupted": {},
}
"""Run status -> event -> next status."""

_NODE_EVENTS = (
    ev.NodeStarted,
    ev.NodeSucceeded,
    ev.NodeRetrying,
    ev.NodeFailed,
    ev.NodeSkipped,
    ev.NodeCancelled,
)

Chain: TypeAlias = "tuple[int, Chain] | None"
"""A linked list of node indexes: sharing makes a queue of any length cheap to copy."""


class IllegalEvent(Exception):
    """An event that cannot follow in this state: a bug, never a user's mistake."""


class NodeState(msgspec.Struct, frozen=True):
    """What is known of one node."""

    status: NodeStatus = "pending"
    attempt: int = 0
    """The last attempt that began, counted from 1."""
    outputs: dict[str, msgspec.Raw] | None = None
    error: ErrorInfo | None = None


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """A run as of its last event."""

    run_id: RunId
    flow: Flow
    index_of: dict[NodeId, int]
    """Node id -> place in `flow.nodes`."""
    status: RunStatus = "queued"
    next_seq: int = 0
    nodes: Pages[NodeState]
    waiting: Pages[int]
    """Node index -> parents that are not settled yet."""
    ready_front: Chain = None
    ready_back: Chain = None
    """Together the queue of nodes that wait for nothing and have not begun; the back one is reversed."""
    running: int = 0
    unsettled: int
    """Nodes that have no final status yet."""
    cancel: CancelReason | None = None
    cancel_all: bool = False
    """True after a second cancel or a fault: `always` nodes are ended as well."""
    failure: ErrorInfo | None = None
    """The first failure that nothing handled."""


def new_run(flow: Flow, run_id: RunId) -> RunState:
    """Return the state of a run before its first event."""
    ready: Chain = None
    for index in range(len(flow.nodes) - 1, -1, -1):
        if not flow.parents[index]:
            ready = (index, ready)
    return RunState(
        run_id=run_id,
        flow=flow,
        index_of={node.id: node.index for node in flow.nodes},
        nodes=Pages([NodeState()] * len(flow.nodes)),
        waiting=Pages([len(parents) for parents in flow.parents]),
        ready_front=ready,
        unsettled=len(flow.nodes),
    )


def next_ready(state: RunState) -> int | None:
    """Return the index of the node that has waited longest to begin, or None."""
    if state.ready_front is not None:
        return state.ready_front[0]
    last = state.ready_back
    while last is not None and last[1] is not None:
        last = last[1]
    return None if last is None else last[0]


def apply(state: RunState, event: RunEvent) -> RunState:
    """Return the state after `event`; `state` itself is not changed.

    Raises:
        IllegalEvent: the event is of another run, out of order, or not allowed by the tables.
    """
    if event.seq != state.next_seq or event.run_id != state.run_id:
        raise IllegalEvent(f"{type(event).__name__} {event.run_id}/{event.seq} after {state.next_seq - 1}")
    if isinstance(event, _NODE_EVENTS):
        return _apply_to_node(state, event)
    return _apply_to_run(state, event)


def _apply_to_run(state: RunState, event: RunEvent) -> RunState:
    if isinstance(event, ev.RunQueued):
        if state.next_seq:
            raise IllegalEvent("RunQueued is the first event of a journal")
        return msgspec.structs.replace(state, next_seq=1)
    status = RUN_STEPS[state.status].get(type(event))
    if status is None or not state.next_seq:
        raise IllegalEvent(f"{type(event).__name__} while the run is {state.status}")
    if isinstance(event, ev.RunCancelRequested):
        return msgspec.structs.replace(
            state,
            next_seq=state.next_seq + 1,
            cancel=event.reason if event.reason == "fault" else state.cancel or event.reason,
            cancel_all=state.cancel is not None or event.reason == "fault",
            failure=event.error or state.failure,
        )
    return msgspec.structs.replace(state, next_seq=state.next_seq + 1, status=status)


def _apply_to_node(
    state: RunState,
    event: ev.NodeStarted
    | ev.NodeSucceeded
    | ev.NodeRetrying
    | ev.NodeFailed
    | ev.NodeSkipped
    | ev.NodeCancelled,
) -> RunState:
    index = state.index_of.get(event.node, -1)
    if index < 0 or state.status != "running":
        raise IllegalEvent(f"{type(event).__name__} of {event.node} while the run is {state.status}")
    before = state.nodes[index]
    status = NODE_STEPS[before.status].get(type(event))
    if status is None:
        raise IllegalEvent(f"{type(event).__name__} while {event.node} is {before.status}")
    front, back = _dequeued(state, index, before)
    match event:
        case ev.NodeStarted():
            if event.attempt != before.attempt + 1:
                raise IllegalEvent(f"attempt {event.attempt} of {event.node} after {before.attempt}")
            after = NodeState("running", event.attempt)
        case ev.NodeSucceeded():
            after = NodeState("succeeded", before.attempt, event.outputs)
        case ev.NodeRetrying() | ev.NodeFailed():
            after = NodeState(status, before.attempt, None, event.error)
        case ev.NodeSkipped() | ev.NodeCancelled():
            after = NodeState(status, before.attempt)
    waiting = state.waiting
    settled = status not in ("pending", "running")
    if settled:
        for dependent in state.flow.dependents[index]:
            left = waiting[dependent] - 1
            waiting = waiting.set(dependent, left)
            if not left:
                back = (dependent, back)
    failure = state.failure
    if failure is None and isinstance(event, ev.NodeFailed) and not event.handled:
        failure = event.error
    return RunState(
        run_id=state.run_id,
        flow=state.flow,
        index_of=state.index_of,
        status=state.status,
        next_seq=state.next_seq + 1,
        nodes=state.nodes.set(index, after),
        waiting=waiting,
        ready_front=front,
        ready_back=back,
        running=state.running + (status == "running") - (before.status == "running"),
        unsettled=state.unsettled - settled,
        cancel=state.cancel,
        cancel_all=state.cancel_all,
        failure=failure,
    )


def _dequeued(state: RunState, index: int, before: NodeState) -> tuple[Chain, Chain]:
    """Return the two halves of the queue without the node, if this event takes it from there."""
    front, back = state.ready_front, state.ready_back
    if before.status != "pending" or before.attempt:
        return front, back
    if front is None:
        while back is not None:
            front, back = (back[0], front), back[1]
    if front is None or front[0] != index:
        raise IllegalEvent(f"{state.flow.nodes[index].id} is not the next node to begin")
    return front[1], back
