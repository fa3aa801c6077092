"""Blends one image over another as the W3C's "Compositing and Blending Level 1" defines it.

Everything is done on 8 bits by Pillow's own operations, so a channel may be two levels off the exact value.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from PIL import Image, ImageChops, ImageMath

from atomiton_runtime.nodes.image_levels import faded, leveled
from atomiton_runtime.nodes.image_parameters import BlendMode

_Formula: TypeAlias = Callable[[Image.Image, Image.Image], Image.Image]
"""Backdrop and source, both RGB and opaque -> B(backdrop, source) of the recommendation."""

_BAND_PIXELS = 1_000_000
"""So many pixels are blended at once, to bound the memory: a mode needs up to ten images of their size."""


def blended(
    backdrop: Image.Image, source: Image.Image, *, mode: BlendMode = "normal", opacity: float = 1.0
) -> Image.Image:
    """Return `source` blended over `backdrop`.

    Args:
        backdrop: what is below; RGBA (not premultiplied), not changed.
        source: what is above; the same, and of the same size.
        mode: what becomes of the colours where both are.
        opacity: 0 to 1; the alpha of `source` is multiplied by it.
    """
    colors = source
    if mode != "normal":
        mixed = _FORMULAS[mode](backdrop.convert("RGB"), source.convert("RGB"))
        # Where the backdrop is transparent there is nothing to mix with, and the source shows as it is.
        colors = Image.composite(mixed, source.convert("RGB"), backdrop.getchannel("A"))
    alpha = source.getchannel("A")
    if opacity < 1:
        alpha = faded(alpha, opacity)
    above = colors.convert("RGBA") if colors is not source else source.copy()
    above.putalpha(alpha)
    return Image.alpha_composite(backdrop, above)


def laid_over(
    backdrop: Image.Image,
    source: Image.Image,
    at: tuple[int, int],
    *,
    mode: BlendMode = "normal",
    opacity: float = 1.0,
) -> Image.Image:
    """Return `backdrop` (RGBA) with `source` (RGBA) blended over it; what stands out is cut off.

    Args:
        backdrop: as in `blended`.
        source: as in `blended`, but of any size.
        at: where the top-left corner of `source` lies, from that of `backdrop`; may be negative.
        mode: as in `blended`.
        opacity: as in `blended`.
    """
    left, top = max(at[0], 0), max(at[1], 0)
    right = min(at[0] + source.width, backdrop.width)
    bottom = min(at[1] + source.height, backdrop.height)
    result = backdrop.copy()
    if left >= right or top >= bottom:
        return result
    rows = max(1, _BAND_PIXELS // (right - left))
    for first in range(top, bottom, rows):
        end = min(first + rows, bottom)
        part = source.crop((left - at[0], first - at[1], right - at[0], end - at[1]))
        below = backdrop.crop((left, first, right, end))
        result.paste(blended(below, part, mode=mode, opacity=opacity), (left, first))
    return result


def _hard_light(backdrop: Image.Image, source: Image.Image) -> Image.Image:
    # Dark sources multiply and light ones screen; the other half is neutral: white, or black.
    dark = leveled(source, [min(2 * level, 255) for level in range(256)])
    light = leveled(source, [max(2 * level - 255, 0) for level in range(256)])
    return ImageChops.screen(ImageChops.multiply(backdrop, dark), light)


def _overlay(backdrop: Image.Image, source: Image.Image) -> Image.Image:
    return _hard_light(source, backdrop)


def _soft_light(backdrop: Image.Image, source: Image.Image) -> Image.Image:
    darkening = leveled(source, [max(255 - 2 * level, 0) for level in range(256)])
    lightening = leveled(source, [max(2 * level - 255, 0) for level in range(256)])
    to_darker = leveled(backdrop, [round(level * (255 - level) / 255) for level in range(256)])
    to_lighter = leveled(backdrop, [round(255 * _soft_gain(level / 255)) for level in range(256)])
    darker = ImageChops.subtract(backdrop, ImageChops.multiply(darkening, to_darker))
    return ImageChops.add(darker, ImageChops.multiply(lightening, to_lighter))


def _soft_gain(backdrop: float) -> float:
    curve = ((16 * backdrop - 12) * backdrop + 4) * backdrop if backdrop <= 0.25 else math.sqrt(backdrop)
    return curve - backdrop


def _exclusion(backdrop: Image.Image, source: Image.Image) -> Image.Image:
    return ImageChops.subtract(ImageChops.screen(backdrop, source), ImageChops.multiply(backdrop, source))


def _color_dodge(backdrop: Image.Image, source: Image.Image) -> Image.Image:
    return _divided(backdrop, ImageChops.invert(source))


def _color_burn(backdrop: Image.Image, source: Image.Image) -> Image.Image:
    return ImageChops.invert(_divided(ImageChops.invert(backdrop), source))


def _divided(dividend: Image.Image, divisor: Image.Image) -> Image.Image:
    """Return min(1, dividend / divisor), where 0 / 0 is 0 and anything else by 0 is 1."""
    bands = [_quotient(above, below) for above, below in zip(dividend.split(), divisor.split(), strict=True)]
    return Image.merge("RGB", bands)


def _quotient(dividend: Image.Image, divisor: Image.Image) -> Image.Image:
    # Integers: half the divisor is added so that the quotient is rounded, not cut off.
    def formula(names: Mapping[str, Any]) -> Any:
        lower, upper = names["max"], names["min"]
        below = lower(names["divisor"], 1)
        return names["convert"](upper((names["dividend"] * 255 + below / 2) / below, 255), "L")

    return ImageMath.lambda_eval(formula, dividend=dividend, divisor=divisor)


_FORMULAS: Mapping[BlendMode, _Formula] = {
    "multiply": ImageChops.multiply,
    "screen": ImageChops.screen,
    "overlay": _overlay,
    "darken": ImageChops.darker,
    "lighten": ImageChops.lighter,
    "color-dodge": _color_dodge,
    "color-burn": _color_burn,
    "hard-light": _hard_light,
    "soft-light": _soft_light,
    "difference": ImageChops.difference,
    "exclusion": _exclusion,
    "add": ImageChops.add,
    "subtract": ImageChops.subtract,
}
"""All modes but `normal`. `add` and `subtract` are clipped at white and black."""
