"""Opens image files that may be anything: huge, cut off, or no images at all."""

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec
from PIL import ExifTags, Image, ImageFile

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.files import require_file
from atomiton_runtime.nodes.gif_animation import gif_pictures
from atomiton_runtime.nodes.gif_blocks import count_frames
from atomiton_runtime.nodes.image_formats import FORMATS, Format
from atomiton_runtime.nodes.image_layout import Size, upright
from atomiton_runtime.nodes.listing import printable

MAX_PIXELS = 80_000_000
"""Of one image, all its frames together; below the number at which Pillow itself begins to warn."""

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Some decoders take the whole file into memory."""

_LEAST_FRAME_PIXELS = 1000
"""A frame counts as so many pixels at least: millions of tiny ones are too much as well."""

_PREFIX_BYTES = 16
_SHOWN_BYTES = 8

_Answer = TypeVar("_Answer")


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded image of a file, as its decoder gives it."""

    image: Image.Image
    duration_ms: float
    """How long an animation shows it; 0 where it has no say."""
    orientation: int
    """What EXIF asks for, 1 to 8."""


class OpenImage:
    """An image file of a known format whose header is read; not its pixels."""

    def __init__(
        self, path: Path, image: ImageFile.ImageFile, file: IO[bytes], format: Format, frame_count: int
    ) -> None:
        self.path = path
        self.format = format
        self.frame_count = frame_count
        """1 for a file that is neither an animation nor a document of several pages."""
        self._image = image
        self._file = file

    @property
    def plays(self) -> int:
        """How often an animation is shown; 0: for ever."""
        loop = cast("int | None", self._image.info.get("loop"))
        if self.format.name == "gif":  # It says how often to repeat, or nothing at all.
            return 1 if loop is None else loop and loop + 1
        return loop or 0

    @property
    def dpi(self) -> tuple[float, float] | None:
        """The resolution the file claims, dots to the inch across and down; None: none, or none that can be true."""
        with contextlib.suppress(KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
            across, down = (float(each) for each in cast("tuple[Any, Any]", self._image.info["dpi"]))
            return (across, down) if 10 <= min(across, down) <= max(across, down) <= 30_000 else None
        return None

    @property
    def profile(self) -> bytes | None:
        """The ICC profile of the file."""
        found: object = self._image.info.get("icc_profile")
        return found if isinstance(found, bytes) and found else None

    def size(self) -> Size:
        """Return width and height as the image is looked at: turned as EXIF asks."""
        return upright(self._image.size, self._orientation())

    def decode_smaller(self, size: Size) -> None:
        """Let a JPEG be decoded smaller, if it can be, but not smaller than `size` (as looked at)."""
        self._image.draft(None, upright(size, self._orientation()))

    def frames(self, *, all_of_them: bool) -> Iterator[Frame]:
        """Decode and yield the frames, each to be used before the next; without `all_of_them`, the first only.

        Raises:
            NodeError: the file is cut off or broken (IMAGE-002), or has too many pixels (IMAGE-003).
        """
        if self.format.name == "gif":
            yield from self._gif_frames(1 if not all_of_them else self.frame_count)
            return
        separate = all_of_them and bool(self._image.info.get("default_image"))
        # An APNG may begin with an image for those who know no animations.
        for index in range(int(separate), self.frame_count if all_of_them else 1):
            if index:
                _decoded(self.path, lambda index=index: self._image.seek(index))
            require_affordable(self._image.size, printable(str(self.path)))  # Pages differ in size.
            _decoded(self.path, self._image.load)
            duration = cast("float", self._image.info.get("duration") or 0)
            yield Frame(image=self._image, duration_ms=duration, orientation=self._orientation())

    def _gif_frames(self, count: int) -> Iterator[Frame]:
        def affordable(size: Size) -> None:
            require_affordable(size, f"a frame of {printable(str(self.path))}")

        self._file.seek(0)
        pictures = gif_pictures(self._file, self._image.size, affordable)
        for _ in range(count):
            image, duration_ms = _decoded(self.path, lambda: next(pictures))
            yield Frame(image=image, duration_ms=duration_ms, orientation=1)

    def _orientation(self) -> int:
        if self.format.name == "tiff":  # Pillow turns these itself.
            return 1
        try:
            value = self._image.getexif().get(ExifTags.Base.Orientation, 1)
        except Exception:  # noqa: BLE001  # broken metadata can raise anything, and is no reason not to use the picture
            return 1
        return value if value in range(1, 9) else 1


@contextlib.contextmanager
def opened(path: Path) -> Generator[OpenImage]:
    """Give the image in the file at `path`; the file is closed when the block ends.

    Raises:
        OSError: as the system says.
        NodeError: it is no image of a known format (IMAGE-001), it is cut off or broken (IMAGE-002), or it is
            too large (IMAGE-003, FILE-013).
    """
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        require_file(status, path)
        if status.st_size > MAX_FILE_BYTES:
            message = f"{path} has {status.st_size} bytes, and images may have {MAX_FILE_BYTES} at most"
            raise NodeError("FILE-013", message)
        with os.fdopen(descriptor, "rb", closefd=False) as file, _identified(file, path) as image:
            yield image
    finally:
        os.close(descriptor)


def require_affordable(size: Size, what: str) -> None:
    """Raise for an image of too many pixels to be worked on (IMAGE-003)."""
    pixels = size[0] * size[1]
    if pixels > MAX_PIXELS:
        sides = f"{size[0]} x {size[1]} = " if size[1] > 1 else ""
        message = f"{what} would take {sides}{pixels} pixels, and {MAX_PIXELS} is the most"
        raise NodeError("IMAGE-003", message)


@contextlib.contextmanager
def _identified(file: IO[bytes], path: Path) -> Generator[OpenImage]:
    format = _format_of(file.read(_PREFIX_BYTES), path)
    file.seek(0)
    reader, _ = Image.OPEN[format.plugin]
    # Not Image.open: its warning about many pixels would come before they could be refused in our own words.
    image = _decoded(path, lambda: reader(file, str(path)))
    with image:
        require_affordable(image.size, printable(str(path)))
        count = _decoded(path, lambda: _frame_count(image, file, format))
        require_affordable(
            (_charged(image.size) * count, 1), f"{printable(str(path))} with its {count} frames"
        )
        yield OpenImage(path, image, file, format, count)


def _charged(size: Size) -> int:
    return max(size[0] * size[1], _LEAST_FRAME_PIXELS)


def _format_of(prefix: bytes, path: Path) -> Format:
    Image.preinit()
    for format in FORMATS.values():
        if format.plugin not in Image.OPEN:
            Image.init()
        _, accepts = Image.OPEN.get(format.plugin, (None, None))
        if accepts and accepts(prefix) is True:
            return format
    start = f"it begins with {prefix[:_SHOWN_BYTES]!r}" if prefix else "it is empty"
    message = f"{printable(str(path))} is no image of a known format: {start}"
    raise NodeError("IMAGE-001", message, hint=f"known are {', '.join(FORMATS)}")


def _frame_count(image: ImageFile.ImageFile, file: IO[bytes], format: Format) -> int:
    if format.name == "gif":
        # Pillow takes the place where a GIF is cut off for its end.
        place = file.tell()
        file.seek(0)
        count = count_frames(file, most=MAX_PIXELS // _charged(image.size))
        file.seek(place)
        return count
    if format.sequence is None:  # The second image of some cameras' JPEG files is a preview.
        return 1
    return cast("int", getattr(image, "n_frames", 1))


def _decoded(path: Path, act: Callable[[], _Answer]) -> _Answer:
    """Return what `act` returns; whatever a decoder raises about a broken file becomes an error with words."""
    try:
        return act()
    except NodeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise
        if isinstance(error, Image.DecompressionBombError):
            message = f"{printable(str(path))} has more pixels than can be worked on: {error}"
            raise NodeError("IMAGE-003", message) from error
        if isinstance(error, MemoryError):
            raise NodeError("IMAGE-003", f"{printable(str(path))} needs more memory than there is") from error
        message = f"{printable(str(path))} cannot be decoded, it is cut off or broken: {error or type(error).__name__}"
        raise NodeError("IMAGE-002", message, hint="get the file once more, whole") from error
