"""Finds a node of an earlier run, and what surrounded it there."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec

from atomiton_runtime.actors.active_run import inner_frame, item_of, port_hash, port_value
from atomiton_runtime.actors.messages import ExecuteNode, Frame
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Body, Flow, Node
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.ids import ROOT, NodeId, RunId
from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import NodeStatus, RunEvent
from atomiton_runtime.run.given import Answer, Opened
from atomiton_runtime.run.pages import Pages
from atomiton_runtime.run.recorded import Recorded
from atomiton_runtime.run.scope import NodeState, Scope, new_scope
from atomiton_runtime.values import Value

_SHOWN_NODES = 10
_NULL = msgspec.Raw(b"null")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look up what a replay needs to know."""

    journal: Callable[[RunId], Sequence[RunEvent]]
    """Raises `UsageError` RUN-001 where there is no such run."""
    load: Callable[[str, bytes | None, Mapping[KeyPath, Value]], Flow]
    """Gives the flow of a path: of its file as it is now, or of a text, with changes. Raises `UsageError` FLOW-404
    where there is no file, `FlowInvalid`."""
    text: Callable[[ev.RunQueued], bytes | None]
    """Gives the text that the flow had in a run; None: it is not kept."""
    attempt: Callable[[ExecuteNode], Answer]
    """Executes a step of a node with a body."""


class Level(msgspec.Struct, frozen=True):
    """The nodes of the flow, or of one execution of a body, in some version of the flow."""

    graph: Body
    prefix: str
    frame: Frame
    table: KeyPath = ("nodes",)
    """Where in the file of `frame.flow` the nodes are."""

    def id_of(self, node: Node) -> NodeId:
        """Return the whole id of a node."""
        return NodeId(f"{self.prefix}{node.id}")


class _NotThere(Exception):
    """A version of the flow has no such node."""

    def __init__(self, level: Level, name: str) -> None:
        self.error = _no_node(level, name)
        super().__init__(self.error.message)


class _OtherItems(Exception):
    """A version of the flow does not give the items that the body of a node was executed with."""


class Past:
    """A run of which a node is executed once more."""

    def __init__(self, run_id: RunId, journal: Sequence[RunEvent], known: Known) -> None:
        first = journal[0]
        assert isinstance(first, ev.RunQueued)
        self.run_id, self.first, self._known = run_id, first, known
        self.recorded = Recorded(journal)
        self._texts: dict[tuple[str, str], bytes] = {}
        """Path and hash of a flow that is not the one of the file now -> its text."""
        self.flow = self._present or self._then()

    @cached_property
    def _present(self) -> Flow | None:
        """The flow as its file is now; None: there is none."""
        try:
            return self._known.load(self.first.flow_path, None, {})
        except UsageError as error:
            if error.code != "FLOW-404":
                raise
            return None

    def _then(self) -> Flow:
        """Return the flow as it was in the run.

        Raises:
            UsageError: that is not known any more (RUN-027).
        """
        if self.first.flow_hash == (self._present.hash if self._present else None):
            assert self._present is not None
            return self._present
        text = self._known.text(self.first)
        if text is None:
            hint = f"put the file back, or run the flow anew: {self.first.flow_path}"
            raise UsageError(
                "RUN-027",
                f"what {self.first.flow} was in the run {self.run_id} is not known any more",
                hint=hint,
            )
        flow = self._known.load(self.first.flow_path, text, {})
        self._texts[flow.path, flow.hash] = text
        return flow

    def load(self, path: str, changes: Mapping[KeyPath, Value]) -> Flow:
        """Return a flow of this path, in the version that is used here, with changes."""
        text = self._texts.get((path, self.flow.hash))
        return self._known.load(path, text, changes)

    def find(self, whole_id: str) -> tuple[Level, Node]:
        """Return a node and where it is, in the present version if it has it; `flow` is then that version.

        Raises:
            UsageError: neither version has it (RUN-027), or it was not executed (RUN-028).
        """
        try:
            return self._find(self.flow, whole_id)
        except _NotThere as missing:
            if self.flow.hash == self.first.flow_hash:
                raise missing.error from missing
            try:
                self.flow = self._then()
                return self._find(self.flow, whole_id)
            except (_NotThere, UsageError, FlowInvalid):
                raise missing.error from missing

    def _find(self, flow: Flow, whole_id: str) -> tuple[Level, Node]:
        defaults = {
            name: variable.default for name, variable in flow.variables.items() if not variable.required
        }
        level = Level(flow, "", Frame(flow, {**defaults, **self.first.variables}))
        names = whole_id.split("/")
        while True:
            name = names.pop(0)
            index = level.graph.index_of.get(NodeId(name))
            if index is None:
                raise _NotThere(level, name)
            node = level.graph.nodes[index]
            if not names:
                return level, node
            level = self._within(level, node, names)

    def _within(self, level: Level, node: Node, names: list[str]) -> Level:
        """Return what is within a node; takes the index of the iteration off `names`."""
        whole_id = level.id_of(node)
        body = self.recorded.bodies.get(whole_id)
        if node.body is None and node.calls is None:
            raise _NotThere(level, f"{node.id}/{names[0]}")
        if body is None:
            raise UsageError(
                "RUN-028",
                f"{whole_id} executed nothing within it in the run {self.run_id}",
                hint=f"`atomiton show {self.run_id}` shows what became of it",
            )
        index, prefix = 0, f"{whole_id}/"
        if body.numbered:
            name = names.pop(0)
            self._refuse_other_iteration(whole_id, name, body.started)
            if not names:
                raise _NotThere(level, f"{node.id}/{name}")
            index, prefix = int(name), f"{prefix}{name}/"
        frame_flow = level.frame.flow if node.calls is None else level.frame.flow.subflows[node.calls]
        graph = frame_flow if node.body is None else node.body
        scope = msgspec.structs.replace(new_scope(graph, frame_flow), index=index)
        item = self._item(level, node, index)
        frame = inner_frame(level.frame, scope, item, numbered=body.numbered)
        table = ("nodes",) if node.calls is not None else (*level.table, node.id, "nodes")
        return Level(graph, prefix, frame, table)

    def _refuse_other_iteration(self, node: NodeId, name: str, started: int) -> None:
        if name.isdecimal() and int(name) < started:
            return
        last = f" to {node}/{started - 1}/..." if started > 1 else ""
        raise UsageError(
            "RUN-028",
            f"{node} had no iteration `{name}` in the run {self.run_id}",
            hint=f"its nodes are {node}/0/...{last}" if started else "it had none at all",
        )

    # -- items: they are in no journal, so they are made once more -------------------------------------------------

    def _item(self, level: Level, node: Node, index: int) -> msgspec.Raw:
        """Return the item that an execution of a node's body had."""
        try:
            return self._made_item(level, node, index)
        except _OtherItems:
            pass
        try:
            return self._made_item(*self._find(self._then(), level.id_of(node)), index)
        except (_OtherItems, _NotThere, UsageError, FlowInvalid) as error:
            raise UsageError(
                "RUN-028",
                f"the items that {level.id_of(node)} had in the run {self.run_id} cannot be made again",
                hint=f"they depend on what has changed since; run it anew: `atomiton run {self.first.flow}`",
            ) from error

    def _made_item(self, level: Level, node: Node, index: int) -> msgspec.Raw:
        whole_id = level.id_of(node)
        opened = self._known.attempt(self._order(level, node)).outcome
        if not isinstance(opened, Opened) or opened.items_hash != self.recorded.bodies[whole_id].items_hash:
            raise _OtherItems
        if opened.plan.count is None and index:
            return self._last_result(level, node, opened.plan.takes, index)
        return item_of(opened.items, index)

    def _last_result(self, level: Level, node: Node, takes: tuple[int, ...], index: int) -> msgspec.Raw:
        """Return the result of the execution before, where they follow each other."""
        graph = level.frame.flow.subflows[node.calls] if node.calls is not None else node.body
        assert graph is not None
        for taken in takes:
            before = NodeId(f"{level.id_of(node)}/{index - 1}/{graph.nodes[taken].id}")
            kept = self.recorded.kept.get(before)
            if kept is not None and kept.outputs is not None:
                return next(iter(kept.outputs.values()), _NULL)
        return _NULL

    def _order(self, level: Level, node: Node) -> ExecuteNode:
        """Return the order to find out how the body of a node is to be executed, as it was given in the run."""
        scope = self.scope(level)
        return ExecuteNode(
            run_id=self.run_id,
            flow=level.frame.flow,
            scope=ROOT,
            graph=level.graph,
            node=node.index,
            prefix=level.prefix,
            attempt=1,
            variables=level.frame.variables,
            trigger=self.first.trigger,
            started_at=self.first.at.isoformat(),
            inputs=tuple(port_value(scope, ref) for ref in node.refs),
            hashes=tuple(port_hash(scope, ref) for ref in node.refs),
            default=level.frame.input,
            iteration=level.frame.iteration,
            cancel=CancelToken(),
            flow_path=self.first.flow_path,
        )

    def scope(self, level: Level) -> Scope:
        """Return the nodes beside each other, as they were in the end."""
        states = [self._state(level.id_of(node)) for node in level.graph.nodes]
        scope = new_scope(level.graph, level.frame.flow, prefix=level.prefix)
        return msgspec.structs.replace(scope, nodes=Pages(states))

    def _state(self, whole_id: NodeId) -> NodeState:
        kept = self.recorded.kept.get(whole_id)
        if kept is None:
            return NodeState()
        status: NodeStatus = (
            "skipped" if kept.skipped is not None else "failed" if kept.error else "succeeded"
        )
        return NodeState(status, kept.attempt, kept.outputs, kept.error, hashes=kept.hashes)


def _no_node(level: Level, name: str) -> UsageError:
    names = [level.id_of(node) for node in level.graph.nodes]
    whole_id = f"{level.prefix}{name}"
    hint = did_you_mean(whole_id, names) or f"there are {', '.join(names[:_SHOWN_NODES])}"
    return UsageError(
        "RUN-027", f"there is no node `{whole_id}` in the flow {level.frame.flow.id}", hint=hint
    )
