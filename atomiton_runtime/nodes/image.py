"""Is the node type `image`."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.base import Effect, Example, NodeContext, NodeType, Outside, Port
from atomiton_runtime.nodes.image_checks import found_wrong, overwrites_itself
from atomiton_runtime.nodes.image_parameters import ImageParameters
from atomiton_runtime.nodes.image_sources import used_files
from atomiton_runtime.values import Value

if TYPE_CHECKING:
    from atomiton_runtime.nodes.image_workers import Studios


def _bitmap(width: int, height: int) -> str:
    """Return a gray BMP as text, so that an example can hold it: no byte of it is above 127."""
    stride = (3 * width + 3) // 4 * 4
    numbers = [0, 0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0]  # Sizes that follow may be 0.
    header = b"BM" + b"".join(number.to_bytes(4, "little") for number in numbers)
    return (header + b"\x40" * (stride * height)).decode("ascii")


_PHOTO = _bitmap(8, 4)


class Image(NodeType):
    """Resizes, crops, turns, converts, combines and marks images.

    It reads and writes png, jpeg, gif, webp, bmp, tiff and avif, told by their content, of 80 million pixels at
    most (all frames of an animation together). Images are looked at as EXIF turns them, and written upright. The
    colour profile is kept where one image becomes one in a format that can hold it; everything else, and CMYK,
    becomes sRGB. The resolution is kept; all other metadata, such as the place where a photo was taken, is not
    written. Work is done with 8 bits a channel.

    Animations stay animations from gif, webp, png and avif to each of these, and pages stay pages in tiff; else
    the first frame is used, and the log says so. Layers and marks are always the first frame. A file appears
    whole or not at all; if one of several images fails, the results of those before it stay.
    """

    name = "image"
    repeatable = False
    ports = (
        Port(
            "path", "The absolute path of the file that was written; info: of the image. For several: a list."
        ),
        Port("width", "Its width in pixels, or a list of these."),
        Port("height", "Its height in pixels, or a list of these."),
        Port("format", "png, jpeg, gif, webp, bmp, tiff or avif, or a list of these."),
    )
    Parameters = ImageParameters
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Make a photo 4 pixels wide",
            toml='operation = "resize"\npath = "photo.bmp"\nwidth = 4\noutput = "small.jpg"\nquality = 80',
            files={"photo.bmp": _PHOTO},
            outputs={"width": 4, "height": 2, "format": "jpeg"},
        ),
        Example(
            title="Fill a square, keeping the right part",
            toml=(
                'operation = "resize"\npath = "photo.bmp"\nwidth = 4\nheight = 4\nfit = "cover"\n'
                'position = "right"\noutput = "out/square.png"'
            ),
            files={"photo.bmp": _PHOTO},
            outputs={"width": 4, "height": 4, "format": "png"},
        ),
        Example(
            title="Thumbnails of all that `file-system` listed",
            toml='operation = "thumbnail"\nwidth = 4\nheight = 4\noutput = "thumbs/"\nformat = "webp"',
            input=[{"path": "a.bmp", "name": "a.bmp", "type": "file"}, {"path": "b.bmp"}],
            files={"a.bmp": _PHOTO, "b.bmp": _bitmap(2, 6)},
            outputs={"width": [4, 1], "height": [2, 4], "format": ["webp", "webp"]},
        ),
        Example(
            title="Cut out a part",
            toml='operation = "crop"\npath = "photo.bmp"\nx = 2\ny = 1\nwidth = 3\nheight = 2\noutput = "part.png"',
            files={"photo.bmp": _PHOTO},
            outputs={"width": 3, "height": 2},
        ),
        Example(
            title="Turn clockwise",
            toml='operation = "rotate"\npath = "photo.bmp"\nangle = 90\noutput = "turned.png"',
            files={"photo.bmp": _PHOTO},
            outputs={"width": 4, "height": 8},
        ),
        Example(
            title="A gray copy in another format, under the same name in a folder",
            toml='operation = "convert"\npath = "photo.bmp"\nformat = "png"\ngrayscale = true\noutput = "gray/"',
            files={"photo.bmp": _PHOTO},
            outputs={"width": 8, "height": 4, "format": "png"},
        ),
        Example(
            title="Sign a picture",
            toml=(
                'operation = "watermark"\npath = "photo.bmp"\ntext = "© Ada"\nposition = "bottom-right"\n'
                'opacity = 0.7\noutput = "signed.png"'
            ),
            files={"photo.bmp": _bitmap(320, 100)},
            outputs={"width": 320, "height": 100},
        ),
        Example(
            title="Lay a logo into a corner",
            toml=(
                'operation = "overlay"\npath = "photo.bmp"\npaths = ["logo.bmp"]\nposition = "top-right"\n'
                'margin = 1\noutput = "both.png"'
            ),
            files={"photo.bmp": _PHOTO, "logo.bmp": _bitmap(2, 2)},
            outputs={"width": 8, "height": 4},
        ),
        Example(
            title="Two images side by side",
            toml=(
                'operation = "composite"\nwidth = 17\nheight = 4\nbackground = "white"\noutput = "pair.png"\n'
                'paths = [{ path = "a.bmp", position = "left" }, { path = "b.bmp", position = "right" }]'
            ),
            files={"a.bmp": _PHOTO, "b.bmp": _PHOTO},
            outputs={"width": 17, "height": 4},
        ),
        Example(
            title="Multiply a photo by a texture",
            toml=(
                'operation = "blend"\npaths = ["photo.bmp", "paper.bmp"]\nblend_mode = "multiply"\n'
                'output = "aged.png"'
            ),
            files={"photo.bmp": _PHOTO, "paper.bmp": _bitmap(4, 4)},
            outputs={"width": 8, "height": 4},
        ),
        Example(
            title="How large is it?",
            toml='operation = "info"\npath = "photo.bmp"',
            files={"photo.bmp": _PHOTO},
            outputs={"width": 8, "height": 4, "format": "bmp"},
        ),
        Example(
            title="A text is no image",
            toml='operation = "info"\npath = "notes.png"',
            files={"notes.png": "buy milk"},
            error="IMAGE-001",
        ),
        Example(
            title="A file that was cut off leaves no result",
            toml='operation = "convert"\npath = "photo.bmp"\noutput = "photo.png"',
            files={"photo.bmp": _PHOTO[:-10]},
            error="IMAGE-002",
        ),
        Example(
            title="A part that is not there",
            toml='operation = "crop"\npath = "photo.bmp"\nwidth = 100\nheight = 2\noutput = "part.png"',
            files={"photo.bmp": _PHOTO},
            error="IMAGE-004",
        ),
        Example(
            title="The extension and the format disagree",
            toml='operation = "convert"\npath = "photo.bmp"\noutput = "photo.png"\nformat = "jpeg"',
            error="PARAM-007",
        ),
    )

    def __init__(self) -> None:
        """Declare the type."""
        self._studios: Studios | None = None
        self._lock = threading.Lock()

    def effect(self, parameters: ImageParameters) -> Effect:
        """Return `reads` for info, `writes` for all others."""
        return "reads" if parameters.operation == "info" else "writes"

    def outside(self, parameters: ImageParameters, context: NodeContext) -> Outside:
        """Return all images, marks and fonts that are used, and the files that are written."""
        return used_files(parameters, context)

    def may_repeat(self, parameters: ImageParameters) -> bool:
        """Return whether a second time gives what the first one gave: not where an image replaces itself."""
        return parameters.operation == "info" or not overwrites_itself(parameters)

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return what the operation lacks, would not use, or could not tell apart."""
        return found_wrong(parameters)

    def execute(self, parameters: ImageParameters, context: NodeContext) -> dict[str, Value]:
        """Do what `operation` says."""
        # Here, because a command that executes no image node needs none of it.
        from atomiton_runtime.nodes.image_work import worked

        context.cancel.raise_if_cancelled()
        return worked(parameters, context, self._own_studios().lent)

    def close(self) -> None:
        """End the processes that wait for images."""
        if self._studios is not None:
            self._studios.close()

    def _own_studios(self) -> "Studios":
        from atomiton_runtime.nodes.image_workers import Studios

        with self._lock:
            if self._studios is None:
                self._studios = Studios()
            return self._studios
