"""Draws the tray's pictures: four moods that differ in shape as well as in colour, legible at 16 pixels.

Each is drawn at its own size, eight times enlarged and then reduced, on a grid of 24 units: so lines stay
at least two pixels wide at 22 pixels. A pale rim outside and a deep fill inside stand out on dark and light panels.
"""

import functools
import io
import itertools
import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from atomiton_runtime.tray.state import Mood

PANEL_SIZES = (22, 24, 32, 48)
"""In pixels; what panels ask for. They pick the nearest."""
MENU_SIZE = 16
APP_SIZE = 128

_GRID = 24.0
_ENLARGED = 8
_RIM = (255, 255, 255, 235)
_QUIET = (128, 136, 150, 255)
_INK = (255, 255, 255, 255)
FILLS = {
    "idle": (71, 85, 105),
    "running": (37, 99, 235),
    "succeeded": (21, 128, 61),
    "failed": (200, 30, 30),
}

_Point = tuple[float, float]


@functools.cache
def draw(mood: Mood, size: int) -> Image.Image:
    """Return the picture of `mood`, `size` pixels square, RGBA. Shared: do not change it."""
    pen = _Pen(size)
    _PICTURES[mood](pen, FILLS[mood])
    return pen.image.reduce(_ENLARGED)


@functools.cache
def menu_png(mood: Mood) -> bytes:
    """Return the picture of a menu entry as a PNG file; one that never ran has a quiet ring, not the application's."""
    if mood != "idle":
        return _png(draw(mood, MENU_SIZE))
    pen = _Pen(MENU_SIZE)
    pen.ring((12, 12), 6.2, 1.8, _QUIET)
    return _png(pen.image.reduce(_ENLARGED))


def app_png() -> bytes:
    """Return the picture of the application, as a PNG file of 128 pixels."""
    return _png(draw("idle", APP_SIZE))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class _Pen:
    """Draws in grid units (0 to 24) on an enlarged canvas."""

    def __init__(self, size: int) -> None:
        self._unit = size * _ENLARGED / _GRID
        self.image = Image.new("RGBA", (size * _ENLARGED, size * _ENLARGED), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)

    def disc(self, centre: _Point, radius: float, colour: tuple[int, ...]) -> None:
        x, y = centre
        box = [
            (x - radius) * self._unit,
            (y - radius) * self._unit,
            (x + radius) * self._unit,
            (y + radius) * self._unit,
        ]
        self._draw.ellipse(box, fill=colour)

    def ring(self, centre: _Point, radius: float, width: float, colour: tuple[int, ...]) -> None:
        self.disc(centre, radius, colour)
        self.disc(centre, radius - width, (0, 0, 0, 0))

    def polygon(self, points: Sequence[_Point], colour: tuple[int, ...]) -> None:
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], fill=colour)

    def line(self, points: Sequence[_Point], width: float, colour: tuple[int, ...]) -> None:
        """Draw a line with round ends and corners."""
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            scaled = (x0 * self._unit, y0 * self._unit, x1 * self._unit, y1 * self._unit)
            self._draw.line(scaled, fill=colour, width=round(width * self._unit))
        for point in points:
            self.disc(point, width / 2, colour)


def _idle(pen: _Pen, fill: tuple[int, ...]) -> None:
    """Draw an atom at rest: a ring with a nucleus and two electrons."""
    pen.disc((12, 12), 11.6, _RIM)
    pen.disc((12, 12), 10.6, fill)
    pen.disc((12, 12), 7.6, _RIM)
    pen.disc((12, 12), 3.9, fill)
    for angle in (-45, 135):
        x, y = 12 + 9.0 * math.cos(math.radians(angle)), 12 + 9.0 * math.sin(math.radians(angle))
        pen.disc((x, y), 2.9, fill)
        pen.disc((x, y), 1.7, _INK)


def _running(pen: _Pen, fill: tuple[int, ...]) -> None:
    """Draw a disc with the sign for play."""
    pen.disc((12, 12), 11.6, _RIM)
    pen.disc((12, 12), 10.6, fill)
    pen.polygon([(8.6, 6.0), (8.6, 18.0), (18.6, 12.0)], _INK)


def _succeeded(pen: _Pen, fill: tuple[int, ...]) -> None:
    """Draw a square with round corners and a tick."""
    _slab(pen, 11.3, 4.6, _RIM)
    _slab(pen, 10.3, 3.9, fill)
    pen.line([(6.6, 12.4), (10.4, 16.2), (17.4, 8.0)], 2.9, _INK)


def _failed(pen: _Pen, fill: tuple[int, ...]) -> None:
    """Draw a triangle, point up, with an exclamation mark."""
    pen.line([(12, 3.2), (21.6, 20.4), (2.4, 20.4), (12, 3.2)], 4.4, _RIM)
    pen.polygon([(12, 3.2), (21.6, 20.4), (2.4, 20.4)], _RIM)
    pen.line([(12, 3.4), (21.4, 20.2), (2.6, 20.2), (12, 3.4)], 2.6, fill)
    pen.polygon([(12, 3.4), (21.4, 20.2), (2.6, 20.2)], fill)
    pen.line([(12, 8.4), (12, 13.4)], 2.6, _INK)
    pen.disc((12, 17.6), 1.6, _INK)


def _slab(pen: _Pen, half: float, corner: float, colour: tuple[int, ...]) -> None:
    near, far = 12 - half + corner, 12 + half - corner
    pen.line([(near, near), (far, near), (far, far), (near, far), (near, near)], 2 * corner, colour)
    pen.polygon([(near, near), (far, near), (far, far), (near, far)], colour)


_PICTURES: dict[Mood, Callable[[_Pen, tuple[int, ...]], None]] = {
    "idle": _idle,
    "running": _running,
    "succeeded": _succeeded,
    "failed": _failed,
}
