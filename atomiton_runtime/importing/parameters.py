"""Turns the parameters of a node into the keys of ours."""

from collections.abc import Callable, Mapping

from atomiton_runtime.importing.draft import Draft
from atomiton_runtime.importing.functions import expression_of, json_value, program_of
from atomiton_runtime.importing.node_types import TAKEN, TYPES, OurType
from atomiton_runtime.importing.pieces import Untranslatable
from atomiton_runtime.importing.texts import translated
from atomiton_runtime.importing.yaml_file import Data

_EVERY_NODE = frozenset({"type", "name", "description", "operation", "path", "timeout", "retry"})
_FUNCTIONS = ("transformFunction", "filterCondition", "reduceFunction", "expression", "code")
_OF_CODE = frozenset({"inputType", "outputType", "inputParams", "returnType", "language"})
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
    ours = TYPES.get(original.type)
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
    ours = TYPES[draft.original.type]
    for key in [key for key in draft.keys if key not in operations[operation] | _EVERY_NODE]:
        value = draft.keys.pop(key)
        if ours.defaults.get(key) != value:
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
        draft.keys["expression"] = expression_of(source, operation, texts, notes)
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
        draft.keys |= program_of(source, texts, notes)
    except Untranslatable as refusal:
        draft.look(key, f"the code was not translated: {refusal}", source)
    for each in notes:
        draft.note(key, each)
    for other in parameters:
        if other in _SPECIAL["transform"] - _OF_CODE and other != key:
            draft.look(other, f"`{other}` was not translated: `{key}` is used", parameters[other])


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
        keys["output"] = "out/"
        draft.look("operation", "an image is written by its node here: say where with `output`")
    if keys["operation"] == "watermark" and not {"text", "mark"} & keys.keys():
        draft.look("operation", "say what marks the image: `text` or `mark`")


_SPECIALISTS: Mapping[str, Callable[[Draft, bool], None]] = {
    "transform": _transform,
    "shell-command": _shell,
    "http-request": _http,
    "loop": _loop,
    "spreadsheet": _spreadsheet,
    "image": _image,
}
