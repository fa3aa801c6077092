"""Lists the node types of the original: which of ours each is, and what its parameters are called here."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from atomiton_runtime.importing.pieces import Untranslatable
from atomiton_runtime.importing.yaml_file import Data

Convert = Callable[[Data], Data]
"""Returns our value, or None where it says nothing; raises Untranslatable."""


ALTERNATIVES = re.compile(r"\*\.\{(\w+(?:,\w+)+)\}", re.ASCII)
"""A pattern of several endings, such as `*.{jpg,png}`."""


class Parameter(NamedTuple):
    """A parameter of the original."""

    name: str
    """Of ours."""
    convert: Convert


class OurType(NamedTuple):
    """What a type of the original becomes."""

    name: str
    parameters: Mapping[str, Parameter]
    defaults: Mapping[str, Data] = {}
    """What the original does where nothing is said, as keys of ours, where ours does something else."""


def _same(value: Data) -> Data:
    return value


def _milliseconds(value: Data) -> Data:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise Untranslatable("it is no number of milliseconds")
    return f"{value:g}ms" if value < 100_000 else f"{value / 1000:g}s"


def _kept(*words: str) -> dict[str, Data]:
    return {word: word for word in words}


def _choice(choices: Mapping[str, Data]) -> Convert:
    def convert(value: Data) -> Data:
        if not isinstance(value, str) or value not in choices:
            raise Untranslatable("it has no equal")
        return choices[value]

    return convert


def _without_effect(*values: Data) -> Convert:
    """Return what accepts only values that say what ours does anyway."""

    def convert(value: Data) -> Data:
        if value not in values:
            raise Untranslatable("ours has nothing like it")
        return None

    return convert


def _pattern(value: Data) -> Data:
    if isinstance(value, str) and ALTERNATIVES.fullmatch(value):
        return None
    if not isinstance(value, str) or "{" in value:
        raise Untranslatable("our patterns have `*`, `?` and `[abc]` only")
    return value


def _regular_expression(value: Data) -> Data:
    found = re.fullmatch(r"(?:\.\*)?\\\.(\w+)\$", value) if isinstance(value, str) else None
    if found is None:
        raise Untranslatable("ours has patterns with `*`, not regular expressions")
    return f"*.{found[1]}"


def _aspect(value: Data) -> Data:
    return "inside" if value is True else "fill"


def _sharpen(value: Data) -> Data:
    return 1.0 if value is True else None


def _table(*entries: tuple[str, str] | tuple[str, str, Convert]) -> dict[str, Parameter]:
    return {entry[0]: Parameter(entry[1], entry[2] if len(entry) == 3 else _same) for entry in entries}


_ENCODINGS = _choice(
    {"utf8": "utf-8", "utf-8": "utf-8", "ascii": "ascii", "binary": "binary", "latin1": "latin-1"}
)
_COMMON = _table(("timeout", "timeout", _milliseconds))
_BLENDS = _kept(
    "add",
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
)
_IMAGE = OurType(
    "image",
    _COMMON
    | _table(
        (
            "operation",
            "operation",
            _choice(
                {"merge": "composite"}
                | {
                    name: name
                    for name in [
                        "resize",
                        "crop",
                        "rotate",
                        "convert",
                        "overlay",
                        "composite",
                        "blend",
                        "watermark",
                        "thumbnail",
                    ]
                }
            ),
        ),
        ("images", "paths"),
        ("path", "path"),
        ("imagePath", "path"),
        ("inputPath", "path"),
        ("output", "output"),
        ("outputPath", "output"),
        ("width", "width"),
        ("height", "height"),
        ("format", "format", _choice({"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "webp": "webp"})),
        ("quality", "quality"),
        ("fit", "fit"),
        ("position", "position"),
        ("margin", "margin"),
        ("angle", "angle"),
        ("text", "text"),
        ("watermarkText", "text"),
        ("watermarkPath", "mark"),
        ("blendMode", "blend_mode", _choice({"over": "normal"} | _BLENDS)),
        ("opacity", "opacity"),
        ("blur", "blur", lambda value: value or None),
        ("sharpen", "sharpen", _sharpen),
        ("grayscale", "grayscale"),
        ("maintainAspectRatio", "fit", _aspect),
    ),
)
_SPREADSHEET = OurType(
    "spreadsheet",
    _COMMON
    | _table(
        ("operation", "operation", _choice({"read": "read", "write": "write"})),
        ("path", "path"),
        ("filePath", "path"),
        ("data", "data"),
        ("format", "format"),
        ("sheetName", "sheet"),
        ("sheetIndex", "sheet"),
        ("hasHeaders", "has_headers"),
        ("headers", "has_headers"),
        ("range", "range"),
        ("delimiter", "delimiter"),
        ("skipEmptyLines", "skip_empty_rows"),
        ("encoding", "", _without_effect("utf8", "utf-8")),
    ),
)
_TRANSFORM = OurType("transform", _COMMON)
_GROUP = OurType("group", _COMMON)

TYPES: Mapping[str, OurType] = {
    "edit-fields": OurType(
        "edit-fields", _COMMON | _table(("values", "values"), ("keepOnlySet", "keep_only_set"))
    ),
    "transform": _TRANSFORM,
    "code": _TRANSFORM,
    "file-system": OurType(
        "file-system",
        _COMMON
        | _table(
            (
                "operation",
                "operation",
                _choice(
                    _kept("read", "write", "append", "list", "exists", "create", "delete", "copy", "move")
                ),
            ),
            ("path", "path"),
            ("filePath", "path"),
            ("content", "content"),
            ("targetPath", "target"),
            ("pattern", "pattern", _pattern),
            ("fileFilter", "pattern", _regular_expression),
            ("recursive", "recursive"),
            ("encoding", "encoding", _ENCODINGS),
            ("overwrite", "overwrite"),
            ("createDirectories", "create_folders"),
            ("createDirectory", "create_folders"),
            ("includeStats", "", _without_effect(True, False)),
            ("fullPaths", "", _without_effect(True, False)),
        ),
        {"operation": "read", "overwrite": False},
    ),
    "shell-command": OurType(
        "shell-command",
        _COMMON
        | _table(
            ("command", "program"),
            ("program", "program"),
            ("args", "args"),
            ("workingDirectory", "cwd"),
            ("cwd", "cwd"),
            ("env", "env"),
            ("environment", "env"),
            ("stdin", "stdin"),
            ("throwOnError", "check"),
            ("maxBuffer", "max_output"),
            ("shell", "", _without_effect("bash", "sh", "zsh", True)),
            ("captureOutput", "", _without_effect(True)),
            ("encoding", "", _without_effect("utf8", "utf-8")),
            ("killSignal", "", _without_effect("SIGTERM")),
            ("inheritStdio", "", _without_effect(False)),
        ),
        {"check": False, "timeout": "30s"},
    ),
    "http-request": OurType(
        "http-request",
        _COMMON
        | _table(
            ("method", "method"),
            ("url", "url"),
            ("headers", "headers"),
            ("body", "body"),
            ("followRedirects", "follow_redirects"),
            ("validateSSL", "verify"),
        ),
        {"timeout": "30s"},
    ),
    "spreadsheet": _SPREADSHEET,
    "csv-reader": _SPREADSHEET,
    "image": _IMAGE,
    "image-composite": _IMAGE,
    "group": _GROUP,
    "composite": _GROUP,
    "loop": OurType(
        "loop",
        _COMMON
        | _table(
            ("loopType", "mode", _choice({"forEach": "for-each", "times": "times"})),
            ("maxIterations", "max_iterations"),
            ("times", "count"),
            ("delay", "", _without_effect(0)),
            ("batchSize", "", _without_effect(1)),
            ("iterateOver", "", _without_effect("files", "items", "input")),
        ),
    ),
    "parallel": OurType(
        "parallel",
        _COMMON
        | _table(
            ("concurrency", "concurrency"),
            ("strategy", "strategy", _choice({"all": "all", "race": "race", "allSettled": "all-settled"})),
            ("globalTimeout", "timeout", _milliseconds),
            ("preserveOrder", "", _without_effect(True, False)),
            ("maintainOrder", "", _without_effect(True, False)),
            ("failFast", "", _without_effect(False)),
        ),
        {"strategy": "all-settled"},
    ),
}
"""Type of the original -> ours."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER_NAMES: Mapping[str, str] = {
    "csv-parser": "csv-reader",
    "blueprint": "group",
    "image-processor": "image",
}
"""What files of some versions call a type -> its name in `TYPES`."""


def type_named(name: str) -> OurType | None:
    """Return what a type of the original becomes; older files write `fileSystem` for `file-system`."""
    plain = _HUMP.sub("-", name).replace("_", "-").lower()
    return TYPES.get(_OTHER_NAMES.get(plain, plain))


WITH_BODY = frozenset({"group", "loop", "parallel"})
"""Types of ours that have nodes inside."""

PORTS: Mapping[str, frozenset[str]] = {
    "edit-fields": frozenset({"result"}),
    "transform": frozenset({"result", "count"}),
    "file-system": frozenset({"result", "path", "size_bytes"}),
    "spreadsheet": frozenset({"rows", "columns", "row_count"}),
    "http-request": frozenset({"body", "status", "headers", "url"}),
    "loop": frozenset({"results", "count", "errors"}),
    "parallel": frozenset({"results", "errors"}),
    "shell-command": frozenset({"stdout", "stderr", "exit_code"}),
    "image": frozenset({"path", "width", "height", "format"}),
}
"""Type of ours -> its ports, which an edge may name."""

HANDLES: Mapping[str, str] = {
    "content": "result",
    "exitCode": "exit_code",
    "files": "result",
    "headers": "columns",
    "imagePath": "path",
    "iterationCount": "count",
    "outputCount": "count",
    "rowCount": "row_count",
}
"""Handle of an edge -> the port of ours that it names, if the type has it and none of the handle's own name."""

TAKEN: Mapping[str, Mapping[str, frozenset[str]]] = {
    "file-system": {
        "read": frozenset({"encoding"}),
        "write": frozenset({"content", "encoding", "overwrite", "create_folders"}),
        "append": frozenset({"content", "encoding", "create_folders"}),
        "list": frozenset({"pattern", "recursive"}),
        "exists": frozenset(),
        "create": frozenset({"create_folders"}),
        "delete": frozenset({"recursive"}),
        "copy": frozenset({"target", "recursive", "overwrite", "create_folders"}),
        "move": frozenset({"target", "overwrite", "create_folders"}),
    },
}
"""Type of ours -> operation -> the parameters that it takes besides `operation`, `path` and those of all nodes."""
