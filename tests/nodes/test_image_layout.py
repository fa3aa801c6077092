"""The geometry of images: what is asked for is met, and ratios are kept."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.nodes.image_layout import Fit, Plan, Position, fitted, placed, turned, upright

SIDES = st.integers(1, 20_000)
SIZES = st.tuples(SIDES, SIDES)
FITS = st.sampled_from(get_args(Fit))
POSITIONS = st.sampled_from(get_args(Position))


@pytest.mark.parametrize(
    ("fit", "position", "enlarge", "expected"),
    [
        ("cover", "center", True, ((25, 0, 75, 50), (40, 40), (40, 40), (0, 0))),
        ("cover", "left", True, ((0, 0, 50, 50), (40, 40), (40, 40), (0, 0))),
        ("cover", "bottom-right", True, ((50, 0, 100, 50), (40, 40), (40, 40), (0, 0))),
        ("contain", "center", True, ((0, 0, 100, 50), (40, 20), (40, 40), (0, 10))),
        ("contain", "top", True, ((0, 0, 100, 50), (40, 20), (40, 40), (0, 0))),
        ("fill", "center", True, ((0, 0, 100, 50), (40, 40), (40, 40), (0, 0))),
        ("inside", "center", True, ((0, 0, 100, 50), (40, 20), (40, 20), (0, 0))),
        ("outside", "center", True, ((0, 0, 100, 50), (80, 40), (80, 40), (0, 0))),
    ],
)
def test_a_wide_image_in_a_square(fit: Fit, position: Position, enlarge: bool, expected: object) -> None:
    """100 x 50 meets 40 x 40 as the words `cover`, `contain` and so on say."""
    plan = fitted((100, 50), width=40, height=40, fit=fit, position=position, enlarge=enlarge)

    assert expected == (plan.box, plan.scaled, plan.canvas, plan.offset)


@pytest.mark.parametrize(
    ("source", "width", "height", "expected"),
    [
        ((100, 50), 40, None, (40, 20)),
        ((100, 50), None, 40, (80, 40)),
        ((100, 50), None, None, (100, 50)),
        ((10_000, 1), 100, None, (100, 1)),
        ((3, 1000), None, 10, (1, 10)),
        ((1, 1), 7, None, (7, 7)),
        ((333, 334), 334, None, (334, 335)),
    ],
)
def test_a_missing_side_follows_from_the_ratio(
    source: tuple[int, int], width: int | None, height: int | None, expected: tuple[int, int]
) -> None:
    """One side is enough; the other is never less than a pixel."""
    assert expected == fitted(source, width=width, height=height, fit="cover").canvas


@given(source=SIZES, target=SIZES, fit=FITS, position=POSITIONS, enlarge=st.booleans())
def test_any_size_fits(
    source: tuple[int, int], target: tuple[int, int], fit: Fit, position: Position, enlarge: bool
) -> None:
    """Each way keeps its promise, for whatever sizes."""
    plan = fitted(source, width=target[0], height=target[1], fit=fit, position=position, enlarge=enlarge)
    left, top, right, bottom = plan.box

    assert 0 <= left < right <= source[0] + 1e-6
    assert 0 <= top < bottom <= source[1] + 1e-6
    assert min(plan.scaled) >= 1
    assert all(0 <= at <= at + part <= whole for at, part, whole in _axes(plan))
    if not enlarge:
        assert all(part <= whole for part, whole in zip(plan.scaled, source, strict=True))
    if fit in ("cover", "contain", "fill") and enlarge:
        assert target == plan.canvas
    if fit == "inside":
        assert all(side <= most for side, most in zip(plan.canvas, target, strict=True))
    if fit == "outside" and enlarge:
        assert all(side >= least for side, least in zip(plan.canvas, target, strict=True))
    if fit != "fill":
        _assert_ratio_kept(plan)


def _axes(plan: Plan) -> list[tuple[int, int, int]]:
    return list(zip(plan.offset, plan.scaled, plan.canvas, strict=True))


def _assert_ratio_kept(plan: Plan) -> None:
    """Both directions are scaled alike, but for the rounding to whole pixels (and to one at least)."""
    left, top, right, bottom = plan.box
    across, down = plan.scaled[0] / (right - left), plan.scaled[1] / (bottom - top)
    slack = 1.0 / (right - left), 1.0 / (bottom - top)
    assert abs(across - down) <= slack[0] + slack[1] + 1e-9


@given(outer=SIZES, inner=SIZES, position=POSITIONS, margin=st.integers(0, 50))
def test_a_place_keeps_its_edges(
    outer: tuple[int, int], inner: tuple[int, int], position: Position, margin: int
) -> None:
    """What is placed at an edge touches it, but for the margin; in the middle, both sides are alike."""
    x, y = placed(outer, inner, position, margin=margin)
    free = outer[0] - inner[0] - x, outer[1] - inner[1] - y

    assert x == margin if "left" in position else True
    assert y == margin if "top" in position else True
    assert free[0] == margin if "right" in position else True
    assert free[1] == margin if "bottom" in position else True
    if position == "center":
        assert 0 <= free[0] - x <= 1
        assert 0 <= free[1] - y <= 1
    assert (x + 3, y - 4) == placed(outer, inner, position, margin=margin, shift=(3, -4))


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, (30, 20)), (90, (20, 30)), (180, (30, 20)), (270, (20, 30)), (45, (36, 36)), (30, (36, 33))],
)
def test_a_turned_image_has_room(degrees: float, expected: tuple[int, int]) -> None:
    """The box is as large as the turned image needs."""
    assert expected == turned((30, 20), degrees)


def test_exif_turns_swap_the_sides() -> None:
    """Orientations 5 to 8 lie on their side."""
    assert [(3, 2)] * 4 + [(2, 3)] * 4 == [upright((3, 2), each) for each in range(1, 9)]


def test_a_plan_holds_for_an_image_decoded_smaller() -> None:
    """The part that is cut out is the same part."""
    plan = fitted((800, 400), width=10, height=10, fit="cover").for_source((800, 400), (200, 100))

    assert (50, 0, 150, 100) == plan.box
