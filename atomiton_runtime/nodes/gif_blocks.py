"""Walks over the blocks of a GIF file without decoding them."""

import struct
from collections.abc import Iterator
from typing import IO

import msgspec

_TRAILER = 0x3B
_CONTROL = 0xF9
_HEADER_BYTES = 6
_SCREEN_BYTES = 7
_IMAGE_BYTES = 9
_CONTROL_BYTES = 4


class GifFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One image of a GIF file: a part of the canvas."""

    left: int
    top: int
    width: int
    height: int
    duration_ms: int
    disposal: int
    """What becomes of the part before the next frame: 2 it is cleared, 3 it is as before; else it stays."""
    alone: bytes
    """A GIF file of this image only, whose canvas it fills."""


def count_frames(file: IO[bytes], *, most: int) -> int:
    """Return how many images the GIF file has whose first byte is next; beyond `most`, that and one.

    Raises:
        EOFError: it ends before its trailer.
        ValueError: something is where a block should begin, or there is no image.
    """
    count = 0
    for _ in gif_frames(file):
        count += 1
        if count > most:
            return count
    if not count:
        raise ValueError("there is no image in the GIF file")
    return count


def gif_frames(file: IO[bytes]) -> Iterator[GifFrame]:
    """Yield the images of the GIF file whose first byte is next, up to its trailer.

    Raises:
        EOFError: it ends before its trailer.
        ValueError: something is where a block should begin.
    """
    _take(file, _HEADER_BYTES)
    flags = _take(file, _SCREEN_BYTES)[4]
    palette = _color_table(file, flags)
    control = bytes(_CONTROL_BYTES)
    while (kind := _take(file, 1)[0]) != _TRAILER:
        match kind:
            case 0x21:  # An extension, such as the time of a frame.
                label = _take(file, 1)[0]
                content = _sub_blocks(file)
                if label == _CONTROL and content[:1] == b"\x04":
                    control = content[1 : 1 + _CONTROL_BYTES]
            case 0x2C:
                yield _frame(file, flags, palette, control)
                control = bytes(_CONTROL_BYTES)
            case _:
                raise ValueError(f"there is no GIF block of the kind {kind:#04x}")


def _frame(file: IO[bytes], flags: int, palette: bytes, control: bytes) -> GifFrame:
    left, top, width, height, own_flags = struct.unpack("<HHHHB", _take(file, _IMAGE_BYTES))
    pixels = _color_table(file, own_flags) + _take(file, 1) + _sub_blocks(file)
    packed, delay, transparent = struct.unpack("<BHB", control)
    alone = b"".join(
        (
            b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + palette,
            b"\x21\xf9\x04" + struct.pack("<BHBB", packed & 1, 0, transparent, 0),
            b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, own_flags) + pixels,
            b"\x3b",
        )
    )
    return GifFrame(
        left=left,
        top=top,
        width=width,
        height=height,
        duration_ms=delay * 10,
        disposal=packed >> 2 & 7,
        alone=alone,
    )


def _color_table(file: IO[bytes], flags: int) -> bytes:
    return _take(file, 3 * 2 ** ((flags & 7) + 1)) if flags & 0x80 else b""


def _sub_blocks(file: IO[bytes]) -> bytes:
    """Return all sub-blocks as they are, with their lengths and the empty one at the end."""
    blocks: list[bytes] = []
    while (length := _take(file, 1)) != b"\0":
        blocks += (length, _take(file, length[0]))
    return b"".join((*blocks, length))


def _take(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the file ends before the GIF does")
    return data
