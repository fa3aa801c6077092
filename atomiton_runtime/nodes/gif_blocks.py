"""Walks over the blocks of a GIF file without decoding them."""

from typing import IO

_TRAILER = 0x3B
_HEADER_BYTES = 6
_SCREEN_BYTES = 7
_IMAGE_BYTES = 9


def count_frames(file: IO[bytes]) -> int:
    """Return how many images the GIF file has whose first byte is next.

    Raises:
        EOFError: it ends before its trailer.
        ValueError: something is where a block should begin.
    """
    _take(file, _HEADER_BYTES)
    _skip_color_table(file, _take(file, _SCREEN_BYTES)[4])
    count = 0
    while (kind := _take(file, 1)[0]) != _TRAILER:
        match kind:
            case 0x21:  # An extension, such as the time of a frame.
                _take(file, 1)
            case 0x2C:  # An image.
                _skip_color_table(file, _take(file, _IMAGE_BYTES)[8])
                _take(file, 1)
                count += 1
            case _:
                raise ValueError(f"there is no GIF block of the kind {kind:#04x}")
        _skip_sub_blocks(file)
    if not count:
        raise ValueError("there is no image in the GIF file")
    return count


def _skip_color_table(file: IO[bytes], flags: int) -> None:
    if flags & 0x80:
        _take(file, 3 * 2 ** ((flags & 7) + 1))


def _skip_sub_blocks(file: IO[bytes]) -> None:
    while length := _take(file, 1)[0]:
        _take(file, length)


def _take(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the file ends before the GIF does")
    return data
