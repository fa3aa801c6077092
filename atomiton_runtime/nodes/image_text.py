"""Draws the words of a watermark."""

import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.files import require_file
from atomiton_runtime.nodes.image_colors import Color
from atomiton_runtime.nodes.image_layout import Size
from atomiton_runtime.nodes.image_levels import faded
from atomiton_runtime.nodes.listing import printable

_MEASURED_AT_PX = 100
"""The font size at which text is measured to find the one that fits."""

_LEAST_FONT_PX = 6
_EDGE_SHARE = 1 / 18
"""The width of the edge around letters, as a share of the font size."""

_EDGE_ALPHA = 0.55
_FONT_HINT = "`font` takes the path of a TrueType or OpenType font, or the file name of an installed one"
_MISSING_CHARACTER = "\U0010ffff"
"""Never assigned, so every font shows its sign for what it has not."""


def text_mark(text: str, room: Size, color: Color, font: str | None) -> Image.Image:
    """Return `text` as an RGBA image, as large as fits into `room`, with an edge that keeps it legible anywhere.

    Args:
        text: one or more lines.
        room: the most width and height.
        color: of the letters; the edge is black around light letters and white around dark ones.
        font: the absolute path of a TrueType or OpenType font, or the file name of an installed one; None: the
            one that is built in.

    Raises:
        NodeError: there is nothing to see, no room for it, a character the font lacks, or no such font
            (IMAGE-009, FILE-0xx).
    """
    if not text.strip():
        raise NodeError("IMAGE-009", "`text` has nothing that could be seen")
    _require_characters(text, _font(font, _MEASURED_AT_PX))
    width, height = _extent(text, font, _MEASURED_AT_PX)[2:]
    size_px = int(_MEASURED_AT_PX * min(room[0] / width, room[1] / height))
    while size_px >= _LEAST_FONT_PX:
        left, top, width, height = _extent(text, font, size_px)
        if width <= room[0] and height <= room[1]:
            return _drawn(text, (left, top, width, height), color, font, size_px)
        size_px -= 1  # Hinting makes small letters a little wider than their share.
    least = f"less than {_LEAST_FONT_PX} pixels high in {room[0]} x {room[1]}"
    message = f"`text` has no room: its letters would be {least}"
    raise NodeError("IMAGE-009", message, hint="give more `width` and `height`, or a smaller `margin`")


def _drawn(
    text: str, extent: tuple[int, int, int, int], color: Color, font: str | None, size_px: int
) -> Image.Image:
    left, top, width, height = extent
    face, edge = _font(font, size_px), _edge(size_px)
    letters, outline = (Image.new("L", (width, height)) for _ in range(2))
    at = (-left, -top)
    # Both with the stroke, invisible or not, because it moves the lines apart.
    for plane, stroke in ((letters, 0), (outline, 255)):
        ImageDraw.Draw(plane).multiline_text(
            at, text, fill=255, font=face, align="center", stroke_width=edge, stroke_fill=stroke
        )
    bright = (299 * color[0] + 587 * color[1] + 114 * color[2]) / 1000 >= 128
    mark = Image.new("RGBA", (width, height), (0, 0, 0, 0) if bright else (255, 255, 255, 0))
    mark.putalpha(faded(outline, _EDGE_ALPHA * color[3] / 255))
    inside = Image.new("RGBA", (width, height), color)
    inside.putalpha(faded(letters, color[3] / 255))
    return Image.alpha_composite(mark, inside)


def _extent(text: str, font: str | None, size_px: int) -> tuple[int, int, int, int]:
    """Return left and top of the ink, from where the text is drawn, and its width and height."""
    drawing = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = drawing.multiline_textbbox(
        (0, 0), text, font=_font(font, size_px), align="center", stroke_width=_edge(size_px)
    )
    across, down = math.floor(left), math.floor(top)
    return across, down, max(1, math.ceil(right) - across), max(1, math.ceil(bottom) - down)


def _edge(size_px: int) -> int:
    return max(1, round(size_px * _EDGE_SHARE))


def _font(font: str | None, size_px: int) -> ImageFont.FreeTypeFont:
    if font is None:
        built_in = ImageFont.load_default(size_px)
        assert isinstance(built_in, ImageFont.FreeTypeFont)  # It is another only where Pillow lacks FreeType.
        return built_in
    path = Path(font)
    try:
        if path.is_absolute():
            require_file(path.stat(), path)  # Opening a pipe could wait for ever.
        return ImageFont.truetype(font, size_px)
    except OSError as error:
        if error.errno:
            raise explained(error, path) from error
        message = f"{printable(font)} is no font that can be used: {error}"
        raise NodeError("IMAGE-009", message, hint=_FONT_HINT) from error


def _require_characters(text: str, font: ImageFont.FreeTypeFont) -> None:
    missing = _shape(_MISSING_CHARACTER, font)
    for character in dict.fromkeys(text):
        if character.isspace() or not character.isprintable():
            continue
        if _shape(character, font) == missing:
            message = f"the font has no {character!r} (U+{ord(character):04X}), which is in `text`"
            raise NodeError("IMAGE-009", message, hint=f"{_FONT_HINT}, one that has it")


def _shape(character: str, font: ImageFont.FreeTypeFont) -> bytes:
    picture = Image.new("L", (2 * _MEASURED_AT_PX, 2 * _MEASURED_AT_PX))
    ImageDraw.Draw(picture).text((_MEASURED_AT_PX // 2, 0), character, fill=255, font=font)
    return picture.tobytes()
