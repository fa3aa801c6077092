"""Compiles one expression or template: to a checked form at loading, to code when it first runs.

Plain names (`item.a.b`) and texts with plain names in them (`out/{{ vars.name }}.json`) are most of what flows
hold: these never reach Jinja, unless something about the values is unusual. Then Jinja has the say.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias, cast

from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.data import plain_value, to_text
from atomiton_runtime.flow.limits import MAX_LENGTH, MAX_TEXT, Refused
from atomiton_runtime.flow.names import Use, UsedNames, names_of
from atomiton_runtime.values import Value

Names: TypeAlias = Mapping[str, object]
Function: TypeAlias = Callable[[Names], object]
Path: TypeAlias = tuple[str, ...]

_PLAIN = r"(?:input|vars|item|index|acc|env|run|flow|now)(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_PLAIN_EXPRESSION = re.compile(rf"\s*({_PLAIN})\s*", re.ASCII)
_PLAIN_SLOT = re.compile(r"\{\{\s*(" + _PLAIN + r")\s*\}\}", re.ASCII)
_OPENING = re.compile(r"\{[{%]")
_UNUSUAL = object()
_KINDS = {
    "'NoneType'": "null",
    "'dict'": "an object",
    "'list'": "a list",
    "'str'": "a text",
    "'int'": "an integer",
    "'float'": "a number",
    "'bool'": "a boolean",
    "'bytes'": "bytes",
}
_PYTHON_KIND = re.compile("|".join(_KINDS))


class Program:
    """A checked expression or template; runs any number of times, in any thread."""

    __slots__ = ("_build", "_function", "_plain", "names", "text", "uses")

    def __init__(
        self,
        text: str,
        used: UsedNames,
        *,
        plain: Function | None = None,
        build: Callable[[], Function],
    ) -> None:
        """Hold what `text` became.

        Args:
            text: as written.
            used: the names in it.
            plain: gives its value without Jinja, or `_UNUSUAL`.
            build: gives the code of it; called when it first runs, perhaps by two threads at once.
        """
        self.text = text
        self.uses = used.from_outside
        # Also those that it sets itself, since that may be later: `{{ vars.x }}{% set vars = 1 %}`.
        self.names = names_of(used.uses)
        self._plain = plain
        self._build = build
        self._function: Function | None = None

    def run(self, names: Names) -> Value:
        """Return what it gives with these names: a fresh copy.

        Raises:
            Refused: it cannot be evaluated.
        """
        try:
            if self._plain is not None:
                value = self._plain(names)
                if value is not _UNUSUAL:
                    return plain_value(value)
            if self._function is None:
                self._function = self._build()
            return plain_value(self._function(names))
        except Exception as exc:  # filters, tests and templates of a user can raise anything
            raise refusal_of(exc) from exc


def is_template(text: str) -> bool:
    """Return whether `text` holds `{{` or `{%`."""
    return _OPENING.search(text) is not None


@lru_cache(maxsize=4096)
def compile_bare(text: str) -> Program:
    """Return the program of a bare expression.

    Raises:
        Refused: it is none, or asks for what is not allowed.
    """
    if plain := _PLAIN_EXPRESSION.fullmatch(text):
        path = _path(plain[1])
        return Program(
            text, UsedNames((_use(path),)), plain=_plain_value(path), build=lambda: _bare_code(text)[1]()
        )
    used, build = _bare_code(text)
    return Program(text, used, build=build)


def _bare_code(text: str) -> tuple[UsedNames, Callable[[], Function]]:
    from atomiton_runtime.flow import code, grammar

    _check_length(text)
    try:
        tree = code.parse_expression(text)
        return grammar.inspect(tree), lambda: code.compile_value(tree)
    except Exception as exc:
        raise _understood(refusal_of(exc), text) from exc


@lru_cache(maxsize=4096)
def compile_text(text: str) -> Program:
    """Return the program of a template.

    Raises:
        Refused: it is none, or asks for what is not allowed.
    """
    pieces = _PLAIN_SLOT.split(text)
    if len(pieces) == 1 or any(_OPENING.search(literal) for literal in pieces[::2]):
        used, build = _template_code(text)
        return Program(text, used, build=build)
    paths = [_path(name) for name in pieces[1::2]]
    only = len(paths) == 1 and not pieces[0] and not pieces[2]
    plain = _plain_value(paths[0]) if only else _plain_text(pieces[::2], paths)
    used = UsedNames(tuple(dict.fromkeys(map(_use, paths))))
    return Program(text, used, plain=plain, build=lambda: _template_code(text)[1]())


def _template_code(text: str) -> tuple[UsedNames, Callable[[], Function]]:
    from atomiton_runtime.flow import code, grammar

    _check_length(text)
    try:
        tree, single = code.parse_template(text)
        to_code = code.compile_value if single else code.compile_text
        return grammar.inspect(tree), lambda: to_code(tree)
    except Exception as exc:
        raise refusal_of(exc) from exc


def _check_length(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise Refused("EXPR-005", f"it is longer than {MAX_TEXT:,} characters", "put long texts into a file")


def _understood(refusal: Refused, text: str) -> Refused:
    if not text.strip():
        return Refused("EXPR-001", "it is empty", "write an expression, e.g. `item.total > 10`")
    if refusal.code == "EXPR-001" and "{{" in text:
        return Refused("EXPR-001", refusal.reason, "write it without the braces: it is an expression already")
    if refusal.code == "EXPR-001" and ("&&" in text or "||" in text or "!" in text):
        return Refused("EXPR-001", refusal.reason, "write `and`, `or`, `not`")
    return refusal


def _path(dotted: str) -> Path:
    return tuple(dotted.split("."))


def _use(path: Path) -> Use:
    return Use(path[0], path[1] if len(path) > 1 else None)


def _plain_value(path: Path) -> Function:
    def value(names: Names) -> object:
        return _follow(names, path)

    return value


def _plain_text(literals: list[str], paths: list[Path]) -> Function:
    def text(names: Names) -> object:
        parts = [literals[0]]
        for path, literal in zip(paths, literals[1:], strict=True):
            value = _follow(names, path)
            if value is _UNUSUAL:
                return _UNUSUAL
            parts.append(to_text(value))
            parts.append(literal)
        return "".join(parts) if sum(map(len, parts)) <= MAX_LENGTH else _UNUSUAL

    return text


def _follow(names: Names, path: Path) -> object:
    """Return what a dotted name means where all it meets are objects with these keys, else `_UNUSUAL`."""
    value: object = names
    for key in path:
        if type(value) is not dict:
            return _UNUSUAL
        value = cast("dict[str, object]", value).get(key, _UNUSUAL)
    return value


def refusal_of(error: Exception) -> Refused:
    """Return why an expression failed, in the words of its author."""
    match error:
        case Refused():
            return error
        case AtomitonError():
            return Refused("EXPR-009", error.message, error.hint)
        case RecursionError():
            return Refused("EXPR-005", "it is nested too deep", "spread it over several nodes")
        case MemoryError():
            return Refused("EXPR-005", "it needs more memory than there is")
        case ZeroDivisionError():
            return Refused("EXPR-003", "division by zero")
        case ValueError() if "integer string conversion" in str(error):
            return Refused("EXPR-001", "a number in it is too large")
        case _:
            return _refusal_of_jinja(error)


def _refusal_of_jinja(error: Exception) -> Refused:
    from atomiton_runtime.flow import code

    told = _PYTHON_KIND.sub(lambda kind: _KINDS[kind[0]], str(error))
    return code.reason_of(error) or Refused("EXPR-003", told or type(error).__name__)
