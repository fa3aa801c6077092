"""Compiles and evaluates the expressions and templates of flow files: Jinja2, sandboxed and strict.

What differs from Jinja2 as its own documentation tells it:

- `a.b` and `a['b']` on an object always mean its key `b`; texts have the methods of `lookup.TEXT_METHODS`.
- Whatever is missing is an error, and so is a null or bytes in the middle of a text: no fallback value, ever.
- In a text, booleans are `true` and `false`, lists and objects compact JSON.
- `int` and `float` fail when they cannot convert, unless a default is given. `x if y` needs its `else`.
- The filters are those of `filters.FILTERS`; the statements `for`, `if`, `set` and `raw`; there are no comments.
- What an expression may cost is bounded: see `limits`.
"""

from collections.abc import Mapping
from typing import Self, TypeAlias, cast

from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.limits import Refused
from atomiton_runtime.flow.names import Use
from atomiton_runtime.flow.program import Program, compile_bare, compile_text, is_template
from atomiton_runtime.values import Value, preview

_SHOWN_CHARS = 100


class ExpressionFailed(AtomitonError):
    """An expression or template is wrong or cannot be evaluated (EXPR-...).

    Whoever knows more of the place adds it with `at`.
    """

    def __init__(
        self,
        code: str,
        expression: str,
        reason: str,
        *,
        hint: str | None = None,
        parameter: str | None = None,
        item_index: int | None = None,
    ) -> None:
        place = "".join(
            (
                "" if parameter is None else f"`{parameter}`, ",
                "" if item_index is None else f"item {item_index}, ",
            )
        )
        shown = preview(expression, _SHOWN_CHARS)
        super().__init__(code, f"{place}expression `{shown}`: {reason}", hint=hint)
        self.expression = expression
        self.reason = reason
        self.parameter = parameter
        self.item_index = item_index

    def at(self, *, parameter: str | None = None, item_index: int | None = None) -> Self:
        """Return the same failure that also names the parameter, or the item, that it is about."""
        return type(self)(
            self.code,
            self.expression,
            self.reason,
            hint=self.hint,
            parameter=self.parameter if parameter is None else parameter,
            item_index=self.item_index if item_index is None else item_index,
        )


class Scope:
    """The names an expression may use: `input`, `vars`, `item`, ... Immutable."""

    __slots__ = ("_names",)

    def __init__(self, names: Mapping[str, object]) -> None:
        self._names = dict(names)

    def child(self, **names: object) -> "Scope":
        """Return a scope in which `names` are added to, or hide, the names of this one."""
        child = Scope.__new__(Scope)
        child._names = self._names | names
        return child

    def nested(self) -> "Scope":
        """Return a scope in which what is repeated here is called `outer.item` and `outer.index`; see `child`."""
        outer = {name: self._names[name] for name in ("item", "index", "outer") if name in self._names}
        return self.child(outer=outer) if outer else self

    @property
    def names(self) -> Mapping[str, object]:
        """The names; not to be changed."""
        return self._names


class _Compiled:
    __slots__ = ("_program", "text")

    text: str
    """As written."""

    def __init__(self, program: Program) -> None:
        self.text = program.text
        self._program = program

    @property
    def uses(self) -> tuple[Use, ...]:
        """The names it uses, without those that it sets itself."""
        return self._program.uses

    @property
    def names(self) -> frozenset[str]:
        """What its value depends on; see `names.names_of`."""
        return self._program.names

    def _run(self, scope: Scope) -> Value:
        try:
            return self._program.run(scope.names)
        except Refused as exc:
            raise _failed(self.text, exc) from exc

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and cast(Self, other).text == self.text

    def __hash__(self) -> int:
        return hash((type(self), self.text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


class Expression(_Compiled):
    """A bare expression, compiled: `item.total > vars.limit`. Made by `compile_expression`."""

    __slots__ = ()

    def evaluate(self, scope: Scope) -> Value:
        """Return the value of the expression, as a copy of its own.

        Raises:
            ExpressionFailed: it cannot be evaluated; the message names the expression.
        """
        return self._run(scope)


class Template(_Compiled):
    """A text with at least one `{{ ... }}` or `{% ... %}`, compiled. Made by `compile_template`.

    Exactly one `{{ expression }}` and nothing else keeps the value's type; any other mix renders to text.
    """

    __slots__ = ()

    def render(self, scope: Scope) -> Value:
        """Return what the template gives, as a copy of its own.

        Raises:
            ExpressionFailed: it cannot be evaluated; the message names the expression.
        """
        return self._run(scope)


Templated: TypeAlias = (
    "None | bool | int | float | str | Template | Expression | list[Templated] | dict[str, Templated]"
)


def compile_expression(text: str) -> Expression:
    """Return a bare expression, checked.

    Raises:
        ExpressionFailed: it is none, or asks for what is not allowed (EXPR-001, EXPR-005, EXPR-006, EXPR-007).
    """
    try:
        return Expression(compile_bare(text))
    except Refused as exc:
        raise _failed(text, exc) from exc


def compile_template(text: str) -> Template | str:
    """Return a text with `{{` or `{%` in it as a template, checked; any other text as it is.

    Raises:
        ExpressionFailed: it is no template, or asks for what is not allowed (EXPR-001, ...).
    """
    if not is_template(text):
        return text
    try:
        return Template(compile_text(text))
    except Refused as exc:
        raise _failed(text, exc) from exc


def compile_templates(value: object) -> Templated:
    """Return a copy of data in which every text, at any depth, went through `compile_template`.

    Raises:
        ExpressionFailed: one is no template.
    """
    match value:
        case str():
            return compile_template(value)
        case dict():
            entries = cast("dict[str, object]", value).items()
            return {key: compile_templates(entry) for key, entry in entries}
        case list():
            return [compile_templates(entry) for entry in cast("list[object]", value)]
        case _:
            return cast(Templated, value)


def render(value: Templated, scope: Scope) -> object:
    """Return a fresh copy of `value` with every template rendered; expressions stay as they are.

    Raises:
        ExpressionFailed: a template cannot be evaluated; the message names its place, e.g. `values.total`.
    """
    match value:
        case Template():
            return value.render(scope)
        case dict():
            return {key: _render_below(key, entry, scope) for key, entry in value.items()}
        case list():
            return [_render_below(f"[{place}]", entry, scope) for place, entry in enumerate(value)]
        case _:
            return value


def _render_below(place: str, value: Templated, scope: Scope) -> object:
    try:
        return render(value, scope)
    except ExpressionFailed as exc:
        below = exc.parameter or ""
        joint = "" if not below or below.startswith("[") else "."
        raise exc.at(parameter=f"{place}{joint}{below}") from exc.__cause__


def _failed(text: str, refusal: Refused) -> ExpressionFailed:
    return ExpressionFailed(refusal.code, text, refusal.reason, hint=refusal.hint)
