"""Compiles and evaluates the expressions and templates of flow files: Jinja2, sandboxed and strict."""

from collections.abc import Mapping
from typing import TypeAlias

from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.values import Value


class ExpressionFailed(AtomitonError):
    """An expression or template cannot be evaluated (EXPR-...)."""


class Scope:
    """The names an expression may use: `input`, `vars`, `item`, ... Immutable."""

    def __init__(self, names: Mapping[str, object]) -> None: ...

    def child(self, **names: object) -> "Scope":
        """Return a scope in which `names` are added to, or hide, the names of this one."""
        ...


class Expression:
    """A bare expression, compiled: `item.total > vars.limit`."""

    text: str

    def evaluate(self, scope: Scope) -> Value:
        """Return the value of the expression.

        Raises:
            ExpressionFailed: it cannot be evaluated; the message names the expression.
        """
        ...


class Template:
    """A text with at least one `{{ ... }}` or `{% ... %}`, compiled.

    Exactly one `{{ expression }}` and nothing else keeps the value's type; any other mix renders to text.
    """

    text: str

    def render(self, scope: Scope) -> Value:
        """Return what the template gives.

        Raises:
            ExpressionFailed: it cannot be evaluated; the message names the expression.
        """
        ...


Templated: TypeAlias = (
    "None | bool | int | float | str | Template | Expression | list[Templated] | dict[str, Templated]"
)


def render(value: Templated, scope: Scope) -> object:
    """Return a fresh copy of `value` with every template rendered; expressions stay as they are.

    Raises:
        ExpressionFailed: a template cannot be evaluated; the message names its place, e.g. `values.total`.
    """
    ...
