"""Finds out what executions of a node type have to do with the outside, by asking the type itself.

A declaration beside the code could lie. So the type is asked about the parameters of its own examples, with every
choice (a literal, true or false) in its turn.
"""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, get_type_hints

import msgspec
from msgspec import inspect

from atomiton_runtime.flow.expressions import ExpressionFailed, Scope, Template, compile_expression
from atomiton_runtime.nodes.base import CancelToken, Effect, NodeContext, NodeType, Outside
from atomiton_runtime.nodes.catalogued import CataloguedType
from atomiton_runtime.nodes.parameters import shape_of
from atomiton_runtime.nodes.scalars import read_scalar

A = TypeVar("A", bound=str | bool)

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""The choices of a text named `method`: those of HTTP."""


_PURE = frozenset[Effect](("pure",))

Examined: TypeAlias = Literal["reads", "reads and leaves", "leaves", "all", "nothing"]

_EXAMINED: Mapping[Examined, str] = {
    "reads": "what it reads",
    "reads and leaves": "what it reads and what it has left",
    "leaves": "what it has left",
    "all": "everything, by executing it",
    "nothing": "nothing outside",
}


class Answers(msgspec.Struct, Generic[A], frozen=True, kw_only=True):
    """What a type answers about its executions."""

    decided_by: str | None = None
    """The parameter on which the answer depends; None: it is the same for all, or depends on several."""
    by_choice: Mapping[str, frozenset[A]] = {}
    """Value of `decided_by` -> the answers; more than one: other parameters have a say."""
    all: frozenset[A]
    """Every answer that was given; empty: the type fails when it is asked."""


def effects(catalogued: CataloguedType) -> Answers[Effect]:
    """Return what executions of a type do to the outside."""
    if type(catalogued.node_type).effect is NodeType.effect:
        return Answers(all=_PURE)
    return _asked(catalogued, catalogued.node_type.effect)


def repeats(catalogued: CataloguedType) -> Answers[bool]:
    """Return which attempts of a type that a crash cut in two may be executed again."""
    if type(catalogued.node_type).may_repeat is NodeType.may_repeat:
        return Answers(all=frozenset((catalogued.node_type.repeatable,)))
    return _asked(catalogued, catalogued.node_type.may_repeat)


def examined(catalogued: CataloguedType) -> Answers[Examined]:
    """Return what is looked at to find out whether a result of the type still holds."""
    node_type = catalogued.node_type
    if type(node_type).outside is NodeType.outside:
        return Answers(all=frozenset[Examined](("nothing",)))
    context = NodeContext(input=None, scope=Scope({}), folder=Path(os.sep), cancel=CancelToken())
    return _asked(catalogued, lambda parameters: _examined(node_type.outside(parameters, context)))


def _examined(outside: Outside) -> Examined:
    if outside.looks:
        return "all"
    if outside.reads:
        return "reads and leaves" if outside.leaves else "reads"
    return "leaves" if outside.leaves else "nothing"


def may_be_repeated(catalogued: CataloguedType, written: Mapping[str, object]) -> bool:
    """Return whether an attempt that a crash cut in two may be executed again, by what its type says.

    Args:
        catalogued: the node's type.
        written: the parameters as in the flow file. What a template gives is not known any more; if the type asks for
            that, the answer is no.
    """
    if not may_write(catalogued, written):
        return True
    return True in _answer(catalogued.node_type.may_repeat, _known(catalogued, written))


def may_write(catalogued: CataloguedType, written: Mapping[str, object]) -> bool:
    """Return whether an execution may change the outside, by what its type says of the parameters as written.

    What a template gives is not known; if the type asks for that, the answer is yes.
    """
    node_type = catalogued.node_type
    if type(node_type).effect is NodeType.effect:
        return False
    effect = _answer(node_type.effect, _known(catalogued, written))
    return not effect or "writes" in effect


def _known(catalogued: CataloguedType, written: Mapping[str, object]) -> SimpleNamespace:
    """Return the parameters that are certain; who asks for another one meets an `AttributeError`."""
    declared = catalogued.node_type.Parameters
    types = get_type_hints(declared, include_extras=True)
    known: dict[str, object] = {}
    for field in msgspec.structs.fields(declared):
        if field.encode_name not in written:
            known[field.name] = field.default_factory() if callable(field.default_factory) else field.default
        elif not _holds_template(written[field.encode_name]):
            value = written[field.encode_name]
            known[field.name] = msgspec.convert(value, types[field.name], dec_hook=read_scalar)
    return SimpleNamespace(**known)


def _holds_template(value: object) -> bool:
    match value:
        case dict():
            return any(map(_holds_template, cast("dict[str, object]", value).values()))
        case list():
            return any(map(_holds_template, cast("list[object]", value)))
        case _:
            return isinstance(value, Template)


def effect_words(catalogued: CataloguedType) -> str:
    """Return effects, repetition, and what is examined on a save as sentences of Markdown."""
    if catalogued.body is not None:
        return "Effect: those of its child nodes."
    named: Mapping[Effect, str] = {"pure": "`pure`", "reads": "`reads`", "writes": "`writes`"}
    sentences = [
        _words("Effect", effects(catalogued), named),
        _words("Repeated after a crash", repeats(catalogued), {True: "yes", False: "no"}),
    ]
    if effects(catalogued).all != _PURE:
        sentences.append(_words("Examined on a save", examined(catalogued), _EXAMINED))
    return " ".join(sentences)


def _words(question: str, answers: Answers[A], named: Mapping[A, str]) -> str:
    if answers.decided_by is None:
        said = " or ".join(_listed(answers.all, named)) or "not known, for the type fails when it is asked"
        return f"{question}: {said}{', by its parameters' if len(answers.all) > 1 else ''}."
    groups: dict[tuple[str, ...], list[str]] = {}
    for choice, given in answers.by_choice.items():
        if given:
            groups.setdefault(_listed(given, named), []).append(choice)
    order = tuple(named.values())
    parts = [
        f"{' or '.join(words)} for {', '.join(choices)}{' (by other parameters)' if len(words) > 1 else ''}"
        for words, choices in sorted(
            groups.items(), key=lambda group: (order.index(group[0][0]), len(group[0]))
        )
    ]
    return f"{question}, by `{answers.decided_by}`: {'; '.join(parts)}."


def _listed(given: frozenset[A], named: Mapping[A, str]) -> tuple[str, ...]:
    return tuple(words for answer, words in named.items() if answer in given)


def _asked(catalogued: CataloguedType, question: Callable[[Any], A]) -> Answers[A]:
    choices = dict(_choices(catalogued))
    asked: dict[str, dict[str, frozenset[A]]] = {name: {} for name in choices}
    every: frozenset[A] = frozenset()
    for sample in _samples(catalogued):
        for variant in (sample, *_varied(sample, choices)):
            every |= _answer(question, variant)
        for name, values in choices.items():
            for value in values:
                chosen = msgspec.structs.replace(sample, **{name: value})
                given = _answers(question, chosen, {key: of for key, of in choices.items() if key != name})
                word = _written(value)
                asked[name][word] = asked[name].get(word, frozenset()) | given
    deciding = _deciding(asked)
    return Answers(decided_by=deciding, by_choice=asked[deciding] if deciding else {}, all=every)


def _answers(
    question: Callable[[Any], A], sample: msgspec.Struct, choices: Mapping[str, Sequence[object]]
) -> frozenset[A]:
    variants = (sample, *_varied(sample, choices))
    return frozenset(answer for variant in variants for answer in _answer(question, variant))


def _varied(sample: msgspec.Struct, choices: Mapping[str, Sequence[object]]) -> Iterator[msgspec.Struct]:
    for name, values in choices.items():
        for value in values:
            yield msgspec.structs.replace(sample, **{name: value})


def _answer(question: Callable[[Any], A], parameters: object) -> frozenset[A]:
    try:
        return frozenset((question(parameters),))
    except Exception:  # noqa: BLE001  # a stranger's type may fail for parameters that no flow could give it
        return frozenset()


def _deciding(asked: Mapping[str, Mapping[str, frozenset[A]]]) -> str | None:
    """Return the parameter whose choices say most; None when the answer is the same for all choices of all."""

    def settled(name: str) -> int:
        return sum(len(given) == 1 for given in asked[name].values())

    telling = [name for name, by_choice in asked.items() if len(set(by_choice.values())) > 1]
    return max(telling, key=settled, default=None)


def _choices(catalogued: CataloguedType) -> Iterator[tuple[str, Sequence[object]]]:
    for field in shape_of(catalogued.node_type.Parameters).fields:
        choices = tuple(_choices_of(field.type, field.encode_name))
        if choices:
            yield field.name, choices


def _choices_of(shape: inspect.Type, name: str) -> Iterator[object]:
    match shape:
        case inspect.Metadata():
            yield from _choices_of(shape.type, name)
        case inspect.UnionType():
            for part in shape.types:
                yield from _choices_of(part, name)
        case inspect.LiteralType():
            yield from shape.values
        case inspect.BoolType():
            yield from (True, False)
        case inspect.StrType() if name == "method":
            yield from _METHODS
        case _:
            return


def _written(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _samples(catalogued: CataloguedType) -> Sequence[msgspec.Struct]:
    """Return the parameters of the good examples, or where none can be read ones with nothing in them."""
    good = (each for each in catalogued.node_type.examples if each.error is None)
    samples = [sample for each in good if (sample := _sample(catalogued, each.toml)) is not None]
    declared = catalogued.node_type.Parameters
    # A Struct that is made directly is not checked.
    empty = {field.name: None for field in shape_of(declared).fields if field.required}
    return samples or [declared(**empty)]


def _sample(catalogued: CataloguedType, toml: str) -> msgspec.Struct | None:
    try:
        written = {
            name: compile_expression(value)
            if isinstance(value, str) and catalogued.parameters[name].kind in ("expression", "key")
            else value
            for name, value in tomllib.loads(toml).items()
            if name in catalogued.parameters
        }
        return msgspec.convert(written, catalogued.node_type.Parameters, dec_hook=read_scalar)
    except (ExpressionFailed, tomllib.TOMLDecodeError, msgspec.ValidationError):
        return None  # an example with templates where numbers are wanted, say
