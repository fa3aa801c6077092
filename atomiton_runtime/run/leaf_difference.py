"""Says how two values differ that are compared as wholes: numbers, bytes, large values, anything else."""

from typing import cast

import msgspec

from atomiton_runtime.run.difference import BytesChanged, Difference, FileChanged, NumberChanged, ValueChanged
from atomiton_runtime.values import BYTES_KEY, FILE_KEY, SIZE_KEY, Value

_ENCODER = msgspec.json.Encoder(order="sorted")


def form(value: Value) -> bytes:
    """Return what two values have in common exactly when they are equal: the same JSON, keys in whatever order."""
    return _ENCODER.encode(value)


def is_marker(value: dict[str, Value]) -> bool:
    """Return whether an object may stand for something else than itself: bytes, or a large value in a file."""
    return value.keys() == {BYTES_KEY} or value.keys() == {FILE_KEY, SIZE_KEY}


def leaf_difference(old: Value, new: Value) -> Difference:
    """Return the difference of two values that are not equal."""
    if _is_number(old) and _is_number(new):
        old_number, new_number = cast("int | float", old), cast("int | float", new)
        return NumberChanged(old=old_number, new=new_number, delta=_delta(old_number, new_number))
    if isinstance(old, dict) and isinstance(new, dict):
        return _markers(old, new) or ValueChanged(old=old, new=new)
    return ValueChanged(old=old, new=new)


def _markers(old: dict[str, Value], new: dict[str, Value]) -> Difference | None:
    """Return how what two markers stand for differs; None: they do not stand for the same kind of thing."""
    match old, new:
        case {"$bytes": str(old_text)}, {"$bytes": str(new_text)}:
            return BytesChanged(
                old_size_bytes=_decoded_bytes(old_text), new_size_bytes=_decoded_bytes(new_text)
            )
        case {"$file": str(old_path), "size_bytes": int(old_size)}, {
            "$file": str(new_path),
            "size_bytes": int(new_size),
        }:
            return FileChanged(old=old_path, new=new_path, old_size_bytes=old_size, new_size_bytes=new_size)
        case _:
            return None


def _is_number(value: Value) -> bool:
    return type(value) in (int, float)


def _delta(old: int | float, new: int | float) -> int | float:
    """Return the difference without the noise of binary fractions: 0.3 - 0.1 is 0.2 to its reader."""
    delta = new - old
    return float(f"{delta:.12g}") if isinstance(delta, float) else delta


def _decoded_bytes(base64: str) -> int:
    return len(base64) * 3 // 4 - base64[-2:].count("=")
