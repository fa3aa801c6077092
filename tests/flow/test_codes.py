"""Tests that the table of codes is the whole truth."""

import re
from pathlib import Path

import atomiton_runtime.flow
from atomiton_runtime.flow.codes import CODES
from tests.flow.cases import EXPRESSION_FAILURES, TEMPLATE_FAILURES
from tests.flow.test_source import UNREADABLE
from tests.flow.test_variables import VARIABLE_FAILURES

CODE = re.compile(r"\b(?:TOML|FLOW|EXPR|PARAM|VAR)-\d{3}\b")
FOLDER = Path(atomiton_runtime.flow.__file__).parent
TOLD_BY_OTHER_TESTS = {"FLOW-013", "FLOW-017", "FLOW-018", "FLOW-019", "FLOW-020", "PARAM-003", "VAR-012"}


def test_every_code_that_is_used_is_in_the_table() -> None:
    """No module tells a code that documentation does not know."""
    used = {
        code
        for module in FOLDER.glob("*.py")
        if module.name != "codes.py"
        for code in CODE.findall(module.read_text("utf-8"))
    }

    assert set(CODES) == used


def test_every_code_of_the_table_is_produced() -> None:
    """Each code has a case that gives it."""
    reports = (Path(__file__).parent / "bad").glob("*.txt")
    produced = {code for report in reports for code in CODE.findall(report.read_text("utf-8"))}
    produced |= {failure[1] for failure in (*EXPRESSION_FAILURES, *TEMPLATE_FAILURES, *UNREADABLE)}
    produced |= {failure[3] for failure in VARIABLE_FAILURES}

    assert set(CODES) | {"PARAM-003"} == produced | TOLD_BY_OTHER_TESTS


def test_every_code_has_a_meaning() -> None:
    """A meaning is one sentence."""
    assert all(CODE.fullmatch(code) and meaning.endswith(".") for code, meaning in CODES.items())
