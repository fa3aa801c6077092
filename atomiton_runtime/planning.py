"""Says what a save of a flow would execute and why, without executing anything."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property

import msgspec

from atomiton_runtime.actors.attempt import Tools
from atomiton_runtime.actors.hiding import HidingValues
from atomiton_runtime.actors.lasting import Lasting
from atomiton_runtime.actors.messages import ExecuteNode
from atomiton_runtime.actors.preparing import Prepared, prepare
from atomiton_runtime.choosing import Choice
from atomiton_runtime.errors import AtomitonError, ErrorInfo, Where
from atomiton_runtime.flow.graph import parents_first
from atomiton_runtime.flow.model import Flow, Node, PortRef
from atomiton_runtime.foresight import Foresight, needs_input
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.run.decide import ERROR_PORT
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.reason import (
    ANEW,
    ASKED,
    EVERYTHING,
    FIRST,
    LOOKS,
    NEVER,
    UNKNOWN,
    FlowPlan,
    NodePlan,
    Reason,
)
from atomiton_runtime.run.reasons import reasons
from atomiton_runtime.run.reuse import Digest
from atomiton_runtime.storage.results import Results
from atomiton_runtime.values import Value
from atomiton_runtime.versions import Versions, written_at

_SHOWN_NODES = 5
BY_HAND = 'a run by hand executes everything but nodes with `reuse = "always"`'
_WITHIN = "with all that is within it"


def plan(flow: Flow, variables: dict[str, Value], choice: Choice, tools: Tools, results: Results) -> FlowPlan:
    """Return what would be executed, and why.

    Args:
        flow: in its present version.
        variables: of the run that would be.
        choice: what its user would choose.
        tools: what attempts share.
        results: of earlier runs.
    """
    versions = Versions(flow, results, tools.large_values)
    planner = _Planner(flow, variables, choice, tools, versions)
    for index in parents_first(flow):
        planner.decide(flow.nodes[index])
    nodes = {node.id: planner.told(node) for node in flow.nodes}
    return FlowPlan(flow=flow.id, path=flow.path, on_save=flow.settings.on_save, nodes=nodes)


class _Planner:
    def __init__(
        self, flow: Flow, variables: dict[str, Value], choice: Choice, tools: Tools, versions: Versions
    ) -> None:
        self._flow = flow
        self._variables = variables
        self._choice = choice
        self._tools = tools
        self._versions = versions
        self._large_values = HidingValues(tools.large_values, tools.vault, _nowhere)
        self._foresight = Foresight(flow, tools, self._large_values)
        reusing, forced = tools.reusing, choice.reuse.forced
        self._records = reusing.records(flow)
        self._kept: dict[NodeId, Kept] = (
            reusing.reusable(flow, variables, tools.catalogue, forced=forced)
            if choice.reuse.mode == "auto"
            else {}
        )
        """As the run would begin: these are not even looked at."""
        self._may_be_skipped: set[NodeId] = set()
        """Of those that would, or may, run."""
        self._found: dict[NodeId, NodePlan] = {}

    def decide(self, node: Node) -> None:
        """Find out what would become of a node; of those before it that is known."""
        self._found[node.id] = (
            self._left_out(node) or self._settled(node) or self._skipped(node) or self._planned(node)
        )

    def told(self, node: Node) -> NodePlan:
        """Return what would become of a node, with places and without secrets."""
        found, mask = self._found[node.id], self._large_values.mask
        placed = self._versions.placed(found.reasons)
        if mask is not None:
            placed = tuple(msgspec.structs.replace(each, message=mask.text(each.message)) for each in placed)
        return msgspec.structs.replace(found, reasons=placed)

    # -- what is not executed --------------------------------------------------------------------------------

    def _left_out(self, node: Node) -> NodePlan | None:
        left_out = self._choice.left_out.get(node.id)
        return None if left_out is None else _skip(left_out.skipped or "")

    def _settled(self, node: Node) -> NodePlan | None:
        kept = self._kept.get(node.id)
        return None if kept is None else _reuse(node, kept)

    def _skipped(self, node: Node) -> NodePlan | None:
        """Return that a node would not run because of those that it takes; None: it may."""
        errors = [ref.node for ref in node.refs if ref.port == ERROR_PORT]
        if errors:
            if any(self._moves(each) for each in errors):
                return None
            return _skip(
                f"{_listed(errors)} would not fail" if len(errors) == 1 else "none of them would fail"
            )
        if node.always or len(node.refs) == 0 or not all(self._gives_nothing(ref.node) for ref in node.refs):
            return None
        if len(node.refs) > 1:
            return _skip("none of its inputs would have a value")
        parent = node.refs[0].node
        return _skip(
            f"its input {parent} {'is skipped' if self._found[parent].problem is None else 'would fail'}"
        )

    def _gives_nothing(self, node_id: NodeId) -> bool:
        found = self._found[node_id]
        if found.verdict == "skip":
            return True
        goes_on = self._flow.nodes[self._flow.index_of[node_id]].continue_on_error
        return found.problem is not None and not goes_on

    def _moves(self, node_id: NodeId) -> bool:
        return self._found[node_id].verdict in ("run", "perhaps")

    # -- what waits for others -------------------------------------------------------------------------------

    def _planned(self, node: Node) -> NodePlan:
        parents = [self._flow.nodes[index].id for index in self._flow.parents[node.index]]
        moving = [parent for parent in parents if self._moves(parent)]
        try:
            return self._behind(node, moving) if moving else self._examined(node)
        except AtomitonError as error:
            return NodePlan(verdict="run", problem=self._problem(node, error))

    def _behind(self, node: Node, moving: Sequence[NodeId]) -> NodePlan:
        """Return what would become of a node that waits for others which would, or may, be executed."""
        order = self._order(node)
        conditions = self._conditions(node)
        when = node.when
        if when is not None and not needs_input(when) and not when.evaluate(self._foresight.scope(order)):
            return _skip(f"`when` is false: {when.text}")
        does = self._foresight.does(order)
        forced = self._forced(node)
        changed, certain = ((), True) if forced else self._changed(node, order)
        if conditions:
            self._may_be_skipped.add(node.id)
        if (forced or certain) and not conditions:
            return NodePlan(verdict="run", reasons=forced or changed, does=does)
        taken = [each for each in moving if any(ref.node == each for ref in node.refs)]
        waits = (
            f"if the result of {_listed(taken)} is another one"
            if taken
            else f"if {_listed(moving)} changes what it uses"
        )
        return NodePlan(
            verdict="perhaps", reasons=conditions or changed or (Reason(message=waits),), does=does
        )

    def _conditions(self, node: Node) -> tuple[Reason, ...]:
        """Return what has to come before a node is executed; empty: it is executed in any case, or reused."""
        found: list[str] = []
        errors = [ref.node for ref in node.refs if ref.port == ERROR_PORT]
        if errors:
            found.append(f"only if {_listed(errors)} fails")
        elif node.refs and not node.always and all(self._may_give_nothing(ref.node) for ref in node.refs):
            found.append(f"only if {_listed(ref.node for ref in node.refs)} is executed")
        if node.when is not None and needs_input(node.when):
            found.append(f"only if `when` is true: {node.when.text}")
        return tuple(Reason(message=words) for words in found)

    def _may_give_nothing(self, node_id: NodeId) -> bool:
        return node_id in self._may_be_skipped or self._gives_nothing(node_id)

    def _changed(self, node: Node, order: ExecuteNode) -> tuple[tuple[Reason, ...], bool]:
        """Return what certainly changed since the last result, and whether no earlier result can stand in."""
        record, earlier = self._records.get(node.id), self._all_parts
        known = self._foresight.parts(order)
        certain = earlier is not None and all(
            any(parts.get(name) != text for name, text in known.items()) for parts in earlier.get(node.id, ())
        )
        if record is None:
            return (Reason(message=FIRST),), certain
        if record.key is None:
            return (Reason(message=UNKNOWN),), certain
        last = {name: record.key.parts[name] for name in known if name in record.key.parts}
        return self._reasons_since(record, last, known, node), certain

    # -- what can be examined --------------------------------------------------------------------------------

    @cached_property
    def _all_parts(self) -> dict[NodeId, list[Mapping[str, str]]] | None:
        return self._tools.reusing.parts_of_all(self._flow)

    def _examined(self, node: Node) -> NodePlan:
        order, tools = self._order(node), self._tools
        prepared = prepare(order, tools.catalogue, self._large_values, tools.vault, _nowhere)
        if not isinstance(prepared, Prepared):
            return _skip(prepared.reason)
        lasting = Lasting(prepared, tools.reusing, self._large_values.mask)
        does = self._foresight.does(order, prepared.context.scope)
        forced = self._forced(node)
        if not forced and (kept := lasting.earlier()) is not None:
            self._kept[node.id] = kept
            return _reuse(node, kept)
        return NodePlan(verdict="run", reasons=forced or self._reasons(node, lasting), does=does)

    def _forced(self, node: Node) -> tuple[Reason, ...]:
        """Return why a node would be executed whatever its key is; empty: it need not be."""
        reuse, on_save = self._choice.reuse, self._flow.settings.on_save
        if reuse.mode == "none":
            return (Reason(message=ANEW),)
        if node.id in reuse.forced:
            return (Reason(message=ASKED),)
        if node.reuse == "never":
            return (Reason(message=NEVER),)
        if reuse.mode == "declared" and node.reuse != "always":
            return (Reason(message=EVERYTHING if on_save == "all" else BY_HAND),)
        return ()

    def _reasons(self, node: Node, lasting: Lasting) -> tuple[Reason, ...]:
        record = self._records.get(node.id)
        if lasting.outside.looks:
            return (Reason(message=LOOKS),)
        if lasting.stale:
            return (Reason(message=lasting.stale),)
        if lasting.key is None or (record is not None and record.key is None):
            return (Reason(message=UNKNOWN),)
        if record is None or record.key is None:
            return (Reason(message=FIRST),)
        found = self._reasons_since(record, record.key.parts, lasting.key.parts, node)
        return found or (Reason(message="the folder of the flow is another one"),)

    def _reasons_since(
        self, record: Kept, before: dict[str, str], after: dict[str, str], node: Node
    ) -> tuple[Reason, ...]:
        edits = self._versions.edits(record.source)
        return reasons(before, after, node, written_at=written_at(node.id), edits=edits)

    def _problem(self, node: Node, error: AtomitonError) -> ErrorInfo:
        found, mask = error.info(), self._large_values.mask
        message = found.message if mask is None else mask.text(found.message)
        hint = found.hint if mask is None or found.hint is None else mask.text(found.hint)
        where = found.where or Where(self._flow.path, node.line, 1)
        return ErrorInfo(found.code, message, node.id, where, hint)

    def _order(self, node: Node) -> ExecuteNode:
        ports = [self._port(ref) for ref in node.refs]
        return ExecuteNode(
            run_id=RunId("plan"),
            flow=self._flow,
            node=node.index,
            attempt=1,
            variables=self._variables,
            trigger="save",
            started_at=datetime.now(UTC).isoformat(),
            inputs=tuple(raw for raw, _ in ports),
            hashes=tuple(known for _, known in ports),
            cancel=CancelToken(),
            flow_path=self._flow.path,
        )

    def _port(self, ref: PortRef) -> tuple[msgspec.Raw | None, Digest | None]:
        kept = self._kept.get(ref.node)
        if kept is None or ref.port == ERROR_PORT:
            return None, None
        return (kept.outputs or {}).get(ref.port, _NULL), kept.hashes.get(ref.port)


def _skip(reason: str) -> NodePlan:
    return NodePlan(verdict="skip", reasons=(Reason(message=reason),))


def _reuse(node: Node, kept: Kept) -> NodePlan:
    within = node.body is not None or node.calls is not None
    return NodePlan(verdict="reuse", source=kept.source, reasons=(Reason(message=_WITHIN),) if within else ())


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - _SHOWN_NODES} more" if len(every) > _SHOWN_NODES else ""
    return ", ".join(every[:_SHOWN_NODES]) + more


def _nowhere(text: str) -> None:
    del text


_NULL = msgspec.Raw(b"null")
