"""Writes the JSON Schema of flow files, with which editors complete and check them while they are typed.

Draft 2020-12, in the part of it that the common TOML editors and linters know (tombi, taplo). A text stands
wherever a template may; whatever a schema cannot say (references, expressions) is the loader's matter.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, get_args

import msgspec
from msgspec import UNSET, inspect

from atomiton_runtime.flow import model
from atomiton_runtime.flow.expressions import Expression
from atomiton_runtime.nodes.declaration import description_of
from atomiton_runtime.nodes.document import summary
from atomiton_runtime.nodes.parameters import shape_of
from atomiton_runtime.nodes.registry import CataloguedType, NodeCatalogue
from atomiton_runtime.nodes.scalars import Duration, Size
from atomiton_runtime.values import Value, encode, to_document

Schema: TypeAlias = dict[str, Any]

_NODE_NAME = r"^[A-Za-z0-9_-]+$"
_EXAMPLES = 3
"""At most, of a parameter."""
_EXAMPLE_BYTES = 80
_TEMPLATE: Schema = {"type": "string", "pattern": r"\{[{%]", "description": "A template."}
_ANYTHING: Schema = {}
_OPEN: Schema = {"type": "object", "additionalProperties": True}


def flow_schema_text(catalogue: NodeCatalogue) -> str:
    """Return the JSON Schema of the flows that may use the types of a catalogue, as an indented file."""
    return json.dumps(flow_schema(catalogue.types()), indent=2, ensure_ascii=False) + "\n"


def flow_schema(types: Sequence[CataloguedType]) -> Schema:
    """Return the JSON Schema of a flow file that may use `types`."""
    definitions = {**_DEFINITIONS, "variable": _variable(), "settings": _settings(), "test": _test()}
    definitions |= {f"type.{each.name}": _node(each) for each in types}
    definitions["node"] = _any_node(types)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A flow of atomiton",
        "type": "object",
        "properties": {
            "name": _text("What the tray calls the flow; without it, the stem of the file."),
            "description": _text("What the flow is for."),
            "variables": {
                "type": "object",
                "description": "What may be set for a run: `vars.NAME`, a flag of `atomiton run`.",
                "additionalProperties": _ref("variable"),
            },
            "settings": _ref("settings"),
            "nodes": _nodes("The nodes by their ids."),
            "test": {
                "type": "array",
                "description": "How the flow is tried by `atomiton test`.",
                "items": _ref("test"),
            },
        },
        "required": ["nodes"],
        "additionalProperties": False,
        "x-tombi-toml-version": "v1.0.0",
        "$defs": definitions,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _choice(values: Sequence[str], default: str, description: str) -> Schema:
    return {"type": "string", "enum": list(values), "default": default, "description": description}


def _flag(default: bool, description: str) -> Schema:
    return {"type": "boolean", "default": default, "description": description}


def _nodes(description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "patternProperties": {_NODE_NAME: _ref("node")},
        "additionalProperties": False,
    }


_DEFINITIONS: Schema = {
    "duration": {
        "description": 'Seconds as a number, or text such as "250ms", "30s", "1h30m".',
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+\s*$"},
        ],
    },
    "size": {
        "description": 'Bytes as an integer, or text such as "64KiB", "10MiB".',
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*[A-Za-z]{1,3}\s*$"},
        ],
    },
    "reference": {
        "type": "string",
        "description": 'A node ("read": its primary output) or one of its outputs ("read.columns", "read.error").',
        "minLength": 1,
    },
    "input": {
        "description": "The data: one output, a list of outputs, or a table name -> output.",
        "anyOf": [
            {"$ref": "#/$defs/reference"},
            {"type": "array", "items": {"$ref": "#/$defs/reference"}},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/reference"}},
        ],
    },
    "after": {
        "description": "The nodes that must be done before, without taking data from them.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    },
    "retry": {
        "description": "How often a failed attempt is repeated.",
        "anyOf": [
            {"type": "integer", "minimum": 1, "description": "Attempts in all."},
            {
                "type": "object",
                "properties": {
                    "attempts": {"type": "integer", "minimum": 1, "description": "Attempts in all."},
                    "delay": {"$ref": "#/$defs/duration"},
                    "backoff": {
                        "type": "number",
                        "minimum": 1,
                        "description": "Each pause is so many times longer.",
                    },
                    "max_delay": {"$ref": "#/$defs/duration"},
                    "jitter": _flag(
                        True, "Whether pauses are shortened by chance, so that many do not meet."
                    ),
                },
                "additionalProperties": False,
            },
        ],
    },
}


def _settings() -> Schema:
    return {
        "type": "object",
        "description": "How the flow as a whole is run.",
        "properties": {
            "on_save": _choice(get_args(model.OnSave), "changed", "What runs when the file is saved."),
            "resume": _choice(
                get_args(model.Resume),
                "manual",
                "Whether the tray or `watch` continues, when it starts, a run that a crash has cut.",
            ),
            "on_busy": _choice(
                get_args(model.OnBusy), "queue-latest", "What a new run does while one is going on."
            ),
            "timeout": {**_ref("duration"), "default": "1h"},
            "max_parallel": {
                "type": "integer",
                "minimum": 1,
                "default": 8,
                "description": "So many nodes run at the same time.",
            },
            "max_runs_per_minute": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 60,
                "description": "A flow that runs by itself (saves) more often is paused until somebody runs it.",
            },
            "notify": _choice(get_args(model.Notify), "failure", "After which runs a notification is shown."),
            "tray": _flag(True, "Whether the tray's menu lists the flow."),
        },
        "additionalProperties": False,
    }


_PORTS: Schema = {**_OPEN, "description": "Output -> its value."}
_WHEN = _text("An expression over `output`, `outputs`, `status`, `error` and `vars` that must be true.")
_ERROR: Schema = {
    "type": "object",
    "description": "The failure of the node.",
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    "additionalProperties": True,
}


def _value_or(**form: Schema) -> Schema:
    """Return a value of any kind, with the keys of a table that means something else.

    The kinds are listed, dates and times too: linters complain of keys in a table of which nothing is said.
    """
    kinds = ("string", "integer", "number", "boolean", "array")
    times = ("date-time", "date-time-local", "date", "time-local")
    plain = [{"type": kind} for kind in kinds] + [{"type": "string", "format": each} for each in times]
    return {"anyOf": [*plain, {**_OPEN, "properties": form}]}


def _test() -> Schema:
    return {
        "type": "object",
        "description": "A run with given outputs, and what is expected of it.",
        "properties": {
            "name": _text("What is true if the test passes, as a sentence."),
            "variables": {**_OPEN, "description": "Values of the flow's variables."},
            "given": {
                "type": "object",
                "description": "Node -> its primary output, `{ ports = ... }` or `{ error = ... }`; not executed.",
                "patternProperties": {_NODE_NAME: _value_or(ports=_PORTS, error=_ERROR)},
                "additionalProperties": False,
            },
            "expect": {
                "type": "object",
                "description": "Node -> what its primary output must be, or `{ ports = ..., when = ... }`.",
                "patternProperties": {_NODE_NAME: _value_or(ports=_PORTS, when=_WHEN)},
                "additionalProperties": False,
            },
            "expect_status": _choice(
                get_args(model.ExpectedStatus), "succeeded", "What must become of the run."
            ),
            "allow": {
                "description": "The nodes that may be executed although they write.",
                "anyOf": [
                    {"type": "string", "enum": ["all"]},
                    {"type": "array", "items": {"type": "string"}},
                ],
            },
        },
        "additionalProperties": False,
    }


def _variable() -> Schema:
    long_form: Schema = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": list(get_args(model.VariableType))},
            "default": _ANYTHING,
            "required": {"type": "boolean", "description": "True where there is no default."},
            "description": _text("What it means; shown by `atomiton run FLOW --help`."),
            "min": {"type": "number", "description": "The least number, or the least length."},
            "max": {"type": "number", "description": "The largest number, or the largest length."},
            "choices": {"type": "array", "minItems": 1, "items": _ANYTHING},
            "pattern": _text("A regular expression that a text must match whole."),
        },
        "additionalProperties": False,
    }
    short = [{"type": kind} for kind in ("string", "integer", "number", "boolean", "array")]
    return {"description": "A default, or a table with type and default.", "anyOf": [*short, long_form]}


def _any_node(types: Sequence[CataloguedType]) -> Schema:
    """Return what a node of any type is.

    Editors complete the keys of those alternatives that a table fits so far. So what a type requires is asked for
    beside them: else a table with nothing but its type would fit none, and be offered the parameters of all.
    """
    return {
        "type": "object",
        "properties": {
            "type": {
                "type": "string",
                "enum": [each.name for each in types],
                "description": "What the node does: the name of its type.",
            }
        },
        "required": ["type"],
        "oneOf": [_ref(f"type.{each.name}") for each in types],
        "allOf": [requirement for each in types for requirement in _requirements(each)],
    }


def _requirements(catalogued: CataloguedType) -> Iterator[Schema]:
    required = [name for name, parameter in catalogued.parameters.items() if parameter.required]
    if required:
        is_it = {"properties": {"type": {"const": catalogued.name}}, "required": ["type"]}
        yield {"if": is_it, "then": {"required": required}}


def _node(catalogued: CataloguedType) -> Schema:
    properties: Schema = {"type": {"const": catalogued.name, "description": summary(catalogued)}}
    properties |= parameter_schemas(catalogued)
    properties |= _COMMON
    if catalogued.body not in (None, "flow"):
        properties["nodes"] = _nodes("The nodes of the body.")
    return {
        "type": "object",
        "description": summary(catalogued),
        "properties": properties,
        "required": ["type"],
        "additionalProperties": False,
    }


_COMMON: Mapping[str, Schema] = {
    "name": _text("What people call the node."),
    "description": _text("What the node is for."),
    "input": _ref("input"),
    "after": _ref("after"),
    "when": {"anyOf": [_text("An expression; false skips the node."), {"type": "boolean"}]},
    "retry": _ref("retry"),
    "timeout": _ref("duration"),
    "on_error": _choice(("fail", "continue"), "fail", "What a failure does to the run."),
    "always": _flag(False, "Whether it runs even if the run failed or was cancelled."),
    "reuse": _choice(("auto", "always", "never"), "auto", "Whether an earlier result may be used on save."),
    "repeatable": {"type": "boolean", "description": "Whether it may run again after a crash in the middle."},
    "run_on": _text('"local", or the name of a configured cluster.'),
}


def parameter_schemas(catalogued: CataloguedType) -> dict[str, Schema]:
    """Return the JSON Schema of each parameter, by name."""
    fields = shape_of(catalogued.node_type.Parameters).fields
    shown = _examples(catalogued)
    return {field.encode_name: _parameter(field) | shown.get(field.encode_name, {}) for field in fields}


def _examples(catalogued: CataloguedType) -> dict[str, Schema]:
    """Return parameter -> the values that the type's good examples give it, the short ones, each once."""
    found: dict[str, list[Value]] = {}
    for example in catalogued.node_type.examples:
        for name, value in tomllib.loads(example.toml).items() if example.error is None else ():
            written = to_document(value)
            if written not in found.setdefault(name, []) and len(encode(written)) <= _EXAMPLE_BYTES:
                found[name].append(written)
    return {name: {"examples": values[:_EXAMPLES]} for name, values in found.items() if values}


def _parameter(field: inspect.Field) -> Schema:
    schema = {**_of(field.type), "description": description_of(field)}
    default: object = field.default
    if default not in (None, UNSET, msgspec.NODEFAULT):
        schema["default"] = int(default) if isinstance(default, Size) else to_document(default)
    return schema


def _of(shape: inspect.Type) -> Schema:
    match shape:
        case inspect.Metadata():
            return _of(shape.type)
        case inspect.AnyType():
            return _ANYTHING
        case inspect.StrType():
            return _text_of(shape)
        case _:
            alternatives = _alternatives(shape)
            if _may_be_template(shape):
                alternatives = [*alternatives, _TEMPLATE]
            return {"anyOf": alternatives} if len(alternatives) > 1 else alternatives[0]


def _text_of(shape: inspect.StrType) -> Schema:
    text = _bounded({"type": "string"}, minLength=shape.min_length, maxLength=shape.max_length)
    if shape.pattern is not None:
        text["pattern"] = shape.pattern
    # A template is text of any form and length; only what it gives must have these.
    return text if shape.pattern is None and shape.max_length is None else {"anyOf": [text, _TEMPLATE]}


def _may_be_template(shape: inspect.Type) -> bool:
    match shape:
        case inspect.UnionType():
            return all(_may_be_template(part) for part in shape.types)
        case inspect.CustomType():
            return shape.cls is not Expression
        case inspect.StrType():
            return False
        case _:
            return not isinstance(shape, inspect.Metadata) or _may_be_template(shape.type)


def _alternatives(shape: inspect.Type) -> list[Schema]:
    match shape:
        case inspect.UnionType():
            parts = [part for part in shape.types if not isinstance(part, inspect.NoneType)]
            return [alternative for part in parts for alternative in _alternatives(part)]
        case inspect.Metadata():
            return _alternatives(shape.type)
        case inspect.LiteralType():
            # With the type, a linter says of a wrong text which others there are, and not that it is no template.
            texts = all(isinstance(value, str) for value in shape.values)
            return [{**({"type": "string"} if texts else {}), "enum": list(shape.values)}]
        case inspect.BoolType():
            return [{"type": "boolean"}]
        case inspect.IntType():
            return [_numeric("integer", shape)]
        case inspect.FloatType():
            return [_numeric("number", shape)]
        case inspect.ListType() | inspect.VarTupleType():
            items: Schema = {"type": "array", "items": _of(shape.item_type)}
            return [_bounded(items, minItems=shape.min_length, maxItems=shape.max_length)]
        case inspect.DictType():
            values = _of(shape.value_type)
            table = {**_OPEN, "additionalProperties": values} if values else _OPEN
            return [_bounded(table, minProperties=shape.min_length, maxProperties=shape.max_length)]
        case inspect.CustomType():
            return [_custom(shape.cls)]
        case inspect.AnyType() | inspect.StrType():
            return [_of(shape)]
        case inspect.StructType():
            return [_fields(shape)]
        case _:
            # Bytes, which come from templates alone; other kinds are refused by `declaration`.
            return [_ANYTHING]


def _fields(shape: inspect.StructType) -> Schema:
    properties = {field.encode_name: _of(field.type) for field in shape.fields}
    required = [field.encode_name for field in shape.fields if field.required]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _custom(kind: type) -> Schema:
    if kind is Duration:
        return _ref("duration")
    return _ref("size") if kind is Size else {"type": "string", "minLength": 1}


def _numeric(name: str, shape: inspect.IntType | inspect.FloatType) -> Schema:
    return _bounded(
        {"type": name},
        minimum=shape.ge,
        maximum=shape.le,
        exclusiveMinimum=shape.gt,
        exclusiveMaximum=shape.lt,
        multipleOf=shape.multiple_of,
    )


def _bounded(schema: Schema, **bounds: float | None) -> Schema:
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}
