"""Decides which values a run's variables have: defaults, texts of a command line, limits."""

import json
import re
from collections.abc import Mapping, Sequence

from atomiton_runtime.errors import AtomitonError, ErrorInfo, UsageError
from atomiton_runtime.flow.lookup import did_you_mean, kind_of
from atomiton_runtime.flow.model import Variable, VariableType
from atomiton_runtime.values import Value, preview, to_document

_KINDS: dict[VariableType, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_WANTED: dict[VariableType, str] = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_HINTS: dict[VariableType, str] = {
    "boolean": "write true or false",
    "array": 'write it as JSON: \'["a", "b"]\'',
    "object": "write it as JSON: '{\"a\": 1}'",
}
_SHOWN_CHARS = 40


class VariablesInvalid(UsageError):
    """The variables given to a run do not fit; it carries all that is wrong."""

    def __init__(self, errors: Sequence[ErrorInfo]) -> None:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(first.code, f"{first.message}{more}", hint=first.hint)
        self.errors = tuple(errors)


def check_variables(
    variables: Mapping[str, Variable], given: Mapping[str, object], *, from_text: bool
) -> dict[str, Value]:
    """Return the value of every variable: name -> value, in the order of the flow.

    Args:
        variables: those of the flow.
        given: what the caller sets.
        from_text: whether `given` holds texts of a command line: `"10"` is then the integer 10, and lists and
            objects are JSON.

    Raises:
        VariablesInvalid: something does not fit (VAR-011, VAR-012, VAR-013, VAR-014); it names everything.
    """
    errors = [_unknown(name, variables) for name in given if name not in variables]
    values: dict[str, Value] = {}
    for name, variable in variables.items():
        if name in given:
            value, error = _converted(variable, given[name], from_text=from_text)
            values[name] = value
            if error is None and (complaint := limit_complaint(variable, value)):
                error = ErrorInfo("VAR-014", f"variable `{name}` {complaint}")
        else:
            values[name] = to_document(variable.default)
            error = _required(variable) if variable.required else None
        if error is not None:
            errors.append(error)
    if errors:
        raise VariablesInvalid(errors)
    return values


def _unknown(name: str, variables: Mapping[str, Variable]) -> ErrorInfo:
    hint = did_you_mean(name, variables)
    if hint is None:
        hint = f"its variables are: {', '.join(variables)}" if variables else "it has no variables"
    return ErrorInfo("VAR-011", f"the flow has no variable `{name}`", hint=hint)


def _required(variable: Variable) -> ErrorInfo:
    about = f": {variable.description}" if variable.description else ""
    hint = f"give it with `--{variable.name} VALUE`, or a default in the flow"
    return ErrorInfo("VAR-012", f"variable `{variable.name}` is required{about}", hint=hint)


def _converted(variable: Variable, given: object, *, from_text: bool) -> tuple[Value, ErrorInfo | None]:
    try:
        value = (
            _from_text(variable.type, given) if from_text and isinstance(given, str) else to_document(given)
        )
    except (AtomitonError, ValueError, RecursionError):
        value = None
    if value is not None and fits(variable.type, value):
        return value, None
    shown = f"{preview(given, _SHOWN_CHARS)!r}" if isinstance(given, str) else kind_of(given)
    message = f"variable `{variable.name}` must be {_WANTED[variable.type]}, not {shown}"
    return None, ErrorInfo("VAR-013", message, hint=_HINTS.get(variable.type) if from_text else None)


def _from_text(kind: VariableType, text: str) -> Value:
    match kind:
        case "string":
            return text
        case "integer" if _INTEGER.fullmatch(text.strip()):
            return to_document(int(text))
        case "number":
            return int(text) if _INTEGER.fullmatch(text.strip()) else to_document(float(text))
        case "boolean":
            return _BOOLEANS.get(text.strip().lower())
        case "array" | "object":
            return to_document(json.loads(text))
        case _:
            return None


def fits(kind: VariableType, value: object) -> bool:
    """Return whether `value` is of the kind; an integer is also a number, a boolean is neither."""
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def limit_complaint(variable: Variable, value: Value) -> str | None:
    """Return what a value of the right kind has against its variable's limits: `must be at most 10, not 11`."""
    if variable.choices and not any(_same(choice, value) for choice in variable.choices):
        allowed = ", ".join(preview(json.dumps(choice), _SHOWN_CHARS) for choice in variable.choices)
        return f"must be one of {allowed}, not {_shown(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _outside(variable, value, "", _shown(value))
    if isinstance(value, str | list | dict):
        unit = " character" if isinstance(value, str) else " element"
        complaint = _outside(variable, len(value), unit, f"{len(value)}")
        if complaint is not None:
            return complaint
    if variable.pattern is not None and isinstance(value, str) and not re.fullmatch(variable.pattern, value):
        return f"must match {variable.pattern}, which {_shown(value)} does not"
    return None


def _outside(variable: Variable, size: float, unit: str, shown: str) -> str | None:
    if variable.min is not None and size < variable.min:
        return f"must be at least {_count(variable.min, unit)}, not {shown}"
    if variable.max is not None and size > variable.max:
        return f"must be at most {_count(variable.max, unit)}, not {shown}"
    return None


def _count(number: float, unit: str) -> str:
    return f"{number:.15g}{unit}{'s' if unit and number != 1 else ''}"


def _same(choice: Value, value: Value) -> bool:
    # True is 1 for Python, but not for an author.
    return choice == value and isinstance(choice, bool) == isinstance(value, bool)


def _shown(value: Value) -> str:
    return preview(json.dumps(value, ensure_ascii=False), _SHOWN_CHARS)


def kind_of_default(value: object) -> VariableType | None:
    """Return the type that a default has by itself; None: it is of no type a variable can have."""
    return next((kind for kind in _KINDS if fits(kind, value)), None)
