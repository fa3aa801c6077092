"""Builds `Flow` values without the loader, and a journal of what the scheduler decides about them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import (
    Flow,
    Input,
    ListInput,
    Node,
    PortRef,
    Retry,
    Settings,
    SingleInput,
    TableInput,
)
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.decide import Decision, decide
from atomiton_runtime.run.effects import Effect, Execute
from atomiton_runtime.run.events import NodeStatus, RunEvent
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import Answer, Failed, Given, Now, Outcome, Succeeded
from atomiton_runtime.run.state import RunState, new_run

RUN_ID = RunId("01JDCV0000000000000000TEST")
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
BROKEN = ErrorInfo("NODE-002", "it broke")
OUTPUTS = {"result": msgspec.Raw(b"1")}


def node(
    name: str,
    *takes: str,
    table: bool = False,
    after: Sequence[str] = (),
    retry: Retry | int = 1,
    timeout_s: float | None = None,
    continue_on_error: bool = False,
    always: bool = False,
    may_write: bool = False,
) -> Node:
    """Return a node that takes these ports: `"a"` (the port `result` of `a`) or `"a.error"`."""
    refs = tuple(_ref(take) for take in takes)
    return Node(
        id=NodeId(name),
        index=-1,  # `flow` knows it
        type="double",
        parameters={},
        input=_input(refs, table),
        after=tuple(NodeId(other) for other in after),
        retry=Retry(attempts=retry, jitter=False) if isinstance(retry, int) else retry,
        timeout_s=timeout_s,
        continue_on_error=continue_on_error,
        always=always,
        may_write=may_write,
    )


def flow(*nodes: Node, max_parallel: int = 8, timeout_s: float = 3600.0) -> Flow:
    """Return the flow of these nodes, in this order."""
    numbered = tuple(msgspec.structs.replace(each, index=index) for index, each in enumerate(nodes))
    index_of = {each.id: each.index for each in numbered}
    parents = tuple(
        tuple(sorted({index_of[ref.node] for ref in each.refs} | {index_of[other] for other in each.after}))
        for each in numbered
    )
    dependents: list[list[int]] = [[] for _ in numbered]
    for index, waited_for in enumerate(parents):
        for parent in waited_for:
            dependents[parent].append(index)
    return Flow(
        id=FlowId("double"),
        name="double",
        path="/flows/double.toml",
        folder="/flows",
        hash="0" * 64,
        variables={},
        settings=Settings(max_parallel=max_parallel, timeout_s=timeout_s),
        nodes=numbered,
        parents=parents,
        dependents=tuple(tuple(waiting) for waiting in dependents),
        sinks=tuple(index for index, waiting in enumerate(dependents) if not waiting),
        handled=frozenset(
            index_of[ref.node] for each in numbered for ref in each.refs if ref.port == "error"
        ),
    )


def queued(of: Flow) -> ev.RunQueued:
    """Return the first event of a run of this flow."""
    return ev.RunQueued(
        run_id=RUN_ID,
        seq=0,
        at=MIDNIGHT,
        flow=of.id,
        flow_hash=of.hash,
        flow_path=of.path,
        trigger="api",
        variables={},
        nodes=tuple(each.id for each in of.nodes),
        sinks=tuple(of.nodes[index].id for index in of.sinks),
    )


class Play:
    """A run whose every decision is kept: stands where the conductor stands, without clock or thread."""

    def __init__(self, of: Flow) -> None:
        first = queued(of)
        self.flow = of
        self.state: RunState = apply(new_run(of, RUN_ID), first)
        self.journal: list[RunEvent] = [first]
        self.effects: list[Effect] = []
        self.elapsed_s = 0.0

    def give(self, given: Given, draw: float = 0.0) -> Decision:
        """Let the scheduler decide about `given`, one second after what was given before."""
        self.elapsed_s += 1.0
        now = Now(MIDNIGHT + timedelta(seconds=self.elapsed_s), self.elapsed_s)
        decision = decide(self.state, given, now, lambda: draw)
        self.state = decision.state
        self.journal.extend(decision.events)
        self.effects.extend(decision.effects)
        return decision

    def answer(self, name: str, outcome: Outcome | None = None) -> Decision:
        """Answer the running attempt of a node; without an outcome it succeeded."""
        index = self.flow.index_of[NodeId(name)]
        attempt = self.state.nodes[index].attempt
        return self.give(Answer(index, attempt, outcome or Succeeded(OUTPUTS), 0.25))

    def fail(self, name: str) -> Decision:
        """Let the running attempt of a node fail."""
        return self.answer(name, Failed(BROKEN))

    def status(self, name: str) -> NodeStatus:
        """Return the status of a node."""
        return self.state.nodes[self.flow.index_of[NodeId(name)]].status

    def executed(self) -> list[str]:
        """Return the node of each attempt that was ordered, in order."""
        return [self.flow.nodes[each.node].id for each in self.effects if isinstance(each, Execute)]


def words(events: Sequence[RunEvent]) -> list[str]:
    """Return a short line for each event: `"NodeStarted a"`, `"RunSucceeded"`."""
    return [
        f"{type(event).__name__} {event.node}" if hasattr(event, "node") else type(event).__name__
        for event in events
    ]


def _ref(take: str) -> PortRef:
    name, _, port = take.partition(".")
    return PortRef(NodeId(name), port or "result")


def _input(refs: tuple[PortRef, ...], table: bool) -> Input | None:
    if table:
        return TableInput(tuple((f"from_{place}", ref) for place, ref in enumerate(refs)))
    if not refs:
        return None
    return SingleInput(refs[0]) if len(refs) == 1 else ListInput(refs)
