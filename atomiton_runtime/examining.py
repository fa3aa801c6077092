"""Examines single nodes of a flow: whether an earlier result holds, and if not, what has changed."""

from collections.abc import Mapping
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
from atomiton_runtime.flow.model import Flow, Node, PortRef
from atomiton_runtime.foresight import Foresight
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
    NodePlan,
    Reason,
)
from atomiton_runtime.run.reasons import reasons
from atomiton_runtime.run.reuse import Digest
from atomiton_runtime.values import Value
from atomiton_runtime.versions import Versions, written_at

BY_HAND = 'a run by hand executes everything but nodes with `reuse = "always"`'
_WITHIN = "with all that is within it"
_NULL = msgspec.Raw(b"null")


class Examination:
    """What is known of the nodes of a flow, and of their earlier results. Nothing is executed by asking it."""

    def __init__(
        self, flow: Flow, variables: dict[str, Value], choice: Choice, tools: Tools, versions: Versions
    ) -> None:
        self._flow = flow
        self._variables = variables
        self._choice = choice
        self._tools = tools
        self._versions = versions
        self._large_values = HidingValues(tools.large_values, tools.vault, _nowhere)
        self.foresight = Foresight(flow, tools, self._large_values)
        reusing, reuse = tools.reusing, choice.reuse
        self._records = reusing.records(flow)
        self.kept: dict[NodeId, Kept] = {}
        """What is certainly reused. At first, as a run would begin: these are not even looked at."""
        if reuse.mode == "auto":
            self.kept = reusing.reusable(flow, variables, tools.catalogue, forced=reuse.forced)

    def told(self, found: NodePlan) -> NodePlan:
        """Return what would become of a node, with places and without secrets."""
        mask = self._large_values.mask
        placed = self._versions.placed(found.reasons)
        if mask is not None:
            placed = tuple(msgspec.structs.replace(each, message=mask.text(each.message)) for each in placed)
        return msgspec.structs.replace(found, reasons=placed)

    def order(self, node: Node) -> ExecuteNode:
        """Return the order of an execution, with what it would be given as far as that is certain."""
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

    def examined(self, node: Node) -> NodePlan:
        """Return what would become of a node whose inputs are all known.

        Raises:
            AtomitonError: it would fail before it does anything.
        """
        order, tools = self.order(node), self._tools
        prepared = prepare(order, tools.catalogue, self._large_values, tools.vault, _nowhere)
        if not isinstance(prepared, Prepared):
            return skip(prepared.reason)
        lasting = Lasting(prepared, tools.reusing, self._large_values.mask)
        does = self.foresight.does(order, prepared.context.scope)
        forced = self.forced(node)
        if not forced and (kept := lasting.earlier()) is not None:
            self.kept[node.id] = kept
            return reuse(node, kept)
        return NodePlan(verdict="run", reasons=forced or self._reasons(node, lasting), does=does)

    def forced(self, node: Node) -> tuple[Reason, ...]:
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

    def changed(self, node: Node, order: ExecuteNode) -> tuple[tuple[Reason, ...], bool]:
        """Return what certainly changed since the last result, and whether no earlier result can stand in."""
        record, earlier = self._records.get(node.id), self._all_parts
        known = self.foresight.parts(order)
        certain = earlier is not None and all(
            any(parts.get(name) != text for name, text in known.items()) for parts in earlier.get(node.id, ())
        )
        if record is None:
            return (Reason(message=FIRST),), certain
        if record.key is None:
            return (Reason(message=UNKNOWN),), certain
        last = {name: record.key.parts[name] for name in known if name in record.key.parts}
        return self._reasons_since(record, last, known, node), certain

    def problem(self, node: Node, error: AtomitonError) -> ErrorInfo:
        """Return why a node would fail, without secrets."""
        found, mask = error.info(), self._large_values.mask
        message = found.message if mask is None else mask.text(found.message)
        hint = found.hint if mask is None or found.hint is None else mask.text(found.hint)
        where = found.where or Where(self._flow.path, node.line, 1)
        return ErrorInfo(found.code, message, node.id, where, hint)

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

    @cached_property
    def _all_parts(self) -> dict[NodeId, list[Mapping[str, str]]] | None:
        return self._tools.reusing.parts_of_all(self._flow)

    def _port(self, ref: PortRef) -> tuple[msgspec.Raw | None, Digest | None]:
        kept = self.kept.get(ref.node)
        if kept is None or ref.port == ERROR_PORT:
            return None, None
        return (kept.outputs or {}).get(ref.port, _NULL), kept.hashes.get(ref.port)


def skip(reason: str) -> NodePlan:
    """Return that a node would not run."""
    return NodePlan(verdict="skip", reasons=(Reason(message=reason),))


def reuse(node: Node, kept: Kept) -> NodePlan:
    """Return that what became of a node stands."""
    within = node.body is not None or node.calls is not None
    return NodePlan(verdict="reuse", source=kept.source, reasons=(Reason(message=_WITHIN),) if within else ())


def _nowhere(text: str) -> None:
    del text
