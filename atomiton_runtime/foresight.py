"""Says what is certain of a node that waits for others: parts of its key, and what it would do outside."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from atomiton_runtime.actors.attempt import Tools
from atomiton_runtime.actors.hiding import HidingValues
from atomiton_runtime.actors.keying import is_given, own_parts
from atomiton_runtime.actors.messages import ExecuteNode
from atomiton_runtime.actors.preparing import scope_of
from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.expressions import Expression, Scope, Template, Templated, render
from atomiton_runtime.flow.model import Flow, Node
from atomiton_runtime.nodes.base import CancelToken, NodeContext
from atomiton_runtime.nodes.effects import may_write
from atomiton_runtime.values import Value, preview

BY_ITS_INPUT = "changes something that its input decides"
_HIDDEN = ("secrets", "env")
"""What these give is never shown, only that they are used."""
_SHOWN_CHARS = 400


class Foresight:
    """What can be said of the nodes of a flow before anything is executed."""

    def __init__(self, flow: Flow, tools: Tools, large_values: HidingValues) -> None:
        self._flow = flow
        self._tools = tools
        self._large_values = large_values

    def scope(self, order: ExecuteNode) -> Scope:
        """Return what the expressions of a node mean, as far as that does not come with its input."""
        return scope_of(order, None, self._large_values, self._tools.vault)

    def parts(self, order: ExecuteNode) -> dict[str, str]:
        """Return the parts that the key of an execution is certain to have."""
        found = self._tools.catalogue.find(order.written.type)
        if found is None:
            return {}
        scope = self.scope(order)
        rendered: dict[str, object] = {}
        for name, value in order.written.parameters.items():
            try:
                if not _depends(value, given=True):
                    rendered[name] = render(value, scope)
            except AtomitonError:
                continue  # the execution itself says better what is wrong
        try:
            return own_parts(order, found, rendered, scope, mask=self._large_values.mask)
        except AtomitonError:
            return {}

    def does(self, order: ExecuteNode, scope: Scope | None = None) -> str:
        """Return what an execution would do outside; empty: nothing.

        Args:
            order: asks for it.
            scope: what names mean, where its input is known; else what depends on that is told as it is written.
        """
        node = order.written
        if node.body is None and node.calls is None:
            return self._doing(node, self._flow, scope or self.scope(order), given=scope is None)
        told = [
            f"{name}: {does}"
            for name, child, flow in _within(node, self._flow)
            if (does := self._doing(child, flow, self.scope(order), given=True))
        ]
        return preview("; ".join(told), _SHOWN_CHARS) if told else ""

    def _doing(self, node: Node, flow: Flow, scope: Scope, *, given: bool) -> str:
        found = self._tools.catalogue.find(node.type)
        if found is None:
            return ""
        its_own = flow is self._flow
        parameters = {
            name: _told(value, scope, given=given, variables=its_own)
            for name, value in node.parameters.items()
        }
        try:
            context = NodeContext(
                input=cast("Value", scope.names.get("input")),
                scope=scope,
                folder=Path(flow.folder),
                cancel=CancelToken(),
                flow_path=flow.path,
            )
            does = found.node_type.outside(found.prepare(parameters), context).does
        except Exception:  # noqa: BLE001  # a border: a type, maybe a stranger's, is asked about texts it never gets
            return BY_ITS_INPUT if may_write(found, node.parameters) else ""
        mask = self._large_values.mask
        return does if mask is None else mask.text(does)


def _within(node: Node, flow: Flow) -> Iterator[tuple[str, Node, Flow]]:
    """Yield the nodes that are executed for a node, at any depth: id below that node, node, whose flow."""
    inner = flow if node.calls is None else flow.subflows[node.calls]
    for child in node.children if node.calls is None else inner.nodes:
        if child.body is None and child.calls is None:
            yield str(child.id), child, inner
        else:
            yield from ((f"{child.id}/{name}", each, of) for name, each, of in _within(child, inner))


def _depends(value: object, *, given: bool, hidden: bool = False, variables: bool = False) -> bool:
    """Return whether the templates in a parameter use what is `given`, what is `hidden`, or `variables`."""
    match value:
        case Template():
            return any(
                (given and is_given(name))
                or (hidden and name.partition(".")[0] in _HIDDEN)
                or (variables and name.partition(".")[0] == "vars")
                for name in value.names
            )
        case dict():
            entries = cast("dict[str, object]", value).values()
        case list():
            entries = cast("list[object]", value)
        case _:
            return False
    return any(_depends(each, given=given, hidden=hidden, variables=variables) for each in entries)


def _told(value: Templated, scope: Scope, *, given: bool, variables: bool) -> object:
    """Return a parameter as it would be, and what is not known of it, or is hidden, as it is written."""
    match value:
        case Template():
            if _depends(value, given=given, hidden=True, variables=not variables):
                return value.text
            try:
                return value.render(scope)
            except AtomitonError:
                return value.text
        case dict():
            return {
                key: _told(entry, scope, given=given, variables=variables) for key, entry in value.items()
            }
        case list():
            return [_told(entry, scope, given=given, variables=variables) for entry in value]
        case _:
            return value


def needs_input(expression: Expression) -> bool:
    """Return whether what an expression gives depends on the input of its node."""
    return any(map(is_given, expression.names))
