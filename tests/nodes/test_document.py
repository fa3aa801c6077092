"""The reference of node types is made from their declarations, and is current."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, inspect

from atomiton_runtime.flow.expressions import Expression
from atomiton_runtime.nodes.document import nodes_document, type_document, type_words
from atomiton_runtime.nodes.registry import CataloguedType, built_in_types
from atomiton_runtime.nodes.scalars import Duration, Size

REFERENCE = Path(__file__).parents[2] / "docs" / "nodes.md"


def test_the_reference_is_current() -> None:
    """docs/nodes.md is what the declarations say now (scripts/generate-docs writes it)."""
    assert nodes_document(built_in_types()) == REFERENCE.read_text(encoding="utf-8")


@pytest.mark.parametrize("catalogued", built_in_types(), ids=lambda each: each.name)
def test_everything_declared_is_described(catalogued: CataloguedType) -> None:
    """Each parameter, port and example has its place in the text."""
    text = type_document(catalogued)
    declared = catalogued.node_type

    assert [name for name in catalogued.parameters if f"| `{name}` |" not in text] == []
    assert [port.name for port in declared.ports if f"- `{port.name}`" not in text] == []
    assert [example.title for example in declared.examples if example.title not in text] == []
    assert "\nEffect" in text


@pytest.mark.parametrize("catalogued", built_in_types(), ids=lambda each: each.name)
def test_a_terminal_gets_a_list_instead_of_a_table(catalogued: CataloguedType) -> None:
    """Where there is no room for a table, the same is said of each parameter in two lines."""
    text = type_document(catalogued, narrow=True)

    assert [name for name in catalogued.parameters if f"\n- `{name}`: " not in text] == []
    assert "| --- |" not in text


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (Annotated[str, Meta(min_length=1)], "text, not empty"),
        (
            Annotated[str, Meta(min_length=2, max_length=9)],
            "text, at least 2 characters, at most 9 characters",
        ),
        (Annotated[str, Meta(max_length=1)], "text, at most 1 character"),
        (Annotated[str, Meta(pattern="^a+$")], "text, of the form `^a+$`"),
        (bool, "true or false"),
        (int | None, "integer"),
        (Annotated[int, Meta(ge=1, le=100000)], "integer, 1 or more, at most 100,000"),
        (Annotated[float, Meta(gt=0, lt=0.5)], "number, more than 0, less than 0.5"),
        (Literal["a", "b"], '`"a"`, `"b"`'),
        (Literal[1, 2] | str, "`1`, `2` or text"),
        (tuple[str, ...], "list (text)"),
        (
            Annotated[list[int], Meta(min_length=1, max_length=3)],
            "list (integer), not empty, at most 3 entries",
        ),
        (Annotated[dict[str, Any], Meta(min_length=1)], "table (anything), not empty"),
        (Duration, "duration"),
        (Size, "size"),
        (Expression, "expression"),
        (Any, "anything"),
    ],
)
def test_what_a_parameter_may_be_is_said_in_words(annotation: Any, words: str) -> None:
    """Every kind of annotation has its words, with its range."""
    assert words == type_words(inspect.type_info(annotation))
