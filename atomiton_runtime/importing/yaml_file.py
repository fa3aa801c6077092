"""Reads YAML text into plain data that knows its lines: bounded, and with no more meaning than JSON has."""

import math
import re
from typing import NamedTuple, TypeAlias, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from atomiton_runtime.flow.problems import FlowInvalid, Problem

MAX_BYTES = 1024 * 1024
MAX_VALUES = 100_000
"""Most values of a file when its aliases are followed: a few lines can stand for billions."""
MAX_DEPTH = 60

Data: TypeAlias = "None | bool | int | float | str | list[Data] | dict[str, Data]"
Path: TypeAlias = tuple[str | int, ...]

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,300}|[0-9]{1,300}(\.[0-9]{0,300})?)([eE][-+]?[0-9]{1,5})?")
_TOML = re.compile(r"^\s*(\[[\w.\"'-]+\]|[\w-]+\s*=\s*\S)", re.MULTILINE)


class Document(NamedTuple):
    """The data of a YAML file."""

    data: Data
    lines: dict[Path, int]
    """Path of a value -> its line (of a mapping's entry: that of the key), counted from 1."""

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(content: bytes, file: str) -> Document:
    """Return the data of a YAML (or JSON) file of one document.

    Plain scalars mean what they mean in YAML 1.2, as for the programs that wrote such files: `yes` and `1:30` are
    texts, and so is a date. Integers of more than 64 bits and numbers that are none (`.inf`) are refused.

    Args:
        content: the bytes of the file.
        file: how problems name it.

    Raises:
        FlowInvalid: it cannot be read (IMPORT-001 to IMPORT-004).
    """
    text = _text(content, file)
    try:
        root = cast("Node | None", yaml.compose(text, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]  # yaml has no types
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise _invalid("IMPORT-001", f"this is not YAML: {_reason(exc)}", file, line, column, text) from exc
    except yaml.YAMLError as exc:
        raise _invalid(
            "IMPORT-001", "the file holds characters that no YAML has", file, hint=_hint(text)
        ) from exc
    except RecursionError as exc:
        raise _invalid("IMPORT-002", "lists or mappings are nested too deep", file) from exc
    if root is None:
        raise _invalid("IMPORT-005", "the file is empty", file)
    reader = _Reader(file, text)
    return Document(reader.read(root, (), 0), reader.lines)


class _Reader:
    def __init__(self, file: str, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._file = file
        self._text = text
        self._left = MAX_VALUES

    def read(self, node: Node, path: Path, depth: int) -> Data:
        """Return the data of a node, with its lines noted."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._left -= 1
        if self._left < 0:
            message = f"the file stands for more than {MAX_VALUES:,} values"
            raise _invalid("IMPORT-002", message, self._file, line)
        if depth > MAX_DEPTH:
            raise _invalid("IMPORT-002", "lists or mappings are nested too deep", self._file, line)
        match node:
            case MappingNode():
                return self._mapping(node, path, depth)
            case SequenceNode():
                entries = cast("list[Node]", node.value)
                return [self.read(each, (*path, place), depth + 1) for place, each in enumerate(entries)]
            case _:
                return self._scalar(cast(ScalarNode, node))

    def _mapping(self, node: MappingNode, path: Path, depth: int) -> dict[str, Data]:
        found: dict[str, Data] = {}
        for key_node, value_node in cast("list[tuple[Node, Node]]", node.value):
            key = cast(str, key_node.value) if isinstance(key_node, ScalarNode) else None
            if key is None or key in found:
                what = "a key is a list or a mapping" if key is None else f"the key `{key}` is there already"
                raise self._refused("IMPORT-004", what, key_node)
            self._check_text(key, key_node)
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = self.read(value_node, (*path, key), depth + 1)
        return found

    def _scalar(self, node: ScalarNode) -> Data:
        text = cast(str, node.value)
        if node.style is not None or node.tag == "tag:yaml.org,2002:binary":
            return self._check_text(text, node)
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return text[0] in "tT"
        if _INTEGER.fullmatch(text):
            number = int(text, 0 if text[:2] in ("0o", "0x") else 10)
            if not -(2**63) <= number < 2**63:
                raise self._refused("IMPORT-006", "an integer has at most 64 bits", node)
            return number
        if _FLOAT.fullmatch(text):
            if not math.isfinite(number := float(text)):
                raise self._refused("IMPORT-006", "the number is too large", node)
            return number
        return self._check_text(text, node)

    def _check_text(self, text: str, node: Node) -> str:
        # An escape such as "\ud800" is half a character, which no file can hold; a NUL is in no text of ours.
        if any("\ud800" <= char <= "\udfff" or char == "\0" for char in text):
            raise self._refused("IMPORT-001", "a text holds half a character, or a NUL", node)
        return text

    def _refused(self, code: str, message: str, node: Node) -> FlowInvalid:
        mark = node.start_mark
        return _invalid(code, message, self._file, mark.line + 1, mark.column + 1, self._text)


def _text(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        message = f"the file has {len(content):,} bytes; a flow has at most {MAX_BYTES:,}"
        raise _invalid("IMPORT-002", message, file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        message = f"the byte 0x{content[exc.start]:02X} is not UTF-8"
        raise _invalid("IMPORT-003", message, file, line, hint="is this the file of a flow?") from exc


def _reason(error: yaml.MarkedYAMLError) -> str:
    words = [part for part in (error.context, error.problem) if part]
    return ", ".join(words) or "it cannot be read"


def _hint(text: str) -> str | None:
    if _TOML.search(text):
        return "this looks like TOML: a flow of ours needs no import, `atomiton check` looks at it"
    return None


def _invalid(
    code: str,
    message: str,
    file: str,
    line: int = 1,
    column: int = 1,
    text: str | None = None,
    *,
    hint: str | None = None,
) -> FlowInvalid:
    source = ""
    if text is not None:
        lines = text.split("\n")
        source = lines[line - 1] if line <= len(lines) else ""
        hint = hint or _hint(text)
    problem = Problem(
        code=code, message=message, file=file, line=line, column=column, source_line=source, hint=hint
    )
    return FlowInvalid((problem,))
