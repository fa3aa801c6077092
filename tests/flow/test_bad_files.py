"""Compares the report of each file in `bad/` with the text beside it, to the letter."""

from pathlib import Path

import pytest

from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import render_problems
from tests.doubles.catalogue import CatalogueDouble

BAD = Path(__file__).parent / "bad"


@pytest.mark.parametrize("file", sorted(BAD.glob("*.toml")), ids=lambda file: file.stem)
def test_reports_all_that_is_wrong_to_the_letter(file: Path) -> None:
    """A wrong file gives the report that is kept beside it, and no flow."""
    expected = file.with_suffix(".txt").read_text("utf-8")

    loaded = load_flow(file.read_bytes(), Path(file.name), CatalogueDouble())

    assert not isinstance(loaded, Flow)
    assert expected == render_problems(loaded)
