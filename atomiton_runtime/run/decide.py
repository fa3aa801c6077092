"""Decides what a run does next: what was given becomes events (facts) and effects (orders).

Nothing here reads a clock, a file or another actor; whoever calls it stores the new state, journals the events
and carries out the effects. Parallelism is such a decision too: a node begins when `running` is below
`max_parallel`, whatever the number of threads.
"""

import random
from collections.abc import Callable, Sequence
from typing import assert_never

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Node, PortRef
from atomiton_runtime.ids import ROOT, ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.bodies import (
    duration_s,
    go_on,
    is_executing,
    note_success,
    open_body,
    proceed,
    stop,
    stop_scope,
)
from atomiton_runtime.run.draft import Draft, is_ended
from atomiton_runtime.run.effects import Effect, SetTimer, Stop
from atomiton_runtime.run.events import CancelReason, RunEvent
from atomiton_runtime.run.given import (
    Abort,
    Again,
    Answer,
    AttemptTimeout,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Given,
    Now,
    Opened,
    RetryDue,
    Reused,
    RunTimeout,
    Skipped,
    Spoken,
    Succeeded,
)
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.scope import NodeState, Owner, Scope
from atomiton_runtime.run.state import RunState, next_ready

ERROR_PORT = "error"


class Decision(msgspec.Struct, frozen=True):
    """The answer of `decide`; `state` is the fold of `events` over the state it was asked about."""

    state: RunState
    events: Sequence[RunEvent]
    effects: Sequence[Effect]


def decide(state: RunState, given: Given, now: Now, draw: Callable[[], float] = random.random) -> Decision:
    """Return what follows from `given`; what does not fit the state any more gives nothing.

    Args:
        state: the run as of its last event; not changed.
        given: what happened.
        now: the moment.
        draw: gives numbers in [0, 1): the jitter of retries.
    """
    draft = Draft(state, now, draw)
    match given:
        case Answer():
            _answer(draft, given)
        case Begin():
            _begin(draft)
        case RetryDue():
            _retry(draft, given)
        case AttemptTimeout():
            _end_attempt(draft, given)
        case Spoken():
            _note(draft, given)
        case RunTimeout():
            _end_run(draft, given)
        case Cancel():
            _cancel(draft, given.reason, given.error)
        case Abort():
            _abort(draft, given.error)
        case _:
            assert_never(given)
    _advance(draft)
    return Decision(draft.state, draft.events, draft.effects)


# -- what was given --------------------------------------------------------------------------------------------


def _begin(draft: Draft) -> None:
    if draft.state.status == "queued":
        draft.emit(ev.RunStarted(**draft.head()))
        draft.effects.append(SetTimer(draft.state.flow.settings.timeout_s, RunTimeout()))


def _going_on(
    state: RunState, given: Answer | AttemptTimeout | Spoken
) -> tuple[Scope, Node, NodeState] | None:
    """Return the node whose attempt this is about; None: the attempt is over."""
    scope = state.scopes.get(given.scope)
    if scope is None:
        return None
    node = scope.nodes[given.node]
    if node.status != "running" or node.attempt != given.attempt:
        return None
    return scope, scope.graph.nodes[given.node], node


def _answer(draft: Draft, given: Answer) -> None:
    going_on = _going_on(draft.state, given)
    if going_on is None:
        return
    scope, node, before = going_on
    if not is_executing(before):
        return  # an answer that came twice: of the node itself nothing is executed
    lasted_s = given.duration_s if before.body is None else duration_s(draft, before.body)
    match given.outcome:
        case Succeeded():
            draft.succeed(given, given.outcome, lasted_s)
            note_success(draft, scope)
        case Reused(kept):
            draft.reuse(given.scope, node, kept)
            note_success(draft, scope)
        case Failed():
            draft.fail(given.scope, node, given.attempt, given.outcome, lasted_s)
        case Skipped(reason):
            draft.skip(given.scope, node, reason)
        case Cancelled() if is_ended(draft.state, scope, node):
            draft.cancelled(given.scope, node, given.attempt, lasted_s)
        case Cancelled():
            draft.fail(given.scope, node, given.attempt, Failed(_STOPPED_UNASKED), lasted_s)
        case Opened():
            open_body(draft, given, given.outcome)
        case Again(more):
            go_on(draft, given, more=more)
        case _:
            assert_never(given.outcome)


def _retry(draft: Draft, given: RetryDue) -> None:
    scope = draft.state.scopes.get(given.scope)
    if scope is not None:
        before = scope.nodes[given.node]
        if before.status == "pending" and before.attempt == given.attempt:
            draft.start(given.scope, scope.graph.nodes[given.node], given.attempt + 1)


def _end_attempt(draft: Draft, given: AttemptTimeout) -> None:
    going_on = _going_on(draft.state, given)
    if going_on is None or is_ended(draft.state, going_on[0], going_on[1]):
        return
    if is_executing(going_on[2]):
        draft.effects.append(Stop(given.node, "timeout", given.scope))
    # Kept at the body as well: an answer that is on its way must not begin another execution.
    if going_on[2].body is not None:
        stop(draft, Owner(given.scope, given.node), "timeout")


def _note(draft: Draft, given: Spoken) -> None:
    going_on = _going_on(draft.state, given)
    if going_on is not None:
        whole_id = going_on[0].id_of(going_on[1])
        draft.emit(ev.NodeLogged(node=whole_id, attempt=given.attempt, text=given.text, **draft.head()))


def _end_run(draft: Draft, given: RunTimeout) -> None:
    # Nobody asked to end the clean-up: only the time it has itself, from the cancel on, can do that.
    if given.clean_up or draft.state.cancel is None:
        _cancel(draft, "timeout", None)


def _cancel(draft: Draft, reason: CancelReason, error: ErrorInfo | None) -> None:
    state = draft.state
    if state.status == "queued":
        why = error or _cancel_error(reason, state)
        draft.emit(ev.RunCancelled(duration_s=0.0, error=why, **draft.head()))
    elif state.status == "running" and not state.cancel_all:
        if state.cancel is None:
            draft.effects.append(SetTimer(state.flow.settings.timeout_s, RunTimeout(clean_up=True)))
        elif reason == "restart":
            return  # a second save wants no more than the first one: the clean-up goes on
        draft.emit(ev.RunCancelRequested(reason=reason, **draft.head()))
        _stop_all(draft)


def _abort(draft: Draft, error: ErrorInfo) -> None:
    if draft.state.status == "queued":
        draft.emit(ev.RunFailed(duration_s=0.0, error=error, **draft.head()))
    elif draft.state.status == "running" and draft.state.cancel != "fault":
        draft.emit(ev.RunCancelRequested(reason="fault", error=error, **draft.head()))
        _stop_all(draft)


def _stop_all(draft: Draft) -> None:
    for scope_id in tuple(draft.state.scopes):
        stop_scope(draft, scope_id)


# -- what follows ----------------------------------------------------------------------------------------------


def _advance(draft: Draft) -> None:
    """Start what may start, settle what will never run, end the run when all is settled."""
    if draft.state.status != "running":
        return
    while True:
        while draft.touched:
            proceed(draft, draft.touched.pop())
        place = next_ready(draft.state)
        if place is None or not _move(draft, *place):
            break
    if not draft.state.scopes[ROOT].unsettled:
        _finish(draft)


def _move(draft: Draft, scope_id: ScopeId, index: int) -> bool:
    """Start the next node, or settle it; return False if it has to wait for a place."""
    state = draft.state
    scope = state.scopes[scope_id]
    node = scope.graph.nodes[index]
    if is_ended(state, scope, node):
        draft.cancelled(scope_id, node, 0, 0.0)
    elif state.kept and (kept := settled_before(state, scope, node)) is not None:
        _reuse(draft, scope_id, node, kept)
    elif (reason := _skip_reason(state, scope, node)) is not None:
        draft.skip(scope_id, node, reason)
    elif state.running < state.flow.settings.max_parallel:
        draft.start(scope_id, node, 1)
    else:
        return False
    return True


def _reuse(draft: Draft, scope_id: ScopeId, node: Node, kept: Kept) -> None:
    """Settle a node by what became of it before this run, or by what a test wants."""
    scope = draft.state.scopes[scope_id]
    if kept.skipped is not None:
        draft.skip(scope_id, node, kept.skipped)
        return
    if kept.error is not None and not draft.is_handled(scope, node):
        draft.fail_unexecuted(scope_id, node, kept.error)
        return
    draft.reuse(scope_id, node, kept)
    if kept.error is None:
        note_success(draft, scope)


def settled_before(state: RunState, scope: Scope, node: Node) -> Kept | None:
    """Return what stands of a node that is not to be executed again; None: it is."""
    kept = state.kept.get(scope.id_of(node))
    return kept if kept is not None and kept.items_hash is None else None


def _finish(draft: Draft) -> None:
    state, lasted_s = draft.state, draft.now.elapsed_s
    failure = state.failure
    if state.cancel is not None and (state.cancel != "fault" or failure is None):
        final = ev.RunTimedOut if state.cancel == "timeout" else ev.RunCancelled
        why = _cancel_error(state.cancel, state)
        draft.emit(final(duration_s=lasted_s, error=why, **draft.head()))
    elif failure is not None:
        draft.emit(ev.RunFailed(duration_s=lasted_s, error=failure, **draft.head()))
    else:
        draft.emit(ev.RunSucceeded(duration_s=lasted_s, **draft.head()))


_STOPPED_UNASKED = ErrorInfo(
    "RUN-013",
    "the node stopped as if it had been cancelled, though nobody asked for that",
    hint="a node type may raise NodeCancelledError only when its cancel token is set",
)
_NOTHING_FAILED = "none of the nodes whose error it takes failed"


def _skip_reason(state: RunState, scope: Scope, node: Node) -> str | None:
    """Return why a node whose parents are settled will not run, or None if it will."""
    if not node.always:
        if scope.owner is None and state.failure is not None:
            return f"the run failed at {state.failure.node}"
        if scope.failure is not None:
            return f"{scope.prefix.rstrip('/')} failed at {scope.failure.node}"
    refs = node.refs
    missing = [ref for ref in refs if not has_value(scope, ref)]
    if not missing:
        return None
    failures = [ref for ref in refs if ref.port == ERROR_PORT]
    if failures and not any(has_value(scope, ref) for ref in failures):
        return f"{failures[0].node} did not fail" if len(failures) == 1 else _NOTHING_FAILED
    if node.always or len(missing) < len(refs):
        return None
    if len(refs) != 1:
        return "none of its inputs has a value"
    parent = scope.nodes[scope.graph.index_of[refs[0].node]].status
    return f"its input {refs[0].node} {'failed' if parent == 'failed' else f'was {parent}'}"


def has_value(scope: Scope, ref: PortRef) -> bool:
    """Return whether a settled node gave something to this port; null counts, nothing does not."""
    index = scope.graph.index_of[ref.node]
    node = scope.nodes[index]
    if ref.port == ERROR_PORT:
        return node.status == "failed"
    if node.status == "failed":
        return scope.graph.nodes[index].continue_on_error
    return node.status in ("succeeded", "reused")


_CANCEL_CODES: dict[CancelReason, tuple[str, str]] = {
    "user": ("RUN-004", "the run was cancelled"),
    "restart": ("RUN-005", "the run was cancelled because a newer run of this flow replaced it"),
    "quit": ("RUN-006", "the run was cancelled because the runtime was stopped"),
    "fault": ("RUN-007", "the run was cancelled because of a fault of the runtime"),
}


def _cancel_error(reason: CancelReason, state: RunState) -> ErrorInfo:
    if reason == "timeout":
        limit_s = state.flow.settings.timeout_s
        return ErrorInfo(
            "RUN-008",
            f"the run took longer than its timeout of {limit_s:g} s",
            hint="raise `timeout` in [settings], or give the slow node a `timeout` of its own",
        )
    code, message = _CANCEL_CODES[reason]
    return ErrorInfo(code, message)
