"""Tests that flow files are TOML 1.0, read as the standard library reads them."""

import re
import sys
import threading
import tomllib

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.flow.source import Source, read_source
from tests.flow.judging import examples

_TOKENS = re.compile(r'"[^"\n]*"|[A-Za-z0-9_.:-]+|\s+|.', re.DOTALL)
_TEXTS = [content.decode("utf-8", "replace").replace("\r\n", "\n") for content in examples()]
_PIECES = [
    *("[", "]", "[[", "]]", "{", "}", "=", ",", ".", "#", '"', "'", '"""', "'''", "\\", "\n", " ", "\t"),
    *("1", "-0.0", "1_0", "0x1F", "1e5", "inf", "nan", "true", "07", "1979-05-27", "07:32:00.5", "07:32"),
    *("1979-05-27T07:32:00Z", "1979-05-27 07:32:00+01:00", '"\\u00e9\\n"', '"\\ud800"', '"\\e"', '"\\x41"'),
    *("a = 1\n", "[a.b]\n", "[[a]]\n", "a.b = {c = [1, {d = 2}]}\n", "\u00e9", "\x7f"),
]

of_toml_1_0 = pytest.mark.skipif(
    sys.version_info >= (3, 15), reason="the standard library reads TOML 1.1 from Python 3.15 on"
)


def _said(parser, text: str) -> str:
    """Return what a parser makes of a text: its data, types and NaN told apart, or its message."""
    try:
        return repr(parser.loads(text))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@st.composite
def _changed(draw: st.DrawFn) -> str:
    tokens = _TOKENS.findall(draw(st.sampled_from(_TEXTS)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(tokens)))
        tokens[place : place + draw(st.integers(0, 2))] = [draw(st.sampled_from(_PIECES))]
    return "".join(tokens)


@of_toml_1_0
@pytest.mark.parametrize("text", _TEXTS, ids=range(len(_TEXTS)))
def test_our_files_are_read_as_by_the_standard_library(text: str) -> None:
    """Right and wrong files give the same data, or the same message and place."""
    assert _said(tomllib, text) == _said(tomli, text)


@of_toml_1_0
@given(text=_changed() | st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
def test_changed_files_are_read_as_by_the_standard_library(text: str) -> None:
    """Whatever is typed or deleted in a file, both parsers say the same."""
    assert _said(tomllib, text) == _said(tomli, text)


@pytest.mark.parametrize(
    "written",
    [
        "{ a = 1,\n b = 2 }",
        "{ a = 1, }",
        "{ a = 1 # one\n }",
        r'"\e[0m"',
        r'"\x41"',
        "07:32",
        "1979-05-27T07:32",
        "1979-05-27 07:32Z",
    ],
)
def test_toml_1_1_is_refused(written: str) -> None:
    """A file is TOML 1.0, so that every version of every tool reads the same in it."""
    problem = read_source(f"a = {written}\n".encode(), "a.toml")

    assert isinstance(problem, Problem)
    assert "TOML-001" == problem.code


@pytest.mark.parametrize("opening", ["[", "{a=", "[{a.b=", "[\n"])
@pytest.mark.parametrize("depth", [401, 1000, 10_000, 100_000])
@pytest.mark.parametrize("closed", [True, False])
def test_deep_nesting_is_a_problem(opening: str, depth: int, closed: bool) -> None:
    """However deep lists and tables are nested, the compiled parser ends with an answer, in a small thread as well."""
    closing = "".join({"[": "]", "{": "}"}.get(char, "") for char in reversed(opening))
    content = ("a = " + opening * depth + "1" + closing * (depth if closed else 0)).encode()
    answers: list[Source | Problem] = []
    before = threading.stack_size(1024 * 1024)
    thread = threading.Thread(target=lambda: answers.append(read_source(content, "a.toml")))
    try:
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(30)

    assert ["TOML-006"] == [answer.code for answer in answers if isinstance(answer, Problem)]
