"""Is the node type `flow`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.catalogue import BodyKind
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.nodes.base import Example, NodeContext, NodeError, Port
from atomiton_runtime.nodes.body import BodyType, Execution, Opening
from atomiton_runtime.nodes.scalars import IS_FLOW


class FlowParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `flow` takes."""

    flow: Annotated[
        str,
        Meta(
            description="The flow to execute: its id (beside this file, else in the flows folder), or the path of its "
            "file. No template: who calls whom is known before anything runs.",
            extra=IS_FLOW,
            min_length=1,
        ),
    ]
    variables: Annotated[
        dict[str, Any],
        Meta(description="Values for the variables of that flow; the others have their defaults."),
    ] = {}


class FlowCall(BodyType):
    """Executes another flow, as part of this run.

    Its nodes run as nodes of this run, `call/read`, with variables, folder and paths of their own file. Of its
    settings, `timeout` and `max_parallel` are those of the run that calls it. A flow that calls itself, also by way of
    others, is a problem that is found before anything runs.
    """

    name = "flow"
    body: ClassVar[BodyKind | None] = "flow"
    ports = (Port("outputs", "The outputs of its sink nodes: node -> port -> value."),)
    Parameters = FlowParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="A flow as a function",
            toml='flow = "greet"\nvariables = { name = "{{ input }}" }',
            input="Ada",
            files={
                "greet.toml": (
                    '[variables]\nname = "you"\n[nodes.greeting]\ntype = "edit-fields"\n'
                    'values = { text = "Hello {{ vars.name }}" }\n'
                )
            },
            outputs={"outputs": {"greeting": {"result": {"text": "Hello Ada"}}}},
        ),
        Example(
            title="A variable that the flow does not have",
            toml='flow = "greet"\nvariables = { nmae = "Ada" }',
            files={"greet.toml": '[nodes.hi]\ntype = "edit-fields"\nvalues = { a = 1 }\n'},
            error="CALL-001",
        ),
    )

    def execute(self, parameters: FlowParameters, context: NodeContext) -> Opening:
        """Return that the flow is executed once, with its variables checked."""
        assert context.calls is not None
        try:
            variables = check_variables(context.calls.variables, parameters.variables, from_text=False)
        except UsageError as error:
            raise NodeError(
                "CALL-001", f"flow `{parameters.flow}`: {error.message}", hint=error.hint
            ) from error
        return Opening(items=[variables], takes="sinks")

    def gather(
        self, parameters: FlowParameters, context: NodeContext, executions: Sequence[Execution]
    ) -> Mapping[str, object]:
        """Return the outputs of the flow's sinks."""
        del parameters, context
        outputs = {child: dict(ports) for child, ports in executions[0].outputs.items()}
        return {"outputs": outputs}
