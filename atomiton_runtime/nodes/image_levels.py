"""Gives the pixels of an image other levels, each by what it was."""

from collections.abc import Sequence

from PIL import Image


def leveled(image: Image.Image, levels: Sequence[int]) -> Image.Image:
    """Return an 8-bit image in which, in each band, the level n has become `levels[n]`.

    Args:
        image: of 8 bits a band, such as L or RGB.
        levels: 256 of them, 0 to 255.
    """
    bands = len(image.getbands())
    return image.point([*levels] * bands)  # pyright: ignore[reportUnknownMemberType]  # Pillow names NumPy's types, which is not installed


def faded(alpha: Image.Image, opacity: float) -> Image.Image:
    """Return an alpha channel (mode L) multiplied by `opacity`, 0 to 1."""
    return leveled(alpha, [int(level * opacity + 0.5) for level in range(256)])


def brought_to_8_bits(image: Image.Image) -> Image.Image:
    """Return a gray image of 16 bits (one of Pillow's modes `I;16...`) as mode L."""
    # A plain conversion would make everything that is not almost black white; 257 * 255 is 65535.
    wide = image.convert("I")
    return wide.point(lambda level: level * (1 / 257) + 0.5).convert("L")  # pyright: ignore[reportUnknownMemberType]  # as above
