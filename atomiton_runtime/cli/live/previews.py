"""Says in a few words what came out of a node."""

import os
from collections.abc import Mapping
from typing import cast

import msgspec

from atomiton_runtime.cli.wording import counted, one_line, size
from atomiton_runtime.values import BYTES_KEY, FILE_KEY, SIZE_KEY, preview

_PREVIEW_CHARS = 240
"""More than fits beside a node on a wide terminal."""
_PATH, _WIDTH, _HEIGHT = "path", "width", "height"
_SHOWN_COLUMNS = 12


def output_words(outputs: Mapping[str, msgspec.Raw], folder: str) -> str:
    """Return one line about the primary output: the beginning of a value, the columns of a table, a file's size.

    Args:
        outputs: port -> encoded value, the primary port first.
        folder: the flow's; files below it are named as the flow names them.
    """
    for raw in outputs.values():
        value: object = msgspec.json.decode(raw)
        if isinstance(value, str) and _PATH in outputs and value == msgspec.json.decode(outputs[_PATH]):
            return one_line(_file(value, outputs, folder))
        return one_line(_value(value))
    return ""


def _file(path: str, outputs: Mapping[str, msgspec.Raw], folder: str) -> str:
    more = {
        port: msgspec.json.decode(outputs[port]) for port in (SIZE_KEY, _WIDTH, _HEIGHT) if port in outputs
    }
    words = [_nearby(path, folder)]
    if isinstance(more.get(_WIDTH), int) and isinstance(more.get(_HEIGHT), int):
        words.append(f"{more[_WIDTH]} x {more[_HEIGHT]}")
    if isinstance(more.get(SIZE_KEY), int):
        words.append(size(more[SIZE_KEY]))
    return ", ".join(words)


def _nearby(path: str, folder: str) -> str:
    inside = path.startswith(folder + os.sep)
    return os.path.relpath(path, folder) if inside else path


def _value(value: object) -> str:
    if isinstance(value, dict):
        entries = cast("dict[str, object]", value)
        large, text = entries.get(SIZE_KEY), entries.get(BYTES_KEY)
        if FILE_KEY in entries and isinstance(large, int) and len(entries) == 2:
            return f"{size(large)}, too long to show"
        if isinstance(text, str) and len(entries) == 1:
            return size(len(text) * 3 // 4 - text[-2:].count("="))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _table(cast("list[object]", value))
    return preview(cast(object, value), _PREVIEW_CHARS)


def _table(rows: list[object]) -> str:
    columns: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, dict):
            return preview(rows, _PREVIEW_CHARS)
        columns |= dict.fromkeys(cast("dict[str, object]", row))
    shown = list(columns)[:_SHOWN_COLUMNS]
    more = ", ..." if len(columns) > len(shown) else ""
    if not shown or {FILE_KEY, BYTES_KEY} & set(shown):
        return preview(rows, _PREVIEW_CHARS)
    return f"{counted(len(rows), 'row')}: {', '.join(shown)}{more}"
