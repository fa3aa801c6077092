"""Finds out from the journal of a run that did not come to its end what need not be executed again.

What was settled stands: successes, handled failures, and what its `when` left out. A failure that nothing handled is
tried again, and so is all that waited for it. What was under way when the run was cut is in doubt: whether it may be
executed again is not for this module to say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from atomiton_runtime.flow.graph import parents_first
from atomiton_runtime.flow.model import Body, Flow, Node
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept, kept_of


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that was under way when its run was cut: it may have done all of its work, some, or none."""

    node: NodeId
    """The whole id."""
    written: Node
    flow: Flow
    """In whose file the node is written."""


class Resumption(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be known of a run in order to continue it."""

    kept: Mapping[NodeId, Kept]
    """Node -> what stands; see `state.RunState.kept`."""
    cut: tuple[Cut, ...]
    """In the order of the file."""


def plan_resume(flow: Flow, journals: Iterable[Sequence[RunEvent]]) -> Resumption:
    """Return what of a run need not be executed again, and what was cut.

    Args:
        flow: what the run executed, in the same version.
        journals: of the run that is to be continued, and before it of those that it continued itself, oldest first.
    """
    past = _Past()
    for journal in journals:
        for event in journal:
            past.take(event)
    kept: dict[NodeId, Kept] = {}
    cut: list[Cut] = []
    for scope in _scopes(flow, flow, "", past):
        scope.settle(past, kept, cut)
    return Resumption(kept=kept, cut=tuple(cut))


class _Trace(msgspec.Struct, kw_only=True):
    """What a journal says last of a node."""

    source: RunId
    outcome: str = "under way"
    """`stands`, `again` (it ended, but is to be executed again), or `under way`."""
    kept: Kept | None = None
    """What stands of it; None: nothing, or what it has a body of."""
    items_hash: str | None = None
    numbered: bool = False
    started: int = 0
    """Executions of its body that began."""


class _Past:
    """What journals say last of each node."""

    def __init__(self) -> None:
        self.traces: dict[NodeId, _Trace] = {}
        self.failed: set[str] = set()
        """What the ids of nodes begin with among which one has failed, in the journal that is being read."""

    def take(self, event: RunEvent) -> None:
        """Take in the next event."""
        match event:
            case ev.NodeStarted():
                self._start(event)
            case ev.NodeSucceeded():
                trace = self.traces[event.node]
                trace.outcome, trace.kept = "stands", kept_of(event)
            case ev.NodeReused():
                kept = kept_of(event)
                self.traces[event.node] = _Trace(source=event.source, outcome="stands", kept=kept)
            case ev.NodeRetrying():
                self.traces[event.node].outcome = "again"
            case ev.NodeFailed():
                self._fail(event)
            case ev.NodeSkipped():
                self._skip(event)
            case ev.RunQueued():
                self.failed.clear()
            case ev.BodyOpened():
                self._open(event)
            case ev.BodyStarted():
                trace = self.traces[event.node]
                trace.started = max(trace.started, event.index + 1)
            case _:
                return

    def _start(self, event: ev.NodeStarted) -> None:
        before = self.traces.get(event.node)
        trace = self.traces[event.node] = _Trace(source=event.run_id)
        if before is None or before.items_hash is None:
            return
        if event.attempt == 1:  # of a run that continues the one before: what was done within stands
            trace.items_hash, trace.numbered, trace.started = (
                before.items_hash,
                before.numbered,
                before.started,
            )
        else:
            self._forget_within(event.node)

    def _open(self, event: ev.BodyOpened) -> None:
        trace = self.traces[event.node]
        if trace.items_hash is not None and trace.items_hash != event.items_hash:
            self._forget_within(event.node)
            trace.started = 0
        trace.items_hash, trace.numbered = event.items_hash, event.plan.numbered

    def _skip(self, event: ev.NodeSkipped) -> None:
        if _around(event.node) in self.failed and event.node not in self.traces:
            return  # because of the failure: now it may have its turn
        skipped = Kept(source=event.run_id, skipped=event.reason)
        self.traces[event.node] = _Trace(source=event.run_id, outcome="stands", kept=skipped)

    def _fail(self, event: ev.NodeFailed) -> None:
        trace = self.traces[event.node]
        if not event.handled:
            trace.outcome = "again"
            self.failed.add(_around(event.node))
            return
        trace.outcome = "stands"
        trace.kept = Kept(source=event.run_id, attempt=event.attempt, error=event.error)

    def _forget_within(self, node: NodeId) -> None:
        for other in [other for other in self.traces if other.startswith(f"{node}/")]:
            del self.traces[other]


class _Scope(msgspec.Struct, frozen=True):
    """The nodes of a flow, or of one execution of a body."""

    graph: Body
    flow: Flow
    prefix: str

    def id_of(self, node: Node) -> NodeId:
        return NodeId(f"{self.prefix}{node.id}")

    def settle(self, past: _Past, kept: dict[NodeId, Kept], cut: list[Cut]) -> None:
        """Add what stands to `kept`, and what was under way to `cut`."""
        for index in parents_first(self.graph):
            node = self.graph.nodes[index]
            whole_id = self.id_of(node)
            trace = past.traces.get(whole_id)
            if trace is None or not all(
                _stands(kept.get(self.id_of(self.graph.nodes[parent])))
                for parent in self.graph.parents[index]
            ):
                continue
            if trace.kept is not None:
                kept[whole_id] = trace.kept
            elif trace.items_hash is not None:
                kept[whole_id] = Kept(source=trace.source, items_hash=trace.items_hash)
            elif trace.outcome == "under way" and node.body is None and node.calls is None:
                cut.append(Cut(node=whole_id, written=node, flow=self.flow))


def _around(node: NodeId) -> str:
    """Return what the ids of the nodes beside this one begin with."""
    before, slash, _ = node.rpartition("/")
    return before + slash


def _stands(kept: Kept | None) -> bool:
    return kept is not None and kept.items_hash is None


def _scopes(graph: Body, flow: Flow, prefix: str, past: _Past) -> Iterator[_Scope]:
    """Yield the flow and each execution of a body that was under way, those around before those within."""
    scope = _Scope(graph, flow, prefix)
    yield scope
    for node in graph.nodes:
        whole_id = scope.id_of(node)
        trace = past.traces.get(whole_id)
        if trace is None or trace.items_hash is None or trace.outcome == "stands":
            continue
        inner = flow if node.calls is None else flow.subflows[node.calls]
        body = inner if node.body is None else node.body
        for index in range(trace.started):
            within = f"{whole_id}/{index}/" if trace.numbered else f"{whole_id}/"
            yield from _scopes(body, inner, within, past)
