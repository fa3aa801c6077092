"""Writes the documentation of node types from their declarations."""

import inspect as python_inspect
import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET, inspect

from atomiton_runtime.nodes.base import Example
from atomiton_runtime.nodes.declaration import description_of
from atomiton_runtime.nodes.effects import effect_words
from atomiton_runtime.nodes.parameters import shape_of
from atomiton_runtime.nodes.registry import CataloguedType
from atomiton_runtime.nodes.scalars import Duration, Size
from atomiton_runtime.nodes.type_check import expected
from atomiton_runtime.values import encode, preview

EXAMPLE_NODE = "example"
"""The id of the node in the documentation's examples."""

_HEADER = """\
# Node types

<!-- Written by scripts/generate-docs; change the code, then run it. -->

Every text parameter is a template; an *expression* is written bare, without braces. What is said of an output
holds when the node succeeds. The keys that every node may have are in [the flow format](flow-format.md).
An *effect* is `pure` (the result depends on parameters and input alone), `reads` (also on the outside) or `writes` (it
changes the outside).

What is *examined on a save* decides, beside type, parameters and input, whether a result still holds: the contents of
the files and folders that the node reads, and whether what it has left is still as it was then. Where nothing outside
is examined, a change there is not noticed.

`atomiton nodes TYPE` prints the same in the terminal, and every example here is a test.
"""
_SHOWN_CHARS = 300
_SUB_TABLE = re.compile(r"^\[(?!\[)(.+)\]$", re.MULTILINE)


def nodes_document(types: Sequence[CataloguedType]) -> str:
    """Return the text of `docs/nodes.md`."""
    summaries = [f"- [`{each.name}`](#{each.name}): {summary(each)}" for each in types]
    return "\n".join([_HEADER, *summaries, "", *(type_document(each) for each in types)]).rstrip() + "\n"


def summary(catalogued: CataloguedType) -> str:
    """Return what a node type does, in one sentence."""
    return _docstring(catalogued).splitlines()[0]


def type_document(catalogued: CataloguedType, *, narrow: bool = False) -> str:
    """Return all about one node type, as Markdown: what `atomiton nodes TYPE` prints.

    Args:
        catalogued: the type.
        narrow: whether it is for a terminal, where a table of parameters has no room.
    """
    declared = catalogued.node_type
    good = [example for example in declared.examples if example.error is None]
    bad = [example for example in declared.examples if example.error is not None]
    lines = [f"## {catalogued.name}", "", _docstring(catalogued), "", effect_words(catalogued)]
    lines += ["", "### Parameters", ""]
    lines += _parameter_list(catalogued) if narrow else _parameter_lines(catalogued)
    lines += ["", "### Outputs", ""]
    lines += [
        f"- `{port.name}`{_primary(place)}: {port.description}" for place, port in enumerate(declared.ports)
    ]
    lines += ["", "### Examples", ""]
    for example in good:
        lines += _example_lines(catalogued.name, example)
    if bad:
        lines += ["### What fails", ""]
        lines += [f"- {example.title}: `{example.error}`" for example in bad]
        lines += [""]
    return "\n".join(lines)


def example_toml(type_name: str, example: Example) -> str:
    """Return an example as the node `example` of a flow."""
    # Keys of the node's own table come before its sub-tables, whose headers are written from the top.
    body = _SUB_TABLE.sub(rf"[nodes.{EXAMPLE_NODE}.\1]", example.toml)
    return f'[nodes.{EXAMPLE_NODE}]\ntype = "{type_name}"\n{body}\n'


def _docstring(catalogued: CataloguedType) -> str:
    return python_inspect.getdoc(catalogued.node_type) or ""


def _primary(place: int) -> str:
    return " (primary)" if place == 0 else ""


def _parameter_lines(catalogued: CataloguedType) -> Iterator[str]:
    yield "| parameter | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for field in shape_of(catalogued.node_type.Parameters).fields:
        cells = (
            f"`{field.encode_name}`",
            type_words(field.type),
            _default_words(field),
            description_of(field),
        )
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _parameter_list(catalogued: CataloguedType) -> Iterator[str]:
    for field in shape_of(catalogued.node_type.Parameters).fields:
        default = _default_words(field)
        said = default if field.required else f"default {default}" if default else ""
        yield f"- `{field.encode_name}`: {'; '.join(filter(None, (type_words(field.type), said)))}  "
        yield f"  {description_of(field)}"


def type_words(shape: inspect.Type) -> str:
    """Return what a parameter may be, with its range: `integer, 1 or more`."""
    match shape:
        case inspect.Metadata():
            return type_words(shape.type)
        case inspect.UnionType():
            parts = [type_words(part) for part in shape.types if not isinstance(part, inspect.NoneType)]
            return " or ".join(parts)
        case inspect.AnyType():
            return "anything"
        case inspect.LiteralType():
            return ", ".join(f"`{encode(choice).decode()}`" for choice in shape.values)
        case inspect.StrType():
            return ", ".join([_bare(expected(shape)), *_form_words(shape)])
        case inspect.IntType() | inspect.FloatType():
            return ", ".join([_bare(expected(shape)), *_range_words(shape)])
        case inspect.ListType() | inspect.VarTupleType():
            return ", ".join(
                [f"list ({type_words(shape.item_type)})", *_length_words(shape, "entry", "entries")]
            )
        case inspect.DictType():
            return ", ".join(
                [f"table ({type_words(shape.value_type)})", *_length_words(shape, "key", "keys")]
            )
        case inspect.CustomType():
            return _bare(expected(shape)).partition(",")[0]
        case _:
            return _bare(expected(shape))


def _bare(words: str) -> str:
    return words.removeprefix("an ").removeprefix("a ")


def _range_words(shape: inspect.IntType | inspect.FloatType) -> Iterator[str]:
    if shape.ge is not None:
        yield f"{_number(shape.ge)} or more"
    if shape.gt is not None:
        yield f"more than {_number(shape.gt)}"
    if shape.le is not None:
        yield f"at most {_number(shape.le)}"
    if shape.lt is not None:
        yield f"less than {_number(shape.lt)}"


def _form_words(shape: inspect.StrType) -> Iterator[str]:
    yield from _length_words(shape, "character", "characters")
    if shape.pattern is not None:
        yield f"of the form `{shape.pattern}`"


def _length_words(
    shape: inspect.StrType | inspect.ListType | inspect.VarTupleType | inspect.DictType, one: str, many: str
) -> Iterator[str]:
    if shape.min_length == 1:
        yield "not empty"
    elif shape.min_length:
        yield f"at least {shape.min_length} {many}"
    if shape.max_length is not None:
        yield f"at most {shape.max_length} {one if shape.max_length == 1 else many}"


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _default_words(field: inspect.Field) -> str:
    if field.required:
        return "required"
    default: object = field.default
    # A list or table that is empty by default, which msgspec gives as a factory, says nothing to the reader.
    if default in (None, UNSET, msgspec.NODEFAULT, ()):
        return ""
    return f"`{default_text(default)}`"


def default_text(default: object) -> str:
    """Return a default as a flow author would write it."""
    match default:
        case Size():
            return _size_text(default)
        case Duration():
            return f"{float(default):g}s"
        case _:
            return encode(default).decode()


def _size_text(size: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size and size % factor == 0:
            return f'"{size // factor}{unit}"'
    return str(int(size))


def _reply_lines(example: Example) -> Iterator[str]:
    for request, reply in example.replies.items():
        sent = f" with the body `{reply.to}`" if reply.to is not None else ""
        location = reply.headers.get("location")
        leads = f" and leads to `{location}`" if location else ""
        said = f": `{reply.body}`" if reply.body else ""
        yield f"- `{request}`{sent} answers {reply.status}{leads}{said}"


def _example_lines(type_name: str, example: Example) -> Iterator[str]:
    yield f"{example.title}:"
    yield ""
    yield "```toml"
    yield example_toml(type_name, example).rstrip()
    yield "```"
    yield ""
    if example.input is not None:
        yield f"- input: `{encode(example.input).decode()}`"
    for path, content in example.files.items():
        yield f"- the file `{path}` holds `{preview(encode(content).decode(), _SHOWN_CHARS)}`"
    yield from _reply_lines(example)
    for port, value in (example.outputs or {}).items():
        yield f"- `{port}`: `{encode(value).decode()}`"
    for path, content in example.files_after.items():
        yield f"- the file `{path}` then holds `{encode(content).decode()}`"
    yield ""
