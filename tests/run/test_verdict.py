"""What a run did otherwise than its test expects."""

import msgspec
import pytest

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.expressions import compile_expression
from atomiton_runtime.flow.model import Expectation, ExpectedStatus, FlowTest
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.run.events import NodeStatus, RunStatus
from atomiton_runtime.run.verdict import Mismatch, judge, same
from atomiton_runtime.values import Value

ERROR = ErrorInfo("X-1", "it broke", "a", None, "mend it")


def expects(expectation: Expectation | None = None, status: ExpectedStatus = "succeeded") -> FlowTest:
    expect = {} if expectation is None else {NodeId("a"): expectation}
    return FlowTest(index=2, name="t", variables={}, given={}, expect=expect, status=status)


def plain(value: Value) -> FlowTest:
    return expects(Expectation(primary="result", values={"result": value}, plain=True))


def when(text: str) -> FlowTest:
    return expects(Expectation(primary="result", when=compile_expression(text)))


def run(
    outputs: dict[str, Value] | None = None,
    *,
    node: NodeStatus = "succeeded",
    node_error: ErrorInfo | None = None,
    status: RunStatus = "succeeded",
    error: ErrorInfo | None = None,
) -> RunDocument:
    return RunDocument(
        run_id=RunId("R1"),
        flow=FlowId("f"),
        status=status,
        trigger="api",
        started_at="",
        duration_s=0.5,
        flow_hash="",
        variables={"limit": 3},
        outputs={},
        nodes={"a": NodeDocument(status=node, outputs=outputs, error=node_error)},
        error=error,
    )


SAME: list[tuple[Value, Value, bool]] = [
    (1, 1, True),
    (1, 1.0, True),
    (1, True, False),
    (False, 0, False),
    ("1", 1, False),
    ("a", "a", True),
    ([], [], True),
    ([1], [1, 2], False),
    ([1, {"a": 2}], [1, {"a": 2}], True),
    ([1], "1", False),
    ({"a": 1}, {"a": 1, "b": None}, True),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
    ({"a": 1}, {"a": 1, "b": 2}, False),
    ({"a": 1}, [1], False),
    ({}, {}, True),
    ({}, None, False),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, False),
]


@pytest.mark.parametrize(("expected", "got", "verdict"), SAME)
def test_same_values(expected: Value, got: Value, verdict: bool) -> None:
    """Values are compared as data: by kind and content, whatever the order of keys is; null is no key at all."""
    assert verdict is same(expected, got)


def test_what_came_as_expected() -> None:
    """A test whose values and expressions are all true has passed."""
    expectation = Expectation(
        primary="result",
        values={"result": [1], "count": 1},
        when=compile_expression("output[0] < vars.limit and outputs.count == 1 and status == 'succeeded'"),
    )
    assert () == judge(expects(expectation), run({"result": [1], "count": 1}, node="reused"))


def test_another_value() -> None:
    """It is shown with what was expected, at the place of the expectation."""
    (found,) = judge(plain(3), run({"result": 4}))
    expected = Mismatch(
        message="`result` of `a` is not what the test expects",
        path=("test", 2, "expect", "a"),
        node=NodeId("a"),
        port="result",
        expected=3,
        got=4,
    )
    assert expected == found


def test_another_value_of_a_port() -> None:
    """Its place is that of the port; a port that is not there gave null."""
    test = expects(Expectation(primary="result", values={"result": 3, "count": 1}))
    (found,) = judge(test, run({"result": 3}))
    assert (("test", 2, "expect", "a", "ports", "count"), None) == (found.path, found.got)


def test_ports_written_as_a_value() -> None:
    """An expected table whose keys are all outputs of the node gets a hint of how these are expected."""
    (found,) = judge(plain({"count": 1}), run({"result": [], "count": 1}))
    assert "outputs other than the first one (count) are expected by `expect.a.ports`" == found.hint


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (run(node="skipped"), "`a` has no outputs: it was skipped"),
        (
            run(node="failed", node_error=ERROR),
            "`a` has no outputs: it failed: it broke (X-1)",
        ),
    ],
)
def test_a_node_without_outputs(given: RunDocument, message: str) -> None:
    """A value that never came says why, and is nothing to take over."""
    (found,) = judge(plain(1), given)
    assert (message, msgspec.UNSET) == (found.message, found.got)


@pytest.mark.parametrize(
    ("given", "wanted", "message", "key"),
    [
        (
            run({"result": 1}, status="failed", error=ERROR),
            "succeeded",
            "the run failed at a: it broke (X-1); expected was that it succeeded",
            (),
        ),
        (
            run({"result": 1}),
            "failed",
            "the run succeeded; expected was that it failed",
            ("expect_status",),
        ),
        (
            run({"result": 1}, status="timed_out", error=ErrorInfo("RUN-008", "too long")),
            "cancelled",
            "the run timed out: too long (RUN-008); expected was that it was cancelled",
            ("expect_status",),
        ),
    ],
)
def test_another_end_of_the_run(
    given: RunDocument, wanted: ExpectedStatus, message: str, key: tuple[str, ...]
) -> None:
    """A run that ended otherwise is a mismatch, with its error, where the status is written if it is."""
    (found,) = judge(expects(status=wanted), given)
    assert (message, ("test", 2, *key)) == (found.message, found.path)
    assert (None if given.error is None else given.error.hint) == found.hint


def test_an_expression_that_is_not_true() -> None:
    """It is shown with what it was about."""
    (found,) = judge(when("output > 3"), run({"result": 2}))
    assert ("of `a`, `output > 3` is not true", "`output` is 2, `status` is succeeded") == (
        found.message,
        found.hint,
    )
    assert ("test", 2, "expect", "a", "when") == found.path


def test_an_expression_over_a_failure() -> None:
    """`error` is the node's failure, and null where there is none."""
    failed = run(node="failed", node_error=ERROR, status="failed", error=ERROR)
    test = msgspec.structs.replace(when("status == 'failed' and error.code == 'X-1'"), status="failed")
    assert () == judge(test, failed)
    assert () == judge(when("error is none and output == 1"), run({"result": 1}))


def test_an_expression_that_cannot_be_evaluated() -> None:
    """It fails the test with the reason, as everywhere."""
    (found,) = judge(when("error.code == 'X-1'"), run({"result": 1}))
    assert "of `a`: expression `error.code == 'X-1'`: null has no key `code`" == found.message
