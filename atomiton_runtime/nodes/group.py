"""Is the node type `group`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from atomiton_runtime.nodes.base import Example, NodeContext, Port
from atomiton_runtime.nodes.body import BodyType, Execution, Opening
from atomiton_runtime.nodes.scalars import IS_CHILD


class GroupParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `group` takes."""

    result: Annotated[
        str | None,
        Meta(
            description="The child node whose primary output is the result; without it, the last of those that "
            "no other child takes.",
            extra=IS_CHILD,
        ),
    ] = None


class Group(BodyType):
    """Executes child nodes as one node: with one condition, one timeout, one retry.

    A child without `input` gets the group's input. When a child fails and nothing handles it, those that have begun
    end, no other begins, and the group fails; `retry` then executes all of them again. Within a loop, `item` and
    `index` are still the loop's.
    """

    name = "group"
    ports = (Port("result", "The primary output of the child `result`; null if that was skipped."),)
    Parameters = GroupParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Two steps that are tried again together",
            toml=(
                "retry = 3\n"
                "[nodes.clean]\n"
                'type = "transform"\n'
                'operation = "filter"\n'
                'expression = "item > 0"\n'
                "[nodes.total]\n"
                'type = "transform"\n'
                'input = "clean"\n'
                'operation = "reduce"\n'
                'expression = "acc + item"\n'
                "initial = 0"
            ),
            input=[3, -1, 4],
            outputs={"result": 7},
        ),
        Example(
            title="Take the result of another child than the last",
            toml=(
                'result = "first"\n'
                "[nodes.first]\n"
                'type = "edit-fields"\n'
                "values = { a = 1 }\n"
                "[nodes.second]\n"
                'type = "edit-fields"\n'
                'input = "first"\n'
                "values = { b = 2 }"
            ),
            outputs={"result": {"a": 1}},
        ),
        Example(
            title="What a child cannot do, the group cannot do",
            toml='[nodes.read]\ntype = "file-system"\noperation = "read"\npath = "missing.txt"',
            error="FILE-001",
        ),
    )

    def execute(self, parameters: GroupParameters, context: NodeContext) -> Opening:
        """Return that the children are executed once, with the group's input."""
        return Opening(items=[context.input], result=parameters.result)

    def gather(
        self, parameters: GroupParameters, context: NodeContext, executions: Sequence[Execution]
    ) -> Mapping[str, object]:
        """Return the result of the only execution."""
        del parameters, context
        return {"result": executions[0].result}
