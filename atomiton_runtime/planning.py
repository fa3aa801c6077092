"""Says what a save of a flow would execute and why, without executing anything."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from atomiton_runtime.actors.attempt import Tools
from atomiton_runtime.actors.hiding import HidingValues
from atomiton_runtime.actors.keying import descendants
from atomiton_runtime.actors.lasting import Lasting
from atomiton_runtime.actors.messages import ExecuteNode
from atomiton_runtime.actors.preparing import Prepared, prepare
from atomiton_runtime.choosing import Choice
from atomiton_runtime.errors import AtomitonError, ErrorInfo
from atomiton_runtime.flow.graph import parents_first
from atomiton_runtime.flow.model import Flow, Node, PortRef
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.nodes.effects import may_write
from atomiton_runtime.run.decide import ERROR_PORT
from atomiton_runtime.run.given import Skipped
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.reasons import LOOKS, NEVER, UNKNOWN, Reason, reasons
from atomiton_runtime.run.reuse import Digest
from atomiton_runtime.storage.results import Results
from atomiton_runtime.values import Value
from atomiton_runtime.versions import Places, version_before

Verdict = Literal["run", "perhaps", "reuse", "skip"]
"""`perhaps`: only if the result of a node before it is another one than it was."""
_GIVEN = frozenset({"input", "item", "index", "outer", "acc"})
_SHOWN_NODES = 5
_CHOSEN = "it was chosen"


class NodePlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What would become of a node."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    source: RunId | None = None
    """The run whose result would be reused."""
    does: str = ""
    """What it would do outside: `writes out/a.json`; empty: nothing, as far as that can be said."""
    problem: ErrorInfo | None = None
    """Why it would fail before it does anything."""


class FlowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of the nodes of a flow."""

    flow: FlowId
    path: str
    nodes: dict[NodeId, NodePlan]
    """In the order of the file."""


def plan(flow: Flow, variables: dict[str, Value], choice: Choice, tools: Tools, results: Results) -> FlowPlan:
    """Return what would be executed, and why.

    Args:
        flow: in its present version.
        variables: of the run that would be.
        choice: what its user would choose.
        tools: what attempts share.
        results: of earlier runs.
    """
    before = version_before(flow, results, tools.large_values, tools.catalogue)
    planner = _Planner(flow, variables, choice, tools, before)
    for index in parents_first(flow):
        planner.decide(flow.nodes[index])
    found, places = planner.found, Places(flow)
    nodes = {
        node.id: msgspec.structs.replace(found[node.id], reasons=places.of(found[node.id].reasons, node.id))
        for node in flow.nodes
    }
    return FlowPlan(flow=flow.id, path=flow.path, nodes=nodes)


class _Planner:
    def __init__(
        self, flow: Flow, variables: dict[str, Value], choice: Choice, tools: Tools, before: Flow | None
    ) -> None:
        self._flow = flow
        self._variables = variables
        self._choice = choice
        self._tools = tools
        self._large_values = HidingValues(tools.large_values, tools.vault, _nowhere)
        self._records = tools.reusing.records(flow)
        self._definitions = {} if before is None else {node.id: node.definition for node in before.nodes}
        self._kept: dict[NodeId, Kept] = {}
        self.found: dict[NodeId, NodePlan] = {}

    def decide(self, node: Node) -> None:
        """Find out what would become of a node; of those before it that is known."""
        self.found[node.id] = self._left_out(node) or self._skipped(node) or self._planned(node)

    def _left_out(self, node: Node) -> NodePlan | None:
        left_out = self._choice.left_out.get(node.id)
        if left_out is None:
            return None
        return NodePlan(verdict="skip", reasons=(Reason(message=left_out.skipped or ""),))

    def _skipped(self, node: Node) -> NodePlan | None:
        """Return that a node would not run because those are skipped that it takes; None: they are not."""
        refs = [ref for ref in node.refs if ref.port != ERROR_PORT]
        if node.always or not refs or not all(self.found[ref.node].verdict == "skip" for ref in refs):
            return None
        words = f"its input {refs[0].node} is skipped" if len(refs) == 1 else "all its inputs are skipped"
        return NodePlan(verdict="skip", reasons=(Reason(message=words),))

    def _planned(self, node: Node) -> NodePlan:
        errors = [ref.node for ref in node.refs if ref.port == ERROR_PORT]
        if errors and len(errors) == len(node.refs):
            return NodePlan(
                verdict="perhaps",
                reasons=(Reason(message=f"only if {_listed(errors)} fails"),),
                does=self._does(node),
            )
        moving = [
            parent
            for parent in (self._flow.nodes[index].id for index in self._flow.parents[node.index])
            if self.found[parent].verdict in ("run", "perhaps")
        ]
        if moving:
            return self._behind(node, moving)
        try:
            return self._examined(node)
        except AtomitonError as error:
            return NodePlan(verdict="run", problem=error.info())

    def _behind(self, node: Node, moving: Sequence[NodeId]) -> NodePlan:
        """Return what would become of a node that waits for others which would, or may, be executed."""
        forced = self._forced(node)
        known = self._definitions.get(node.id)
        record = self._records.get(node.id)
        if forced is None and record is None:
            forced = reasons(None, {}, node)
        if forced is None and known is not None and known != node.definition:
            forced = (Reason(message="it was changed"),)
        if forced is not None:
            return NodePlan(verdict="run", reasons=forced, does=self._does(node))
        words = Reason(message=f"if the result of {_listed(moving)} is another one")
        return NodePlan(verdict="perhaps", reasons=(words,), does=self._does(node))

    def _forced(self, node: Node) -> tuple[Reason, ...] | None:
        """Return why a node would be executed whatever its key is; None: it need not be."""
        reuse = self._choice.reuse
        if node.id in reuse.forced or reuse.mode == "none":
            return (Reason(message=_CHOSEN),)
        if node.reuse == "never":
            return (Reason(message=NEVER),)
        return None

    def _examined(self, node: Node) -> NodePlan:
        prepared = self._prepared(node)
        if not isinstance(prepared, Prepared):
            return NodePlan(verdict="skip", reasons=(Reason(message=prepared.reason),))
        lasting = Lasting(prepared, self._tools.reusing, self._large_values.mask)
        does = self._words(node, lasting.outside.does)
        forced = self._forced(node)
        if forced is None and (kept := lasting.earlier()) is not None:
            self._kept[node.id] = kept
            return NodePlan(verdict="reuse", source=kept.source)
        return NodePlan(verdict="run", reasons=forced or self._reasons(node, lasting), does=does)

    def _reasons(self, node: Node, lasting: Lasting) -> tuple[Reason, ...]:
        if lasting.outside.looks:
            return (Reason(message=LOOKS),)
        if lasting.key is None:
            return (Reason(message=UNKNOWN),)
        if lasting.stale:
            return (Reason(message=lasting.stale),)
        record = self._records.get(node.id)
        if record is not None and record.key is None:
            return (Reason(message=UNKNOWN),)
        parts = None if record is None or record.key is None else record.key.parts
        return reasons(parts, lasting.key.parts, node) or (
            Reason(message="the folder of the flow is another one"),
        )

    def _prepared(self, node: Node) -> Prepared | Skipped:
        tools = self._tools
        return prepare(self._order(node), tools.catalogue, self._large_values, tools.vault, _nowhere)

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

    # -- what it does outside ----------------------------------------------------------------------------------

    def _does(self, node: Node) -> str:
        """Return what a node would do outside whose inputs are not known yet."""
        if not any(name.partition(".")[0] in _GIVEN for name in node.names):
            try:
                prepared = self._prepared(node)
                if isinstance(prepared, Prepared):
                    lasting = Lasting(prepared, self._tools.reusing, self._large_values.mask)
                    return self._words(node, lasting.outside.does)
            except AtomitonError:
                pass  # its parameters need what it is given
        return self._words(node, "changes something that its input decides" if self._writes(node) else "")

    def _writes(self, node: Node) -> bool:
        found = self._tools.catalogue.find(node.type)
        return found is not None and may_write(found, node.parameters)

    def _words(self, node: Node, does: str) -> str:
        writing = [child.id for child in descendants(node, self._flow) if self._writes(child)]
        if writing:
            return f"changes something by {_listed(writing)}"
        mask = self._large_values.mask
        return does if mask is None else mask.text(does)


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - _SHOWN_NODES} more" if len(every) > _SHOWN_NODES else ""
    return ", ".join(every[:_SHOWN_NODES]) + more


def _nowhere(text: str) -> None:
    del text


_NULL = msgspec.Raw(b"null")
