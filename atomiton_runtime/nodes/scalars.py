"""Reads the parameter types that TOML does not have: expressions, durations and sizes."""

from typing import Any, TypeGuard

from atomiton_runtime.flow.expressions import Expression, Template


class Duration(float):
    """A length of time in seconds, 0 or more; written as a number or as text such as `"1h30m"`."""

    __slots__ = ()


class Size(int):
    """A number of bytes, 0 or more; written as an integer or as text such as `"10MiB"`."""

    __slots__ = ()


IS_KEY = {"kind": "key"}
"""`Meta(extra=IS_KEY)` beside an Expression: a bare name is the key of that name in each item."""

IS_CHILD = {"kind": "child"}
"""`Meta(extra=IS_CHILD)` beside a text: it is the id of a child node."""
IS_FLOW = {"kind": "flow"}
"""`Meta(extra=IS_FLOW)` beside a text: it is the id or path of a flow."""
IS_CODE = {"kind": "code"}
"""`Meta(extra=IS_CODE)` beside a text: it is code of another language and taken verbatim, never a template."""

WORDS: dict[type, str] = {
    Expression: "an expression",
    Duration: 'a duration, such as 30 or "1h30m"',
    Size: 'a size, such as 4096 or "10MiB"',
}
"""Parameter type -> what a message calls it."""


def known_later(value: object) -> TypeGuard[Expression | Template]:
    """Return whether the value of this parameter is known only when the node runs."""
    return isinstance(value, Template | Expression)


def read_scalar(kind: type, value: Any) -> object:
    """Return `value` as a `kind`: the `dec_hook` of msgspec for all parameters.

    Raises:
        ValueError: it cannot be read; the message says what was expected.
    """
    if isinstance(value, kind):
        return value
    if kind is Duration or kind is Size:
        return _measured(kind, value)
    raise ValueError(f"must be {WORDS.get(kind, kind.__name__)}")


def _measured(kind: type, value: Any) -> Duration | Size:
    # The units are read by the module that reads them for the common keys, so that both mean the same.
    from atomiton_runtime.flow.units import parse_duration, parse_size

    whole = kind is Size
    if isinstance(value, bool) or not isinstance(value, int | str if whole else int | float | str):
        raise ValueError(f"must be {WORDS[kind]}")
    return Size(parse_size(value)) if whole else Duration(parse_duration(value))
