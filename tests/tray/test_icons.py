"""The four pictures differ in shape, are solid, and have a pale rim and a deep fill."""

import io
from itertools import combinations
from typing import get_args

import pytest
from PIL import Image

from atomiton_runtime.tray import icons
from atomiton_runtime.tray.state import Mood

MOODS: tuple[Mood, ...] = get_args(Mood)


@pytest.mark.parametrize("size", icons.PANEL_SIZES)
@pytest.mark.parametrize("mood", MOODS)
def test_picture(mood: Mood, size: int) -> None:
    """A picture has its size and fills it, nearly to the edge, with light and dark."""
    picture = icons.draw(mood, size)
    grey = [
        value
        for value, alpha in zip(picture.convert("L").tobytes(), picture.split()[3].tobytes(), strict=True)
        if alpha > 200
    ]
    assert (picture.mode, picture.size) == ("RGBA", (size, size))
    left, top, right, bottom = picture.getbbox() or (0, 0, 0, 0)
    assert min(right - left, bottom - top) >= size * 0.85
    assert min(grey) < 110
    assert max(grey) > 215
    assert icons.draw(mood, size) is picture


@pytest.mark.parametrize("pair", list(combinations(MOODS, 2)))
def test_moods_differ_without_colour(pair: tuple[Mood, Mood]) -> None:
    """In black and white, at the smallest size, a fifth of the pixels of any two moods differ."""
    first, second = (icons.draw(mood, 22) for mood in pair)
    backdrop = Image.new("RGBA", first.size, (128, 128, 128, 255))
    grey = [Image.alpha_composite(backdrop, one).convert("L").tobytes() for one in (first, second)]
    different = sum(abs(a - b) > 60 for a, b in zip(*grey, strict=True))
    assert different >= 22 * 22 / 8


def test_png_files() -> None:
    """Menu pictures and the application's picture are PNG files."""
    sizes = [Image.open(io.BytesIO(icons.menu_png(mood))).size for mood in MOODS]
    assert sizes == [(icons.MENU_SIZE, icons.MENU_SIZE)] * len(MOODS)
    assert Image.open(io.BytesIO(icons.app_png())).size == (icons.APP_SIZE, icons.APP_SIZE)
