"""Turns finished images into the bytes of a file."""

import io
import math
from collections.abc import Sequence
from typing import Any

import msgspec
from PIL import Image

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.image_colors import Color
from atomiton_runtime.nodes.image_formats import Format
from atomiton_runtime.nodes.image_levels import leveled
from atomiton_runtime.nodes.image_pixels import flattened

_FULL_COLOR_QUALITY = 90
"""From this quality on, a JPEG keeps the colour of each pixel instead of one for four."""

_GIF_COLORS = 255
"""One of the 256 is for what is transparent."""

_GIF_TRANSPARENT = 255
_CLEAR_AFTERWARDS = 2
"""The disposal of GIF frames that are whole images."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written."""

    images: Sequence[Image.Image]
    """One, or the frames of an animation, or the pages of a document; mode L, RGB or RGBA."""
    durations_ms: Sequence[float] = ()
    """As many as images."""
    plays: int = 0
    """How often the animation is shown; 0: for ever."""
    profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    quality: int | None = None


def saveable(image: Image.Image, format: Format, background: Color) -> Image.Image:
    """Return the image in a mode that the format can hold: over `background`, opaque, where it knows no transparency.

    Raises:
        NodeError: it is too wide or too high for the format (IMAGE-005).
    """
    longest = max(image.size)
    if longest > format.max_side:
        message = f"{format.name} can hold {format.max_side} pixels in each direction, not {longest}"
        raise NodeError("IMAGE-005", message, hint="png and tiff can hold more")
    if not format.has_alpha:
        return flattened(image, background)
    return _indexed(image) if format.name == "gif" else image


def encoded(finished: Finished, format: Format) -> bytes:
    """Return the bytes of the file.

    Raises:
        NodeError: the encoder refuses (IMAGE-005).
    """
    stream = io.BytesIO()
    try:
        finished.images[0].save(stream, format.plugin, **_options(finished, format))
    except (OSError, ValueError, KeyError, OverflowError, RuntimeError) as error:
        width, height = finished.images[0].size
        message = f"{width} x {height} pixels cannot be written as {format.name}: {error}"
        raise NodeError("IMAGE-005", message, hint="another `format` may hold it") from error
    return stream.getvalue()


def _options(finished: Finished, format: Format) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if format.keeps_profile and finished.profile:
        options["icc_profile"] = finished.profile
    if finished.dpi and format.name in ("png", "jpeg", "tiff", "bmp"):
        options["dpi"] = finished.dpi
    quality = finished.quality or format.quality
    if quality is not None and format.quality is not None:
        options["quality"] = quality
    match format.name:
        case "jpeg":
            options |= {"optimize": True, "progressive": True}
            if (quality or 0) >= _FULL_COLOR_QUALITY:
                options["subsampling"] = 0
        case "tiff":
            options["compression"] = "tiff_lzw"
        case "gif":
            options |= {"optimize": False}
            if finished.images[0].info.get("transparency") is not None:
                options |= {"transparency": _GIF_TRANSPARENT}
        case _:
            pass
    if len(finished.images) > 1:
        options |= {"save_all": True, "append_images": list(finished.images[1:])}
        options |= _timing(finished, format)
    return options


def _timing(finished: Finished, format: Format) -> dict[str, Any]:
    if format.sequence != "frames":
        return {}
    durations = [math.floor(duration + 0.5) for duration in finished.durations_ms]
    timing: dict[str, Any] = {"duration": durations}
    match format.name:
        case "gif":
            timing["disposal"] = _CLEAR_AFTERWARDS
            if finished.plays != 1:
                timing["loop"] = max(finished.plays - 1, 0)
        case "png" | "webp":
            timing["loop"] = finished.plays
        case _:  # An AVIF sequence does not say.
            pass
    return timing


def _indexed(image: Image.Image) -> Image.Image:
    """Return the image with a palette of its own; what is more than half transparent becomes so wholly."""
    if image.mode != "RGBA":
        return image if image.mode == "L" else image.quantize(_GIF_COLORS + 1, Image.Quantize.MEDIANCUT)
    indexed = image.convert("RGB").quantize(_GIF_COLORS, Image.Quantize.MEDIANCUT)
    clear = leveled(image.getchannel("A"), [255] * 128 + [0] * 128)
    indexed.paste(_GIF_TRANSPARENT, (0, 0), clear)
    indexed.info["transparency"] = _GIF_TRANSPARENT
    return indexed
