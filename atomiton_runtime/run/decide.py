"""Decides what a run does next: what was given becomes events (facts) and effects (orders).

Nothing here reads a clock, a file or another actor; whoever calls it stores the new state, journals the events
and carries out the effects. Parallelism is such a decision too: a node begins when `running` is below
`max_parallel`, whatever the number of threads.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypedDict, assert_never

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Node, PortRef
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.effects import Effect, Execute, SetTimer, Stop
from atomiton_runtime.run.events import CancelReason, RunEvent
from atomiton_runtime.run.given import (
    Abort,
    Answer,
    AttemptTimeout,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Given,
    Now,
    RetryDue,
    RunTimeout,
    Skipped,
    Succeeded,
)
from atomiton_runtime.run.state import RunState, apply, next_ready

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
    draft = _Draft(state, now, draw)
    match given:
        case Answer():
            draft.answer(given)
        case Begin():
            draft.begin()
        case RetryDue():
            draft.retry(given)
        case AttemptTimeout():
            draft.end_attempt(given)
        case RunTimeout():
            draft.end_run(given)
        case Cancel():
            draft.cancel(given.reason, given.error)
        case Abort():
            draft.abort(given.error)
        case _:
            assert_never(given)
    draft.advance()
    return Decision(draft.state, draft.events, draft.effects)


class _Head(TypedDict):
    run_id: RunId
    seq: int
    at: datetime


class _Draft:
    """A decision under way: local to one call of `decide`."""

    def __init__(self, state: RunState, now: Now, draw: Callable[[], float]) -> None:
        self.state = state
        self.now = now
        self.draw = draw
        self.events: list[RunEvent] = []
        self.effects: list[Effect] = []

    def emit(self, event: RunEvent) -> None:
        self.state = apply(self.state, event)
        self.events.append(event)

    def head(self) -> _Head:
        """Return what all events have; the two that every node has spell it out, for their speed."""
        return {"run_id": self.state.run_id, "seq": self.state.next_seq, "at": self.now.wall}

    # -- what was given ------------------------------------------------------------------------------------

    def begin(self) -> None:
        if self.state.status == "queued":
            self.emit(ev.RunStarted(**self.head()))
            self.effects.append(SetTimer(self.state.flow.settings.timeout_s, RunTimeout()))

    def answer(self, given: Answer) -> None:
        before = self.state.nodes[given.node]
        if before.status != "running" or before.attempt != given.attempt:
            return
        node = self.state.flow.nodes[given.node]
        match given.outcome:
            case Succeeded():
                self.emit(
                    ev.NodeSucceeded(
                        run_id=self.state.run_id,
                        seq=self.state.next_seq,
                        at=self.now.wall,
                        node=node.id,
                        attempt=given.attempt,
                        duration_s=given.duration_s,
                        outputs=given.outcome.outputs,
                    )
                )
            case Failed():
                self.fail(node, given, given.outcome)
            case Skipped(reason):
                self.skip(node.id, reason)
            case Cancelled() if _is_ended(self.state, node):
                self.cancelled(node.id, given.attempt, given.duration_s)
            case Cancelled():
                self.fail(node, given, Failed(_STOPPED_UNASKED))
            case _:
                assert_never(given.outcome)

    def fail(self, node: Node, given: Answer, failed: Failed) -> None:
        error = failed.error
        if error.node is None:
            error = msgspec.structs.replace(error, node=node.id)
        if given.attempt < node.retry.attempts and not failed.final and not _is_ended(self.state, node):
            delay_s = max(self.pause_s(node, given.attempt), failed.retry_after_s)
            self.emit(
                ev.NodeRetrying(
                    node=node.id,
                    attempt=given.attempt,
                    duration_s=given.duration_s,
                    error=error,
                    delay_s=delay_s,
                    **self.head(),
                )
            )
            self.effects.append(SetTimer(delay_s, RetryDue(given.node, given.attempt)))
            return
        self.emit(
            ev.NodeFailed(
                node=node.id,
                attempt=given.attempt,
                duration_s=given.duration_s,
                error=error,
                handled=node.continue_on_error or given.node in self.state.flow.handled,
                **self.head(),
            )
        )

    def pause_s(self, node: Node, attempt: int) -> float:
        retry = node.retry
        try:
            whole = min(retry.delay_s * float(retry.backoff) ** (attempt - 1), retry.max_delay_s)
        except OverflowError:  # too large for a number, and so for `max_delay_s`
            whole = retry.max_delay_s
        return whole * (0.5 + self.draw() / 2) if retry.jitter else whole

    def retry(self, given: RetryDue) -> None:
        before = self.state.nodes[given.node]
        if before.status == "pending" and before.attempt == given.attempt:
            self.start(self.state.flow.nodes[given.node], given.attempt + 1)

    def end_attempt(self, given: AttemptTimeout) -> None:
        before = self.state.nodes[given.node]
        ended = _is_ended(self.state, self.state.flow.nodes[given.node])
        if before.status == "running" and before.attempt == given.attempt and not ended:
            self.effects.append(Stop(given.node, "timeout"))

    def end_run(self, given: RunTimeout) -> None:
        # Nobody asked to end the clean-up: only the time it has itself, from the cancel on, can do that.
        if given.clean_up or self.state.cancel is None:
            self.cancel("timeout", None)

    def cancel(self, reason: CancelReason, error: ErrorInfo | None) -> None:
        if self.state.status == "queued":
            why = error or _cancel_error(reason, self.state)
            self.emit(ev.RunCancelled(duration_s=0.0, error=why, **self.head()))
        elif self.state.status == "running" and not self.state.cancel_all:
            if self.state.cancel is None:
                self.effects.append(SetTimer(self.state.flow.settings.timeout_s, RunTimeout(clean_up=True)))
            elif reason == "restart":
                return  # a second save wants no more than the first one: the clean-up goes on
            self.emit(ev.RunCancelRequested(reason=reason, **self.head()))
            self.stop_begun()

    def abort(self, error: ErrorInfo) -> None:
        if self.state.status == "queued":
            self.emit(ev.RunFailed(duration_s=0.0, error=error, **self.head()))
        elif self.state.status == "running" and self.state.cancel != "fault":
            self.emit(ev.RunCancelRequested(reason="fault", error=error, **self.head()))
            self.stop_begun()

    def stop_begun(self) -> None:
        """Order the running nodes to stop, and settle those in a pause between two attempts."""
        for node in self.state.flow.nodes:
            before = self.state.nodes[node.index]
            if not _is_ended(self.state, node):
                continue
            if before.status == "running":
                self.effects.append(Stop(node.index, "cancel"))
            elif before.status == "pending" and before.attempt:
                self.cancelled(node.id, before.attempt, 0.0)

    # -- what follows --------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Start what may start, settle what will never run, end the run when all is settled."""
        if self.state.status != "running":
            return
        while (index := next_ready(self.state)) is not None:
            node = self.state.flow.nodes[index]
            if _is_ended(self.state, node):
                self.cancelled(node.id, 0, 0.0)
            elif (reason := _skip_reason(self.state, node)) is not None:
                self.skip(node.id, reason)
            elif self.state.running < self.state.flow.settings.max_parallel:
                self.start(node, 1)
            else:
                break
        if not self.state.unsettled:
            self.finish()

    def start(self, node: Node, attempt: int) -> None:
        self.emit(
            ev.NodeStarted(
                run_id=self.state.run_id,
                seq=self.state.next_seq,
                at=self.now.wall,
                node=node.id,
                attempt=attempt,
            )
        )
        self.effects.append(Execute(node.index, attempt))
        if node.timeout_s is not None:
            self.effects.append(SetTimer(node.timeout_s, AttemptTimeout(node.index, attempt)))

    def skip(self, node: NodeId, reason: str) -> None:
        self.emit(ev.NodeSkipped(node=node, reason=reason, **self.head()))

    def cancelled(self, node: NodeId, attempt: int, duration_s: float) -> None:
        self.emit(ev.NodeCancelled(node=node, attempt=attempt, duration_s=duration_s, **self.head()))

    def finish(self) -> None:
        state, duration_s = self.state, self.now.elapsed_s
        failure = state.failure
        if state.cancel is not None and (state.cancel != "fault" or failure is None):
            final = ev.RunTimedOut if state.cancel == "timeout" else ev.RunCancelled
            why = _cancel_error(state.cancel, state)
            self.emit(final(duration_s=duration_s, error=why, **self.head()))
        elif failure is not None:
            self.emit(ev.RunFailed(duration_s=duration_s, error=failure, **self.head()))
        else:
            self.emit(ev.RunSucceeded(duration_s=duration_s, **self.head()))


_STOPPED_UNASKED = ErrorInfo(
    "RUN-013",
    "the node stopped as if it had been cancelled, though nobody asked for that",
    hint="a node type may raise NodeCancelledError only when its cancel token is set",
)
_NOTHING_FAILED = "none of the nodes whose error it takes failed"


def _is_ended(state: RunState, node: Node) -> bool:
    """Return whether a cancel reaches this node: `always` nodes only by a second one."""
    return state.cancel is not None and (state.cancel_all or not node.always)


def _skip_reason(state: RunState, node: Node) -> str | None:
    """Return why a node whose parents are settled will not run, or None if it will."""
    if state.failure is not None and not node.always:
        return f"the run failed at {state.failure.node}"
    refs = node.refs
    missing = [ref for ref in refs if not has_value(state, ref)]
    if not missing:
        return None
    failures = [ref for ref in refs if ref.port == ERROR_PORT]
    if failures and not any(has_value(state, ref) for ref in failures):
        return f"{failures[0].node} did not fail" if len(failures) == 1 else _NOTHING_FAILED
    if node.always or len(missing) < len(refs):
        return None
    if len(refs) != 1:
        return "none of its inputs has a value"
    parent = state.nodes[state.index_of[refs[0].node]].status
    return f"its input {refs[0].node} {'failed' if parent == 'failed' else f'was {parent}'}"


def has_value(state: RunState, ref: PortRef) -> bool:
    """Return whether a settled node gave something to this port; null counts, nothing does not."""
    index = state.index_of[ref.node]
    node = state.nodes[index]
    if ref.port == ERROR_PORT:
        return node.status == "failed"
    if node.status == "failed":
        return state.flow.nodes[index].continue_on_error
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
