"""Runs Jinja2 inside fences: data in, data out, no Python attributes, no unbounded cost."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import GeneratorType
from typing import Any, cast

from jinja2 import (
    StrictUndefined,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from atomiton_runtime.flow import filters
from atomiton_runtime.flow.data import joined, to_text
from atomiton_runtime.flow.limits import (
    CHARACTERS_PER_STEP,
    MAX_INTEGER_BITS,
    MAX_RANGE,
    MAX_STEPS,
    Refused,
    check_length,
    too_large,
)
from atomiton_runtime.flow.lookup import TextMethod, attribute, element, kind_of

LOOP_NAMES = frozenset(
    (
        "index",
        "index0",
        "revindex",
        "revindex0",
        "first",
        "last",
        "length",
        "previtem",
        "nextitem",
        "cycle",
        "changed",
    )
)

VISITED = "_visited"
_STEPS_PER_TURN = 10
_NUMBERS = (int, float)


class KeyMissing(UndefinedError):
    """Something was used that is not there."""

    def __init__(self, refusal: Refused, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


class Missing(StrictUndefined):
    """Stands for a key or name that is not there: `is defined` and `default` may ask, anything else fails."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: object = missing,
        name: str | None = None,
        exc: object = None,
        *,
        refusal: Refused | None = None,
    ) -> None:
        del exc
        if refusal is None:
            reason = hint or f"`{name}` is not known here"
            empty = "sequence was empty" in reason
            refusal = Refused("EXPR-004", "the list is empty" if empty else reason)
        # Jinja only calls it with the message and raises what it gives.
        super().__init__(refusal.reason, obj, name, cast(Any, partial(KeyMissing, refusal)))


class Evaluation:
    """One evaluation: its names and what it may still spend. Jinja's code takes it for its context."""

    __slots__ = ("exported_vars", "names", "steps_left", "vars")

    environment: "Sandbox"
    eval_ctx: object

    def __init__(self, names: Mapping[str, object]) -> None:
        self.names = names
        self.vars: dict[str, object] = {}
        self.exported_vars: set[str] = set()
        self.steps_left = MAX_STEPS

    def resolve_or_missing(self, name: str) -> object:
        """Return the value of a name, or Jinja's mark for none."""
        if name in self.names:
            return self.names[name]
        return partial(_range, self) if name == "range" else missing

    def spend(self, value: object) -> None:
        """Count the elements of `value` as visited.

        Raises:
            Refused: the evaluation visited too many (EXPR-005).
        """
        if isinstance(value, str | bytes):
            self.steps_left -= len(value) // CHARACTERS_PER_STEP + 1
        elif isinstance(value, list | dict | tuple):
            self.steps_left -= len(cast("list[object]", value)) + 1
        if self.steps_left < 0:
            raise Refused("EXPR-005", f"the expression visits more than {MAX_STEPS:,} elements")


def _range(evaluation: Evaluation, *bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise too_large("`range`", MAX_RANGE)
    listed = list(numbers)
    evaluation.spend(listed)
    return listed


class _Code(CodeGenerator):
    """Generates Jinja's code, with our loops and our `~`."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  # Jinja calls it by this name
        self.write("environment.joined(context, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 with keys for attributes, bounded operators and a curated set of filters and tests."""

    code_generator_class = _Code
    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self) -> None:
        super().__init__(
            undefined=Missing,
            optimized=False,
            keep_trailing_newline=True,
            finalize=to_text,
            # Comments would make `${#list[@]}` of a shell script an error; a surrogate is in no TOML text.
            comment_start_string="\udc00#",
            comment_end_string="#\udc00",
            cache_size=0,
        )
        self.globals = {}
        self.filters = _guarded_filters()
        self.tests = dict(filters.TESTS)

    def getattr(self, obj: object, attribute_name: str) -> object:  # pyright: ignore[reportIncompatibleMethodOverride]  # only the name of an argument differs
        """Return `obj.name`: a key, a text's method, or what stands for a missing one."""
        if type(obj) is dict:
            try:
                return cast("dict[str, object]", obj)[attribute_name]
            except KeyError:
                pass
        if isinstance(obj, LoopContext) and attribute_name in LOOP_NAMES:
            return getattr(obj, attribute_name)
        if isinstance(obj, Missing):
            return bool(obj)  # strict: raises what is missing
        try:
            return attribute(cast(object, obj), attribute_name)
        except Refused as refusal:
            return Missing(name=attribute_name, refusal=refusal)

    def getitem(self, obj: object, argument: object) -> object:  # pyright: ignore[reportIncompatibleMethodOverride]  # only the name of an argument differs
        """Return `obj[key]`: a key, a place, or what stands for a missing one."""
        if isinstance(obj, Missing):
            return bool(obj)  # strict: raises what is missing
        try:
            return element(obj, argument)
        except Refused as refusal:
            return Missing(name=str(argument), refusal=refusal)

    def call(self, __context: Evaluation, __obj: object, *args: object, **kwargs: object) -> object:  # pyright: ignore[reportIncompatibleMethodOverride]  # our evaluation is Jinja's context
        """Call a method of a text, `range`, or a function of `loop`; nothing else can be called."""
        if isinstance(__obj, Missing):
            return bool(__obj)  # strict: raises what is missing
        kwargs.pop("_loop_vars", None)  # Jinja's code hands these to functions that want a context
        kwargs.pop("_block_vars", None)
        if isinstance(__obj, TextMethod):
            __context.spend(__obj.text)
            return __obj(*args, **kwargs)
        if isinstance(__obj, partial) or isinstance(getattr(__obj, "__self__", None), LoopContext):
            return cast("Callable[..., object]", __obj)(*args, **kwargs)
        raise Refused("EXPR-003", f"{kind_of(__obj)} cannot be called")

    def call_binop(self, context: Evaluation, operator: str, left: Any, right: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # our evaluation is Jinja's context
        """Return `left operator right`, if that is not too large."""
        if operator == "+":
            if type(left) not in _NUMBERS:
                return _sum(context, left, right)
            return left + right
        if operator == "*":
            return _product(context, left, right)
        if operator == "%":
            if isinstance(left, str | bytes):
                raise Refused("EXPR-003", "`%` is for numbers", "write `'%d files' | format(count)`")
            return left % right
        return _power(left, right)

    def joined(self, context: Evaluation, parts: Iterable[object]) -> str:
        """Return the texts of `parts` one after the other: the operator `~`."""
        text = joined(parts)
        context.spend(text)
        return text


def _sum(evaluation: Evaluation, left: Any, right: Any) -> Any:
    check_length(_length(left) + _length(right))
    result = left + right
    evaluation.spend(result)
    return result


def _length(value: object) -> int:
    return len(cast("list[object]", value)) if isinstance(value, str | list | tuple | bytes) else 0


def _product(evaluation: Evaluation, left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        return left * right
    for sequence, count in ((left, right), (right, left)):
        if isinstance(count, int):
            check_length(_length(sequence) * max(count, 0))
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    result = left * right
    evaluation.spend(result)
    return result


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        _check_bits(left.bit_length() * right)
    result = left**right
    if isinstance(result, complex):
        raise Refused("EXPR-003", "a root of a negative number is not a number")
    return result


def _check_bits(bits: int) -> None:
    if bits > MAX_INTEGER_BITS:
        raise Refused("EXPR-005", f"the integer would have more than {MAX_INTEGER_BITS} bits")


def _guarded_filters() -> dict[str, Callable[..., Any]]:
    guarded = {name: _guarded(function) for name, function in filters.PLAIN.items()}
    for name, function in filters.WITH_ENVIRONMENT.items():
        guarded[name] = _guarded(function, lambda evaluation: evaluation.environment)
    for name, function in filters.WITH_CONTEXT.items():
        guarded[name] = _guarded(function, lambda evaluation: evaluation)
    aliases = {alias: guarded[name] for alias, name in filters.ALIASES.items()}
    return guarded | aliases | {VISITED: _visited}


def _guarded(
    function: Callable[..., object], first: Callable[[Evaluation], object] | None = None
) -> Callable[..., Any]:
    def guarded(evaluation: Evaluation, value: object, *args: object, **kwargs: object) -> object:
        evaluation.spend(value)
        leading = (value,) if first is None else (first(evaluation), value)
        result = function(*leading, *args, **kwargs)
        return list(cast("Iterable[object]", result)) if isinstance(result, GeneratorType) else result

    return cast("Callable[..., Any]", pass_context(guarded))


@pass_context
def _visited(evaluation: Any, value: Iterable[object]) -> list[object]:
    if isinstance(value, Missing):
        bool(value)  # strict: raises what is missing
    elements = list(value)
    for _ in range(_STEPS_PER_TURN):
        evaluation.spend(elements)
    return elements


SANDBOX = Sandbox()
"""The one environment: it holds no state of any evaluation."""
Evaluation.environment = SANDBOX
Evaluation.eval_ctx = nodes.EvalContext(SANDBOX)
