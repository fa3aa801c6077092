"""Reads colours as flow authors write them, without loading an image library."""

import re
from collections.abc import Mapping
from typing import TypeAlias

Color: TypeAlias = tuple[int, int, int, int]
"""Red, green, blue and alpha, 0 to 255 each."""

WHITE: Color = (255, 255, 255, 255)
TRANSPARENT: Color = (0, 0, 0, 0)

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_NAMED: Mapping[str, Color] = {
    "transparent": TRANSPARENT,
    "white": WHITE,
    "silver": (192, 192, 192, 255),
    "gray": (128, 128, 128, 255),
    "black": (0, 0, 0, 255),
    "red": (255, 0, 0, 255),
    "maroon": (128, 0, 0, 255),
    "orange": (255, 165, 0, 255),
    "yellow": (255, 255, 0, 255),
    "olive": (128, 128, 0, 255),
    "lime": (0, 255, 0, 255),
    "green": (0, 128, 0, 255),
    "aqua": (0, 255, 255, 255),
    "teal": (0, 128, 128, 255),
    "blue": (0, 0, 255, 255),
    "navy": (0, 0, 128, 255),
    "fuchsia": (255, 0, 255, 255),
    "purple": (128, 0, 128, 255),
}
"""CSS's basic names, and `transparent`."""

HOW_TO_WRITE = f'"#rrggbb", "#rrggbbaa" (also with one digit each), or {", ".join(_NAMED)}'


def mixed(color: Color, below: Color) -> Color:
    """Return what is seen of `color` over `below`, which is opaque."""
    red, green, blue = (
        (upper * color[3] + lower * (255 - color[3]) + 127) // 255
        for upper, lower in zip(color[:3], below[:3], strict=True)
    )
    return red, green, blue, 255


def read_color(text: str) -> Color | None:
    """Return the colour that `text` names, or None when it names none."""
    if text.casefold() in _NAMED:
        return _NAMED[text.casefold()]
    if not _HEX.fullmatch(text):
        return None
    digits = text[1:] if len(text) > 5 else "".join(digit * 2 for digit in text[1:])
    red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
    return red, green, blue, alpha
