"""Says what each image format is called, ends in, and can hold."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Literal, TypeAlias

import msgspec

FormatName: TypeAlias = Literal["png", "jpeg", "gif", "webp", "bmp", "tiff", "avif"]
Sequence: TypeAlias = Literal["frames", "pages"]
"""What several images in one file are: an animation, or the pages of a document."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one format."""

    name: FormatName
    plugin: str
    """Its name in Pillow's registry of readers and writers."""
    extensions: tuple[str, ...]
    """With the dot, in lower case; the usual one first."""
    quality: int | None = None
    """The quality it is written with unless told otherwise, 1 to 100; None: it knows no quality."""
    has_alpha: bool = False
    keeps_profile: bool = False
    sequence: Sequence | None = None
    max_side: int = 2**31 - 1
    """The most pixels in width or height that its files can tell of."""


_ALL = (
    Format(
        name="png",
        plugin="PNG",
        extensions=(".png", ".apng"),
        has_alpha=True,
        keeps_profile=True,
        sequence="frames",
    ),
    Format(
        name="jpeg",
        plugin="JPEG",
        extensions=(".jpg", ".jpeg", ".jpe", ".jfif"),
        quality=85,
        keeps_profile=True,
        max_side=65_500,  # What libjpeg is built with, not the 65 535 of the standard.
    ),
    Format(
        name="gif", plugin="GIF", extensions=(".gif",), has_alpha=True, sequence="frames", max_side=65_535
    ),
    Format(
        name="webp",
        plugin="WEBP",
        extensions=(".webp",),
        quality=80,
        has_alpha=True,
        keeps_profile=True,
        sequence="frames",
        max_side=16_383,
    ),
    Format(name="bmp", plugin="BMP", extensions=(".bmp", ".dib")),
    Format(
        name="tiff",
        plugin="TIFF",
        extensions=(".tif", ".tiff"),
        has_alpha=True,
        keeps_profile=True,
        sequence="pages",
    ),
    Format(
        name="avif",
        plugin="AVIF",
        extensions=(".avif", ".avifs"),
        quality=75,
        has_alpha=True,
        keeps_profile=True,
        sequence="frames",
        max_side=65_536,
    ),
)

FORMATS: Mapping[str, Format] = {each.name: each for each in _ALL}
"""Name -> format; nothing else is read or written, whatever else Pillow could open."""

EXTENSIONS = ", ".join(each.extensions[0] for each in _ALL)
"""For messages: an extension of each format."""


def by_extension(path: str | PurePath) -> Format | None:
    """Return the format that a file of this name has, or None when its extension says nothing."""
    extension = PurePath(path).suffix.casefold()
    return next((each for each in _ALL if extension in each.extensions), None)


def renamed(name: str, wanted: Format) -> str:
    """Return the name of a file once it has the format `wanted`; an extension that fits already stays."""
    known = by_extension(name)
    if known is wanted:
        return name
    stem = PurePath(name).stem if known else name
    return stem + wanted.extensions[0]


def format_problem(output: str, wanted: Format | None, *, quality: bool) -> tuple[str, str, str] | None:
    """Return what is wrong with writing a file of this name: the parameter, a message and a hint; None: nothing.

    Args:
        output: the path of a file, as the author wrote it.
        wanted: what `format` says.
        quality: whether `quality` is given.
    """
    by_name = by_extension(output)
    if wanted and by_name and wanted is not by_name:
        message = f'`format` is {wanted.name}, but `output` "{output}" ends as {by_name.name} does'
        return "format", message, f"leave `format` out, or let `output` end in {wanted.extensions[0]}"
    known = wanted or by_name
    if not known:
        message = f'`output` "{output}" does not end as an image does, so its format is unknown'
        return (
            "output",
            message,
            f"give `format`, an extension ({EXTENSIONS}), or a `/` at the end for a folder",
        )
    return quality_problem(known) if quality else None


def quality_problem(known: Format) -> tuple[str, str, str] | None:
    """Return what is wrong with giving `quality` for this format, as `format_problem`."""
    if known.quality is not None:
        return None
    knowing = ", ".join(each.name for each in _ALL if each.quality)
    return "quality", f"{known.name} has no `quality`", f"`quality` is for {knowing}"
