"""Says what a save of a flow would execute and why, without executing anything."""

from collections.abc import Iterable, Sequence

from atomiton_runtime.actors.attempt import Tools
from atomiton_runtime.choosing import Choice
from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.examining import Examination, reuse, skip
from atomiton_runtime.flow.graph import parents_first
from atomiton_runtime.flow.model import Flow, Node
from atomiton_runtime.foresight import needs_input
from atomiton_runtime.ids import NodeId
from atomiton_runtime.run.decide import ERROR_PORT
from atomiton_runtime.run.reason import (
    FlowPlan,
    NodePlan,
    Reason,
)
from atomiton_runtime.storage.results import Results
from atomiton_runtime.values import Value
from atomiton_runtime.versions import Versions

_SHOWN_NODES = 5


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
    planner = _Planner(flow, choice, Examination(flow, variables, choice, tools, versions))
    for index in parents_first(flow):
        planner.decide(flow.nodes[index])
    nodes = {node.id: planner.told(node) for node in flow.nodes}
    return FlowPlan(flow=flow.id, path=flow.path, on_save=flow.settings.on_save, nodes=nodes)


class _Planner:
    def __init__(self, flow: Flow, choice: Choice, examination: Examination) -> None:
        self._flow = flow
        self._choice = choice
        self._examination = examination
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
        return self._examination.told(self._found[node.id])

    # -- what is not executed --------------------------------------------------------------------------------

    def _left_out(self, node: Node) -> NodePlan | None:
        left_out = self._choice.left_out.get(node.id)
        return None if left_out is None else skip(left_out.skipped or "")

    def _settled(self, node: Node) -> NodePlan | None:
        kept = self._examination.kept.get(node.id)
        return None if kept is None else reuse(node, kept)

    def _skipped(self, node: Node) -> NodePlan | None:
        """Return that a node would not run because of those that it takes; None: it may."""
        errors = [ref.node for ref in node.refs if ref.port == ERROR_PORT]
        if errors:
            if any(self._moves(each) for each in errors):
                return None
            return skip(
                f"{_listed(errors)} would not fail" if len(errors) == 1 else "none of them would fail"
            )
        if node.always or len(node.refs) == 0 or not all(self._gives_nothing(ref.node) for ref in node.refs):
            return None
        if len(node.refs) > 1:
            return skip("none of its inputs would have a value")
        parent = node.refs[0].node
        return skip(
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
            return self._behind(node, moving) if moving else self._examination.examined(node)
        except AtomitonError as error:
            return NodePlan(verdict="run", problem=self._examination.problem(node, error))

    def _behind(self, node: Node, moving: Sequence[NodeId]) -> NodePlan:
        """Return what would become of a node that waits for others which would, or may, be executed."""
        order = self._examination.order(node)
        conditions = self._conditions(node)
        when = node.when
        if (
            when is not None
            and not needs_input(when)
            and not when.evaluate(self._examination.foresight.scope(order))
        ):
            return skip(f"`when` is false: {when.text}")
        does = self._examination.foresight.does(order)
        forced = self._examination.forced(node)
        changed, certain = ((), True) if forced else self._examination.changed(node, order)
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


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - _SHOWN_NODES} more" if len(every) > _SHOWN_NODES else ""
    return ", ".join(every[:_SHOWN_NODES]) + more
