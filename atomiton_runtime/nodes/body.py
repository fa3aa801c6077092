"""States what a node type with a body is: it says how its child nodes are executed, and makes its outputs of theirs."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.catalogue import BodyKind
from atomiton_runtime.nodes.base import NodeContext, NodeType
from atomiton_runtime.run.plan import Strategy
from atomiton_runtime.values import Encoded, Value


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How a body is to be executed."""

    items: Sequence[Value] | None = None
    """The item of each execution; None: there are `count`, and the item of each is its index."""
    count: int | None = 1
    """With `items`, their number; None: as often as `BodyType.again` says, each with the last one's result as its
    item, the first one with the only one of `items`."""
    concurrency: int = 1
    """Executions at once; of a body that is executed once and side by side, children at once."""
    strategy: Strategy = "all"
    collect: bool = False
    """True: an execution that fails does not keep the others from beginning."""
    takes: Literal["result", "children", "sinks"] = "result"
    """Of which children the outputs are given to `gather`: the one named by `result`, all, or the sinks."""
    result: str | None = None
    """The child whose primary output is the result of an execution; None: the last sink."""


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one execution of a body."""

    index: int
    outputs: dict[str, dict[str, Value | Encoded]] = {}
    """Child -> port -> value; without those that gave nothing. Large ones can be passed on, and not looked into."""
    errors: dict[str, ErrorInfo] = {}
    """Child -> why it failed."""
    error: ErrorInfo | None = None
    """Why the execution failed."""

    @property
    def result(self) -> Value | Encoded:
        """The primary output of the one child that was asked for; null where it gave none."""
        return next((primary(ports) for ports in self.outputs.values()), None)


def primary(ports: dict[str, Value | Encoded]) -> Value | Encoded:
    """Return the value of the first port: the primary one."""
    return next(iter(ports.values()), None)


class BodyType(NodeType):
    """A node type that owns child nodes.

    Its `execute` is the first step of an attempt and returns an `Opening`; the runtime then executes the child nodes,
    each as a node of its own; `gather` is the last step.
    """

    body: ClassVar[BodyKind | None] = "once"

    @abc.abstractmethod
    def execute(self, parameters: Any, context: NodeContext) -> Opening:
        """Return how the body is to be executed; see `NodeType.execute`."""

    def again(self, parameters: Any, context: NodeContext, index: int) -> bool:
        """Return whether there is an execution of this index, where `Opening.count` is None.

        Args:
            parameters: as in `execute`.
            context: its scope has `item` (the last execution's result) and `index`.
            index: of the execution that is asked about; 0 before the first one.
        """
        del parameters, context, index
        return False

    @abc.abstractmethod
    def gather(
        self, parameters: Any, context: NodeContext, executions: Sequence[Execution]
    ) -> Mapping[str, object]:
        """Return port -> value, for every port.

        Args:
            parameters: as in `execute`.
            context: as in `execute`.
            executions: what became of each, in the order of their indexes.

        Raises:
            NodeError: the attempt failed.
        """
