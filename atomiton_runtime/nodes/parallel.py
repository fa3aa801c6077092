"""Is the node type `parallel`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.catalogue import BodyKind
from atomiton_runtime.nodes.base import Example, NodeContext, NodeError, Port
from atomiton_runtime.nodes.body import BodyType, Execution, Opening, primary
from atomiton_runtime.run.plan import Strategy

MAX_CONCURRENCY = 256


class ParallelParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `parallel` takes."""

    strategy: Annotated[
        Strategy,
        Meta(
            description="all: fails when a child fails. race: the first child that succeeds is the result, and the "
            "others are ended; fails when none succeeds. all-settled: never fails for a child; see `errors`."
        ),
    ] = "all"
    concurrency: Annotated[
        int,
        Meta(
            description="Children at once. At most `max_parallel` nodes run at once in the whole flow.",
            ge=1,
            le=MAX_CONCURRENCY,
        ),
    ] = MAX_CONCURRENCY


class Parallel(BodyType):
    """Executes child nodes at the same time.

    A child without `input` gets the node's input. Children cannot take each other's outputs; what has to be done one
    after the other is a `group`, as one child.
    """

    name = "parallel"
    body: ClassVar[BodyKind | None] = "side-by-side"
    ports = (
        Port("results", "Child -> its primary output; only of those that succeeded."),
        Port("errors", "Child -> `code` and `message` of its failure."),
    )
    Parameters = ParallelParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Two things at once",
            toml=(
                '[nodes.most]\ntype = "transform"\noperation = "sort"\ndirection = "desc"\n'
                '[nodes.even]\ntype = "transform"\noperation = "filter"\nexpression = "item % 2 == 0"'
            ),
            input=[1, 2, 3],
            outputs={"results": {"most": [3, 2, 1], "even": [2]}, "errors": {}},
        ),
        Example(
            title="The first that succeeds",
            toml=(
                'strategy = "race"\n'
                '[nodes.cache]\ntype = "file-system"\noperation = "read"\npath = "cache.txt"\n'
                '[nodes.copy]\ntype = "file-system"\noperation = "read"\npath = "copy.txt"'
            ),
            files={"copy.txt": "same"},
            outputs={"results": {"copy": "same"}},
        ),
        Example(
            title="Whatever becomes of each",
            toml=(
                'strategy = "all-settled"\n'
                '[nodes.there]\ntype = "file-system"\noperation = "read"\npath = "there.txt"\n'
                '[nodes.missing]\ntype = "file-system"\noperation = "read"\npath = "missing.txt"'
            ),
            files={"there.txt": "here"},
            outputs={"results": {"there": "here"}},
        ),
        Example(
            title="A race that nobody wins",
            toml=(
                'strategy = "race"\n'
                '[nodes.one]\ntype = "file-system"\noperation = "read"\npath = "one.txt"\n'
                '[nodes.other]\ntype = "file-system"\noperation = "read"\npath = "other.txt"'
            ),
            error="PARALLEL-001",
        ),
    )

    def execute(self, parameters: ParallelParameters, context: NodeContext) -> Opening:
        """Return that all children are executed, with the node's input."""
        return Opening(
            items=[context.input],
            concurrency=parameters.concurrency,
            strategy=parameters.strategy,
            takes="children",
        )

    def gather(
        self, parameters: ParallelParameters, context: NodeContext, executions: Sequence[Execution]
    ) -> Mapping[str, object]:
        """Return the outputs and failures of the children, by their ids."""
        del context
        only = executions[0]
        if parameters.strategy == "race":
            if not only.outputs:
                raise _nobody(only.errors)
            winner = dict([next(iter(only.outputs.items()))])
        else:
            winner = only.outputs
        return {
            "results": {child: primary(ports) for child, ports in winner.items()},
            "errors": {
                child: {"code": error.code, "message": error.message} for child, error in only.errors.items()
            },
        }


def _nobody(errors: dict[str, ErrorInfo]) -> NodeError:
    reasons = "; ".join(f"{child}: {error.message}" for child, error in errors.items())
    message = f"none of the children succeeded: {reasons or 'all were skipped'}"
    return NodeError("PARALLEL-001", message, hint="the errors of the children say why")
