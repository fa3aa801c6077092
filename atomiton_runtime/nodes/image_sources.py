"""Finds out which images a node works on, and which files it will write."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from atomiton_runtime.nodes.base import NodeContext, NodeError, Outside
from atomiton_runtime.nodes.image_formats import FORMATS, Format, by_extension, format_problem, renamed
from atomiton_runtime.nodes.image_messages import Picture
from atomiton_runtime.nodes.image_parameters import LAYERED, PLACEMENT, ImageParameters, Layer
from atomiton_runtime.nodes.listing import printable
from atomiton_runtime.nodes.ordering import kind_of
from atomiton_runtime.nodes.parameters import shape_of
from atomiton_runtime.nodes.paths import resolved
from atomiton_runtime.nodes.type_check import misfits
from atomiton_runtime.values import Value, preview

_SHOWN_CHARS = 60


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The images of one node."""

    pictures: Sequence[Picture]
    several: bool
    """Whether each output is a list. False for operations that make one image of several."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be written."""

    path: Path
    format: Format | None
    """None: that of the source."""


def chosen(parameters: ImageParameters, context: NodeContext) -> Chosen:
    """Return the images that `path`, `paths` or else the input name.

    Raises:
        NodeError: the input names none (DATA-001), there are too few (IMAGE-007), or a path is none (FILE-007).
    """
    entries: list[tuple[str, str | Layer]] = []
    if parameters.path is not None:
        entries.append(("`path`", parameters.path))
    for index, entry in enumerate(parameters.paths or ()):
        entries.append((f"`paths[{index}]`", entry))
    several = parameters.paths is not None
    if parameters.path is None and parameters.paths is None:
        several = isinstance(context.input, list)
        entries = _of_input(context)
    pictures = [_picture(origin, entry, context) for origin, entry in entries]
    if parameters.operation in LAYERED:
        _require_layers(parameters.operation, pictures)
        several = False
    else:
        _refuse_placement(parameters.operation, pictures)
    return Chosen(pictures=pictures, several=several)


def targets(parameters: ImageParameters, images: Chosen, folder: Path) -> Sequence[Target]:
    """Return the file that each result goes to: one for each image, one for all layers together, or none for info.

    Raises:
        NodeError: two would go to the same file (IMAGE-006), `output` cannot be a path (FILE-007), or says no
            format that can be written (PARAM-007).
    """
    if parameters.operation == "info":
        return ()
    output = parameters.output or ""
    wanted = FORMATS[parameters.format] if parameters.format else None
    path = resolved(output, folder, "output")
    if not (images.several or names_folder(output)):
        if problem := format_problem(output, wanted, quality=parameters.quality is not None):
            raise NodeError("PARAM-007", problem[1], hint=problem[2])
        return (Target(path=path, format=wanted or by_extension(output)),)
    sources = images.pictures if images.several else images.pictures[:1]
    named = [path / (renamed(source.path.name, wanted) if wanted else source.path.name) for source in sources]
    _refuse_twice(named, sources)
    return [Target(path=each, format=wanted) for each in named]


def mark_of(parameters: ImageParameters, folder: Path) -> Path | None:
    """Return the file of the image that marks the others, if there is one."""
    return None if parameters.mark is None else resolved(parameters.mark, folder, "mark")


def font_of(parameters: ImageParameters, folder: Path) -> Path | None:
    """Return the file of the font, or a bare name that the system has to find; None: the built-in one."""
    given = parameters.font
    if given is None:
        return None
    beside = resolved(given, folder, "font")
    return Path(given) if not beside.exists() and Path(given).name == given else beside


def used_files(parameters: ImageParameters, context: NodeContext) -> Outside:
    """Return all files that are read and written.

    Raises:
        NodeError: as `chosen` and `targets` do.
    """
    images = chosen(parameters, context)
    goals = targets(parameters, images, context.folder)
    beside = (mark_of(parameters, context.folder), font_of(parameters, context.folder))
    files = [path for path in beside if path is not None and path.is_absolute()]
    return Outside(
        reads=(*(picture.path for picture in images.pictures), *files),
        leaves=tuple(goal.path for goal in goals),
        does=_doing(parameters.output or "", len(goals), several=images.several),
    )


def _doing(output: str, count: int, *, several: bool) -> str:
    if count == 0:
        return ""
    if not (several or names_folder(output)):
        return preview(f"writes {output}")
    return preview(f"writes {'an image' if count == 1 else f'{count} images'} to {output}")


def names_folder(output: str) -> bool:
    """Return whether a path says by its last character that it is a folder."""
    return output.endswith(("/", os.sep))


def _of_input(context: NodeContext) -> list[tuple[str, str | Layer]]:
    value = context.input
    if isinstance(value, list):
        return [
            (f"item {index} of the input", _entry(f"item {index} of the input", each))
            for index, each in enumerate(value)
        ]
    if value is None:
        hint = 'path = "photo.jpg" says it, or `input` where another node does'
        raise NodeError("DATA-001", "there is no image: no `path`, no `paths` and no input", hint=hint)
    return [("the input", _entry("the input", value))]


def _entry(origin: str, value: Value) -> str | Layer:
    hint = 'name the image with path = "..."; an entry of a list may be a path, or an object with `path`'
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        message = f"{origin} must be a path or an object with `path`, not {kind_of(value)}"
        raise NodeError("DATA-001", f"{message}: {preview(value, _SHOWN_CHARS)}", hint=hint)
    if found := misfits(shape_of(Layer), value):
        raise NodeError("DATA-001", f"{origin} does not name an image: {found[0].message}", hint=hint)
    return msgspec.convert(value, Layer)


def _picture(origin: str, entry: str | Layer, context: NodeContext) -> Picture:
    layer = Layer(path=entry) if isinstance(entry, str) else entry
    path = resolved(layer.path, context.folder, origin.strip("`"))
    said = {name: getattr(layer, name) for name in PLACEMENT}
    return Picture(path=path, origin=origin, placement=Layer(path=".", **said))


def _require_layers(operation: str, pictures: Sequence[Picture]) -> None:
    least = 1 if operation == "composite" else 2
    if len(pictures) < least:
        words = "at least one image" if least == 1 else "a base and at least one layer"
        message = f"`{operation}` needs {words}, but there is {'one' if pictures else 'none'}"
        raise NodeError("IMAGE-007", message, hint='paths = ["base.png", "layer.png"]')


def _refuse_placement(operation: str, pictures: Sequence[Picture]) -> None:
    for picture in pictures:
        for name in PLACEMENT:
            if getattr(picture.placement, name) is not None:
                message = f"{picture.origin} has `{name}`, which `{operation}` does not use for single images"
                raise NodeError("DATA-001", message, hint=f"`{name}` of an entry is for {', '.join(LAYERED)}")


def _refuse_twice(named: Sequence[Path], sources: Sequence[Picture]) -> None:
    # On many systems a.PNG and a.png are one file.
    first: dict[str, int] = {}
    for index, path in enumerate(named):
        before = first.setdefault(str(path).casefold(), index)
        if before != index:
            message = (
                f"{sources[before].origin} ({printable(str(sources[before].path))}) and "
                f"{sources[index].origin} ({printable(str(sources[index].path))}) would both be written to "
                f"{printable(str(path))}"
            )
            raise NodeError("IMAGE-006", message, hint="a `loop` can give each file a name of its own")
