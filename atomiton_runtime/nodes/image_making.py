"""Answers what is asked about images, in the process where that is done: each image decoded, worked on and encoded."""

import math
from collections.abc import Callable, Sequence

from PIL import Image

from atomiton_runtime.nodes.base import NodeError
from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.image_colors import WHITE, Color, mixed, read_color
from atomiton_runtime.nodes.image_files import Frame, OpenImage, opened, require_affordable
from atomiton_runtime.nodes.image_formats import FORMATS, Format
from atomiton_runtime.nodes.image_layout import Size
from atomiton_runtime.nodes.image_messages import (
    Answer,
    Begin,
    Describe,
    Finish,
    Made,
    Picture,
    Refusal,
    Request,
    Work,
    about,
)
from atomiton_runtime.nodes.image_operations import LayerImage, Subject, finished_image, size_plan
from atomiton_runtime.nodes.image_parameters import LAYERED, ImageParameters
from atomiton_runtime.nodes.image_pixels import Pixels, plain_pixels, turned_upright
from atomiton_runtime.nodes.image_saving import Finished, encoded, saveable
from atomiton_runtime.nodes.listing import printable

_DRAFT_FACTOR = 2
"""A JPEG is decoded at least this many times larger than what it is to become, so that nothing is lost."""


class Maker:
    """Answers requests, one after the other."""

    def __init__(self) -> None:
        self._begun: Begin | None = None
        self._above: Sequence[LayerImage] = ()
        self._said: list[str] = []

    def answer(self, request: Request) -> tuple[Answer, bytes]:
        """Return the answer and, where an image was made, the content of its file."""
        self._said = []
        try:
            made, data = self._done(request)
        except NodeError as error:
            # File names and what decoders say may hold halves of characters, which no JSON can keep.
            message = error.message.encode("utf-8", "replace").decode()
            refused = Refusal(code=error.code, message=message, hint=error.hint)
            return Answer(refused=refused, said=self._said), b""
        return Answer(made=made, said=self._said, size_bytes=len(data)), data

    def _done(self, request: Request) -> tuple[Made | None, bytes]:
        match request:
            case Begin():
                self._begun, self._above = request, ()
                self._above = self._layers(request)
            case Describe(picture=picture):
                return _named(picture, lambda: (_described(picture), b""))
            case Work(picture=picture):
                return _named(picture, lambda: self._made(request))
            case Finish():
                self._begun, self._above = None, ()
        return None, b""

    def _layers(self, begin: Begin) -> Sequence[LayerImage]:
        """Return what lies over the first image, or over each one as its mark."""
        found: list[LayerImage] = []
        pixels = 0
        for picture in begin.above:
            try:
                with opened(picture.path) as image:
                    pixels += image.size()[0] * image.size()[1]
                    require_affordable((pixels, 1), "all layers together")
                    frame = next(image.frames(all_of_them=False))
                    plain = self._pixels(frame, image, keep_profile=False).image.convert("RGBA")
            except OSError as error:
                raise about(picture, explained(error, picture.path)) from error
            except NodeError as error:
                raise about(picture, error) from error
            found.append(LayerImage(image=plain, placement=picture.placement))
        return found

    def _made(self, work: Work) -> tuple[Made, bytes]:
        with opened(work.picture.path) as source:
            format = FORMATS[work.format] if work.format else source.format
            finished = self._finished(work.picture, source, format)
        data = encoded(finished, format)
        width, height = finished.images[0].size
        return Made(width=width, height=height, format=format.name), data

    def _finished(self, picture: Picture, source: OpenImage, format: Format) -> Finished:
        assert self._begun is not None
        parameters, font = self._begun.parameters, self._begun.font
        size = source.size()
        if parameters.operation in ("resize", "thumbnail"):
            _decode_smaller(parameters, source, size)
        all_of_them = self._keeps_frames(source, format)
        mixes = parameters.operation in LAYERED or parameters.operation == "watermark" or parameters.grayscale
        background = _background(parameters.background, format)
        of_frames = source.format.sequence == "frames"
        images: list[Image.Image] = []
        durations_ms: list[float] = []
        profile, pixels = None, 0
        for frame in source.frames(all_of_them=all_of_them):
            plain = self._pixels(frame, source, keep_profile=format.keeps_profile and not mixes)
            subject = Subject(
                image=plain.image,
                # Pages differ in size; only a JPEG may have been decoded smaller than it is.
                size=size if source.format.name == "jpeg" else plain.image.size,
                layers=self._above,
                base=picture.placement,
                background=background,
                font=None if font is None else str(font),
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

    def _keeps_frames(self, source: OpenImage, format: Format) -> bool:
        """Return whether all frames, or pages, are kept; say it where only the first one is."""
        several = source.frame_count > 1
        kept = several and format.sequence == source.format.sequence is not None
        if several and not kept:
            what = source.format.sequence
            self._said.append(
                f"{printable(str(source.path))} has {source.frame_count} {what}; the first is used"
            )
        return kept

    def _pixels(self, frame: Frame, source: OpenImage, *, keep_profile: bool) -> Pixels:
        def say(text: str) -> None:
            self._said.append(f"{printable(str(source.path))}: {text}")

        plain = plain_pixels(frame.image, source.profile, keep_profile=keep_profile, say=say)
        return Pixels(image=turned_upright(plain.image, frame.orientation), profile=plain.profile)


def _named(picture: Picture, act: Callable[[], tuple[Made, bytes]]) -> tuple[Made, bytes]:
    """Return what `act` returns; an error says which of several images it is about."""
    try:
        return act()
    except OSError as error:
        raise about(picture, explained(error, picture.path)) from error
    except NodeError as error:
        raise about(picture, error) from error
    except MemoryError as error:
        message = f"{printable(str(picture.path))} needs more memory than there is"
        raise about(picture, NodeError("IMAGE-003", message)) from error


def _described(picture: Picture) -> Made:
    with opened(picture.path) as image:
        width, height = image.size()
        return Made(width=width, height=height, format=image.format.name)


def _background(given: str | None, format: Format) -> Color | None:
    color = None if given is None else read_color(given)
    # Where nothing can be transparent, what is half so lies on white once, and not again with each use.
    return color if color is None or format.has_alpha else mixed(color, WHITE)


def _decode_smaller(parameters: ImageParameters, source: OpenImage, size: Size) -> None:
    plan = size_plan(parameters, size)
    left, top, right, bottom = plan.box
    across, down = plan.scaled[0] / (right - left), plan.scaled[1] / (bottom - top)
    wanted = (
        math.ceil(size[0] * min(across, 1) * _DRAFT_FACTOR),
        math.ceil(size[1] * min(down, 1) * _DRAFT_FACTOR),
    )
    source.decode_smaller(wanted)
