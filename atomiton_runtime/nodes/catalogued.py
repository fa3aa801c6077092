"""Is a node type as the rest of the program sees it: with everything derived from its declaration."""

from collections.abc import Mapping, Sequence

import msgspec

from atomiton_runtime.flow.catalogue import BodyKind, Complaint, ParameterInfo
from atomiton_runtime.nodes import parameters as checked
from atomiton_runtime.nodes.base import NodeType
from atomiton_runtime.run.reuse import digest

BUILT_IN_SOURCE = "built-in"


class CataloguedType:
    """A node type with everything that is derived from its declaration once."""

    def __init__(self, node_type: NodeType, source: str, code: bytes = b"") -> None:
        self.node_type = node_type
        self.source = source
        """`BUILT_IN_SOURCE`, the path of its file, or its entry point."""
        changed = f" {digest(code)}" if code else ""
        self.identity = f"{node_type.name} {node_type.version}{changed}"
        """Says which type it is and in which version; with the hash of its code, where that may change at any time."""
        self.name: str = node_type.name
        self.ports: tuple[str, ...] = tuple(port.name for port in node_type.ports)
        self.body: BodyKind | None = node_type.body
        self.may_write: bool = type(node_type).effect is not NodeType.effect
        self.uses: frozenset[str] = node_type.uses
        self.parameters: Mapping[str, ParameterInfo] = checked.parameter_infos(node_type.Parameters)

    def check(self, parameters: Mapping[str, object]) -> Sequence[Complaint]:
        """Return everything that is wrong with `parameters` as written; see `catalogue.NodeTypeInfo`."""
        if self.source == BUILT_IN_SOURCE:
            return checked.check(self.node_type, parameters)
        try:
            return checked.check(self.node_type, parameters)
        except Exception as error:  # noqa: BLE001  # a border: a stranger's `complaints` may raise anything
            message = f"the node type `{self.name}` failed to check its parameters: {error!r}"
            return (Complaint(code="NODE-011", message=message, hint=f"its code is in {self.source}"),)

    def prepare(self, rendered: Mapping[str, object]) -> msgspec.Struct:
        """Return `rendered` (no templates left) as what `node_type.execute` takes.

        Raises:
            NodeError: a value does not fit (PARAM-0xx).
        """
        return checked.prepare(self.node_type, rendered)
