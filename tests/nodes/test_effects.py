"""What a type does to the outside is found by asking it, with all that its parameters may be."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from msgspec import Meta

from atomiton_runtime.nodes.base import Effect, Example, NodeContext, NodeType, Outside, Port
from atomiton_runtime.nodes.catalogued import CataloguedType
from atomiton_runtime.nodes.effects import effect_words, effects, examined, repeats
from atomiton_runtime.nodes.paths import resolved
from atomiton_runtime.nodes.registry import built_in_types
from atomiton_runtime.values import Value

BUILT_IN = {each.name: each for each in built_in_types()}


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: Annotated[str, Meta(description="A path.")]
    operation: Annotated[Literal["read", "write", "list"], Meta(description="What.")] = "read"
    force: Annotated[bool | None, Meta(description="Whether.")] = None
    count: Annotated[int, Meta(description="How many.")] = 1


class Declared(NodeType):
    """Is a type of a test."""

    name = "declared"
    ports = (Port("result", "Nothing."),)
    Parameters = Parameters
    examples: ClassVar[tuple[Example, ...]] = (Example(title="One", toml='path = "x"'),)

    def execute(self, parameters: Any, context: NodeContext) -> dict[str, Value]:
        return {"result": None}


class ByOperation(Declared):
    def effect(self, parameters: Parameters) -> Effect:
        return "writes" if parameters.operation == "write" else "reads"

    def may_repeat(self, parameters: Parameters) -> bool:
        return parameters.operation != "write" or bool(parameters.force)

    def outside(self, parameters: Parameters, context: NodeContext) -> Outside:
        path = resolved(parameters.path, context.folder, "path")
        match parameters.operation:
            case "read":
                return Outside(reads=(path,))
            case "write":
                return Outside(leaves=(path,))
            case "list":
                return Outside(looks=True)


class ByCount(Declared):
    examples: ClassVar[tuple[Example, ...]] = (
        Example(title="One", toml='path = "x"'),
        Example(title="Two", toml='path = "x"\ncount = 2'),
        Example(title="Known later", toml='path = "x"\ncount = "{{ vars.n }}"'),
    )

    def effect(self, parameters: Parameters) -> Effect:
        return "writes" if parameters.count > 1 else "reads"

    def outside(self, parameters: Parameters, context: NodeContext) -> Outside:
        path = resolved(parameters.path, context.folder, "path")
        return Outside(reads=(path,), leaves=(path,)) if parameters.count > 1 else Outside()


class Failing(Declared):
    repeatable = False

    def effect(self, parameters: Parameters) -> Effect:
        raise KeyError(parameters.path)

    def outside(self, parameters: Parameters, context: NodeContext) -> Outside:
        raise KeyError(parameters.path)


class FailingForOne(Declared):
    def effect(self, parameters: Parameters) -> Effect:
        return {"read": "reads", "list": "pure"}[parameters.operation]  # type: ignore[return-value]  # a mistake


class WithoutSamples(Declared):
    examples: ClassVar[tuple[Example, ...]] = (Example(title="Wrong", toml="path = 1"),)

    def effect(self, parameters: Parameters) -> Effect:
        return "reads" if parameters.operation == "read" else "writes"


def catalogued(declared: type[NodeType]) -> CataloguedType:
    return CataloguedType(declared(), "test")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (Declared, "Effect: `pure`. Repeated after a crash: yes."),
        (
            ByOperation,
            "Effect, by `operation`: `reads` for list, read; `writes` for write. Repeated after a crash, by "
            "`operation`: yes for list, read; yes or no for write (by other parameters). Examined on a save, by "
            "`operation`: what it reads for read; what it has left for write; everything, by executing it for list.",
        ),
        (
            ByCount,
            "Effect: `reads` or `writes`, by its parameters. Repeated after a crash: yes. Examined on a save: what "
            "it reads and what it has left or nothing outside, by its parameters.",
        ),
        (
            Failing,
            "Effect: not known, for the type fails when it is asked. Repeated after a crash: no. Examined on a save: "
            "not known, for the type fails when it is asked.",
        ),
        (
            FailingForOne,
            "Effect, by `operation`: `pure` for list; `reads` for read. Repeated after a crash: yes. "
            "Examined on a save: nothing outside.",
        ),
        (
            WithoutSamples,
            "Effect, by `operation`: `reads` for read; `writes` for list, write. Repeated after a crash: yes. "
            "Examined on a save: nothing outside.",
        ),
    ],
)
def test_the_words_are_what_the_type_answers(declared: type[NodeType], words: str) -> None:
    """One answer for all, an answer by a choice, several by something else, or none: each is said as it is."""
    assert words == effect_words(catalogued(declared))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("transform", {"pure"}),
        ("edit-fields", {"pure"}),
        ("shell-command", {"writes"}),
        ("file-system", {"reads", "writes"}),
        ("http-request", {"reads", "writes"}),
    ],
)
def test_built_in_types_answer(name: str, expected: set[str]) -> None:
    """What is said of the built-in types is what they are."""
    assert effects(BUILT_IN[name]).all == expected


def test_a_choice_that_does_not_settle_it_is_not_said_to() -> None:
    """Whether a written file may be written again depends on `overwrite` too, and no answer hides that."""
    answers = repeats(BUILT_IN["file-system"])

    assert answers.decided_by == "operation"
    assert answers.by_choice["write"] == {True, False}
    assert answers.by_choice["append"] == {False}
    assert answers.by_choice["read"] == {True}


def test_the_methods_of_a_request_decide() -> None:
    """A text named `method` is asked about with the methods of HTTP."""
    answers = effects(BUILT_IN["http-request"])

    assert answers.decided_by == "method"
    assert (answers.by_choice["GET"], answers.by_choice["POST"]) == ({"reads"}, {"writes"})


@pytest.mark.parametrize(
    ("name", "operation", "expected"),
    [
        ("file-system", "move", {"reads and leaves"}),
        ("file-system", "list", {"all"}),
        ("spreadsheet", "read", {"reads", "nothing"}),
        ("image", "info", {"reads"}),
    ],
)
def test_what_is_examined_is_found_by_asking(name: str, operation: str, expected: set[str]) -> None:
    """What is said to be looked at on a save is what the type itself names."""
    assert expected == examined(BUILT_IN[name]).by_choice[operation]


def test_bodies_have_the_effects_of_their_nodes() -> None:
    """Nothing can be said of a loop without what is in it."""
    assert effect_words(BUILT_IN["loop"]) == "Effect: those of its child nodes."
