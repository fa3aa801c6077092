"""Computes where pixels go: sizes, boxes and offsets; knows no image."""

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Fit = Literal["cover", "contain", "fill", "inside", "outside"]
Position = Literal[
    "center", "top", "bottom", "left", "right", "top-left", "top-right", "bottom-left", "bottom-right"
]
Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""

_SHARES: Mapping[Position, tuple[float, float]] = {
    "center": (0.5, 0.5),
    "top": (0.5, 0),
    "bottom": (0.5, 1),
    "left": (0, 0.5),
    "right": (1, 0.5),
    "top-left": (0, 0),
    "top-right": (1, 0),
    "bottom-left": (0, 1),
    "bottom-right": (1, 1),
}
"""Position -> the share of the free room that is left of and above what is placed."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How an image becomes one of another size: `box` is cut out, scaled to `scaled`, and laid on `canvas`."""

    box: tuple[float, float, float, float]
    """Left, top, right and bottom within the source."""
    scaled: Size
    canvas: Size
    offset: tuple[int, int]
    """Where the scaled part lies on the canvas, from its top-left corner."""

    def for_source(self, size: Size, actual: Size) -> "Plan":
        """Return the plan for a source that was decoded smaller than the `size` the plan was made for."""
        across, down = actual[0] / size[0], actual[1] / size[1]
        left, top, right, bottom = self.box
        return msgspec.structs.replace(
            self,
            box=(left * across, top * down, min(right * across, actual[0]), min(bottom * down, actual[1])),
        )


def fitted(
    source: Size,
    *,
    width: int | None,
    height: int | None,
    fit: Fit,
    position: Position = "center",
    enlarge: bool = True,
) -> Plan:
    """Return the plan that brings `source` to `width` by `height`.

    Args:
        source: each side 1 or more.
        width: 1 or more; None follows from `height` and the ratio of the source.
        height: the same the other way round; both None leave the size as it is.
        fit: `cover` fills the size and cuts off what is over, `contain` shows everything and leaves a border,
            `fill` stretches, `inside` and `outside` keep the ratio and are at most, or at least, that size.
        position: which part `cover` keeps, and where `contain` places.
        enlarge: False never makes the pixels of the source larger; only the border of `contain` may be.
    """
    across = width / source[0] if width else None
    down = height / source[1] if height else None
    if across is None or down is None:
        scale = across or down or 1.0
        return _whole(source, scale, scale, enlarge, exact=(width, height))
    match fit:
        case "fill":
            return _whole(source, across, down, enlarge, exact=(width, height))
        case "inside":
            return _whole(source, min(across, down), min(across, down), enlarge, exact=(None, None))
        case "outside":
            return _whole(source, max(across, down), max(across, down), enlarge, exact=(None, None))
        case "contain":
            plan = _whole(source, min(across, down), min(across, down), enlarge, exact=(None, None))
            canvas = (width or 1, height or 1)
            offset = placed(canvas, plan.scaled, position)
            return msgspec.structs.replace(plan, canvas=canvas, offset=offset)
        case "cover":
            scale = max(across, down) if enlarge else min(1.0, max(across, down))
            return _covering(source, (width or 1, height or 1), scale, position)


def _whole(
    source: Size, across: float, down: float, enlarge: bool, *, exact: tuple[int | None, int | None]
) -> Plan:
    if not enlarge:
        across, down = min(across, 1.0), min(down, 1.0)
    sides = (_scaled(source[0], across), _scaled(source[1], down))
    # A side that was asked for is met to the pixel, whatever the division above made of it.
    wanted = tuple(
        side if asked is None or (not enlarge and asked > whole) else asked
        for side, asked, whole in zip(sides, exact, source, strict=True)
    )
    scaled = (wanted[0], wanted[1])
    return Plan(box=(0, 0, *source), scaled=scaled, canvas=scaled, offset=(0, 0))


def _covering(source: Size, target: Size, scale: float, position: Position) -> Plan:
    # Cutting before scaling never makes an image larger than what is asked for.
    size = (min(target[0], _scaled(source[0], scale)), min(target[1], _scaled(source[1], scale)))
    part = (min(size[0] / scale, source[0]), min(size[1] / scale, source[1]))
    share = _SHARES[position]
    left, top = (source[0] - part[0]) * share[0], (source[1] - part[1]) * share[1]
    box = (left, top, min(left + part[0], source[0]), min(top + part[1], source[1]))
    return Plan(box=box, scaled=size, canvas=size, offset=(0, 0))


def _scaled(side: int, scale: float) -> int:
    return max(1, math.floor(side * scale + 0.5))


def placed(
    outer: Size,
    inner: Size,
    position: Position,
    *,
    margin: int = 0,
    shift: tuple[int, int] = (0, 0),
) -> tuple[int, int]:
    """Return where the top-left corner of `inner` lies within `outer`; negative when it stands out.

    Args:
        outer: the size of what it is placed in.
        inner: the size of what is placed.
        position: the place; half a pixel goes to the right and to the bottom.
        margin: pixels to keep from each edge that the position touches.
        shift: pixels to the right, and down, from that place.
    """
    share = _SHARES[position]
    return (
        _along(outer[0] - inner[0], share[0], margin) + shift[0],
        _along(outer[1] - inner[1], share[1], margin) + shift[1],
    )


def _along(room: int, share: float, margin: int) -> int:
    lean = (share == 0) - (share == 1)
    return math.floor(room * share) + lean * margin


def upright(size: Size, orientation: int) -> Size:
    """Return the size of an image once it is turned as its EXIF orientation (1 to 8) asks."""
    return (size[1], size[0]) if orientation in (5, 6, 7, 8) else size


def turned(size: Size, degrees: float) -> Size:
    """Return the size of the smallest upright box around an image that is turned."""
    if degrees % 90 == 0:
        return upright(size, 6 if degrees % 180 else 1)
    angle = math.radians(degrees)
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    width, height = size
    return math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine)
