"""Writes a value as TOML: on one line, or a list that is too long for that with a line for each entry."""

import json
import re
from collections.abc import Mapping, Sequence

from atomiton_runtime.values import Value

_LINE_CHARS = 90
_INDENT = "    "
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class NotToml(ValueError):
    """TOML cannot say a value."""


def toml_value(value: Value) -> str:
    """Return a value, in the form of documents, as TOML. A key that is null is left out: TOML has no null.

    Raises:
        NotToml: it is null, or a list in it holds null.
    """
    line = _line(value)
    if isinstance(value, list) and len(line) > _LINE_CHARS:
        return "[\n" + "".join(f"{_INDENT}{_line(entry)},\n" for entry in value) + "]"
    return line


def _line(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int() | float():
            return repr(value)
        case list():
            return _list(value)
        case dict():
            return _table(value)
        case _:
            raise NotToml("TOML has no null")


def _text(value: str) -> str:
    # JSON's texts are TOML's, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _list(value: Sequence[Value]) -> str:
    return f"[{', '.join(map(_line, value))}]"


def _table(value: Mapping[str, Value]) -> str:
    entries = [
        f"{key if _BARE.fullmatch(key) else _text(key)} = {_line(entry)}"
        for key, entry in value.items()
        if entry is not None
    ]
    return f"{{ {', '.join(entries)} }}" if entries else "{}"
