"""Makes command-line flags of a flow's variables, and values of what was typed."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import cast

import click

from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Variable
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.values import Value, encode

_FLAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS = {"string": "TEXT", "integer": "INTEGER", "number": "NUMBER", "array": "JSON", "object": "JSON"}
_GIVEN = "atomiton.variables"


def options(variables: Mapping[str, Variable], taken: Collection[str]) -> dict[str, click.Option]:
    """Return a flag for each variable whose flag is free: variable -> option.

    Args:
        variables: of a flow, by name.
        taken: the flags of the command itself, e.g. `--json`; a variable of that name is set with `--var`.
    """
    used = set(taken)
    made: dict[str, click.Option] = {}
    for number, variable in enumerate(variables.values()):
        names = [flag for flag in _flags(variable) if flag not in used]
        if not names:
            continue
        used.update(names)
        on_off = variable.type == "boolean" and _off(names[0]) not in used
        used.update([_off(names[0])] if on_off else [])
        made[variable.name] = _option(variable, f"variable_{number}", names, on_off=on_off)
    return made


def help_records(
    ctx: click.Context, variables: Mapping[str, Variable], taken: Collection[str]
) -> list[tuple[str, str]]:
    """Return a line of help for each variable: its flag, or how `--var` sets it; and what is known of it."""
    flagged = options(variables, taken)
    return [
        (flagged[name].get_help_record(ctx) if name in flagged else None)
        or (f"--var {name}={_word(variable)}", _help(variable))
        for name, variable in variables.items()
    ]


def given_values(
    ctx: click.Context, variables: Mapping[str, Variable], pairs: Sequence[str]
) -> dict[str, Value]:
    """Return the value of every variable: set by a flag, or by `--var NAME=VALUE` (which wins), or its default.

    Raises:
        UsageError: a pair has no `=` (CLI-003).
        VariablesInvalid: names and values that do not fit, all of them (VAR-...).
    """
    typed: dict[str, str | bool] = dict(cast("dict[str, str | bool]", ctx.meta.get(_GIVEN, {})))
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError("CLI-003", f"`--var {pair}` has no value", hint="write --var NAME=VALUE")
        typed[name] = text
    return check_variables(variables, typed, from_text=True)


def _flags(variable: Variable) -> list[str]:
    if not _FLAG_NAME.fullmatch(variable.name):
        return []
    return list(dict.fromkeys([f"--{variable.name.replace('_', '-')}", f"--{variable.name}"]))


def _off(flag: str) -> str:
    return f"--no-{flag.removeprefix('--')}"


def _option(variable: Variable, parameter: str, names: list[str], *, on_off: bool) -> click.Option:
    def keep(ctx: click.Context, _option: click.Parameter, typed: str | bool | None) -> None:
        if typed is not None:
            ctx.meta.setdefault(_GIVEN, {})[variable.name] = typed

    declared = [f"{names[0]}/{_off(names[0])}", *names[1:]] if on_off else names
    return click.Option(
        [parameter, *declared],
        default=None,
        expose_value=False,
        callback=keep,
        metavar=None if on_off else _word(variable),
        help=_help(variable),
    )


def _word(variable: Variable) -> str:
    return _WORDS.get(variable.type, "true|false")


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
