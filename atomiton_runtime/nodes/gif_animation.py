"""Puts the images of a GIF file together as browsers do.

Pillow fills what no frame has painted with a colour of the palette; everywhere else it is transparent.
"""

import io
from collections.abc import Callable, Iterator
from typing import IO

from PIL import GifImagePlugin, Image

from atomiton_runtime.nodes.gif_blocks import GifFrame, gif_frames
from atomiton_runtime.nodes.image_layout import Size

_CLEARED, _AS_BEFORE = 2, 3


def gif_pictures(
    file: IO[bytes], size: Size, require_affordable: Callable[[Size], None]
) -> Iterator[tuple[Image.Image, int]]:
    """Yield what is seen with each frame, as RGB or RGBA, and for how many milliseconds.

    Args:
        file: a GIF file; its first byte is next.
        size: of its canvas.
        require_affordable: raises when a frame of such a size may not be decoded.

    Raises:
        Exception: whatever a decoder raises about a file that is broken.
    """
    canvas = Image.new("RGBA", size)
    for frame in gif_frames(file):
        require_affordable((frame.width, frame.height))
        part = _decoded(frame)
        before = canvas.copy() if frame.disposal == _AS_BEFORE else None
        canvas.paste(part, (frame.left, frame.top), part)
        opaque = canvas.getchannel("A").getextrema() == (255, 255)
        yield canvas.convert("RGB") if opaque else canvas.copy(), frame.duration_ms
        if before is not None:
            canvas = before
        elif frame.disposal == _CLEARED:
            right, bottom = frame.left + frame.width, frame.top + frame.height
            canvas.paste((0, 0, 0, 0), (frame.left, frame.top, right, bottom))


def _decoded(frame: GifFrame) -> Image.Image:
    with GifImagePlugin.GifImageFile(io.BytesIO(frame.alone)) as image:
        image.load()
        return image.convert("RGBA")
