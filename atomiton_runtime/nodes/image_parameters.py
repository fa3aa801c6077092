"""Declares what the node type `image` takes."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from atomiton_runtime.nodes.image_formats import FormatName
from atomiton_runtime.nodes.image_layout import Fit, Position

Operation = Literal[
    "resize",
    "crop",
    "rotate",
    "convert",
    "overlay",
    "composite",
    "blend",
    "watermark",
    "thumbnail",
    "info",
]
BlendMode = Literal[
    "normal",
    "multiply",
    "screen",
    "overlay",
    "darken",
    "lighten",
    "color-dodge",
    "color-burn",
    "hard-light",
    "soft-light",
    "difference",
    "exclusion",
    "add",
    "subtract",
]

_Side: TypeAlias = Annotated[int, Meta(ge=1, le=65_535)]
_Shift: TypeAlias = Annotated[int, Meta(ge=-65_535, le=65_535)]
_Text: TypeAlias = Annotated[str, Meta(min_length=1)]
_Opacity: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image with a place of its own; also an entry of `file-system`'s list."""

    path: _Text
    position: Position | None = None
    x: _Shift | None = None
    y: _Shift | None = None
    width: _Side | None = None
    height: _Side | None = None
    opacity: _Opacity | None = None
    blend_mode: BlendMode | None = None
    name: str | None = None
    """This and the following are what `file-system` says of a file besides; they are not used."""
    type: str | None = None
    size_bytes: int | None = None
    modified_at: str | None = None


LAYERED = ("overlay", "composite", "blend")
"""The operations that make one image of several; all others work on each image alone."""

PLACEMENT = ("position", "x", "y", "width", "height", "opacity", "blend_mode")
"""What a layer may say for itself instead of the node for all."""


class ImageParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `image` takes."""

    operation: Annotated[
        Operation,
        Meta(
            description=(
                "`resize` to `width` and/or `height`; `crop` a part; `rotate` by `angle` and/or `flip`; `convert` "
                "to another format; `overlay` images over a base at a place; `composite` images onto an empty "
                "canvas; `blend` images of one size into each other; `watermark` with `text` or an image `mark`; "
                "`thumbnail`: a resize that never enlarges; `info` says width, height and format, and writes "
                "nothing."
            )
        ),
    ]
    path: Annotated[
        _Text | None,
        Meta(
            description=(
                "The image. overlay, composite, blend: the base, with the layers in `paths`. Without `path` and "
                "`paths`, the input says it: a path, an object with `path`, or a list of these, which counts as "
                "`paths`."
            )
        ),
    ] = None
    paths: Annotated[
        list[_Text | Layer] | None,
        Meta(
            description=(
                "Several images, each worked on alone: every output is then a list in this order, and `output` is "
                "a folder. overlay, composite, blend: the layers from the bottom up, the first being the base "
                "unless `path` is; there an entry may also be a table `{ path, position, x, y, width, height, "
                "opacity, blend_mode }` that says for this layer what the parameters of these names say for all. "
                "Entries of `file-system`'s list will do as well."
            )
        ),
    ] = None
    output: Annotated[
        _Text | None,
        Meta(
            description=(
                "Where the result is written; needed by all but `info`. With a `/` at its end, and always with "
                "`paths` of several single images, the folder it goes into under the image's own name, with the "
                "extension of `format`. Folders on the way are created, a file that is there is replaced, also "
                "the image itself."
            )
        ),
    ] = None
    width: Annotated[
        _Side | None,
        Meta(
            description=(
                "Pixels. resize, thumbnail: what to fit into; without `height`, that follows from the ratio. crop: "
                "of the part, else as far as the image goes. composite: of the canvas, else the first image's. "
                "overlay, watermark: what each layer or mark is fitted into."
            )
        ),
    ] = None
    height: Annotated[_Side | None, Meta(description="Pixels, as `width`.")] = None
    fit: Annotated[
        Fit | None,
        Meta(
            description=(
                "How an image meets a width and a height that differ from its ratio: `cover` fills them and cuts "
                "off what is over, `contain` leaves a border of `background`, `fill` stretches, `inside` is at "
                "most and `outside` at least as large, in the image's ratio. Default: `cover` for resize, "
                "`inside` for thumbnail, `fill` for blend; composite leaves images as large as they are."
            )
        ),
    ] = None
    position: Annotated[
        Position | None,
        Meta(
            description=(
                "Which part `cover` and crop keep, and where what is smaller is placed. Default: `center`; for "
                "watermark `bottom-right`; with `x` or `y`, `top-left`."
            )
        ),
    ] = None
    x: Annotated[
        _Shift | None, Meta(description="crop, overlay, composite: pixels to the right of `position`.")
    ] = None
    y: Annotated[_Shift | None, Meta(description="crop, overlay, composite: pixels below `position`.")] = None
    margin: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)] | None,
        Meta(
            description=(
                "overlay, watermark: pixels to keep from the edges. Default: 0; for watermark a thirtieth of the "
                "image's shorter side."
            )
        ),
    ] = None
    angle: Annotated[
        Annotated[float, Meta(ge=-360_000, le=360_000)] | None,
        Meta(
            description=(
                "rotate: degrees clockwise. The image grows so that nothing is cut off, and `background` fills "
                "the corners; multiples of 90 change no pixel."
            )
        ),
    ] = None
    flip: Annotated[
        Literal["horizontal", "vertical"] | None,
        Meta(description="rotate: mirror left and right, or top and bottom, before turning."),
    ] = None
    text: Annotated[
        _Text | None,
        Meta(description="watermark: the words; as large as fits `width` and `height`."),
    ] = None
    mark: Annotated[
        _Text | None,
        Meta(description="watermark: the path of the image that marks; never enlarged unless `width` says."),
    ] = None
    font: Annotated[
        _Text | None,
        Meta(
            description=(
                "watermark: the path of a TrueType or OpenType font, or the file name of an installed one, such as "
                "`DejaVuSans.ttf`. Default: a built-in one, which has no more than the letters of English."
            )
        ),
    ] = None
    color: Annotated[
        str | None,
        Meta(description='watermark: of the text, such as "#ff8000" or "navy". Default: white.'),
    ] = None
    background: Annotated[
        str | None,
        Meta(
            description=(
                "The colour of borders, corners and canvas, and of what was transparent where the format knows no "
                'transparency, such as "#ffffff", "#00000080", "black" or "transparent". Default: transparent, '
                "or white in such a format. Given to `convert`, it fills what is transparent in any format."
            )
        ),
    ] = None
    opacity: Annotated[
        _Opacity | None,
        Meta(
            description=(
                "overlay, composite, blend, watermark: from 0 (invisible) to 1. Default: 1; watermark: 0.6."
            )
        ),
    ] = None
    blend_mode: Annotated[
        BlendMode | None,
        Meta(
            description=(
                "overlay, composite, blend, watermark: how colours mix where both images are, as in CSS "
                "(Compositing and Blending Level 1); `add` and `subtract` stop at white and black. "
                "Default: `normal`."
            )
        ),
    ] = None
    format: Annotated[
        FormatName | None,
        Meta(
            description="Of the result. Default: as the extension of `output` says; in a folder, as before."
        ),
    ] = None
    quality: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        Meta(
            description=(
                "jpeg, webp, avif: from 1 (small) to 100 (good). Default: 85, 80, 75. Where a folder's files keep "
                "their formats, it is for those that know it."
            )
        ),
    ] = None
    blur: Annotated[
        Annotated[float, Meta(gt=0, le=1000)] | None,
        Meta(
            description=(
                "The radius of a Gaussian blur in pixels. It, `sharpen` and `grayscale` are done last, to the "
                "finished image."
            )
        ),
    ] = None
    sharpen: Annotated[
        Annotated[float, Meta(gt=0, le=10)] | None,
        Meta(description="The strength of sharpening: 0.5 is mild, 1 clear, 3 strong."),
    ] = None
    grayscale: Annotated[bool, Meta(description="Whether all colour is taken out.")] = False
