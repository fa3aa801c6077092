"""Tests what becomes of the `[[test]]` tables of a valid flow; wrong ones are in `bad/`."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.expressions import compile_expression
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Expectation, Flow, FlowTest, GivenNode
from atomiton_runtime.flow.problems import Problem, render_problems
from atomiton_runtime.flow.toml_values import toml_value
from atomiton_runtime.ids import NodeId
from atomiton_runtime.values import Value
from tests.doubles.catalogue import CatalogueDouble

NODES = """
[variables]
limit = 3
name = "x"

[nodes.a]
type = "make"

[nodes.b]
type = "sort"
input = "a"
"""


def loaded(text: str) -> Flow | tuple[Problem, ...]:
    return load_flow(text.encode(), Path("a.toml"), CatalogueDouble())


def read(text: str) -> tuple[FlowTest, ...]:
    flow = loaded(NODES + text)
    assert isinstance(flow, Flow), render_problems(flow)
    return flow.tests


def test_a_flow_without_tests() -> None:
    """A flow without a `[[test]]` has no tests."""
    assert () == read("")


def test_everything_that_a_test_may_say() -> None:
    """Each key of a test, and each form of what is given and expected, is read."""
    (test,) = read("""
[[test]]
name = "all of it"
variables = { limit = 7 }
given.a = [1, 2]
given.b.error = { code = "X-1", message = "broken" }
expect.a = { ports = { count = 2 }, when = "output | length == vars.limit" }
expect.b = 3
expect_status = "failed"
allow = ["b"]
""")
    expected = FlowTest(
        index=0,
        name="all of it",
        variables={"limit": 7, "name": "x"},
        given={
            NodeId("a"): GivenNode(outputs={"result": [1, 2], "count": None}),
            NodeId("b"): GivenNode(error=ErrorInfo("X-1", "broken", "b")),
        },
        expect={
            NodeId("a"): Expectation(
                primary="result",
                values={"count": 2},
                when=compile_expression("output | length == vars.limit"),
            ),
            NodeId("b"): Expectation(primary="result", values={"result": 3}, plain=True),
        },
        status="failed",
        allow=frozenset({NodeId("b")}),
    )
    assert expected == test


def test_what_a_test_need_not_say() -> None:
    """A test is named by its number, and without a word of it everything is as in a run that succeeds."""
    first, second = read(
        '[[test]]\nexpect.b = 1\n[[test]]\nname = " "\nexpect_status = "failed"\nallow = "all"'
    )
    assert ("test 1", "test 2") == (first.name, second.name)
    assert (3, "x") == tuple(first.variables.values())
    assert ("succeeded", frozenset(), {}) == (first.status, first.allow, first.given)
    assert ("failed", "all", {}) == (second.status, second.allow, second.expect)


def test_a_value_that_looks_like_a_form() -> None:
    """A table is a form only with the form's keys alone, and within `ports` every table is a value."""
    (test,) = read("""
[[test]]
given.a = { error = { code = "X-1" } , more = 1 }
given.b = {}
expect.a = { ports = { result = { when = "never" } } }
expect.b = { when = "x", at = 2026-11-28 }
""")
    assert {"error": {"code": "X-1"}, "more": 1} == test.given[NodeId("a")].outputs["result"]
    assert {"result": {}} == test.given[NodeId("b")].outputs
    assert {"result": {"when": "never"}} == test.expect[NodeId("a")].values
    assert {"result": {"when": "x", "at": "2026-11-28"}} == test.expect[NodeId("b")].values


def test_ports_that_are_not_given_are_null() -> None:
    """Of a node that is given by its ports, those left out are null; an error needs no message."""
    first, second = read("""
[[test]]
given.a = { ports = { count = 1 } }
expect.b = 1
[[test]]
given.a.error.code = "X-1"
expect.b = 1
""")
    assert {"result": None, "count": 1} == first.given[NodeId("a")].outputs
    assert ErrorInfo("X-1", "the test lets it fail", "a") == second.given[NodeId("a")].error


def test_a_flow_with_many_nodes_lists_some() -> None:
    """A hint that lists the nodes ends after ten of them."""
    nodes = "".join(f'[nodes.n{place}]\ntype = "make"\n' for place in range(11))
    problems = loaded(f"{nodes}[[test]]\nexpect.zzzzzz = 1\n")
    assert not isinstance(problems, Flow)
    assert "there are n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, ..." == problems[0].hint


def test_without_nodes_nothing_is_listed() -> None:
    """A test of a flow without nodes gets no hint of which there are."""
    problems = loaded("[[test]]\nexpect.a = 1\n")
    assert not isinstance(problems, Flow)
    assert ["FLOW-001", "FLOW-009"] == sorted(problem.code for problem in problems)
    assert None is next(problem.hint for problem in problems if problem.code == "FLOW-009")


WORDS = st.sampled_from(
    [
        "name",
        "variables",
        "given",
        "expect",
        "expect_status",
        "allow",
        "ports",
        "when",
        "error",
        "code",
        "a",
        "b",
        "limit",
        "result",
        "count",
        "failed",
        "all",
        "1+",
    ]
)
ANYTHING: st.SearchStrategy[Value] = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=30,
)


@given(ANYTHING)
def test_whatever_a_test_is_it_is_read_or_reported(written: Value) -> None:
    """Nothing that can be written as a test raises, and a flow whose test is accepted knows all that the test names."""
    result = loaded(f"test = {toml_value(written)}\n{NODES}")
    if isinstance(result, Flow):
        for test in result.tests:
            assert {*test.given, *test.expect} <= {"a", "b"}
            assert list(test.variables) == ["limit", "name"]
            assert all({*each.values} <= {"result", "count"} for each in test.expect.values())
