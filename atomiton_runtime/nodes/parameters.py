"""Turns what a flow file says of a node into its type's `Parameters`, or says why it cannot."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import cast

import msgspec
from msgspec import inspect

from atomiton_runtime.flow.catalogue import Complaint, ParameterInfo, ParameterKind
from atomiton_runtime.flow.expressions import Expression
from atomiton_runtime.nodes.base import NodeError, NodeType
from atomiton_runtime.nodes.scalars import read_scalar
from atomiton_runtime.nodes.type_check import misfits


@lru_cache(maxsize=256)
def shape_of(parameters: type[msgspec.Struct]) -> inspect.StructType:
    """Return the declared fields of a `Parameters` class, as msgspec sees them."""
    return cast(inspect.StructType, inspect.type_info(parameters))


def parameter_infos(parameters: type[msgspec.Struct]) -> Mapping[str, ParameterInfo]:
    """Return what the loader must know of each parameter, by name."""
    return {
        field.encode_name: ParameterInfo(
            name=field.encode_name,
            kind=_kind(field.type),
            required=field.required,
        )
        for field in shape_of(parameters).fields
    }


def check(node_type: NodeType, parameters: Mapping[str, object]) -> Sequence[Complaint]:
    """Return everything that is wrong with `parameters` as written; templates and expressions fit everywhere."""
    found = misfits(shape_of(node_type.Parameters), parameters)
    wrong = {complaint.path[0] for complaint in found if complaint.path}
    sound = {name: value for name, value in parameters.items() if name not in wrong}
    together = node_type.complaints(sound)
    # What one wrong parameter brought about is not a second mistake.
    return (*found, *(complaint for complaint in together if not wrong))


def prepare(node_type: NodeType, rendered: Mapping[str, object]) -> msgspec.Struct:
    """Return `rendered` (no templates left) as an instance of the node type's `Parameters`.

    Raises:
        NodeError: a value does not fit (PARAM-0xx); the message names the parameter and its value.
    """
    try:
        parameters = msgspec.convert(rendered, node_type.Parameters, dec_hook=read_scalar)
    except msgspec.ValidationError as error:
        raise _refusal(misfits(shape_of(node_type.Parameters), rendered), str(error)) from error
    if found := node_type.complaints(rendered):
        raise _refusal(found, "")
    return parameters


def _refusal(found: Sequence[Complaint], otherwise: str) -> NodeError:
    if not found:
        return NodeError("PARAM-002", f"the parameters do not fit: {otherwise}")
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return NodeError(first.code, f"{first.message}{more}", hint=first.hint)


def _kind(shape: inspect.Type) -> ParameterKind:
    extra = cast("dict[str, ParameterKind] | None", getattr(shape, "extra", None))
    if extra is not None and "kind" in extra:
        return extra["kind"]
    return "expression" if _is_expression(shape) else "value"


def _is_expression(shape: inspect.Type) -> bool:
    match shape:
        case inspect.Metadata():
            return _is_expression(shape.type)
        case inspect.UnionType():
            return any(_is_expression(part) for part in shape.types)
        case inspect.CustomType():
            return shape.cls is Expression
        case _:
            return False
