"""The lines of a text that is taken verbatim are found in the file, however it is written."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.catalogue import Complaint, ParameterInfo
from atomiton_runtime.flow.code_lines import CodeLines, line_starts
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import Problem
from tests.doubles.catalogue import TypeDouble

FORMS = {
    "literal, below": ("[nodes.a]\ntype = 'py'\ncode = '''\none\ntwo\n'''", [4, 5, 6]),
    "literal, beside": ("[nodes.a]\ntype = 'py'\ncode = '''one\ntwo'''", [3, 4]),
    "basic": ('[nodes.a]\ntype = "py"\ncode = """\none\n\ntwo"""', [4, 5, 6]),
    "quotes at the end": ("[nodes.a]\ntype = 'py'\ncode = '''one\n\"two'''''", [3, 4]),
    "one line": ("# first\n[nodes.a]\ntype = 'py'\ncode = 'one'", [4]),
    "written line breaks": (
        '[nodes.a]\ntype = "py"\ncode = "one\\ntwo\\u000athree\\U0000000Afour"',
        [3, 3, 3, 3],
    ),
    "other escapes": ('[nodes.a]\ntype = "py"\ncode = """\no\\\\ne \\"\\u0041\ntwo"""', [4, 5]),
    "a joined line": ('[nodes.a]\ntype = "py"\ncode = """\none \\\n  \n  more\ntwo"""', [4, 7]),
    "indented and spaced": ("  [ nodes.a ]\n  type = 'py'\n\tcode   =   '''\n  one\n'''", [4, 5]),
    "a quoted key": ("[nodes.a]\ntype = 'py'\n\"code\" = '''\none'''", [4]),
    "an inline table": ("[nodes]\na = { type = 'py', code = '''\none\ntwo''' }", [3, 4]),
    "dotted keys": ("nodes.a.type = 'py'\nnodes.a.code = '''\none'''", [3]),
    "a look-alike before": ("[nodes.a]\ntype = 'py'\ndescription = '''\ncode = 'x'\n'''\ncode = 'one'", [6]),
    "a broken look-alike": (
        "[nodes.a]\ntype = 'py'\ndescription = '''\ncode = \"\\x\"\n'''\ncode = 'one'",
        [6],
    ),
    "a carriage return": ("[nodes.a]\r\ntype = 'py'\r\ncode = '''\r\none\r\ntwo'''", [4, 5]),
    "a letter of two bytes": ("[nodes.a]\ntype = 'py'\n\"code\" = '''\u00e4\u00f6\n\u00fc'''", [3, 4]),
}


class Coded:
    """A catalogue of one type `py`, whose text `code` is taken verbatim; it dislikes the word `bad`."""

    def find(self, name: str) -> TypeDouble | None:
        """Return the type."""
        parameters = [ParameterInfo(name="code", kind="code"), ParameterInfo(name="other")]
        return Disliking(name, parameters, ("result",)) if name == "py" else None

    def names(self) -> Sequence[str]:
        """Return its name."""
        return ["py"]


class Disliking(TypeDouble):
    """Complains about the first `bad` in the code, where it is."""

    def check(self, parameters: object) -> Sequence[Complaint]:
        """Look for it."""
        assert isinstance(parameters, dict)
        code = parameters.get("code")
        for number, line in enumerate(code.split("\n") if isinstance(code, str) else (), 1):
            if "bad" in line:
                within = (number, line.index("bad") + 1)
                return [Complaint(code="PARAM-003", message="bad", path=("code",), within=within)]
        return []


def loaded(text: str) -> Flow | tuple[Problem, ...]:
    """Return what becomes of a file."""
    return load_flow(text.encode(), Path("/flows/a.toml"), Coded())


@pytest.mark.parametrize(("text", "lines"), FORMS.values(), ids=FORMS.keys())
def test_every_form_of_a_text(text: str, lines: list[int]) -> None:
    """Each line of the value is known by its line in the file."""
    flow = loaded(text)

    assert isinstance(flow, Flow), flow
    assert lines == list(flow.nodes[0].code_lines["code"])
    assert isinstance(flow.nodes[0].parameters["code"], str)


@pytest.mark.parametrize("text", ["{{ input }}", "{% if %}", "{{", "{# no"])
def test_verbatim_is_no_template(text: str) -> None:
    """What looks like a template is only text."""
    flow = loaded(f"[nodes.a]\ntype = 'py'\ncode = '{text}'")

    assert isinstance(flow, Flow), flow
    assert text == flow.nodes[0].parameters["code"]


def test_what_is_no_text_has_no_lines() -> None:
    """A value of another kind is the node type's matter; it has no lines."""
    flow = loaded("[nodes.a]\ntype = 'py'\ncode = 7")

    assert isinstance(flow, Flow), flow
    assert {} == flow.nodes[0].code_lines


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[nodes.a]\ntype = 'py'\ncode = '''\none\n  bad = 1\n'''", (5, 3, 3)),
        ("[nodes.a]\ntype = 'py'\ncode = 'is bad'", (3, 12, 3)),
        ('[nodes.a]\ntype = "py"\ncode = "one\\nis bad; "', (3, 17, 3)),
        ("nodes = { a = { type = 'py', code = '''one\nbad''' } }", (2, 1, 3)),
    ],
)
def test_a_complaint_about_a_place_within(text: str, place: tuple[int, int, int]) -> None:
    """A complaint that knows line and column of the text is shown there."""
    problems = loaded(text)

    assert not isinstance(problems, Flow)
    assert [place] == [(each.line, each.column, each.width) for each in problems]


def test_a_place_behind_the_end() -> None:
    """A place where the text ends already is shown at its end."""
    text = "[nodes.a]\ntype = 'py'\ncode = 'bad'"
    problems = loaded(text.replace("bad", "(bad"))

    assert not isinstance(problems, Flow)
    assert (3, 10) == (problems[0].line, problems[0].column)


def test_a_text_that_is_not_there() -> None:
    """Where nothing is found, nothing is claimed."""
    assert () == CodeLines("a = 1", {}).of(("nodes", "x", "code"), "one")


@given(st.text(st.sampled_from("ab\n\\\"' u0"), max_size=30))
def test_lines_of_any_text(value: str) -> None:
    """However a text is written, each of its lines begins where it is said to begin."""
    written = [json.dumps(value)]
    if "'''" not in value and not value.endswith("'"):
        written.append(f"'''\n{value}'''")
    for each in written:
        assert value == tomllib.loads(f"a = {each}")["a"]
        starts = line_starts(each)
        assert value.count("\n") + 1 == len(starts)
        for line, start in zip(value.split("\n"), starts, strict=True):
            shown = json.dumps(line)[1:-1] if each[0] == '"' else line
            assert each.startswith(shown, start)
