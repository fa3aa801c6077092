"""Is a decision under way: the state so far, the events and the effects. Local to one call of `decide`."""

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

import msgspec

from atomiton_runtime.errors import ErrorInfo, Where
from atomiton_runtime.flow.model import Node
from atomiton_runtime.ids import NodeId, RunId, ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.effects import Effect, Execute, SetTimer
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import Answer, AttemptTimeout, Failed, Now, RetryDue, Succeeded
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.scope import Owner, Scope
from atomiton_runtime.run.state import RunState


class Head(TypedDict):
    """What all events have."""

    run_id: RunId
    seq: int
    at: datetime


class Draft:
    """A decision under way."""

    def __init__(self, state: RunState, now: Now, draw: Callable[[], float]) -> None:
        self.state = state
        self.now = now
        self.draw = draw
        self.events: list[RunEvent] = []
        self.effects: list[Effect] = []
        self.touched: list[Owner] = []
        """Nodes of whose bodies an execution has ended: to be asked what follows."""

    def emit(self, event: RunEvent) -> None:
        """Take an event over into the state."""
        self.state = apply(self.state, event)
        self.events.append(event)

    def settle(self, scope_id: ScopeId, event: RunEvent) -> None:
        """Take over an event after which an execution of a body may have ended."""
        before = self.state.scopes[scope_id]
        self.emit(event)
        if before.owner is not None and scope_id not in self.state.scopes:
            self.touched.append(before.owner)

    def head(self) -> Head:
        """Return what all events have; the two that every node has spell it out, for their speed."""
        return {"run_id": self.state.run_id, "seq": self.state.next_seq, "at": self.now.wall}

    # -- a node --------------------------------------------------------------------------------------------

    def start(self, scope_id: ScopeId, node: Node, attempt: int) -> None:
        """Begin an attempt."""
        self.emit(
            ev.NodeStarted(
                run_id=self.state.run_id,
                seq=self.state.next_seq,
                at=self.now.wall,
                node=self.state.scopes[scope_id].id_of(node),
                attempt=attempt,
                may_write=node.may_write,
            )
        )
        self.effects.append(Execute(node.index, attempt, scope_id))
        if node.timeout_s is not None:
            self.effects.append(SetTimer(node.timeout_s, AttemptTimeout(node.index, attempt, scope_id)))

    def succeed(self, given: Answer, outcome: Succeeded, duration_s: float) -> None:
        """Settle a node that gave outputs."""
        scope = self.state.scopes[given.scope]
        self.settle(
            given.scope,
            ev.NodeSucceeded(
                run_id=self.state.run_id,
                seq=self.state.next_seq,
                at=self.now.wall,
                node=scope.id_of(scope.graph.nodes[given.node]),
                attempt=given.attempt,
                duration_s=duration_s,
                outputs=outcome.outputs,
                hashes=outcome.hashes,
                key=outcome.key,
                left=outcome.left,
                wrote=outcome.wrote,
                stale=outcome.stale,
            ),
        )

    def reuse(self, scope_id: ScopeId, node: Node, kept: Kept) -> None:
        """Settle a node that an earlier run has executed."""
        whole_id = self.state.scopes[scope_id].id_of(node)
        self.settle(
            scope_id,
            ev.NodeReused(
                node=whole_id,
                source=kept.source,
                attempt=kept.attempt,
                outputs=kept.outputs,
                error=kept.error,
                hashes=kept.hashes,
                key=kept.key,
                left=kept.left,
                executed_as=kept.executed_as if kept.executed_as != whole_id else None,
                wrote=kept.wrote,
                **self.head(),
            ),
        )

    def skip(self, scope_id: ScopeId, node: Node, reason: str) -> None:
        """Settle a node that will not run."""
        whole_id = self.state.scopes[scope_id].id_of(node)
        self.settle(scope_id, ev.NodeSkipped(node=whole_id, reason=reason, **self.head()))

    def cancelled(self, scope_id: ScopeId, node: Node, attempt: int, duration_s: float) -> None:
        """Settle a node that was ended, or kept from beginning."""
        whole_id = self.state.scopes[scope_id].id_of(node)
        self.settle(
            scope_id,
            ev.NodeCancelled(node=whole_id, attempt=attempt, duration_s=duration_s, **self.head()),
        )

    def fail(self, scope_id: ScopeId, node: Node, attempt: int, failed: Failed, duration_s: float) -> None:
        """Let a node wait for its next attempt, or settle it as failed."""
        scope = self.state.scopes[scope_id]
        whole_id, error = scope.id_of(node), failed.error
        if error.node is None:
            error = msgspec.structs.replace(error, node=whole_id)
        if attempt < node.retry.attempts and not failed.final and not is_ended(self.state, scope, node):
            self.pause(scope_id, node, attempt, failed, error, duration_s)
            return
        self.settle(
            scope_id,
            ev.NodeFailed(
                node=whole_id,
                attempt=attempt,
                duration_s=duration_s,
                error=error,
                handled=self.is_handled(scope, node),
                **self.head(),
            ),
        )

    def is_handled(self, scope: Scope, node: Node) -> bool:
        """Return whether the run goes on after a failure of this node."""
        return node.continue_on_error or node.index in scope.graph.handled or settles(self.state, scope)

    def fail_unexecuted(self, scope_id: ScopeId, node: Node, error: ErrorInfo) -> None:
        """Settle a node as failed, which fails the run, though nothing is executed: a test wants that."""
        started = ev.NodeStarted(node=self.state.scopes[scope_id].id_of(node), attempt=1, **self.head())
        self.emit(started)
        self.fail(scope_id, node, 1, Failed(error, final=True), 0.0)

    def pause(
        self,
        scope_id: ScopeId,
        node: Node,
        attempt: int,
        failed: Failed,
        error: ErrorInfo,
        duration_s: float,
    ) -> None:
        """Let a node wait for its next attempt."""
        delay_s = max(self._delay_s(node, attempt), failed.retry_after_s)
        self.emit(
            ev.NodeRetrying(
                node=self.state.scopes[scope_id].id_of(node),
                attempt=attempt,
                duration_s=duration_s,
                error=error,
                delay_s=delay_s,
                **self.head(),
            )
        )
        self.effects.append(SetTimer(delay_s, RetryDue(node.index, attempt, scope_id)))

    def _delay_s(self, node: Node, attempt: int) -> float:
        retry = node.retry
        try:
            whole = min(retry.delay_s * float(retry.backoff) ** (attempt - 1), retry.max_delay_s)
        except OverflowError:  # too large for a number, and so for `max_delay_s`
            whole = retry.max_delay_s
        return whole * (0.5 + self.draw() / 2) if retry.jitter else whole


def is_ended(state: RunState, scope: Scope, node: Node) -> bool:
    """Return whether a cancel, or the stop of a body around it, reaches this node.

    `always` nodes, and what is within one, are reached by a second cancel only.
    """
    if state.cancel_all:
        return True
    if node.always or scope.always:
        return False
    return state.cancel is not None or is_stopped(state, scope)


def is_stopped(state: RunState, scope: Scope) -> bool:
    """Return whether the body that this is an execution of, or one around that, is being stopped."""
    owner = scope.owner
    while owner is not None:
        around = state.scopes[owner.scope]
        body = around.nodes[owner.node].body
        if body is not None and body.stop is not None:
            return True
        owner = around.owner
    return False


def settles(state: RunState, scope: Scope) -> bool:
    """Return whether failures of the nodes are results like others, by the plan of the body that they are of."""
    if scope.owner is None:
        return False
    body = state.scopes[scope.owner.scope].nodes[scope.owner.node].body
    return body is not None and body.plan.strategy != "all"


def timeout_error(flow_path: str, node: Node, whole_id: NodeId) -> ErrorInfo:
    """Return the failure of an attempt that took longer than the node's `timeout`."""
    return ErrorInfo(
        "NODE-010",
        f"took longer than its timeout of {node.timeout_s:g} s",
        whole_id,
        Where(flow_path, node.line, 1),
        "raise `timeout` of the node, or give it less to do",
    )
