"""Is one run while it is going on: its state, and what the state machine does not need to know of it."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import cast

import msgspec

from atomiton_runtime.actors.messages import ExecuteNode, Frame, Iteration, StartRun
from atomiton_runtime.actors.speech import CUT, MAX_RUN_CHARS
from atomiton_runtime.flow.linking import called_flows
from atomiton_runtime.flow.model import Flow, Node, PortRef
from atomiton_runtime.ids import ROOT, NodeId, ScopeId
from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.decide import ERROR_PORT, has_value
from atomiton_runtime.run.effects import Execute, SetTimer, Stop
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import Answer, AttemptTimeout, Given, Now, Opened, RetryDue, RunTimeout
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.reuse import Digest
from atomiton_runtime.run.scope import BodyState, EndedChain, EndedLink, Owner, Scope, new_scope, unpacked
from atomiton_runtime.run.state import Place, RunState, new_run
from atomiton_runtime.values import Value, decode, encode

Timer = RetryDue | AttemptTimeout | RunTimeout
_NULL = msgspec.Raw(b"null")


class ActiveRun:
    """A run that has not ended. Only the conductor touches it."""

    __slots__ = (
        "_frames", "_items", "_logged", "began", "first", "request", "started_at", "state", "timers", "tokens"
    )  # fmt: skip

    def __init__(self, request: StartRun, at: datetime, process: str) -> None:
        flow, excerpt = request.flow, request.excerpt
        root = new_scope(flow, flow)
        frame, sinks = Frame(flow, request.variables), [flow.nodes[index].id for index in flow.sinks]
        if excerpt is not None:
            root = new_scope(excerpt.graph, excerpt.frame.flow, prefix=excerpt.prefix)
            frame, sinks = excerpt.frame, [excerpt.wanted]
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
            nodes=tuple(root.id_of(node) for node in root.graph.nodes),
            sinks=tuple(sinks),
            process=process,
            subflows=called_flows(flow),
            resumes=request.resumes,
            source=flow.source or msgspec.UNSET,
            reuse=msgspec.UNSET if request.reuse.mode == "declared" else request.reuse.mode,
            forced=_in_file_order(flow, request.reuse.forced) or msgspec.UNSET,
        )
        self.state: RunState = apply(new_run(flow, request.run_id, request.kept, root=root), self.first)
        self.began: float | None = None
        """By the monotonic clock; None while the run waits for its turn."""
        self.started_at = at.isoformat()
        self.timers: dict[Timer, float] = {}
        """What is to be given back, and when, by the monotonic clock."""
        self.tokens: dict[Place, CancelToken] = {}
        """Node -> the token of the attempt that runs."""
        self._frames: dict[ScopeId, Frame] = {ROOT: frame}
        """What the nodes of the flow, and of each execution of a body, know of their surroundings."""
        self._items: dict[Place, Sequence[msgspec.Raw]] = {}
        """Node -> the items of the executions of its body: they are no part of the state, for they are many."""
        self._logged = 0

    def now(self, wall: datetime) -> Now:
        """Return this moment, as this run sees it."""
        return Now(wall, 0.0 if self.began is None else round(time.monotonic() - self.began, 6))

    def may_have_written(self, given: Answer) -> bool:
        """Return whether an attempt that has answered may have changed the outside."""
        scope = self.state.scopes.get(given.scope)
        return scope is not None and scope.graph.nodes[given.node].may_write

    def take_over(self, given: Given, state: RunState) -> None:
        """Take over the state after a decision about `given`, and keep what the nodes of new executions will need."""
        self.state = state
        if isinstance(given, Answer) and isinstance(given.outcome, Opened):
            self._items[given.scope, given.node] = given.outcome.items
        if state.next_scope == 1 and not self._items:
            return  # no body has been executed yet
        for scope_id in state.scopes.keys() - self._frames.keys():
            self._frames[scope_id] = self._frame(state.scopes[scope_id])
        for scope_id in self._frames.keys() - state.scopes.keys():
            del self._frames[scope_id]
            self.tokens = {place: token for place, token in self.tokens.items() if place[0] != scope_id}
        for place in tuple(self._items):
            scope = state.scopes.get(place[0])
            if scope is None or scope.nodes[place[1]].body is None:
                del self._items[place]

    def _frame(self, scope: Scope) -> "Frame":
        owner = scope.owner
        assert owner is not None
        node = self.state.scopes[owner.scope].nodes[owner.node]
        assert node.body is not None
        item = self._item(owner, node.body, scope.index)
        return inner_frame(self._frames[owner.scope], scope, item, numbered=node.body.plan.numbered)

    def _item(self, owner: Owner, body: BodyState, index: int) -> msgspec.Raw:
        items = self._items[owner.scope, owner.node]
        if body.plan.count is None and index:
            return _last_result(body)
        return item_of(items, index)

    def order(self, effect: Execute) -> ExecuteNode:
        """Return the order for a step of an attempt, with a token of its own."""
        request, scope, frame = self.request, self.state.scopes[effect.scope], self._frames[effect.scope]
        token = self.tokens[effect.scope, effect.node] = CancelToken()
        written = scope.graph.nodes[effect.node]
        refs = written.refs
        order = ExecuteNode(
            run_id=request.run_id,
            flow=frame.flow,
            scope=effect.scope,
            graph=scope.graph,
            node=effect.node,
            prefix=scope.prefix,
            attempt=effect.attempt,
            step=effect.step,
            variables=frame.variables,
            trigger=request.trigger,
            started_at=self.started_at,
            inputs=tuple([port_value(scope, ref) for ref in refs]),
            hashes=tuple([port_hash(scope, ref) for ref in refs]),
            default=frame.input,
            iteration=frame.iteration,
            cancel=token,
            flow_path=request.flow.path,
            may_reuse=effect.step == "begin" and self._may_reuse(scope, written),
        )
        body = scope.nodes[effect.node].body
        if body is None:
            return order
        if effect.step == "gather":
            return msgspec.structs.replace(order, executions=_in_order(body.ended))
        item = self._item(Owner(effect.scope, effect.node), body, body.started)
        return msgspec.structs.replace(order, last=Iteration(item, body.started))

    def _may_reuse(self, scope: Scope, node: Node) -> bool:
        reuse = self.request.reuse
        if (
            node.reuse == "never"
            or reuse.mode == "none"
            or (reuse.mode == "declared" and node.reuse != "always")
        ):
            return False
        return not reuse.forced or self._top(scope, node) not in reuse.forced

    def _top(self, scope: Scope, node: Node) -> NodeId:
        """Return the node of the flow itself that a node is, or is executed for."""
        return NodeId(scope.id_of(node).partition("/")[0])

    def keep(self, kept: Mapping[NodeId, Kept]) -> None:
        """Take in, before the run begins, what is not to be executed."""
        self.state = msgspec.structs.replace(self.state, kept={**kept, **self.state.kept})

    def stop(self, effect: Stop) -> None:
        """Tell an attempt that runs to stop; returns at once."""
        token = self.tokens.get((effect.scope, effect.node))
        if token is not None:
            token.timed_out = effect.why == "timeout"
            token.cancel()

    def within_log(self, text: str) -> str:
        """Return as much of what was said as the log of the run still holds; the place of the rest is marked once."""
        room = MAX_RUN_CHARS - self._logged
        self._logged += len(text)
        if room < 0:
            return ""
        return text if len(text) <= room else f"{text[:room]}\n{CUT}"

    def set_timer(self, effect: SetTimer) -> float:
        """Remember a timer; return when it is due, by the monotonic clock. Of two alike the earlier one counts."""
        due = time.monotonic() + effect.delay_s
        due = self.timers[effect.then] = min(due, self.timers.get(effect.then, due))
        return due

    def take_due(self, monotonic: float) -> list[Timer]:
        """Return the timers that are due, earliest first, and forget them."""
        due = sorted(
            (at, index, timer) for index, (timer, at) in enumerate(self.timers.items()) if at <= monotonic
        )
        for _, _, timer in due:
            del self.timers[timer]
        return [timer for _, _, timer in due]


def inner_frame(around: Frame, scope: Scope, item: msgspec.Raw, *, numbered: bool) -> Frame:
    """Return what the nodes of one execution of a body know of their surroundings.

    Args:
        around: what the node with the body knows.
        scope: the execution.
        item: its item, or input; where a flow is called, its variables.
        numbered: whether it is one of a loop.
    """
    if scope.flow is scope.graph:
        return Frame(scope.flow, cast("dict[str, Value]", decode(item)))
    iteration = around.iteration
    if numbered:
        outer = iteration if iteration is not None and iteration.numbered else None
        iteration = Iteration(item, scope.index, outer)
    return Frame(around.flow, around.variables, item, iteration or Iteration(item, 0, numbered=False))


def item_of(items: Sequence[msgspec.Raw], index: int) -> msgspec.Raw:
    """Return the item of an execution of a body; where there are none, it is the index."""
    return items[index] if items else msgspec.Raw(encode(index))


def _last_result(body: BodyState) -> msgspec.Raw:
    """Return the result of the execution that ended last, where they follow each other."""
    assert body.ended is not None
    index, kept, _ = body.ended
    for ports in unpacked(index, kept).outputs.values():
        return next(iter(ports.values()), _NULL)
    return _NULL


def _in_file_order(flow: Flow, nodes: Collection[NodeId]) -> tuple[NodeId, ...]:
    return tuple(node.id for node in flow.nodes if node.id in nodes) if nodes else ()


def _in_order(chain: EndedChain) -> tuple[EndedLink, ...]:
    ended: list[EndedLink] = []
    while chain is not None:
        ended.append(chain)
        chain = chain[2]
    ended.sort(key=itemgetter(0))
    return tuple(ended)


def port_value(scope: Scope, ref: PortRef) -> msgspec.Raw | None:
    """Return the encoded value of a port of a settled node; None where there is none."""
    if not has_value(scope, ref):
        return None
    node = scope.nodes[scope.graph.index_of[ref.node]]
    if ref.port == ERROR_PORT:
        error = node.error
        return msgspec.Raw(
            encode(
                {
                    "code": error.code if error else "",
                    "message": error.message if error else "",
                    "node": scope.prefix + ref.node,
                    "attempts": node.attempt,
                }
            )
        )
    return _NULL if node.outputs is None else node.outputs.get(ref.port, _NULL)


def port_hash(scope: Scope, ref: PortRef) -> Digest | None:
    """Return the hash of the value of a port, where it is known already."""
    return scope.nodes[scope.graph.index_of[ref.node]].hashes.get(ref.port) if has_value(scope, ref) else None
