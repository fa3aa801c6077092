"""Is the node type `edit-fields`."""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from atomiton_runtime.nodes.base import Example, NodeContext, NodeError, NodeType, Port
from atomiton_runtime.nodes.ordering import kind_of
from atomiton_runtime.values import Value


class EditFieldsParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `edit-fields` takes."""

    values: Annotated[
        dict[str, Any],
        Meta(
            description="The fields to set: name -> value. A field that is there already gets the new value."
        ),
    ]
    keep_only_set: Annotated[
        bool, Meta(description="True: the result has only the fields of `values`, none of the input's.")
    ] = False


class EditFields(NodeType):
    """Sets fields of an object.

    The fields of `values` are merged into the input, which is an object or null (then the result starts empty).
    A field replaces the one of the same name whole: objects inside of it are not merged.
    """

    name = "edit-fields"
    ports = (Port("result", "The object with the fields set."),)
    Parameters = EditFieldsParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Add a field that is computed from the input",
            toml='values = { total = "{{ input.price * input.amount }}", currency = "EUR" }',
            input={"price": 3, "amount": 4},
            outputs={"result": {"price": 3, "amount": 4, "total": 12, "currency": "EUR"}},
        ),
        Example(
            title="Keep nothing but the new fields",
            toml='keep_only_set = true\nvalues = { name = "{{ input.first }} {{ input.last }}" }',
            input={"first": "Ada", "last": "Lovelace", "secret": "x"},
            outputs={"result": {"name": "Ada Lovelace"}},
        ),
        Example(
            title="Begin with an object of its own: no input",
            toml='[values]\ngreeting = "hello"\ntags = ["a", "b"]',
            outputs={"result": {"greeting": "hello", "tags": ["a", "b"]}},
        ),
        Example(
            title="A list has no fields",
            toml="values = { seen = true }",
            input=[{"id": 1}],
            error="DATA-001",
        ),
        Example(
            title="Without values there is nothing to set", toml="keep_only_set = true", error="PARAM-005"
        ),
    )

    def execute(self, parameters: EditFieldsParameters, context: NodeContext) -> dict[str, Value]:
        """Return the object with the fields set."""
        if parameters.keep_only_set:
            return {"result": parameters.values}
        return {"result": {**_fields_of(context.input), **parameters.values}}


def _fields_of(value: Value) -> dict[str, Value]:
    match value:
        case None:
            return {}
        case dict():
            return value
        case list():
            hint = 'use a `transform` with operation = "map" to change every item of a list'
        case _:
            hint = 'take it up as a field: input = { value = "..." }, or values = { value = "{{ input }}" }'
    raise NodeError("DATA-001", f"the input must be an object or null, not {kind_of(value)}", hint=hint)
