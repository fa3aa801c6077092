"""Is the state of one run: what folding its events gives, and the tables of what may follow what.

`apply` is a function of values. An event that the tables do not allow raises and changes nothing, because the
state it was given is never touched: each step makes a new one that shares nearly everything with the old.
"""

from typing import TypeAlias, assert_never

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

NodeEvent: TypeAlias = (
    ev.NodeStarted | ev.NodeSucceeded | ev.NodeRetrying | ev.NodeFailed | ev.NodeSkipped | ev.NodeCancelled
)
_ENDS_OF_ALL = (ev.RunSucceeded, ev.RunFailed, ev.RunCancelled, ev.RunTimedOut)
"""These say of a run that began that nothing of it is alive."""

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
    """Together the queue of nodes that wait for nothing and have not begun. The back one is reversed, and empty
    while the front one is: so each node is moved once, and the next one is always at hand."""
    running: int = 0
    """Nodes under way. A pause between two attempts counts: the node keeps its place among `max_parallel`."""
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
    return None if state.ready_front is None else state.ready_front[0]


def apply(state: RunState, event: RunEvent) -> RunState:
    """Return the state after `event`; `state` itself is not changed.

    Raises:
        IllegalEvent: the event is of another run, out of order, or not allowed by the tables.
    """
    if event.seq != state.next_seq or event.run_id != state.run_id:
        raise IllegalEvent(f"{type(event).__name__} {event.run_id}/{event.seq} after {state.next_seq - 1}")
    if isinstance(event, NodeEvent):
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
    if state.unsettled and state.status == "running" and isinstance(event, _ENDS_OF_ALL):
        raise IllegalEvent(f"{type(event).__name__} while {state.unsettled} nodes are not settled")
    if isinstance(event, ev.RunCancelRequested):
        return msgspec.structs.replace(
            state,
            next_seq=state.next_seq + 1,
            cancel=event.reason if event.reason == "fault" else state.cancel or event.reason,
            cancel_all=state.cancel is not None or event.reason == "fault",
            failure=event.error or state.failure,
        )
    return msgspec.structs.replace(state, next_seq=state.next_seq + 1, status=status)


def _apply_to_node(state: RunState, event: NodeEvent) -> RunState:
    index = state.index_of.get(event.node, -1)
    if index < 0 or state.status != "running":
        raise IllegalEvent(f"{type(event).__name__} of {event.node} while the run is {state.status}")
    before = state.nodes[index]
    after = _next_node(before, event)
    front, back = _dequeued(state, index, before)
    waiting, settled = state.waiting, after.status not in ("pending", "running")
    for dependent in state.flow.dependents[index] if settled else ():
        left = waiting[dependent] - 1
        waiting = waiting.set(dependent, left)
        if not left:
            back = (dependent, back)
    if front is None:
        front, back = _reversed(back), None
    failure = state.failure
    if type(event) is ev.NodeFailed and failure is None and not event.handled:
        failure = event.error
    return msgspec.structs.replace(
        state,
        next_seq=state.next_seq + 1,
        nodes=state.nodes.set(index, after),
        waiting=waiting,
        ready_front=front,
        ready_back=back,
        running=state.running + _is_under_way(after) - _is_under_way(before),
        unsettled=state.unsettled - settled,
        failure=failure,
    )


def _next_node(before: NodeState, event: NodeEvent) -> NodeState:
    status = NODE_STEPS[before.status].get(type(event))
    if status is None:
        raise IllegalEvent(f"{type(event).__name__} while {event.node} is {before.status}")
    attempt = before.attempt + (type(event) is ev.NodeStarted)
    if not isinstance(event, ev.NodeSkipped) and event.attempt != attempt:
        raise IllegalEvent(
            f"{type(event).__name__} of attempt {event.attempt} of {event.node}, not {attempt}"
        )
    match event:
        case ev.NodeSucceeded():
            return NodeState(status, attempt, event.outputs)
        case ev.NodeStarted():
            return NodeState(status, attempt)
        case ev.NodeRetrying() | ev.NodeFailed():
            return NodeState(status, attempt, None, event.error)
        case ev.NodeSkipped() | ev.NodeCancelled():
            return NodeState(status, attempt)
        case _:
            assert_never(event)


def _is_under_way(node: NodeState) -> bool:
    return node.attempt > 0 and node.status in ("running", "pending")


def _dequeued(state: RunState, index: int, before: NodeState) -> tuple[Chain, Chain]:
    """Return the two halves of the queue without the node, if this event takes it from there."""
    front, back = state.ready_front, state.ready_back
    if before.status != "pending" or before.attempt:
        return front, back
    if front is None or front[0] != index:
        raise IllegalEvent(f"{state.flow.nodes[index].id} is not the next node to begin")
    return front[1], back


def _reversed(chain: Chain) -> Chain:
    turned: Chain = None
    while chain is not None:
        turned, chain = (chain[0], turned), chain[1]
    return turned
