"""Says which parameters of the node type `image` do not fit together."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.nodes.image_colors import HOW_TO_WRITE, read_color
from atomiton_runtime.nodes.image_formats import FORMATS, format_problem, quality_problem, renamed
from atomiton_runtime.nodes.image_parameters import LAYERED, PLACEMENT, ImageParameters
from atomiton_runtime.nodes.image_sources import names_folder
from atomiton_runtime.nodes.scalars import known_later
from atomiton_runtime.nodes.together import Taken, unfit

_SAVED = ("format", "quality", "background", "blur", "sharpen", "grayscale")
_SIZED = ("width", "height", "fit", "position")
_LAID = ("opacity", "blend_mode")

_TAKES: Mapping[str, Taken] = {
    "resize": Taken(needed=("output",), optional=(*_SIZED, *_SAVED)),
    "thumbnail": Taken(needed=("output",), optional=(*_SIZED, *_SAVED)),
    "crop": Taken(needed=("output",), optional=("width", "height", "position", "x", "y", *_SAVED)),
    "rotate": Taken(needed=("output",), optional=("angle", "flip", *_SAVED)),
    "convert": Taken(needed=("output",), optional=_SAVED),
    "overlay": Taken(needed=("output",), optional=(*_SIZED, "x", "y", "margin", *_LAID, *_SAVED)),
    "composite": Taken(needed=("output",), optional=(*_SIZED, "x", "y", *_LAID, *_SAVED)),
    "blend": Taken(needed=("output",), optional=("fit", "position", *_LAID, *_SAVED)),
    "watermark": Taken(
        needed=("output",),
        optional=("text", "mark", "font", "color", "width", "height", "position", "margin", *_LAID, *_SAVED),
    ),
    "info": Taken(),
}

_NEEDS_ONE: Mapping[str, tuple[str, ...]] = {
    "resize": ("width", "height"),
    "thumbnail": ("width", "height"),
    "crop": ("width", "height", "x", "y"),
    "rotate": ("angle", "flip"),
    "blend": ("blend_mode", "opacity"),
    "watermark": ("text", "mark"),
}
"""Operation -> parameters of which it needs one or more."""


def found_wrong(parameters: Mapping[str, Any]) -> Sequence[Complaint]:
    """Return what the operation lacks, would not use, or could not tell apart; see `NodeType.complaints`."""
    given = {name: value for name, value in parameters.items() if value is not None}
    operation = given.get("operation")
    found = [*unfit(parameters, _TAKES), *_colors(given)]
    if isinstance(operation, str) and not known_later(operation):
        found += [*_lacking(operation, given), *_sources(operation, given), *_output(operation, given)]
    return found


def _colors(given: Mapping[str, Any]) -> Iterator[Complaint]:
    for name in ("color", "background"):
        text = given.get(name)
        if isinstance(text, str) and read_color(text) is None:
            yield Complaint(
                code="PARAM-004",
                message=f'`{name}`: there is no colour "{text}"',
                path=(name,),
                hint=f"write {HOW_TO_WRITE}",
            )


def _lacking(operation: str, given: Mapping[str, Any]) -> Iterator[Complaint]:
    names = _NEEDS_ONE.get(operation, ())
    if names and not any(name in given for name in names):
        words = " or ".join(f"`{name}`" for name in names)
        yield Complaint(code="PARAM-007", message=f"`{operation}` needs {words}")
    if operation != "watermark":
        return
    if "text" in given and "mark" in given:
        message = "`watermark` takes `text` or `mark`, not both"
        yield Complaint(code="PARAM-007", message=message, path=("mark",))
    for name in ("font", "color"):
        if name in given and "text" not in given:
            message = f"`{name}` is for `text`, and there is none"
            yield Complaint(code="PARAM-007", message=message, path=(name,))


def _sources(operation: str, given: Mapping[str, Any]) -> Iterator[Complaint]:
    if operation in LAYERED:
        if "path" in given and "paths" not in given and operation != "composite":
            message = f"`{operation}` needs `paths`: the layers over `path`"
            yield Complaint(code="PARAM-007", message=message)
        return
    if "path" in given and "paths" in given:
        message = f"`{operation}` takes `path` or `paths`, not both"
        yield Complaint(code="PARAM-007", message=message, path=("paths",))
    for index, entry in enumerate(_listed(given.get("paths"))):
        if not isinstance(entry, Mapping):
            continue
        for name in PLACEMENT:
            if cast("Mapping[str, object]", entry).get(name) is not None:
                yield Complaint(
                    code="PARAM-007",
                    message=f"`{operation}` does not use `{name}` of `paths[{index}]`",
                    path=("paths", index, name),
                    hint=f"entries say it for {', '.join(LAYERED)}",
                )


def _output(operation: str, given: Mapping[str, Any]) -> Iterator[Complaint]:
    output, name = given.get("output"), given.get("format")
    if operation == "info" or known_later(output) or known_later(name) or not isinstance(output, str):
        return
    wanted = FORMATS.get(name) if isinstance(name, str) else None
    is_file = not names_folder(output) and (operation in LAYERED or "path" in given)
    # With several images `output` is a folder, whose name is no matter; whether the input is several is known later.
    problem = None
    if is_file:
        problem = format_problem(output, wanted, quality="quality" in given)
    elif wanted and "quality" in given:
        problem = quality_problem(wanted)
    if problem:
        parameter, message, hint = problem
        yield Complaint(code="PARAM-007", message=message, path=(parameter,), hint=hint)


def _listed(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else ()


def overwrites_itself(parameters: ImageParameters) -> bool:
    """Return whether an image may be replaced by its own result; also when that cannot be told."""
    output = parameters.output
    if output is None:
        return False
    if parameters.path is None and parameters.paths is None:
        return True
    paths = [entry if isinstance(entry, str) else entry.path for entry in parameters.paths or ()]
    into_folder = names_folder(output) or (parameters.operation not in LAYERED and bool(paths))
    wanted = FORMATS[parameters.format] if parameters.format else None

    def written(source: str) -> str:
        name = os.path.basename(source)  # noqa: PTH119  # a text, not yet a path
        return f"{output}/{renamed(name, wanted) if wanted else name}" if into_folder else output

    texts = [text for text in (parameters.path, *paths) if text is not None]
    marks = [parameters.mark] if parameters.mark is not None else []
    return any(_may_be_one(written(source), other) for source in texts for other in (*texts, *marks))


def _may_be_one(one: str, other: str) -> bool:
    first, second = (os.path.normpath(text).casefold() for text in (one, other))
    if os.path.isabs(first) == os.path.isabs(second) and "~" not in (first[0], second[0]):  # noqa: PTH117  # as above
        return first == second
    # One from the flow's folder and one from the root can still be the same file.
    return os.path.basename(first) == os.path.basename(second)  # noqa: PTH119  # as above
