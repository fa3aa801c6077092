"""Blending gives what the W3C's formulas give, pixel by pixel."""

import math
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from atomiton_runtime.nodes.blending import blended, laid_over
from atomiton_runtime.nodes.image_parameters import BlendMode

LEVELS = st.integers(0, 255) | st.sampled_from([0, 1, 63, 64, 127, 128, 254, 255])
PIXELS = st.tuples(LEVELS, LEVELS, LEVELS, LEVELS)
EDGES = (0, 1, 31, 63, 64, 65, 100, 127, 128, 129, 200, 254, 255)


def _soft_light(b: float, s: float) -> float:
    if s <= 0.5:
        return b - (1 - 2 * s) * b * (1 - b)
    d = ((16 * b - 12) * b + 4) * b if b <= 0.25 else math.sqrt(b)
    return b + (2 * s - 1) * (d - b)


def _hard_light(b: float, s: float) -> float:
    return b * 2 * s if s <= 0.5 else b + (2 * s - 1) - b * (2 * s - 1)


def _color_dodge(b: float, s: float) -> float:
    return 0 if b == 0 else 1 if s == 1 else min(1, b / (1 - s))


def _color_burn(b: float, s: float) -> float:
    return 1 if b == 1 else 0 if s == 0 else 1 - min(1, (1 - b) / s)


FORMULAS: dict[str, Callable[[float, float], float]] = {
    "normal": lambda b, s: s,
    "multiply": lambda b, s: b * s,
    "screen": lambda b, s: b + s - b * s,
    "overlay": lambda b, s: _hard_light(s, b),
    "darken": min,
    "lighten": max,
    "color-dodge": _color_dodge,
    "color-burn": _color_burn,
    "hard-light": _hard_light,
    "soft-light": _soft_light,
    "difference": lambda b, s: abs(b - s),
    "exclusion": lambda b, s: b + s - 2 * b * s,
    "add": lambda b, s: min(1, b + s),
    "subtract": lambda b, s: max(0, b - s),
}
"""As the recommendation writes them; backdrop and source from 0 to 1."""


def reference(
    backdrop: tuple[int, ...], source: tuple[int, ...], mode: str, opacity: float
) -> tuple[float, ...]:
    """Return the exact result for one pixel: colours premultiplied by the alpha that comes last, all 0 to 255."""
    below, above = backdrop[3] / 255, source[3] / 255 * opacity
    alpha = above + below * (1 - above)
    result: list[float] = []
    for b, s in zip((each / 255 for each in backdrop[:3]), (each / 255 for each in source[:3]), strict=True):
        mixed = (1 - below) * s + below * FORMULAS[mode](b, s)
        result.append(255 * (above * mixed + (1 - above) * below * b))
    return (*result, 255 * alpha)


def one(pixel: tuple[int, ...]) -> Image.Image:
    """Return an image of one pixel."""
    return Image.new("RGBA", (1, 1), pixel)


def premultiplied(pixel: tuple[int, ...]) -> tuple[float, ...]:
    """Return a pixel as `reference` does: the colour of what is transparent does not matter."""
    return (*(level * pixel[3] / 255 for level in pixel[:3]), pixel[3])


def test_every_mode_has_a_reference() -> None:
    """No mode escapes this test."""
    assert set(FORMULAS) == set(get_args(BlendMode))


@pytest.mark.parametrize("mode", get_args(BlendMode))
@settings(max_examples=150)
@given(backdrop=PIXELS, source=PIXELS, opacity=st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_one_pixel_is_as_the_formula_says(
    mode: BlendMode, backdrop: tuple[int, ...], source: tuple[int, ...], opacity: float
) -> None:
    """Any pixel over any other, whatever their alpha, is within three levels of the exact result."""
    got = blended(one(backdrop), one(source), mode=mode, opacity=opacity).getpixel((0, 0))

    assert isinstance(got, tuple)
    assert reference(backdrop, source, mode, opacity) == pytest.approx(premultiplied(got), abs=3)


@pytest.mark.parametrize("mode", get_args(BlendMode))
def test_opaque_images_are_within_two_levels(mode: BlendMode) -> None:
    """Over the whole range of both, nothing is off by more than rounding."""
    size = (len(EDGES), len(EDGES))
    backdrop, source = Image.new("RGBA", size), Image.new("RGBA", size)
    for x, b in enumerate(EDGES):
        for y, s in enumerate(EDGES):
            backdrop.putpixel((x, y), (b, s, 255 - b, 255))
            source.putpixel((x, y), (s, b, s, 255))
    got = blended(backdrop, source, mode=mode)
    worst = max(
        abs(exact - level)
        for x in range(len(EDGES))
        for y in range(len(EDGES))
        for exact, level in zip(
            reference(backdrop.getpixel((x, y)), source.getpixel((x, y)), mode, 1.0),
            got.getpixel((x, y)),
            strict=True,
        )
    )

    assert worst <= 2


@pytest.mark.parametrize("mode", get_args(BlendMode))
def test_what_is_invisible_changes_nothing(mode: BlendMode) -> None:
    """A transparent source, or opacity 0, leaves the backdrop as it is."""
    backdrop = one((10, 200, 30, 255))

    for source, opacity in ((one((255, 0, 99, 0)), 1.0), (one((255, 0, 99, 255)), 0.0)):
        assert backdrop.tobytes() == blended(backdrop, source, mode=mode, opacity=opacity).tobytes()


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ((0, 0), {(0, 0), (1, 0), (0, 1), (1, 1)}),
        ((2, 2), {(2, 2)}),
        ((-1, -1), {(0, 0)}),
        ((-1, 1), {(0, 1), (0, 2)}),
        ((3, 0), set()),
        ((-2, 0), set()),
        ((0, 99), set()),
    ],
)
def test_what_stands_out_is_cut_off(at: tuple[int, int], expected: set[tuple[int, int]]) -> None:
    """Only pixels within the backdrop change, and the given images do not."""
    backdrop, source = Image.new("RGBA", (3, 3), "black"), Image.new("RGBA", (2, 2), "white")
    result = laid_over(backdrop, source, at)
    changed = {(x, y) for x in range(3) for y in range(3) if result.getpixel((x, y)) == (255,) * 4}

    assert expected == changed
    assert Image.new("RGBA", (3, 3), "black").tobytes() == backdrop.tobytes()


def test_a_large_image_is_blended_in_bands() -> None:
    """A part of an image at a time is worked on, and no seam shows."""
    backdrop = Image.new("RGBA", (1500, 1000), (100, 100, 100, 255))
    source = Image.new("RGBA", (1500, 1000), (128, 128, 128, 255))

    result = laid_over(backdrop, source, (0, 0), mode="color-dodge")
    assert [(1_500_000, (201, 201, 201, 255))] == result.getcolors()
