"""Turns the parameters of a node into the keys of ours."""

from collections.abc import Callable, Mapping, Sequence

from atomiton_runtime.importing.draft import Draft
from atomiton_runtime.importing.functions import expression_of, extending, function_of, json_value
from atomiton_runtime.importing.lists import extended, parts_of
from atomiton_runtime.importing.node_types import ALTERNATIVES, TAKEN, OurType, type_named
from atomiton_runtime.importing.parts import OWN, Part
from atomiton_runtime.importing.pieces import Untranslatable
from atomiton_runtime.importing.spreading import body_of
from atomiton_runtime.importing.texts import translated
from atomiton_runtime.importing.yaml_file import Data

_EVERY_NODE = frozenset({"type", "name", "description", "operation", "path", "timeout", "retry"})
_FUNCTIONS = ("transformFunction", "filterCondition", "reduceFunction", "expression", "code")
_OF_CODE = frozenset({"inputType", "outputType", "inputParams", "returnType", "language", "async"})
_OF_OPERATIONS: Mapping[str, Mapping[str, str]] = {
    "sort": {"sortKey": "key", "sortDirection": "direction"},
    "group": {"groupBy": "key"},
    "flatten": {"flattenDepth": "depth"},
    "unique": {"uniqueKey": "key"},
}
_SPECIAL = {
    "transform": frozenset(_FUNCTIONS)
    | {"operation", "reduceInitial"}
    | _OF_CODE
    | {key for keys in _OF_OPERATIONS.values() for key in keys},
    "http-request": frozenset({"retries", "retryDelay"}),
    "loop": frozenset({"continueOnError", "breakOnError", "parallel", "concurrency", "times"}),
}
"""Type of ours -> parameters of the original that are not translated one by one."""


def translate_parameters(draft: Draft, *, texts: bool) -> None:
    """Fill in the keys of a node and keep remarks about it.

    Args:
        draft: the node; its `keys` get the type and all parameters.
        texts: whether cells of tables may come as texts.
    """
    original = draft.original
    ours = type_named(original.type)
    draft.keys["type"] = ours.name if ours else original.type
    for key in ("name", "description"):
        if text := getattr(original, key):
            draft.keys[key] = text
    for key, value in original.others.items():
        draft.look(key, f"`{key}` of the node was not translated", value)
    if ours is None:
        draft.look("", f"there is no node type `{original.type}` here, nor one that is like it")
        for key, value in original.parameters.items():
            draft.look(key, f"its parameter `{key}`", value)
        return
    _one_by_one(draft, ours)
    if ours.name in _SPECIALISTS:
        _SPECIALISTS[ours.name](draft, texts)
    _drop_what_is_not_taken(draft)


def _one_by_one(draft: Draft, ours: OurType) -> None:
    found: dict[str, Data] = {}
    for key, value in draft.original.parameters.items():
        if value is None or key in _SPECIAL.get(ours.name, ()):
            continue
        parameter = ours.parameters.get(key)
        if parameter is None:
            draft.look(key, f"`{key}` has no equal", value)
            continue
        try:
            converted = parameter.convert(value)
        except Untranslatable as refusal:
            draft.look(key, f"`{key}` was not translated: {refusal}", value)
            continue
        if converted is None:
            continue
        if parameter.name in found and not isinstance(found[parameter.name], dict):
            draft.look(key, f"`{key}` says again what `{parameter.name}` says", value)
            continue
        _put(draft, found, key, parameter.name, converted)
    draft.keys |= {**ours.defaults, **found}


def _put(draft: Draft, found: dict[str, Data], key: str, name: str, value: Data) -> None:
    refused: list[str] = []
    ready = translated(value, refused)
    for reason in refused:
        draft.look(key, f"a template in `{key}` was kept as a text: {reason}", value)
    before = found.get(name)
    found[name] = {**before, **ready} if isinstance(before, dict) and isinstance(ready, dict) else ready


def _drop_what_is_not_taken(draft: Draft) -> None:
    operations = TAKEN.get(draft.type)
    operation = draft.keys.get("operation")
    if operations is None or not isinstance(operation, str) or operation not in operations:
        return
    ours = type_named(draft.original.type)
    for key in [key for key in draft.keys if key not in operations[operation] | _EVERY_NODE]:
        value = draft.keys.pop(key)
        if ours is not None and ours.defaults.get(key) != value:
            draft.note("operation", f"`{key}` was left out: `{operation}` does not use it")


def _transform(draft: Draft, texts: bool) -> None:
    parameters = draft.original.parameters
    source = next((key for key in _FUNCTIONS[3:] if isinstance(parameters.get(key), str)), None)
    if source is not None and "operation" not in parameters:
        _program(draft, source, texts)
        return
    operation = parameters.get("operation", "map")
    draft.keys["operation"] = operation
    for key in parameters:
        if key in _SPECIAL["transform"] and key not in ("operation", *_used_by(operation)):
            draft.note(key, f"`{key}` was left out: `{operation}` does not use it")
    if operation in ("map", "filter", "reduce"):
        _with_function(draft, str(operation), texts)
    for key, ours in _OF_OPERATIONS.get(str(operation), {}).items():
        if (value := parameters.get(key)) is not None:
            dotted = (
                isinstance(value, str) and ours == "key" and "." in value and not value.startswith("item.")
            )
            draft.keys[ours] = f"item.{value}" if dotted else value


def _used_by(operation: Data) -> tuple[str, ...]:
    match operation:
        case "map":
            return ("transformFunction", "expression")
        case "filter":
            return ("filterCondition", "transformFunction", "expression")
        case "reduce":
            return ("reduceFunction", "reduceInitial", "expression")
        case _:
            return tuple(_OF_OPERATIONS.get(str(operation), ()))


def _with_function(draft: Draft, operation: str, texts: bool) -> None:
    parameters = draft.original.parameters
    default = "(acc, item) => acc + item" if operation == "reduce" else "item => item"
    given = [
        key for key in _used_by(operation) if isinstance(parameters.get(key), str) and key != "reduceInitial"
    ]
    key = given[0] if given else ""
    for other in given[1:]:
        draft.note(other, f"`{other}` was left out: `{key}` is used")
    source = str(parameters[key]) if key else default
    notes: list[str] = []
    try:
        function = function_of(source) if operation == "map" else None
        added = extending(function, texts, notes) if function is not None else None
        if added is None:
            draft.keys["expression"] = expression_of(source, operation, texts, notes)
        else:
            _take(draft, [extended(Part(name=OWN, reads=(OWN,), keys={}), added)])
    except Untranslatable as refusal:
        draft.look(key, f"write `expression`: the function was not translated, {refusal}", source)
    for each in notes:
        draft.note(key, each)
    if operation == "reduce":
        initial = parameters.get("reduceInitial", "0")
        try:
            draft.keys["initial"] = json_value(initial) if isinstance(initial, str) else initial
        except Untranslatable:
            draft.keys["initial"] = initial
        if draft.keys["initial"] is None:
            draft.keys["initial"] = "{{ none }}"


def _program(draft: Draft, key: str, texts: bool) -> None:
    parameters = draft.original.parameters
    source, notes = str(parameters[key]), list[str]()
    try:
        _take(draft, parts_of(source, _input_names(parameters), texts, notes))
    except Untranslatable as refusal:
        draft.look(key, f"the code was not translated: {refusal}", source)
    for each in notes:
        draft.note(key, each)
    for other in parameters:
        if other in _SPECIAL["transform"] - _OF_CODE and other != key:
            draft.look(other, f"`{other}` was not translated: `{key}` is used", parameters[other])


def _input_names(parameters: Mapping[str, Data]) -> list[str]:
    """Return what the code calls its input: `inputParams` holds names, separated by commas."""
    return [name.strip() for name in str(parameters.get("inputParams") or "").split(",") if name.strip()]


def _take(draft: Draft, parts: Sequence[Part]) -> None:
    """Make a node the last one of several; those before it are added when it is connected."""
    *draft.parts, last = parts
    draft.reads = last.reads
    draft.keys.pop("operation", None)
    draft.keys |= last.keys
    draft.children = body_of(draft, last)


def _shell(draft: Draft, _: bool) -> None:
    if not draft.keys.get("args"):
        draft.keys.pop("args", None)
        draft.keys["shell"] = True
        if "{{" in str(draft.keys.get("program")):
            draft.look("command", "a value becomes a part of the script: pass it in `args`, as $1")
    elif " " in str(draft.keys.get("program")).strip():
        draft.keys["shell"] = True
        draft.note("args", "the script gets its arguments as $1, $2 ...")


def _http(draft: Draft, _: bool) -> None:
    parameters = draft.original.parameters
    retries, delay = parameters.get("retries"), parameters.get("retryDelay", 1000)
    if isinstance(retries, int) and retries > 0:
        draft.keys["retry"] = {"attempts": retries + 1, "delay": f"{delay}ms"}


def _loop(draft: Draft, _: bool) -> None:
    parameters = draft.original.parameters
    if parameters.get("continueOnError", not parameters.get("breakOnError", False)) is True:
        draft.keys["on_item_error"] = "collect"
    if parameters.get("parallel") is True:
        draft.keys["concurrency"] = parameters.get("concurrency", 5)
    if draft.keys.get("mode") == "times":
        draft.keys["count"] = parameters.get("times", 10)
    elif "times" in parameters:
        draft.note("times", "`times` was left out: this loop does not use it")


def _file_system(draft: Draft, _: bool) -> None:
    operation, parameters = draft.keys.get("operation"), draft.original.parameters
    if operation == "write" and "overwrite" not in parameters:
        # The original replaces a file when it writes, but not when it copies or moves.
        del draft.keys["overwrite"]
    found = ALTERNATIVES.fullmatch(str(parameters.get("pattern")))
    if found is None or operation != "list":
        return
    # One of our patterns cannot name several endings: all files are listed, and those with the endings kept.
    endings = ", ".join(f"'.{ending}'" for ending in found[1].split(","))
    listing = ("type", "operation", "path", "recursive")
    every = {key: draft.keys[key] for key in listing if key in draft.keys}
    draft.keys = {key: draft.keys[key] for key in ("name", "description") if key in draft.keys}
    kept: dict[str, Data] = {
        "type": "transform",
        "operation": "filter",
        "expression": f"item.name | suffix in [{endings}]",
    }
    _take(draft, [Part(name="all", reads=(OWN,), keys=every), Part(name=OWN, reads=("all",), keys=kept)])


def _spreadsheet(draft: Draft, _: bool) -> None:
    keys = draft.keys
    path, kind = str(keys.get("path", "")), keys.get("format")
    if kind in ("csv", "tsv") or path.lower().endswith((".csv", ".tsv", ".txt")):
        if path.lower().endswith(".txt"):
            keys.setdefault("format", "csv")
        if keys.get("operation", "read") == "read":
            keys["infer_types"] = False  # cells are texts in the original
    elif keys.get("delimiter") == "," and (
        kind is not None or path.lower().endswith((".xlsx", ".xls", ".ods"))
    ):
        del keys["delimiter"]
    if keys.get("operation") == "write" and "skip_empty_rows" in keys:
        del keys["skip_empty_rows"]
        draft.note("skipEmptyLines", "`skipEmptyLines` was left out: `write` does not use it")


def _image(draft: Draft, _: bool) -> None:
    keys = draft.keys
    keys.setdefault("operation", "overlay")
    if "output" not in keys:
        keys["output"] = f"out/{draft.id}/"
        draft.note("operation", "the original kept the image in memory; here it is a file in `output`")
    if keys["operation"] == "watermark" and not {"text", "mark"} & keys.keys():
        draft.look("operation", "say what marks the image: `text` or `mark`")


_SPECIALISTS: Mapping[str, Callable[[Draft, bool], None]] = {
    "transform": _transform,
    "shell-command": _shell,
    "http-request": _http,
    "file-system": _file_system,
    "loop": _loop,
    "spreadsheet": _spreadsheet,
    "image": _image,
}
