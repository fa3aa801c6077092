"""Makes the pixels of a result: one function for each operation, each from image to image."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from PIL import Image, ImageFilter

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.blending import laid_over
from atomiton_runtime.nodes.image_colors import TRANSPARENT, WHITE, Color, read_color
from atomiton_runtime.nodes.image_files import require_affordable
from atomiton_runtime.nodes.image_layout import Fit, Plan, Position, Size, fitted, placed, turned
from atomiton_runtime.nodes.image_parameters import ImageParameters, Layer
from atomiton_runtime.nodes.image_pixels import flattened, grayed
from atomiton_runtime.nodes.image_text import text_mark

_REDUCING_GAP = 3.0
"""Shrinking is done in two parts when it is by more than this: much faster, and no eye sees it."""

_SHARPEN_RADIUS_PX = 1.5
_MARGIN_SHARE = 1 / 30
_MARK_ROOM = (0.4, 0.06)
"""The share of an image's width, and height, that the text of a watermark may take unless told otherwise."""

_LEAST_ROOM_PX = (160, 24)
"""A text is not made smaller than that for a small image, unless there is no more room at all."""

_MARK_OPACITY = 0.6


class LayerImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is laid over another, with what it says for itself."""

    image: Image.Image
    """Mode RGBA, in sRGB."""
    placement: Layer


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation works with."""

    image: Image.Image
    """Mode L, RGB or RGBA."""
    size: Size
    """The size of the image in its file; a JPEG may have been decoded smaller."""
    layers: Sequence[LayerImage] = ()
    """What lies over the image, from the bottom up; for watermark the image that marks, if there is one."""
    base: Layer
    """What the image says for itself, as the lowest layer of composite."""
    background: Color | None = None
    """What `background` says, for the format that is written."""
    font: str | None = None
    """The absolute path of a font, or the file name of an installed one."""


def finished_image(parameters: ImageParameters, subject: Subject) -> Image.Image:
    """Return the result of the operation on one image, with gray, blur and sharpening done last.

    Raises:
        NodeError: the result would be too large (IMAGE-003), the part to crop is not there (IMAGE-004), or the
            text of a watermark cannot be drawn (IMAGE-009).
    """
    result = _OPERATIONS[parameters.operation](parameters, subject)
    if parameters.grayscale:
        result = grayed(result)
    if parameters.blur is not None:
        result = _filtered(result, ImageFilter.GaussianBlur(parameters.blur))
    if parameters.sharpen is not None:
        percent = round(100 * parameters.sharpen)
        result = _filtered(result, ImageFilter.UnsharpMask(_SHARPEN_RADIUS_PX, percent, threshold=0))
    return result


def size_plan(parameters: ImageParameters, size: Size) -> Plan:
    """Return how resize and thumbnail bring an image of this size to theirs."""
    thumbnail = parameters.operation == "thumbnail"
    return fitted(
        size,
        width=parameters.width,
        height=parameters.height,
        fit=parameters.fit or ("inside" if thumbnail else "cover"),
        position=parameters.position or "center",
        enlarge=not thumbnail,
    )


def _resize(parameters: ImageParameters, subject: Subject) -> Image.Image:
    plan = size_plan(parameters, subject.size).for_source(subject.size, subject.image.size)
    return _planned(subject.image, plan, subject.background)


def _crop(parameters: ImageParameters, subject: Subject) -> Image.Image:
    image = subject.image
    shift = (parameters.x or 0, parameters.y or 0)
    position = _position(parameters.position, shifted=(parameters.x, parameters.y) != (None, None))
    # Without a width or height the part reaches from where it begins to the edge.
    reach = (image.width - abs(shift[0]), image.height - abs(shift[1]))
    size = (parameters.width or reach[0], parameters.height or reach[1])
    left, top = placed(image.size, size, position, shift=shift)
    right, bottom = left + size[0], top + size[1]
    if min(left, top) < 0 or right > image.width or bottom > image.height or min(size) < 1:
        message = (
            f"the part to crop, from x {left} to {right} and from y {top} to {bottom}, is not all within the "
            f"image of {image.width} x {image.height} pixels"
        )
        hint = "`resize` with `fit` brings images of any size to one"
        raise NodeError("IMAGE-004", message, hint=hint)
    return image.crop((left, top, right, bottom))


def _rotate(parameters: ImageParameters, subject: Subject) -> Image.Image:
    image = subject.image
    match parameters.flip:
        case "horizontal":
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case "vertical":
            image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        case None:
            pass
    degrees = (parameters.angle or 0) % 360
    require_affordable(turned(image.size, degrees), "the turned image")
    if degrees % 90 == 0:
        quarter = _QUARTERS[int(degrees)]
        return image if quarter is None else image.transpose(quarter)
    # Over transparency, so that the edges blend with whatever is behind them.
    tilted = image.convert("RGBA").rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
    background = subject.background
    return flattened(tilted, background) if background else tilted


def _convert(parameters: ImageParameters, subject: Subject) -> Image.Image:
    del parameters
    background = subject.background
    return flattened(subject.image, background) if background else subject.image


def _overlay(parameters: ImageParameters, subject: Subject) -> Image.Image:
    result = subject.image.convert("RGBA")
    for layer in subject.layers:
        own = layer.placement
        source = _sized(layer, parameters.width, parameters.height, parameters.fit or "inside", parameters)
        result = _laid(result, source, own, parameters, margin=parameters.margin or 0)
    return _opaque_again(result, subject.image)


def _composite(parameters: ImageParameters, subject: Subject) -> Image.Image:
    size = (parameters.width or subject.size[0], parameters.height or subject.size[1])
    require_affordable(size, "the canvas")
    result = Image.new("RGBA", size, subject.background or TRANSPARENT)
    lowest = LayerImage(image=subject.image.convert("RGBA"), placement=subject.base)
    for layer in (lowest, *subject.layers):
        width, height = size if parameters.fit else (None, None)
        source = _sized(layer, width, height, parameters.fit or "inside", parameters)
        result = _laid(result, source, layer.placement, parameters)
    return result


def _blend(parameters: ImageParameters, subject: Subject) -> Image.Image:
    result = subject.image.convert("RGBA")
    for layer in subject.layers:
        plan = fitted(
            layer.image.size,
            width=result.width,
            height=result.height,
            fit=parameters.fit or "fill",
            position=layer.placement.position or parameters.position or "center",
        )
        source = _planned(layer.image, plan, TRANSPARENT)
        result = _laid(result, source, layer.placement, parameters)
    return _opaque_again(result, subject.image)


def _watermark(parameters: ImageParameters, subject: Subject) -> Image.Image:
    image = subject.image.convert("RGBA")
    margin = round(min(image.size) * _MARGIN_SHARE) if parameters.margin is None else parameters.margin
    free = (max(1, image.width - 2 * margin), max(1, image.height - 2 * margin))
    if parameters.text is not None:
        mark = _text_mark(parameters, subject, image.size, free)
    else:
        mark = subject.layers[0].image
        room = (parameters.width or free[0], parameters.height or free[1])
        enlarge = parameters.width is not None or parameters.height is not None
        plan = fitted(mark.size, width=room[0], height=room[1], fit="inside", enlarge=enlarge)
        mark = _planned(mark, plan, None)
    at = placed(image.size, mark.size, parameters.position or "bottom-right", margin=margin)
    opacity = _MARK_OPACITY if parameters.opacity is None else parameters.opacity
    marked = laid_over(image, mark, at, mode=parameters.blend_mode or "normal", opacity=opacity)
    return _opaque_again(marked, subject.image)


def _text_mark(parameters: ImageParameters, subject: Subject, size: Size, free: Size) -> Image.Image:
    assert parameters.text is not None
    lines = parameters.text.count("\n") + 1
    # With only one side given, the other is no limit but the image itself.
    across, down = (
        max(size[0] * _MARK_ROOM[0], _LEAST_ROOM_PX[0]),
        max(size[1] * _MARK_ROOM[1], _LEAST_ROOM_PX[1]),
    )
    given = parameters.width is not None or parameters.height is not None
    room = free if given else (math.ceil(across), math.ceil(down) * lines)
    room = (min(parameters.width or room[0], free[0]), min(parameters.height or room[1], free[1]))
    return text_mark(parameters.text, room, (read_color(parameters.color or "") or WHITE), subject.font)


def _sized(
    layer: LayerImage, width: int | None, height: int | None, fit: Fit, parameters: ImageParameters
) -> Image.Image:
    own = layer.placement
    if own.width or own.height:
        width, height = own.width, own.height
    position = own.position or parameters.position or "center"
    plan = fitted(layer.image.size, width=width, height=height, fit=fit, position=position)
    return _planned(layer.image, plan, TRANSPARENT)


def _laid(
    below: Image.Image, source: Image.Image, own: Layer, parameters: ImageParameters, *, margin: int = 0
) -> Image.Image:
    x = parameters.x if own.x is None else own.x
    y = parameters.y if own.y is None else own.y
    position = _position(own.position or parameters.position, shifted=(x, y) != (None, None))
    at = placed(below.size, source.size, position, margin=margin, shift=(x or 0, y or 0))
    mode = own.blend_mode or parameters.blend_mode or "normal"
    opacity = parameters.opacity if own.opacity is None else own.opacity
    opacity = 1.0 if opacity is None else opacity
    return laid_over(below, source, at, mode=mode, opacity=opacity)


def _position(given: Position | None, *, shifted: bool) -> Position:
    return given or ("top-left" if shifted else "center")


def _planned(image: Image.Image, plan: Plan, background: Color | None) -> Image.Image:
    require_affordable(plan.canvas, "the result")
    result = image
    if plan.scaled != image.size or plan.box != (0, 0, *image.size):
        # Pillow weighs colours by their alpha here, so that no dark seams come from what is transparent.
        result = image.resize(plan.scaled, Image.Resampling.LANCZOS, box=plan.box, reducing_gap=_REDUCING_GAP)  # pyright: ignore[reportUnknownMemberType]  # Pillow names NumPy's types
    if plan.canvas == plan.scaled:
        return result
    canvas = Image.new("RGBA", plan.canvas, background or TRANSPARENT)
    canvas.paste(result.convert("RGBA"), plan.offset)
    return (
        canvas if background is None or background[3] < 255 or image.mode == "RGBA" else canvas.convert("RGB")
    )


def _opaque_again(result: Image.Image, base: Image.Image) -> Image.Image:
    """Return the result without an alpha channel if the base had none: nothing laid over it can make holes."""
    return result if base.mode == "RGBA" else result.convert("RGB")


def _filtered(image: Image.Image, kernel: ImageFilter.MultibandFilter) -> Image.Image:
    if image.mode != "RGBA":
        return image.filter(kernel)
    if isinstance(kernel, ImageFilter.GaussianBlur):
        # Weighted by alpha: the colour of what is transparent must not run into the rest.
        return image.convert("RGBa").filter(kernel).convert("RGBA")
    sharp = image.convert("RGB").filter(kernel)
    sharp.putalpha(image.getchannel("A"))
    return sharp


_Make: TypeAlias = Callable[[ImageParameters, Subject], Image.Image]
_QUARTERS: Mapping[int, Image.Transpose | None] = {
    0: None,
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
"""Degrees clockwise -> Pillow's turn, which is named counter-clockwise."""

_OPERATIONS: Mapping[str, _Make] = {
    "resize": _resize,
    "thumbnail": _resize,
    "crop": _crop,
    "rotate": _rotate,
    "convert": _convert,
    "overlay": _overlay,
    "composite": _composite,
    "blend": _blend,
    "watermark": _watermark,
}
