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

_TYPE_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")


def declaration_problems(declared: type[NodeType]) -> list[str]:
    """Return what the declaration of a node type lacks, each as a sentence; empty: it is complete."""
    return [*_identity_problems(declared), *_port_problems(declared), *_parameter_problems(declared)]


def _identity_problems(declared: type[NodeType]) -> Iterator[str]:
    name = getattr(declared, "name", None)
    if not isinstance(name, str) or not _TYPE_NAME.fullmatch(name):
        yield f"`name` must be lower-case words joined by hyphens, not {name!r}"
    if not (declared.__doc__ or "").strip():
        yield "the class has no docstring; its first line is the summary of the type"
    if python_inspect.isabstract(declared):
        yield "the class is abstract: it does not define `execute`"
    version = cast(object, declared.version)
    if not isinstance(version, int) or version < 1:
        yield f"`version` must be an integer, 1 or more, not {version!r}"
    examples = getattr(declared, "examples", ())
    if not examples or not all(isinstance(example, Example) for example in examples):
        yield "`examples` must be a tuple with at least one Example"


def _port_problems(declared: type[NodeType]) -> Iterator[str]:
    ports = _declared_ports(declared)
    if not ports:
        yield "`ports` must be a tuple with at least one Port"
    names = [port.name for port in ports]
    if len(set(names)) < len(names):
        yield f"`ports` names a port twice: {', '.join(names)}"
    for port in ports:
        if not _FIELD_NAME.fullmatch(port.name) or port.name == "error":
            yield f"a port cannot be named {port.name!r}"
        if not port.description.strip():
            yield f"the port `{port.name}` has no description"


def _declared_ports(declared: type[NodeType]) -> tuple[Port, ...]:
    ports: object = getattr(declared, "ports", ())
    if not isinstance(ports, tuple):
        return ()
    entries = cast("tuple[object, ...]", ports)
    return cast("tuple[Port, ...]", entries) if all(isinstance(port, Port) for port in entries) else ()


def _parameter_problems(declared: type[NodeType]) -> Iterator[str]:
    parameters = getattr(declared, "Parameters", None)
    if not isinstance(parameters, type) or not issubclass(parameters, msgspec.Struct):
        yield "`Parameters` must be a msgspec.Struct"
        return
    config = parameters.__struct_config__
    if not config.frozen or not config.forbid_unknown_fields:
        yield "`Parameters` must be declared with frozen=True, kw_only=True, forbid_unknown_fields=True"
    try:
        fields = shape_of(parameters).fields
    except Exception as error:  # noqa: BLE001  # annotations of a stranger can raise anything
        yield f"`Parameters` cannot be read: {error}"
        return
    for field in fields:
        yield from _field_problems(field)


def _field_problems(field: inspect.Field) -> Iterator[str]:
    if field.encode_name in COMMON_KEYS:
        yield f"the parameter `{field.encode_name}` is named like a key that every node has"
    if not _FIELD_NAME.fullmatch(field.encode_name):
        yield f"the parameter `{field.encode_name}` must be lower-case words joined by underscores"
    if not description_of(field):
        yield f"the parameter `{field.encode_name}` has no msgspec.Meta(description=...)"


def description_of(field: inspect.Field) -> str:
    """Return the description of a parameter, or nothing."""
    if not isinstance(field.type, inspect.Metadata):
        return ""
    extra = cast("dict[str, str] | None", field.type.extra_json_schema)  # pyright: ignore[reportUnknownMemberType]  # msgspec leaves the keys open
    return (extra or {}).get("description", "")
