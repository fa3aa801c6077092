"""Says how the value that came differs from the expected one."""

import difflib
from typing import cast

import msgspec

from atomiton_runtime.run.verdict import Mismatch

_MOST_LINES = 60
_CUT = "  ..."


def difference(mismatch: Mismatch) -> list[str]:
    """Return how the value differs from the expected one, as lines: `-` is expected, `+` came."""
    if mismatch.expected is msgspec.UNSET:
        return []
    expected, got = (_lines(value) for value in (mismatch.expected, mismatch.got))
    if len(expected) == len(got) == 1:
        return [f"- {expected[0]}", f"+ {got[0]}"]
    compared = list(difflib.unified_diff(expected, got, n=3, lineterm=""))[3:]
    shown = [_CUT if line.startswith("@@") else f"{line[:1]} {line[1:]}" for line in compared]
    if len(shown) > _MOST_LINES:
        return [*shown[:_MOST_LINES], f"{_CUT} {len(shown) - _MOST_LINES} more lines"]
    return shown


def _lines(value: object) -> list[str]:
    # Keys in one order, and without those that are null, for in what is expected their order and null mean nothing.
    written = msgspec.json.encode(_without_null(value), order="deterministic")
    return msgspec.json.format(written, indent=2).decode().split("\n")


def _without_null(value: object) -> object:
    match value:
        case dict():
            return {
                key: _without_null(entry)
                for key, entry in cast("dict[str, object]", value).items()
                if entry is not None
            }
        case list():
            return [_without_null(entry) for entry in cast("list[object]", value)]
        case _:
            return value
