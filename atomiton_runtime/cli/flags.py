"""Makes command-line flags of a flow's variables, and values of what was typed."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import click
import msgspec

from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Variable
from atomiton_runtime.values import Value, encode

_FLAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS = {"string": "TEXT", "integer": "INTEGER", "number": "NUMBER", "array": "JSON", "object": "JSON"}
_TYPES: dict[str, tuple[type, ...]] = {"array": (list,), "object": (dict,)}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_GIVEN = "atomiton.variables"


class _VariableType(click.ParamType[Value]):
    """Turns what was typed into a value of the variable's type."""

    def __init__(self, variable: Variable) -> None:
        self.name = _WORDS.get(variable.type, "BOOLEAN")
        self._variable = variable

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        """Return the value, or fail with what was expected."""
        if not isinstance(value, str):
            return cast("Value", value)
        try:
            return parse(self._variable, value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


def options(variables: Mapping[str, Variable], taken: Collection[str]) -> list[click.Option]:
    """Return a flag for each variable whose flag is free.

    Args:
        variables: of a flow, by name.
        taken: the flags of the command itself, e.g. `--json`; a variable of that name is set with `--var`.
    """
    used = set(taken)
    made: list[click.Option] = []
    for number, variable in enumerate(variables.values()):
        names = [flag for flag in _flags(variable) if flag not in used]
        if not names:
            continue
        used.update(names)
        on_off = variable.type == "boolean" and _off(names[0]) not in used
        used.update([_off(names[0])] if on_off else [])
        made.append(_option(variable, f"variable_{number}", names, on_off=on_off))
    return made


def given_values(
    ctx: click.Context, variables: Mapping[str, Variable], pairs: Sequence[str]
) -> dict[str, Value]:
    """Return what the user set: by flags, then by `--var NAME=VALUE`.

    Raises:
        UsageError: a name that the flow does not have (CLI-003), or a value that does not fit (CLI-002).
    """
    given: dict[str, Value] = dict(ctx.meta.get(_GIVEN, {}))
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError("CLI-001", f"`--var {pair}` has no value", hint="write --var NAME=VALUE")
        if name not in variables:
            raise UsageError("CLI-003", f"the flow has no variable `{name}`", hint=_meant(name, variables))
        try:
            given[name] = parse(variables[name], text)
        except ValueError as exc:
            raise UsageError("CLI-002", f"invalid value for the variable `{name}`: {exc}") from exc
    return given


def missing(variables: Mapping[str, Variable], given: Collection[str]) -> UsageError | None:
    """Return an error that names every required variable that is not set, or None."""
    names = [name for name, variable in variables.items() if variable.required and name not in given]
    if not names:
        return None
    wanted = ", ".join(f"`{name}`" for name in names)
    flags = " ".join(f"--{name.replace('_', '-')} ..." for name in names)
    return UsageError("CLI-004", f"the flow needs a value for {wanted}", hint=f"add {flags}")


def parse(variable: Variable, text: str) -> Value:
    """Return the value that `text` means for this variable.

    Raises:
        ValueError: it does not fit the variable's type; says what was expected.
    """
    match variable.type:
        case "string":
            return text
        case "integer":
            return _integer(text)
        case "number":
            return _number(text)
        case "boolean":
            return _boolean(text)
        case "array" | "object":
            return _json(text, variable.type)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"`{text}` is not an integer") from None


def _number(text: str) -> float:
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a number") from None


def _boolean(text: str) -> bool:
    if text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    raise ValueError(f"`{text}` is neither true nor false")


def _json(text: str, wanted: str) -> Value:
    example = '["a", "b"]' if wanted == "array" else '{"a": 1}'
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise ValueError(f"`{text}` is not JSON; write e.g. '{example}'") from None
    if not isinstance(value, _TYPES[wanted]):
        raise ValueError(f"`{text}` is not an {wanted}; write e.g. '{example}'")
    return cast("Value", value)


def _flags(variable: Variable) -> list[str]:
    if not _FLAG_NAME.fullmatch(variable.name):
        return []
    return list(dict.fromkeys([f"--{variable.name.replace('_', '-')}", f"--{variable.name}"]))


def _off(flag: str) -> str:
    return f"--no-{flag.removeprefix('--')}"


def _option(variable: Variable, parameter: str, names: list[str], *, on_off: bool) -> click.Option:
    def keep(ctx: click.Context, _option: click.Parameter, value: Value) -> None:
        if value is not None:
            ctx.meta.setdefault(_GIVEN, {})[variable.name] = value

    if on_off:
        declared, kind = [f"{names[0]}/{_off(names[0])}", *names[1:]], None
    else:
        declared, kind = names, _VariableType(variable)
    return click.Option(
        [parameter, *declared],
        type=kind,
        default=None,
        expose_value=False,
        callback=keep,
        help=_help(variable),
    )


def _help(variable: Variable) -> str:
    facts: list[str] = []
    if variable.required:
        facts.append("required")
    else:
        facts.append(f"default: {_shown(variable.default)}")
    facts += _limits(variable)
    if variable.choices:
        facts.append(f"one of: {', '.join(_shown(choice) for choice in variable.choices)}")
    if variable.pattern:
        facts.append(f"matches {variable.pattern}")
    return f"{variable.description}  [{'; '.join(facts)}]".strip()


def _limits(variable: Variable) -> list[str]:
    of = {"string": " characters", "array": " elements"}.get(variable.type, "")
    match variable.min, variable.max:
        case None, None:
            return []
        case least, None:
            return [f"at least {least:g}{of}"]
        case None, most:
            return [f"at most {most:g}{of}"]
        case least, most:
            return [f"{least:g} to {most:g}{of}"]


def _shown(value: Value) -> str:
    return value if isinstance(value, str) and value else encode(value).decode()


def _meant(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=2)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"its variables: {', '.join(known)}" if known else "the flow has no variables at all"
