"""Checks that a node type declares what loader, documentation, JSON Schema and tests read."""

import inspect as python_inspect
import re
from collections.abc import Iterator
from typing import cast

import msgspec
from msgspec import inspect

from atomiton_runtime.flow.catalogue import COMMON_KEYS
from atomiton_runtime.nodes.base import Example, NodeType, Port
from atomiton_runtime.nodes.parameters import shape_of
from atomiton_runtime.nodes.type_check import unknown_shapes

_TYPE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")


class DeclarationProblem(msgspec.Struct, frozen=True):
    """Something that a declaration lacks."""

    message: str
    attribute: str = ""
    """The attribute of the class that it is about; empty: the class itself."""
    parameter: str = ""
    """The field of `Parameters` that it is about."""


def declaration_problems(declared: type[NodeType]) -> list[DeclarationProblem]:
    """Return what the declaration of a node type lacks; empty: it is complete."""
    return [*_identity_problems(declared), *_port_problems(declared), *_parameter_problems(declared)]


def _identity_problems(declared: type[NodeType]) -> Iterator[DeclarationProblem]:
    name = getattr(declared, "name", None)
    if not isinstance(name, str) or not _TYPE_NAME.fullmatch(name):
        message = f"`name` must be lower-case words joined by hyphens, not {name!r}"
        yield DeclarationProblem(message, "name")
    if not (declared.__doc__ or "").strip():
        yield DeclarationProblem("the class has no docstring; its first line is the summary of the type")
    if python_inspect.isabstract(declared):
        yield DeclarationProblem("the class is abstract: it does not define `execute`")
    version = cast(object, declared.version)
    if not isinstance(version, int) or version < 1:
        yield DeclarationProblem(f"`version` must be an integer, 1 or more, not {version!r}", "version")
    if not _is_set_of_texts(cast(object, declared.uses)):
        message = f"`uses` must be a frozenset of names, not {declared.uses!r}"
        yield DeclarationProblem(message, "uses")
    examples = cast(object, getattr(declared, "examples", ()))
    if not examples or not _all_are(examples, Example):
        yield DeclarationProblem("`examples` must be a tuple with at least one Example", "examples")


def _is_set_of_texts(names: object) -> bool:
    return isinstance(names, frozenset) and all(
        isinstance(name, str) for name in cast("frozenset[object]", names)
    )


def _all_are(entries: object, kind: type) -> bool:
    return isinstance(entries, tuple) and all(
        isinstance(entry, kind) for entry in cast("tuple[object, ...]", entries)
    )


def _port_problems(declared: type[NodeType]) -> Iterator[DeclarationProblem]:
    ports = _declared_ports(declared)
    if not ports:
        yield DeclarationProblem("`ports` must be a tuple with at least one Port", "ports")
    names = [port.name for port in ports]
    if len(set(names)) < len(names):
        yield DeclarationProblem(f"`ports` names a port twice: {', '.join(names)}", "ports")
    for port in ports:
        if not _FIELD_NAME.fullmatch(port.name) or port.name == "error":
            yield DeclarationProblem(f"a port cannot be named {port.name!r}", "ports")
        if not port.description.strip():
            yield DeclarationProblem(f"the port `{port.name}` has no description", "ports")


def _declared_ports(declared: type[NodeType]) -> tuple[Port, ...]:
    ports: object = getattr(declared, "ports", ())
    return cast("tuple[Port, ...]", ports) if _all_are(ports, Port) else ()


def _parameter_problems(declared: type[NodeType]) -> Iterator[DeclarationProblem]:
    parameters = getattr(declared, "Parameters", None)
    if not isinstance(parameters, type) or not issubclass(parameters, msgspec.Struct):
        yield DeclarationProblem("`Parameters` must be a msgspec.Struct", "Parameters")
        return
    config = parameters.__struct_config__
    if not config.frozen or not config.forbid_unknown_fields:
        message = "`Parameters` must be declared with frozen=True, kw_only=True, forbid_unknown_fields=True"
        yield DeclarationProblem(message, "Parameters")
    try:
        fields = shape_of(parameters).fields
    except Exception as error:  # noqa: BLE001  # annotations of a stranger can raise anything
        yield DeclarationProblem(f"`Parameters` cannot be read: {error}", "Parameters")
        return
    for field in fields:
        for message in _field_problems(field):
            yield DeclarationProblem(message, "Parameters", field.name)


def _field_problems(field: inspect.Field) -> Iterator[str]:
    if field.encode_name in COMMON_KEYS:
        yield f"the parameter `{field.encode_name}` is named like a key that every node has"
    if not _FIELD_NAME.fullmatch(field.encode_name):
        yield f"the parameter `{field.encode_name}` must be lower-case words joined by underscores"
    if not description_of(field):
        yield f"the parameter `{field.encode_name}` has no msgspec.Meta(description=...)"
    for foreign in unknown_shapes(field.type):
        known = (
            "str, int, float, bool, Literal, Any, Duration, Size, Expression, and tuples or dicts of these"
        )
        yield f"the parameter `{field.encode_name}` cannot be of the type {foreign}; there are {known}"


def description_of(field: inspect.Field) -> str:
    """Return the description of a parameter, or nothing."""
    if not isinstance(field.type, inspect.Metadata):
        return ""
    extra = cast("dict[str, str] | None", field.type.extra_json_schema)  # pyright: ignore[reportUnknownMemberType]  # msgspec leaves the keys open
    return (extra or {}).get("description", "")
