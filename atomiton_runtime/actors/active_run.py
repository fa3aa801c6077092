"""Is one run while it is going on: its state, and what the state machine does not need to know of it."""

import time
from datetime import datetime

import msgspec

from atomiton_runtime.actors.messages import ExecuteNode, StartRun
from atomiton_runtime.flow.model import PortRef
from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.decide import ERROR_PORT, has_value
from atomiton_runtime.run.effects import Execute, SetTimer, Stop
from atomiton_runtime.run.given import AttemptTimeout, Now, RetryDue, RunTimeout
from atomiton_runtime.run.state import RunState, apply, new_run
from atomiton_runtime.values import encode

Timer = RetryDue | AttemptTimeout | RunTimeout
_NULL = msgspec.Raw(b"null")


class ActiveRun:
    """A run that has not ended. Only the conductor touches it."""

    __slots__ = ("began", "first", "request", "started_at", "state", "timers", "tokens")

    def __init__(self, request: StartRun, at: datetime, process: str) -> None:
        flow = request.flow
        self.request = request
        self.first = ev.RunQueued(
            run_id=request.run_id,
            seq=0,
            at=at,
            flow=flow.id,
            flow_hash=flow.hash,
            flow_path=flow.path,
            trigger=request.trigger,
            variables=request.variables,
            nodes=tuple(node.id for node in flow.nodes),
            sinks=tuple(flow.nodes[index].id for index in flow.sinks),
            process=process,
        )
        self.state: RunState = apply(new_run(flow, request.run_id), self.first)
        self.began: float | None = None
        """By the monotonic clock; None while the run waits for its turn."""
        self.started_at = at.isoformat()
        self.timers: dict[Timer, float] = {}
        """What is to be given back, and when, by the monotonic clock."""
        self.tokens: dict[int, CancelToken] = {}
        """Node index -> the token of the attempt that runs."""

    def now(self, wall: datetime) -> Now:
        """Return this moment, as this run sees it."""
        return Now(wall, 0.0 if self.began is None else round(time.monotonic() - self.began, 6))

    def order(self, effect: Execute) -> ExecuteNode:
        """Return the order for an attempt, with a token of its own."""
        request, state = self.request, self.state
        token = self.tokens[effect.node] = CancelToken()
        node = request.flow.nodes[effect.node]
        return ExecuteNode(
            run_id=request.run_id,
            flow=request.flow,
            node=effect.node,
            attempt=effect.attempt,
            variables=request.variables,
            trigger=request.trigger,
            started_at=self.started_at,
            inputs=tuple([_port_value(state, ref) for ref in node.refs]),
            cancel=token,
        )

    def stop(self, effect: Stop) -> None:
        """Tell an attempt that runs to stop; returns at once."""
        token = self.tokens.get(effect.node)
        if token is not None:
            token.timed_out = effect.why == "timeout"
            token.cancel()

    def set_timer(self, effect: SetTimer) -> float:
        """Remember a timer; return when it is due, by the monotonic clock."""
        due = self.timers[effect.then] = time.monotonic() + effect.delay_s
        return due

    def take_due(self, monotonic: float) -> list[Timer]:
        """Return the timers that are due, earliest first, and forget them."""
        due = sorted(
            (at, index, timer) for index, (timer, at) in enumerate(self.timers.items()) if at <= monotonic
        )
        for _, _, timer in due:
            del self.timers[timer]
        return [timer for _, _, timer in due]


def _port_value(state: RunState, ref: PortRef) -> msgspec.Raw | None:
    """Return the encoded value of a port of a settled node; None where there is none."""
    if not has_value(state, ref):
        return None
    node = state.nodes[state.index_of[ref.node]]
    if ref.port == ERROR_PORT:
        error = node.error
        return msgspec.Raw(
            encode(
                {
                    "code": error.code if error else "",
                    "message": error.message if error else "",
                    "node": ref.node,
                    "attempts": node.attempt,
                }
            )
        )
    return _NULL if node.outputs is None else node.outputs.get(ref.port, _NULL)
