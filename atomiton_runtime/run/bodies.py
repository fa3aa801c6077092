"""Decides what becomes of the executions of a node's body: which begins, when they are stopped, and the node's end."""

from atomiton_runtime.flow.model import Node
from atomiton_runtime.ids import ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.draft import Draft, is_ended, is_stopped, timeout_error
from atomiton_runtime.run.effects import Execute, SetTimer, Stop
from atomiton_runtime.run.events import StopReason
from atomiton_runtime.run.given import Answer, AttemptTimeout, Failed, Opened
from atomiton_runtime.run.scope import BodyState, NodeState, Owner, Scope


def open_body(draft: Draft, given: Answer, opened: Opened) -> None:
    """Take over how a node's body is to be executed, and begin."""
    scope = draft.state.scopes[given.scope]
    draft.emit(
        ev.BodyOpened(
            node=scope.id_of(scope.graph.nodes[given.node]),
            attempt=given.attempt,
            plan=opened.plan,
            began_s=max(0.0, round(draft.now.elapsed_s - given.duration_s, 6)),
            items_hash=opened.items_hash,
            **draft.head(),
        )
    )
    draft.touched.append(Owner(given.scope, given.node))
    timeout_s = scope.graph.nodes[given.node].timeout_s
    if timeout_s is not None:
        # The first timer may have met the step that this answers, and have stopped nothing.
        left_s = max(0.0, timeout_s - given.duration_s)
        draft.effects.append(SetTimer(left_s, AttemptTimeout(given.node, given.attempt, given.scope)))


def go_on(draft: Draft, given: Answer, *, more: bool) -> None:
    """Begin the next execution that there is, or make the outputs."""
    owner = Owner(given.scope, given.node)
    body = _state(draft, owner).body
    if body is None:
        return
    if body.stop is not None or is_ended(draft.state, *_place(draft, owner)):
        proceed(draft, owner)
    elif more:
        _begin(draft, owner, body)
    else:
        draft.effects.append(Execute(given.node, given.attempt, given.scope, "gather"))


def proceed(draft: Draft, owner: Owner) -> None:
    """Do what follows once a body is opened, or an execution of it has ended."""
    if owner.scope not in draft.state.scopes:
        return  # two executions ended at once: the first settled the node, and with it all that is around it
    scope, node = _place(draft, owner)
    state = _state(draft, owner)
    body = state.body
    if body is None:
        return
    may_begin = body.stop is None and body.failure is None and not is_ended(draft.state, scope, node)
    while may_begin and body.plan.count is not None and _has_room(body, body.plan.count):
        body = _begin(draft, owner, body)
    if body.open:
        return
    if may_begin and body.plan.count is None:
        draft.effects.append(Execute(owner.node, state.attempt, owner.scope, "again"))
    else:
        _end(draft, owner, state, body)


def _end(draft: Draft, owner: Owner, state: NodeState, body: BodyState) -> None:
    """Settle a node of whose body nothing is going on, or have its outputs made."""
    scope, node = _place(draft, owner)
    lasted_s = duration_s(draft, body)
    if body.stop == "timeout":
        late = timeout_error(scope.flow.path, node, scope.id_of(node))
        draft.fail(owner.scope, node, state.attempt, Failed(late), lasted_s)
    elif is_ended(draft.state, scope, node):
        draft.cancelled(owner.scope, node, state.attempt, lasted_s)
    elif body.failure is not None:
        draft.fail(owner.scope, node, state.attempt, Failed(body.failure), lasted_s)
    else:
        draft.effects.append(Execute(owner.node, state.attempt, owner.scope, "gather"))


def duration_s(draft: Draft, body: BodyState) -> float:
    """Return how long an attempt has been executing its body, in seconds."""
    return max(0.0, round(draft.now.elapsed_s - body.began_s, 6))


def note_success(draft: Draft, scope: Scope) -> None:
    """End the others of a race, once one of them has succeeded.

    Args:
        draft: the decision under way.
        scope: where the node that succeeded was executed.
    """
    if scope.owner is None:
        return
    body = _state(draft, scope.owner).body
    if body is not None and body.plan.strategy == "race" and body.open and body.stop is None:
        stop(draft, scope.owner, "race")


def stop(draft: Draft, owner: Owner, reason: StopReason) -> None:
    """Stop what is going on of a node's body; the node is settled when nothing of it is left."""
    scope, node = _place(draft, owner)
    draft.emit(ev.BodyStopRequested(node=scope.id_of(node), reason=reason, **draft.head()))
    for scope_id, each in tuple(draft.state.scopes.items()):
        if is_stopped(draft.state, each):
            stop_scope(draft, scope_id)


def stop_scope(draft: Draft, scope_id: ScopeId) -> None:
    """Stop what is going on of the nodes of a flow or an execution, and settle those that have not begun."""
    nodes = draft.state.scopes[scope_id].graph.nodes
    for node in nodes:
        scope = draft.state.scopes[scope_id]
        if is_ended(draft.state, scope, node) and is_executing(scope.nodes[node.index]):
            draft.effects.append(Stop(node.index, "cancel", scope_id))
    left = list(reversed(range(len(nodes))))
    while left and scope_id in draft.state.scopes:
        index = left.pop()
        scope = draft.state.scopes[scope_id]
        state, node = scope.nodes[index], scope.graph.nodes[index]
        waits = state.status == "pending" and (state.attempt > 0 or not scope.waiting[index])
        if waits and is_ended(draft.state, scope, node):
            draft.cancelled(scope_id, node, state.attempt, 0.0)
            left.extend(reversed(scope.graph.dependents[index]))


def is_executing(state: NodeState) -> bool:
    """Return whether something that can be told to stop is executed for the node itself."""
    return state.status == "running" and (state.body is None or not state.body.open)


def _has_room(body: BodyState, count: int) -> bool:
    return body.started < count and body.open < (1 if body.plan.side_by_side else body.plan.concurrency)


def _begin(draft: Draft, owner: Owner, body: BodyState) -> BodyState:
    scope, node = _place(draft, owner)
    draft.emit(ev.BodyStarted(node=scope.id_of(node), index=body.started, **draft.head()))
    begun = _state(draft, owner).body
    assert begun is not None
    return begun


def _place(draft: Draft, owner: Owner) -> tuple[Scope, Node]:
    scope = draft.state.scopes[owner.scope]
    return scope, scope.graph.nodes[owner.node]


def _state(draft: Draft, owner: Owner) -> NodeState:
    return draft.state.scopes[owner.scope].nodes[owner.node]
