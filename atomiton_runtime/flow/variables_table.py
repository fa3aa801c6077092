"""Reads the `[variables]` of a flow: the short form and the long one."""

import re
from collections.abc import Mapping
from typing import cast, get_args

from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.checks import check_boolean, check_choice, check_text
from atomiton_runtime.flow.findings import Findings, KeyPath, toml_kind
from atomiton_runtime.flow.model import Variable, VariableType
from atomiton_runtime.flow.variables import fits, kind_of_default, limit_complaint
from atomiton_runtime.values import Value, to_document

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_TYPES = cast("tuple[str, ...]", get_args(VariableType))
_LONG_KEYS = ("type", "default", "required", "description", "min", "max", "choices", "pattern")
_MEASURED = ("string", "integer", "number", "array", "object")


def read_variables(table: object, findings: Findings) -> dict[str, Variable]:
    """Return the variables by name; a wrong one is reported and left out."""
    path: KeyPath = ("variables",)
    if not isinstance(table, dict):
        findings.wrong_kind("a table", table, path)
        return {}
    read = {
        name: _read(name, written, (*path, name), findings)
        for name, written in cast("dict[str, object]", table).items()
    }
    return {name: variable for name, variable in read.items() if variable is not None}


def _read(name: str, written: object, path: KeyPath, findings: Findings) -> Variable | None:
    if not _NAME.fullmatch(name):
        hint = "letters, digits and `_`, at most 64, not beginning with a digit"
        findings.add_key("VAR-001", f"`{name}` cannot be the name of a variable", path, hint=hint)
        return None
    if isinstance(written, dict):
        return _read_long(name, cast("dict[str, object]", written), path, findings)
    default, kind = _default(written, path, findings)
    return None if kind is None else Variable(name=name, type=kind, default=default)


def _default(written: object, path: KeyPath, findings: Findings) -> tuple[Value, VariableType | None]:
    try:
        default = to_document(written)
    except AtomitonError as exc:
        findings.add("VAR-003", exc.message, path)
        return None, None
    return default, kind_of_default(default)


def _read_long(name: str, written: dict[str, object], path: KeyPath, findings: Findings) -> Variable | None:
    before = len(findings.found)
    unknown = [key for key in written if key not in _LONG_KEYS]
    findings.unknown_keys(unknown, _LONG_KEYS, path, f"variable `{name}`")
    default: Value = None
    kind: VariableType | None = None
    if "default" in written:
        default, kind = _default(written["default"], (*path, "default"), findings)
    kind = _declared_type(name, written, kind, path, findings)
    if kind is None:
        return None
    _check_default(default, kind, written, path, findings)
    _check_limits(kind, written, path, findings)
    if len(findings.found) > before:
        return None
    variable = _variable(name, kind, default, written)
    if "default" in written and (complaint := limit_complaint(variable, default)):
        findings.add("VAR-004", f"the default of `{name}` {complaint}", (*path, "default"))
    return variable


def _declared_type(
    name: str,
    written: Mapping[str, object],
    of_default: VariableType | None,
    path: KeyPath,
    findings: Findings,
) -> VariableType | None:
    if "type" in written:
        if check_choice(written["type"], _TYPES, (*path, "type"), findings):
            return cast(VariableType, written["type"])
        return None
    if of_default is None and "default" not in written:
        hint = f'write `{name} = {{ type = "string" }}`; a table as the default needs the long form'
        findings.add_key("VAR-002", f"variable `{name}` has neither a type nor a default", path, hint=hint)
    return of_default


def _check_default(
    default: Value, kind: VariableType, written: Mapping[str, object], path: KeyPath, findings: Findings
) -> None:
    if default is not None and not fits(kind, default):
        message = f"the default is {toml_kind(written['default'])}, but the type is {kind}"
        findings.add("VAR-003", message, (*path, "default"))
    if "description" in written:
        check_text(written["description"], (*path, "description"), findings)
    if "required" in written and check_boolean(written["required"], (*path, "required"), findings):
        if written["required"] and "default" in written:
            hint = "leave one of the two out"
            findings.add("VAR-005", "a required variable has no default", (*path, "required"), hint=hint)
        elif not written["required"] and "default" not in written:
            hint = "give it a default"
            findings.add(
                "VAR-005", "without a default a variable is required", (*path, "required"), hint=hint
            )


def _check_limits(
    kind: VariableType, written: Mapping[str, object], path: KeyPath, findings: Findings
) -> None:
    bounds = [
        key for key in ("min", "max") if key in written and _is_bound(key, kind, written, path, findings)
    ]
    if len(bounds) == 2 and cast(float, written["min"]) > cast(float, written["max"]):
        findings.add("VAR-005", "`min` is larger than `max`", (*path, "min"))
    if "choices" in written:
        _check_choices(kind, written["choices"], (*path, "choices"), findings)
    if "pattern" in written:
        _check_pattern(kind, written["pattern"], (*path, "pattern"), findings)


def _is_bound(
    key: str, kind: VariableType, written: Mapping[str, object], path: KeyPath, findings: Findings
) -> bool:
    bound = written[key]
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        findings.wrong_kind("a number", bound, (*path, key))
        return False
    if kind not in _MEASURED:
        findings.add_key("VAR-005", f"the type {kind} has no `{key}`", (*path, key))
        return False
    if bound != bound:
        findings.add("VAR-005", f"`{key}` must be a number", (*path, key))
        return False
    return True


def _check_choices(kind: VariableType, choices: object, path: KeyPath, findings: Findings) -> None:
    if not isinstance(choices, list) or not choices:
        wrong = "an empty list" if choices == [] else toml_kind(cast(object, choices))
        findings.add("FLOW-003", f"`choices` must be a list of values, not {wrong}", path)
        return
    for place, choice in enumerate(cast("list[object]", choices)):
        if not fits(kind, choice):
            message = f"a choice is {toml_kind(choice)}, but the type is {kind}"
            findings.add("VAR-005", message, (*path, place))


def _check_pattern(kind: VariableType, pattern: object, path: KeyPath, findings: Findings) -> None:
    if not check_text(pattern, path, findings):
        return
    if kind != "string":
        findings.add_key("VAR-005", f"the type {kind} has no `pattern`", path)
        return
    try:
        re.compile(cast(str, pattern))
    except (re.error, RecursionError, OverflowError) as exc:
        findings.add("VAR-005", f"the pattern is no regular expression: {exc}", path)


def _variable(name: str, kind: VariableType, default: Value, written: Mapping[str, object]) -> Variable:
    return Variable(
        name=name,
        type=kind,
        default=default,
        required="default" not in written,
        description=cast(str, written.get("description", "")),
        min=cast("float | None", written.get("min")),
        max=cast("float | None", written.get("max")),
        choices=tuple(cast("list[Value]", written.get("choices", []))),
        pattern=cast("str | None", written.get("pattern")),
    )
