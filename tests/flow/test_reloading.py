"""Tests that a file loads the same with and without the version before it."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.nodes.registry import NodeCatalogue
from tests.doubles.catalogue import CatalogueDouble
from tests.flow.judging import ROOT

_TOKENS = re.compile(rb'"[^"\n]*"|[A-Za-z0-9_.-]+|\s+|.', re.DOTALL)
_CATALOGUE = NodeCatalogue(ROOT / "no such folder")
_FILES = [file.read_bytes() for file in sorted((ROOT / "flows").glob("*.toml"))]
_LOADED = [load_flow(content, Path("a.toml"), _CATALOGUE) for content in _FILES]
_PATH = Path("a.toml")


@st.composite
def _edited(draw: st.DrawFn) -> tuple[Flow, bytes]:
    chosen = draw(st.integers(0, len(_FILES) - 1))
    before = _LOADED[chosen]
    assert isinstance(before, Flow)
    tokens = _TOKENS.findall(_FILES[chosen])
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(tokens)))
        piece = draw(st.sampled_from([b"", b"1", b"true", b"\n", b'"x"', b"# a\n", b" ", *tokens]))
        tokens[place : place + draw(st.integers(0, 1))] = [piece]
    return before, b"".join(tokens)


@given(edited=_edited())
def test_the_version_before_changes_nothing_of_what_is_loaded(edited: tuple[Flow, bytes]) -> None:
    """Flow or problems, an edited file gives the same as when it is loaded alone."""
    before, content = edited
    alone = load_flow(content, _PATH, _CATALOGUE)

    assert alone == load_flow(content, _PATH, _CATALOGUE, before)
    assert repr(alone) == repr(load_flow(content, _PATH, _CATALOGUE, before))


@given(before=st.sampled_from(_LOADED), chosen=st.integers(0, len(_FILES) - 1))
def test_any_flow_may_be_the_one_before(before: Flow, chosen: int) -> None:
    """Also another flow's nodes say nothing wrong of a file."""
    assert _LOADED[chosen] == load_flow(_FILES[chosen], _PATH, _CATALOGUE, before)


def _loaded(content: str, catalogue: CatalogueDouble, before: Flow | None = None) -> Flow:
    found = load_flow(content.encode(), _PATH, catalogue, before)
    assert isinstance(found, Flow), found
    return found


def test_what_is_written_the_same_is_taken_over() -> None:
    """The parameters of a node that only moved are those of the version before."""
    catalogue = CatalogueDouble()
    text = "[nodes.a]\ntype = 'make'\nvalues = { n = '{{ input }}' }\n"
    before = _loaded(text, catalogue)
    again = _loaded(f"# moved\n[nodes.first]\ntype = 'make'\n{text}input = 'first'", catalogue, before)

    assert before.nodes[0].parameters is again.nodes[1].parameters
    assert (1, 4) == (again.nodes[1].index, again.nodes[1].line)


def test_values_that_are_equal_but_not_the_same_are_read_anew() -> None:
    """`1`, `1.0` and `true` are equal to Python, and not in a file; nor are keys in another order."""
    catalogue = CatalogueDouble()
    flow = None
    for value in (
        "1",
        "1.0",
        "true",
        "'1'",
        "{ a = 1, b = 2 }",
        "{ b = 2, a = 1 }",
        "12:00:00",
        "0.0",
        "-0.0",
    ):
        text = f"[nodes.a]\ntype = 'make'\nvalues = {value}"
        flow = _loaded(text, catalogue, flow)
        assert repr(_loaded(text, catalogue)) == repr(flow)


def test_what_parameters_depend_on_is_looked_at_again() -> None:
    """A variable that is gone, and a type that has changed, make their nodes be read anew."""
    catalogue = CatalogueDouble()
    text = "[nodes.a]\ntype = 'make'\nvalues = '{{ vars.x }}'\n"
    before = _loaded(f"[variables]\nx = 1\n{text}", catalogue)
    gone = load_flow(text.encode(), _PATH, catalogue, before)
    other = CatalogueDouble()
    changed = _loaded(f"[variables]\nx = 1\n{text}", other, before)

    assert not isinstance(gone, Flow)
    assert ["EXPR-010"] == [problem.code for problem in gone]
    assert before.nodes[0].parameters is not changed.nodes[0].parameters
