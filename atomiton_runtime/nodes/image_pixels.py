"""Brings decoded pixels, of whatever kind, to 8-bit gray, RGB or RGBA in known colours."""

import io
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, Protocol, cast

import msgspec
from PIL import Image, ImageCms, ImageFile, ImageOps

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.image_colors import Color
from atomiton_runtime.nodes.image_levels import brought_to_8_bits

_PLAIN = ("L", "RGB", "RGBA")

_TURNS: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes it upright."""

_SPACES: Mapping[str, tuple[str, ...]] = {
    "RGB": ("RGB", "RGBA"),
    "GRAY": ("L",),
    "CMYK": ("CMYK",),
    "Lab": ("LAB",),
}
"""Colour space of an ICC profile -> modes whose pixels it can speak of."""


class _Described(Protocol):
    """What a profile opened by Pillow says of itself."""

    xcolor_space: str


class Pixels(msgspec.Struct, frozen=True, kw_only=True):
    """An image to work on."""

    image: Image.Image
    """Mode L, RGB or RGBA."""
    profile: bytes | None
    """The ICC profile its colours are meant in; None: sRGB."""


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image as EXIF `orientation` (1 to 8) wants it looked at."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def plain_pixels(
    image: Image.Image, profile: bytes | None, *, keep_profile: bool, say: Callable[[str], None]
) -> Pixels:
    """Return a decoded image as pixels to work on, which hold nothing else of the file.

    Args:
        image: as its decoder gives it; not changed.
        profile: the ICC profile of the file.
        keep_profile: False turns the colours into sRGB. Colours that are not RGB or gray always are.
        say: told when the profile cannot be used.

    Raises:
        NodeError: nobody can say how bright these pixels are (IMAGE-008).
    """
    found = _eight_bits(image)
    opened = _opened_profile(profile, found.mode, say) if profile else None
    if opened and keep_profile and found.mode in _PLAIN:
        return Pixels(image=_bare(found), profile=profile)
    if opened:
        found = _to_srgb(found, opened)
    elif found.mode == "LAB":
        found = _to_srgb(found, _standard("LAB"))
    elif found.mode == "CMYK":
        found = found.convert("RGB")
    return Pixels(image=_bare(found), profile=None)


def flattened(image: Image.Image, background: Color) -> Image.Image:
    """Return the image over `background`, as RGB without transparency where that is opaque."""
    if image.mode != "RGBA":
        return image
    below = Image.new("RGBA", image.size, background)
    below.alpha_composite(image)
    return below.convert("RGB") if background[3] == 255 else below


def grayed(image: Image.Image) -> Image.Image:
    """Return the image without colour; what is transparent stays so."""
    if image.mode != "RGBA":
        return ImageOps.grayscale(image)
    gray = image.convert("LA").convert("RGBA")
    gray.putalpha(image.getchannel("A"))
    return gray


def _eight_bits(image: Image.Image) -> Image.Image:
    match image.mode:
        case "L" | "RGB" | "P" | "1" if "transparency" in image.info or (
            image.palette is not None and image.palette.mode == "RGBA"
        ):
            return image.convert("RGBA")
        case "L" | "RGB" | "RGBA" | "CMYK" | "LAB":
            return image
        case "1":
            return image.convert("L")
        case "P" | "RGBX" | "YCbCr" | "HSV":
            return image.convert("RGB")
        case "PA" | "LA" | "La" | "RGBa":
            return image.convert("RGBA")
        case mode if mode.startswith("I;16"):
            return brought_to_8_bits(image)
        case mode:
            message = f"the image has pixels of the kind {mode}, and nothing says which of them are white"
            hint = "let the program that made it write 8 or 16 bits a channel"
            raise NodeError("IMAGE-008", message, hint=hint)


def _bare(image: Image.Image) -> Image.Image:
    """Return the image without metadata, which would find its way into what is saved."""
    bare = image.copy() if isinstance(image, ImageFile.ImageFile) else image
    bare.info = {}
    return bare


def _opened_profile(profile: bytes, mode: str, say: Callable[[str], None]) -> ImageCms.ImageCmsProfile | None:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = cast("_Described", opened.profile).xcolor_space.strip()  # pyright: ignore[reportUnknownMemberType]  # the compiled part of Pillow tells no types
    except (OSError, ImageCms.PyCMSError) as error:
        say(f"the colour profile is broken and was left out: {error}")
        return None
    if mode in _SPACES.get(space, ()):
        return opened
    say(f"the colour profile is for {space}, not for this image, and was left out")
    return None


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return _standard("sRGB")


def _standard(space: Literal["LAB", "sRGB"]) -> ImageCms.ImageCmsProfile:
    profile = ImageCms.createProfile(space)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # the compiled part of Pillow tells no types
    return ImageCms.ImageCmsProfile(cast("Any", profile))


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    converted = ImageCms.profileToProfile(image, profile, _srgb(), outputMode=mode)
    assert converted is not None  # It is None only for a change in place.
    return converted
