"""The reference of node types is made from their declarations, and is current."""

from pathlib import Path

import pytest

from atomiton_runtime.nodes.document import nodes_document, type_document
from atomiton_runtime.nodes.registry import CataloguedType, built_in_types

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
