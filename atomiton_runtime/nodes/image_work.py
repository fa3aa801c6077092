"""Opens, works on and writes the images of one attempt."""

import errno
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from PIL import Image

from atomiton_runtime.nodes.base import NodeContext, NodeError
from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.files import replacing
from atomiton_runtime.nodes.image_colors import WHITE, Color, mixed, read_color
from atomiton_runtime.nodes.image_files import Frame, OpenImage, opened, require_affordable
from atomiton_runtime.nodes.image_formats import Format
from atomiton_runtime.nodes.image_layout import Size
from atomiton_runtime.nodes.image_operations import (
    LayerImage,
    Subject,
    finished_image,
    size_plan,
)
from atomiton_runtime.nodes.image_parameters import ImageParameters, Layer
from atomiton_runtime.nodes.image_pixels import Pixels, plain_pixels, turned_upright
from atomiton_runtime.nodes.image_saving import Finished, encoded, saveable
from atomiton_runtime.nodes.image_sources import LAYERED, Picture, Target, chosen, targets
from atomiton_runtime.nodes.listing import printable
from atomiton_runtime.nodes.paths import resolved
from atomiton_runtime.values import Value

_DRAFT_FACTOR = 2
"""A JPEG is decoded at least this many times larger than what it is to become, so that nothing is lost."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one image."""

    path: Path
    size: Size
    format: str


def worked(parameters: ImageParameters, context: NodeContext) -> dict[str, Value]:
    """Return the outputs of one attempt; all that `operation` writes is written then.

    Raises:
        NodeError: something failed; the message names the image. Results of the images before it stay.
        NodeCancelledError: the attempt was told to stop.
    """
    images = chosen(parameters, context)
    if parameters.operation == "info":
        described = [_named(each, lambda each=each: _described(each)) for each in images.pictures]
        return _outputs(described, several=images.several)
    goals = targets(parameters, images, context.folder)
    above = _layers(parameters, images.pictures, context)
    done: list[Done] = []
    for picture, target in zip(images.pictures, goals, strict=False):
        context.cancel.raise_if_cancelled()
        done.append(
            _named(
                picture,
                lambda picture=picture, target=target: _made(parameters, picture, target, above, context),
            )
        )
    return _outputs(done, several=images.several)


def _outputs(done: Sequence[Done], *, several: bool) -> dict[str, Value]:
    each: list[dict[str, Value]] = [
        {
            "path": printable(str(one.path)),
            "width": one.size[0],
            "height": one.size[1],
            "format": one.format,
        }
        for one in done
    ]
    if not several:
        return each[0]
    return {port: [outputs[port] for outputs in each] for port in ("path", "width", "height", "format")}


def _named(picture: Picture, act: Callable[[], Done]) -> Done:
    """Return what `act` returns; an error says which of several images it is about."""
    try:
        return act()
    except OSError as error:
        raise _about(picture, explained(error, picture.path)) from error
    except NodeError as error:
        raise _about(picture, error) from error
    except MemoryError as error:
        message = f"{printable(str(picture.path))} needs more memory than there is"
        raise _about(picture, NodeError("IMAGE-003", message)) from error


def _about(picture: Picture, error: NodeError) -> NodeError:
    path = printable(str(picture.path))
    where = picture.origin if path in error.message else f"{picture.origin}, {path}"
    return NodeError(error.code, f"{where}: {error.message}", hint=error.hint)


def _described(picture: Picture) -> Done:
    with opened(picture.path) as image:
        return Done(path=picture.path, size=image.size(), format=image.format.name)


def _layers(
    parameters: ImageParameters, pictures: Sequence[Picture], context: NodeContext
) -> Sequence[LayerImage]:
    """Return what lies over the first image, or over each one as its mark."""
    if parameters.mark is not None:
        path = resolved(parameters.mark, context.folder, "mark")
        above: Sequence[Picture] = [
            Picture(path=path, origin="`mark`", placement=Layer(path=parameters.mark))
        ]
    else:
        above = pictures[1:] if parameters.operation in LAYERED else ()
    found: list[LayerImage] = []
    pixels = 0
    for picture in above:
        context.cancel.raise_if_cancelled()
        try:
            with opened(picture.path) as image:
                pixels += image.size()[0] * image.size()[1]
                require_affordable((pixels, 1), "all layers together")
                frame = next(image.frames(context.cancel, all_of_them=False))
                mode = _pixels(frame, image, context, keep_profile=False).image.convert("RGBA")
        except OSError as error:
            raise _about(picture, explained(error, picture.path)) from error
        except NodeError as error:
            raise _about(picture, error) from error
        found.append(LayerImage(image=mode, placement=picture.placement))
    return found


def _made(
    parameters: ImageParameters,
    picture: Picture,
    target: Target,
    above: Sequence[LayerImage],
    context: NodeContext,
) -> Done:
    with opened(picture.path) as source:
        format = target.format or source.format
        finished = _finished(parameters, picture, source, format, above, context)
    data = encoded(finished, format)
    context.cancel.raise_if_cancelled()
    _written(target.path, data)
    return Done(path=target.path, size=finished.images[0].size, format=format.name)


def _finished(
    parameters: ImageParameters,
    picture: Picture,
    source: OpenImage,
    format: Format,
    above: Sequence[LayerImage],
    context: NodeContext,
) -> Finished:
    size = source.size()
    if parameters.operation in ("resize", "thumbnail"):
        _decode_smaller(parameters, source, size)
    all_of_them = source.frame_count > 1 and format.sequence == source.format.sequence is not None
    if source.frame_count > 1 and not all_of_them:
        what = source.format.sequence
        context.log(f"{printable(str(source.path))} has {source.frame_count} {what}; the first is used")
    mixes = parameters.operation in LAYERED or parameters.operation == "watermark" or parameters.grayscale
    background = _background(parameters.background, format)
    of_frames = source.format.sequence == "frames"
    images: list[Image.Image] = []
    durations_ms: list[float] = []
    profile, pixels = None, 0
    for frame in source.frames(context.cancel, all_of_them=all_of_them):
        plain = _pixels(frame, source, context, keep_profile=format.keeps_profile and not mixes)
        subject = Subject(
            image=plain.image,
            # Pages differ in size; only a JPEG may have been decoded smaller than it is.
            size=size if source.format.name == "jpeg" else plain.image.size,
            layers=above,
            base=picture.placement,
            background=background,
            font=_font(parameters.font, context.folder),
        )
        result = finished_image(parameters, subject)
        pixels += result.width * result.height
        # Frames are all of one size, so that the first tells of all; pages are not.
        to_come = source.frame_count - len(images) - 1 if all_of_them and of_frames else 0
        whole = pixels + result.width * result.height * to_come
        require_affordable((whole, 1), f"the result with its {source.frame_count} frames")
        images.append(saveable(result, format, background or WHITE))
        durations_ms.append(frame.duration_ms)
        profile = plain.profile
    return Finished(
        images=images,
        durations_ms=durations_ms,
        plays=source.plays,
        profile=profile,
        dpi=source.dpi,
        quality=parameters.quality,
    )


def _pixels(frame: Frame, source: OpenImage, context: NodeContext, *, keep_profile: bool) -> Pixels:
    def say(text: str) -> None:
        context.log(f"{printable(str(source.path))}: {text}")

    plain = plain_pixels(frame.image, source.profile, keep_profile=keep_profile, say=say)
    return Pixels(image=turned_upright(plain.image, frame.orientation), profile=plain.profile)


def _background(given: str | None, format: Format) -> Color | None:
    color = None if given is None else read_color(given)
    # Where nothing can be transparent, what is half so lies on white once, and not again with each use.
    return color if color is None or format.has_alpha else mixed(color, WHITE)


def _font(given: str | None, folder: Path) -> str | None:
    if given is None:
        return None
    beside = resolved(given, folder, "font")
    # A bare name that is no file here is left to the system to find.
    return given if not beside.exists() and Path(given).name == given else str(beside)


def _decode_smaller(parameters: ImageParameters, source: OpenImage, size: Size) -> None:
    plan = size_plan(parameters, size)
    left, top, right, bottom = plan.box
    across, down = plan.scaled[0] / (right - left), plan.scaled[1] / (bottom - top)
    wanted = (
        math.ceil(size[0] * min(across, 1) * _DRAFT_FACTOR),
        math.ceil(size[1] * min(down, 1) * _DRAFT_FACTOR),
    )
    source.decode_smaller(wanted)


def _written(path: Path, data: bytes) -> None:
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent)) from error
        with replacing(path, overwrite=True) as file:
            file.write(data)
    except OSError as error:
        # Here, so that a refusal without a name is not taken for one about the source.
        raise explained(error, path) from error
