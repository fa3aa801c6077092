"""Folds events into the state of a run: what each of them changes, and whether it may come now.

`apply` is a function of values. An event that the tables do not allow raises and changes nothing, because the
state it was given is never touched: each step makes a new one that shares nearly everything with the old.
"""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from atomiton_runtime.ids import ROOT, NodeId, ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.pages import Pages
from atomiton_runtime.run.scope import UNDER_WAY, BodyState, NodeState, Owner, Scope, ended, new_scope, packed
from atomiton_runtime.run.state import (
    ENDS_OF_ALL,
    NODE_STEPS,
    RUN_STEPS,
    BodyEvent,
    Chain,
    IllegalEvent,
    NodeEvent,
    Place,
    RunOnlyEvent,
    RunState,
)


def apply(state: RunState, event: RunEvent) -> RunState:
    """Return the state after `event`; `state` itself is not changed.

    Raises:
        IllegalEvent: the event is of another run, out of order, or not allowed by the tables.
    """
    if event.seq != state.next_seq or event.run_id != state.run_id:
        raise IllegalEvent(f"{type(event).__name__} {event.run_id}/{event.seq} after {state.next_seq - 1}")
    if isinstance(event, NodeEvent):
        return _apply_to_node(state, event)
    if isinstance(event, BodyEvent):
        return _apply_to_body(state, event)
    return _apply_to_run(state, event)


def _apply_to_run(state: RunState, event: RunOnlyEvent) -> RunState:
    if isinstance(event, ev.RunQueued):
        if state.next_seq:
            raise IllegalEvent("RunQueued is the first event of a journal")
        return msgspec.structs.replace(state, next_seq=1)
    status = RUN_STEPS[state.status].get(type(event))
    if status is None or not state.next_seq:
        raise IllegalEvent(f"{type(event).__name__} while the run is {state.status}")
    unsettled = state.scopes[ROOT].unsettled
    if unsettled and state.status == "running" and isinstance(event, ENDS_OF_ALL):
        raise IllegalEvent(f"{type(event).__name__} while {unsettled} nodes are not settled")
    if isinstance(event, ev.RunCancelRequested):
        return msgspec.structs.replace(
            state,
            next_seq=state.next_seq + 1,
            cancel=event.reason if event.reason == "fault" else state.cancel or event.reason,
            cancel_all=state.cancel is not None or event.reason == "fault",
            failure=event.error or state.failure,
        )
    return msgspec.structs.replace(state, next_seq=state.next_seq + 1, status=status)


# -- nodes -----------------------------------------------------------------------------------------------------


def _apply_to_node(state: RunState, event: NodeEvent) -> RunState:
    scope_id, index = place_of(state, event)
    scope = state.scopes[scope_id]
    before = scope.nodes[index]
    after = _next_node(before, event)
    front, back = _dequeued(state, (scope_id, index), before, event)
    failure = state.failure
    settled = after.status not in UNDER_WAY
    waiting, held = scope.waiting, scope.held
    if settled:
        waiting, back = _released(scope, scope_id, index, back)
        if held is not None:
            held, back = _let_in(scope, scope_id, held, back)
    of_body = scope.failure
    if type(event) is ev.NodeFailed and not event.handled:
        if scope.owner is None:
            failure = failure or event.error
        else:
            of_body = of_body or event.error
    scope = msgspec.structs.replace(
        scope,
        nodes=scope.nodes.set(index, after),
        waiting=waiting,
        unsettled=scope.unsettled - settled,
        held=held,
        failure=of_body,
    )
    scopes, scope_of = {**state.scopes, scope_id: scope}, state.scope_of
    if not scope.unsettled and scope.owner is not None:
        scopes, scope_of = _closed(scopes, scope_of, scope_id, scope.owner)
    front, back = _fresh(front, back, scopes)
    return msgspec.structs.replace(
        state,
        next_seq=state.next_seq + 1,
        scopes=scopes,
        scope_of=scope_of,
        ready_front=front,
        ready_back=back,
        running=state.running + _takes_a_place(after) - _takes_a_place(before),
        failure=failure,
    )


def place_of(state: RunState, event: NodeEvent | BodyEvent) -> Place:
    """Return which node an event is about.

    Raises:
        IllegalEvent: there is no such node, or none is executed now.
    """
    # The flow's own nodes first: their ids are whole as they are, and they are the most.
    scope_id: ScopeId | None = ROOT
    index = state.flow.index_of.get(event.node)
    if index is None:
        prefix, slash, node = event.node.rpartition("/")
        scope_id = state.scope_of.get(prefix + slash)
        index = None if scope_id is None else state.scopes[scope_id].graph.index_of.get(NodeId(node))
    if scope_id is None or index is None or state.status != "running":
        raise IllegalEvent(f"{type(event).__name__} of {event.node} while the run is {state.status}")
    return scope_id, index


def _released(scope: Scope, scope_id: ScopeId, index: int, back: Chain) -> tuple[Pages[int], Chain]:
    """Return who waits for how many once a node is settled, and the queue with those that wait no more."""
    waiting = scope.waiting
    for dependent in scope.graph.dependents[index]:
        left = waiting[dependent] - 1
        waiting = waiting.set(dependent, left)
        if not left:
            back = ((scope_id, dependent), back)
    return waiting, back


def _let_in(scope: Scope, scope_id: ScopeId, held: int, back: Chain) -> tuple[int | None, Chain]:
    """Return the queue with the next node that was kept waiting for a place, and the one after it."""
    return held + 1 if held + 1 < len(scope.nodes) else None, ((scope_id, held), back)


def _next_node(before: NodeState, event: NodeEvent) -> NodeState:
    status = NODE_STEPS[before.status].get(type(event))
    if status is None:
        raise IllegalEvent(f"{type(event).__name__} while {event.node} is {before.status}")
    if before.body is not None and before.body.open:
        raise IllegalEvent(f"{type(event).__name__} of {event.node} while its body is executed")
    attempt = before.attempt + (type(event) is ev.NodeStarted)
    if not isinstance(event, ev.NodeSkipped | ev.NodeReused) and event.attempt != attempt:
        raise IllegalEvent(
            f"{type(event).__name__} of attempt {event.attempt} of {event.node}, not {attempt}"
        )
    match event:
        case ev.NodeSucceeded():
            return NodeState(status, attempt, event.outputs, hashes=event.hashes)
        case ev.NodeStarted():
            return NodeState(status, attempt)
        case ev.NodeReused():
            return NodeState(
                "failed" if event.error else status,
                event.attempt,
                event.outputs,
                event.error,
                hashes=event.hashes,
            )
        case ev.NodeRetrying() | ev.NodeFailed():
            return NodeState(status, attempt, None, event.error)
        case ev.NodeSkipped() | ev.NodeCancelled():
            return NodeState(status, attempt)
        case _:
            assert_never(event)


def _takes_a_place(node: NodeState) -> bool:
    """Return whether a node counts among `max_parallel`; one with a body does not, its children do."""
    return node.attempt > 0 and node.status in UNDER_WAY and node.body is None


def _dequeued(state: RunState, place: Place, before: NodeState, event: NodeEvent) -> tuple[Chain, Chain]:
    """Return the two halves of the queue without the node, if this event takes it from there.

    One that will not run may leave from the middle: its entry is passed over when its turn comes.
    """
    front, back = state.ready_front, state.ready_back
    if before.status != "pending" or before.attempt:
        return front, back
    if front is not None and front[0] == place:
        return front[1], back
    scope = state.scopes[place[0]]
    if isinstance(event, ev.NodeStarted) or scope.waiting[place[1]]:
        raise IllegalEvent(f"{event.node} is not the next node to begin")
    return front, back


def _fresh(front: Chain, back: Chain, scopes: dict[ScopeId, Scope]) -> tuple[Chain, Chain]:
    """Return the queue with a node at its head that really waits to begin."""
    while True:
        if front is None:
            if back is None:
                return None, None
            front, back = _reversed(back), None
            continue
        (scope_id, index), rest = front
        scope = scopes.get(scope_id)
        if scope is not None:
            node = scope.nodes[index]
            if node.status == "pending" and not node.attempt:
                return front, back
        front = rest


def _reversed(chain: Chain) -> Chain:
    turned: Chain = None
    while chain is not None:
        turned, chain = (chain[0], turned), chain[1]
    return turned


# -- bodies ----------------------------------------------------------------------------------------------------


def _apply_to_body(state: RunState, event: BodyEvent) -> RunState:
    scope_id, index = place_of(state, event)
    scope = state.scopes[scope_id]
    before = scope.nodes[index]
    if before.status != "running":
        raise IllegalEvent(f"{type(event).__name__} while {event.node} is {before.status}")
    match event:
        case ev.NodeLogged():
            return msgspec.structs.replace(state, next_seq=state.next_seq + 1)
        case ev.BodyOpened():
            body = _opened(scope, index, before, event)
        case ev.BodyStarted():
            return _started(state, (scope_id, index), event)
        case ev.BodyStopRequested():
            body = msgspec.structs.replace(_body_of(before, event), stop=event.reason)
        case _:
            assert_never(event)
    after = msgspec.structs.replace(before, body=body)
    return msgspec.structs.replace(
        state,
        next_seq=state.next_seq + 1,
        kept=_of_same_items(state.kept, event),
        scopes=_with_node(state.scopes, scope_id, index, after),
        running=state.running + _takes_a_place(after) - _takes_a_place(before),
    )


def _of_same_items(kept: Mapping[NodeId, Kept], event: BodyEvent) -> Mapping[NodeId, Kept]:
    """Return what is kept, without the nodes of a body that is now executed with other items than it was."""
    if not kept or not isinstance(event, ev.BodyOpened):
        return kept
    before = kept.get(event.node)
    if before is None or before.items_hash == event.items_hash:
        return kept
    return {node: each for node, each in kept.items() if not node.startswith(f"{event.node}/")}


def _body_of(node: NodeState, event: BodyEvent) -> BodyState:
    if node.body is None:
        raise IllegalEvent(f"{type(event).__name__} of {event.node}, whose body is not executed")
    return node.body


def _opened(scope: Scope, index: int, node: NodeState, event: ev.BodyOpened) -> BodyState:
    if node.body is not None or event.attempt != node.attempt:
        raise IllegalEvent(f"BodyOpened of attempt {event.attempt} of {event.node}, not {node.attempt}")
    written = scope.graph.nodes[index]
    flow = scope.flow if written.calls is None else scope.flow.subflows[written.calls]
    graph = flow if written.body is None else written.body
    return BodyState(
        plan=event.plan,
        prototype=new_scope(graph, flow, always=scope.always or written.always),
        began_s=event.began_s,
    )


def _started(state: RunState, place: Place, event: ev.BodyStarted) -> RunState:
    """Return the state with one more execution of a body, and those of its nodes that may begin in the queue."""
    scope_id, index = place
    node = state.scopes[scope_id].nodes[index]
    body = _body_of(node, event)
    if event.index != body.started:
        raise IllegalEvent(f"BodyStarted {event.index} of {event.node}, not {body.started}")
    prefix = f"{event.node}/{event.index}/" if body.plan.numbered else f"{event.node}/"
    new_id = state.next_scope
    begin, held = _first_nodes(body)
    new = msgspec.structs.replace(
        body.prototype, prefix=prefix, owner=Owner(scope_id, index), index=event.index, held=held
    )
    back = state.ready_back
    for first in begin:
        back = ((new_id, first), back)
    body = msgspec.structs.replace(body, started=body.started + 1, open=body.open + 1)
    scopes = _with_node(state.scopes, scope_id, index, msgspec.structs.replace(node, body=body))
    scopes[new_id] = new
    front, back = _fresh(state.ready_front, back, scopes)
    return msgspec.structs.replace(
        state,
        next_seq=state.next_seq + 1,
        scopes=scopes,
        scope_of={**state.scope_of, prefix: new_id},
        next_scope=ScopeId(new_id + 1),
        ready_front=front,
        ready_back=back,
    )


def _first_nodes(body: BodyState) -> tuple[list[int], int | None]:
    """Return the nodes that may begin at once, and the first that must wait for a place."""
    parents = body.prototype.graph.parents
    begin = [index for index, waits_for in enumerate(parents) if not waits_for]
    limit = body.plan.concurrency
    # Children that are executed side by side wait for nothing but a place, so all of them are in `begin`.
    if body.plan.side_by_side and limit < len(begin):
        return begin[:limit], limit
    return begin, None


def _closed(
    scopes: dict[ScopeId, Scope], scope_of: dict[str, ScopeId], scope_id: ScopeId, owner: Owner
) -> tuple[dict[ScopeId, Scope], dict[str, ScopeId]]:
    """Return all executions but one whose nodes are settled; what became of it is kept at the node it belongs to."""
    scope = scopes[scope_id]
    node = scopes[owner.scope].nodes[owner.node]
    assert node.body is not None
    result = ended(scope, node.body.plan)
    failure = node.body.failure
    if failure is None and result.error is not None and not node.body.plan.collect:
        failure = result.error
    body = msgspec.structs.replace(
        node.body,
        open=node.body.open - 1,
        ended=(scope.index, packed(result), node.body.ended),
        failure=failure,
    )
    left = {key: each for key, each in scopes.items() if key != scope_id}
    left = _with_node(left, owner.scope, owner.node, msgspec.structs.replace(node, body=body))
    return left, {prefix: key for prefix, key in scope_of.items() if key != scope_id}


def _with_node(
    scopes: dict[ScopeId, Scope], scope_id: ScopeId, index: int, node: NodeState
) -> dict[ScopeId, Scope]:
    scope = scopes[scope_id]
    return {**scopes, scope_id: msgspec.structs.replace(scope, nodes=scope.nodes.set(index, node))}
