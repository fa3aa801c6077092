"""Has the images of one attempt worked on, and writes what becomes of them."""

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from atomiton_runtime.nodes.base import NodeContext, NodeError
from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.files import replacing
from atomiton_runtime.nodes.image_messages import Begin, Describe, Made, Picture, Work, about, refusal
from atomiton_runtime.nodes.image_parameters import LAYERED, ImageParameters, Layer
from atomiton_runtime.nodes.image_sources import Target, chosen, font_of, mark_of, targets
from atomiton_runtime.nodes.image_workers import Lend, Studio
from atomiton_runtime.nodes.listing import printable
from atomiton_runtime.values import Value


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one image."""

    path: Path
    made: Made


def worked(parameters: ImageParameters, context: NodeContext, lend: Lend) -> dict[str, Value]:
    """Return the outputs of one attempt; all that `operation` writes is written then.

    Raises:
        NodeError: something failed; the message names the image. Results of the images before it stay.
        NodeCancelledError: the attempt was told to stop, and nothing works for it any more.
    """
    images = chosen(parameters, context)
    goals = targets(parameters, images, context.folder)
    begin = Begin(
        parameters=msgspec.structs.replace(
            parameters, path=None, paths=None, output=None, mark=None, font=None
        ),
        above=_above(parameters, images.pictures, context.folder),
        font=font_of(parameters, context.folder),
    )
    done: list[Done] = []
    with lend(begin, context.cancel) as studio:
        for index, picture in enumerate(images.pictures if images.several else images.pictures[:1]):
            context.cancel.raise_if_cancelled()
            if goals:
                done.append(_made(studio, picture, goals[index], context))
            else:
                done.append(Done(path=picture.path, made=_asked(studio, Describe(picture=picture), context)))
    return _outputs(done, several=images.several)


def _outputs(done: Sequence[Done], *, several: bool) -> dict[str, Value]:
    each: list[dict[str, Value]] = [
        {
            "path": printable(str(one.path)),
            "width": one.made.width,
            "height": one.made.height,
            "format": one.made.format,
        }
        for one in done
    ]
    if not several:
        return each[0]
    return {port: [outputs[port] for outputs in each] for port in ("path", "width", "height", "format")}


def _above(parameters: ImageParameters, pictures: Sequence[Picture], folder: Path) -> Sequence[Picture]:
    """Return what lies over the first image, or over each one as its mark."""
    if mark := mark_of(parameters, folder):
        return [Picture(path=mark, origin="`mark`", placement=Layer(path="."))]
    return pictures[1:] if parameters.operation in LAYERED else ()


def _made(studio: Studio, picture: Picture, target: Target, context: NodeContext) -> Done:
    work = Work(picture=picture, format=target.format.name if target.format else None)
    made = _asked(studio, work, context)
    # The process may break in the middle of what it sends, too.
    try:
        _write(target.path, studio.data(), context.cancel.raise_if_cancelled)
    except NodeError as error:
        raise about(picture, error) from error
    return Done(path=target.path, made=made)


def _asked(studio: Studio, request: Describe | Work, context: NodeContext) -> Made:
    try:
        answer = studio.ask(request)
    except NodeError as error:
        raise about(request.picture, error) from error
    for text in answer.said:
        context.log(text)
    if answer.refused is not None:
        raise refusal(answer.refused)
    assert answer.made is not None
    return answer.made


def _write(path: Path, pieces: Iterable[bytes], pulse: Callable[[], None]) -> None:
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent)) from error
        with replacing(path, overwrite=True) as file:
            for piece in pieces:
                pulse()
                file.write(piece)
    except OSError as error:
        # Here, so that a refusal without a name is not taken for one about the source.
        raise explained(error, path) from error
