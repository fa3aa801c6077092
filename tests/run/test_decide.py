from collections.abc import Callable

import pytest

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Flow, Retry
from atomiton_runtime.ids import ROOT
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.decide import has_value
from atomiton_runtime.run.effects import Execute, SetTimer, Stop
from atomiton_runtime.run.events import CancelReason
from atomiton_runtime.run.given import (
    Abort,
    Answer,
    AttemptTimeout,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Given,
    RetryDue,
    RunTimeout,
    Skipped,
    Succeeded,
)
from tests.doubles.flows import BROKEN, OUTPUTS, Play, flow, node, words

FAULT = ErrorInfo("STORE-001", "the disk is full")


def begun(of: Flow) -> Play:
    """Return a run that has left the queue."""
    play = Play(of)
    play.give(Begin())
    return play


def test_a_run_begins_with_its_roots_and_its_timer() -> None:
    """Begin starts every node that waits for nothing, and the clock of the run."""
    play = Play(flow(node("a"), node("b"), node("c", "a"), timeout_s=90))
    decision = play.give(Begin())

    assert words(decision.events) == ["RunStarted", "NodeStarted a", "NodeStarted b"]
    assert decision.effects == [SetTimer(90, RunTimeout()), Execute(0, 1), Execute(1, 1)]


def test_a_flow_without_nodes_succeeds_at_once() -> None:
    """A run with nothing to do is done when it begins."""
    assert words(Play(flow()).give(Begin()).events) == ["RunStarted", "RunSucceeded"]


def test_no_more_nodes_at_once_than_allowed() -> None:
    """The next node begins when another one ends, in file order."""
    play = begun(flow(*(node(name) for name in "abcd"), max_parallel=2))
    assert play.executed() == ["a", "b"]

    assert words(play.answer("b").events) == ["NodeSucceeded b", "NodeStarted c"]
    assert words(play.answer("a").events) == ["NodeSucceeded a", "NodeStarted d"]


def test_a_node_begins_when_the_last_of_its_parents_is_settled() -> None:
    """Data and order both count; the place in the file does not."""
    play = begun(flow(node("last", "a", after=["b"]), node("a"), node("b")))
    assert play.executed() == ["a", "b"]
    play.answer("a")
    assert play.status("last") == "pending"
    play.answer("b")
    assert play.status("last") == "running"


SKIPS: list[tuple[str, Flow, dict[str, str], dict[str, str], str]] = [
    (
        "a single input that was skipped",
        flow(node("a"), node("b", "a"), node("c", "b")),
        {"a": "skip"},
        {"b": "skipped: its input a was skipped", "c": "skipped: its input b was skipped"},
        "succeeded",
    ),
    (
        "one of several inputs skipped gives null",
        flow(node("a"), node("b"), node("c", "a", "b"), node("d", "a", "b", table=True)),
        {"a": "skip"},
        {"c": "succeeded", "d": "succeeded"},
        "succeeded",
    ),
    (
        "all of several inputs skipped",
        flow(node("a"), node("b"), node("c", "a", "b")),
        {"a": "skip", "b": "skip"},
        {"c": "skipped: none of its inputs has a value"},
        "succeeded",
    ),
    (
        "order alone asks for no value",
        flow(node("a"), node("b", after=["a"])),
        {"a": "skip"},
        {"b": "succeeded"},
        "succeeded",
    ),
    (
        "an unhandled failure keeps what has not begun from running",
        flow(node("a"), node("b", "a"), node("c", after=["a"])),
        {"a": "fail"},
        {"b": "skipped: the run failed at a", "c": "skipped: the run failed at a"},
        "failed",
    ),
    (
        "on_error = continue gives null to those who take the outputs",
        flow(node("a", continue_on_error=True), node("b", "a"), node("c", "b")),
        {"a": "fail"},
        {"b": "succeeded", "c": "succeeded"},
        "succeeded",
    ),
    (
        "the error port of a node that failed",
        flow(node("a"), node("b", "a"), node("c", "a.error"), node("d", "c")),
        {"a": "fail"},
        {"b": "skipped: its input a failed", "c": "succeeded", "d": "succeeded"},
        "succeeded",
    ),
    (
        "the error port of a node that succeeded",
        flow(node("a"), node("b", "a"), node("c", "a.error"), node("d", "c")),
        {},
        {"b": "succeeded", "c": "skipped: a did not fail", "d": "skipped: its input c was skipped"},
        "succeeded",
    ),
    (
        "the error port of a node that was skipped",
        flow(node("a"), node("c", "a.error")),
        {"a": "skip"},
        {"c": "skipped: a did not fail"},
        "succeeded",
    ),
    (
        "an error port beside an output: only after a failure",
        flow(node("a"), node("b"), node("c", "a.error", "b")),
        {},
        {"c": "skipped: a did not fail"},
        "succeeded",
    ),
    (
        "two error ports: one failure is enough, or nobody would have handled it",
        flow(node("a"), node("b"), node("c", "a.error", "b.error")),
        {"b": "fail"},
        {"c": "succeeded"},
        "succeeded",
    ),
    (
        "two error ports and no failure",
        flow(node("a"), node("b"), node("c", "a.error", "b.error")),
        {},
        {"c": "skipped: none of the nodes whose error it takes failed"},
        "succeeded",
    ),
    (
        "a handler that fails is an unhandled failure",
        flow(node("a"), node("b", "a.error")),
        {"a": "fail", "b": "fail"},
        {"b": "failed"},
        "failed",
    ),
    (
        "continue and a handler at once",
        flow(node("a", continue_on_error=True), node("b", "a"), node("c", "a.error")),
        {"a": "fail"},
        {"b": "succeeded", "c": "succeeded"},
        "succeeded",
    ),
    (
        "always runs after a failure",
        flow(node("a"), node("b", "a", always=True), node("c", "b")),
        {"a": "fail"},
        {"b": "succeeded", "c": "skipped: the run failed at a"},
        "failed",
    ),
    (
        "always runs without a value",
        flow(node("a"), node("b", "a", always=True)),
        {"a": "skip"},
        {"b": "succeeded"},
        "succeeded",
    ),
    (
        "always with an error port still needs a failure",
        flow(node("a"), node("b", "a.error", always=True)),
        {},
        {"b": "skipped: a did not fail"},
        "succeeded",
    ),
    (
        "an always node that fails fails the run",
        flow(node("a", always=True)),
        {"a": "fail"},
        {"a": "failed"},
        "failed",
    ),
]


@pytest.mark.parametrize(
    ("of", "outcomes", "expected", "final"), [case[1:] for case in SKIPS], ids=[case[0] for case in SKIPS]
)
def test_who_runs(of: Flow, outcomes: dict[str, str], expected: dict[str, str], final: str) -> None:
    """A node runs, or is skipped for this reason, according to what became of its parents."""
    play = begun(of)
    answers: dict[str, Callable[[str], object]] = {
        "skip": lambda name: play.answer(name, Skipped("`when` is false")),
        "fail": play.fail,
        "succeed": play.answer,
    }
    for name in iter(lambda: _running(play), None):
        answers[outcomes.get(name, "succeed")](name)
    reasons = {each.node: each.reason for each in play.journal if isinstance(each, ev.NodeSkipped)}
    became = {
        name: f"skipped: {reasons[name]}" if name in reasons else play.status(name) for name in expected
    }

    assert became == expected
    assert play.state.status == final


def _running(play: Play) -> str | None:
    return next((each.id for each in play.flow.nodes if play.status(each.id) == "running"), None)


def test_a_failure_lets_what_runs_finish() -> None:
    """The run fails when the last node that was under way has ended, with the first failure as its error."""
    play = begun(flow(node("a"), node("b"), node("c", "b")))
    play.fail("a")
    assert play.state.status == "running"
    decision = play.answer("b")

    assert words(decision.events) == ["NodeSucceeded b", "NodeSkipped c", "RunFailed"]
    assert decision.events[-1].error.node == "a"


def test_a_failure_names_its_node() -> None:
    """An error that does not say whose it is gets the node's name; one that does keeps it."""
    play = begun(flow(node("a"), node("b")))
    play.fail("a")
    play.answer("b", Failed(ErrorInfo("NODE-002", "it broke", node="elsewhere")))

    assert [each.error.node for each in play.journal if isinstance(each, ev.NodeFailed)] == ["a", "elsewhere"]


# --- retry and timeouts -----------------------------------------------------------------------------------


def test_a_failed_attempt_is_repeated_after_a_pause() -> None:
    """Each failure but the last one leads to another attempt; then the node has failed."""
    play = begun(flow(node("a", retry=Retry(attempts=3, delay_s=2, backoff=3, jitter=False))))
    pauses: list[float] = []
    for attempt in (1, 2):
        decision = play.fail("a")
        pauses.append(decision.events[0].delay_s)
        assert decision.effects == [SetTimer(pauses[-1], RetryDue(0, attempt))]
        assert play.give(RetryDue(0, attempt)).effects == [Execute(0, attempt + 1)]

    assert pauses == [2, 6]
    assert words(play.fail("a").events) == ["NodeFailed a", "RunFailed"]


@pytest.mark.parametrize(
    ("retry", "attempt", "draw", "least_s", "expected_s"),
    [
        (Retry(attempts=9, delay_s=1, backoff=2, max_delay_s=5, jitter=False), 4, 0.0, 0.0, 5.0),
        (Retry(attempts=9, delay_s=4, backoff=1, jitter=True), 1, 0.0, 0.0, 2.0),
        (Retry(attempts=9, delay_s=4, backoff=1, jitter=True), 1, 0.5, 0.0, 3.0),
        (Retry(attempts=9, delay_s=1, backoff=1, jitter=False), 1, 0.0, 30.0, 30.0),
        (Retry(attempts=2000, delay_s=1, backoff=2, jitter=False), 1500, 0.0, 0.0, 60.0),
        (Retry(attempts=9, delay_s=1, backoff=1e300, jitter=False), 3, 0.0, 0.0, 60.0),
        (Retry(attempts=9, delay_s=0, backoff=10, jitter=True), 3, 0.9, 0.0, 0.0),
    ],
)
def test_pauses(retry: Retry, attempt: int, draw: float, least_s: float, expected_s: float) -> None:
    """A pause grows by `backoff` up to `max_delay`, lies between half and whole, and honours `Retry-After`."""
    play = begun(flow(node("a", retry=retry)))
    for earlier in range(1, attempt):
        play.fail("a")
        play.give(RetryDue(0, earlier))
    decision = play.give(Answer(0, attempt, Failed(BROKEN, least_s), 0.1), draw=draw)

    assert decision.events[0].delay_s == pytest.approx(expected_s)


def test_a_failure_that_another_attempt_cannot_help_is_final() -> None:
    """A wrong definition fails at once, whatever `retry` says."""
    play = begun(flow(node("a", retry=5)))

    assert words(play.answer("a", Failed(BROKEN, final=True)).events) == ["NodeFailed a", "RunFailed"]


def test_a_retry_never_makes_more_nodes_than_allowed() -> None:
    """A node keeps its place during the pause: it comes back to it, and nobody else begins meanwhile."""
    play = begun(flow(node("a", retry=2), node("b"), max_parallel=1))
    assert words(play.fail("a").events) == ["NodeRetrying a"]
    assert words(play.give(RetryDue(0, 1)).events) == ["NodeStarted a"]
    assert words(play.answer("a").events) == ["NodeSucceeded a", "NodeStarted b"]


def test_an_attempt_that_takes_too_long_is_told_to_stop() -> None:
    """Each attempt has its own timer; when it is due the attempt, and only it, is stopped."""
    play = begun(flow(node("a", timeout_s=5, retry=2)))
    assert play.effects[1:] == [Execute(0, 1), SetTimer(5, AttemptTimeout(0, 1))]
    assert play.give(AttemptTimeout(0, 1)).effects == [Stop(0, "timeout")]

    play.fail("a")
    play.give(RetryDue(0, 1))
    assert play.give(AttemptTimeout(0, 1)).effects == []
    assert play.give(AttemptTimeout(0, 2)).effects == [Stop(0, "timeout")]


def test_a_timeout_does_not_change_why_an_attempt_was_stopped() -> None:
    """An attempt that is being cancelled is not told a second time, with another reason."""
    play = begun(flow(node("a", timeout_s=5)))
    play.give(Cancel("user"))

    assert play.give(AttemptTimeout(0, 1)).effects == []


# --- cancelling -------------------------------------------------------------------------------------------

CANCELS: list[tuple[CancelReason, str, str]] = [
    ("user", "RunCancelled", "RUN-004"),
    ("restart", "RunCancelled", "RUN-005"),
    ("quit", "RunCancelled", "RUN-006"),
    ("fault", "RunCancelled", "RUN-007"),
    ("timeout", "RunTimedOut", "RUN-008"),
]


@pytest.mark.parametrize(("reason", "final", "code"), CANCELS)
def test_a_cancelled_run_ends_when_its_nodes_have(reason: CancelReason, final: str, code: str) -> None:
    """What runs is told to stop, what has not begun never will, and the end says why."""
    play = begun(flow(node("a"), node("b"), node("c", "a"), max_parallel=1))
    decision = play.give(Cancel(reason))
    assert words(decision.events) == ["RunCancelRequested", "NodeCancelled b"]
    assert Stop(0, "cancel") in decision.effects

    decision = play.answer("a", Cancelled())
    assert words(decision.events) == ["NodeCancelled a", "NodeCancelled c", final]
    assert decision.events[-1].error.code == code


@pytest.mark.parametrize(("reason", "code"), [(reason, code) for reason, _, code in CANCELS])
def test_a_queued_run_is_cancelled_at_once(reason: CancelReason, code: str) -> None:
    """A run that waits has nothing to stop."""
    decision = Play(flow(node("a"))).give(Cancel(reason))

    assert words(decision.events) == ["RunCancelled"]
    assert decision.events[0].error.code == code
    assert decision.effects == []


def test_a_queued_run_ends_with_the_reason_it_was_given() -> None:
    """Whoever keeps a run from beginning may say why."""
    assert Play(flow(node("a"))).give(Cancel("user", FAULT)).events[0].error == FAULT


def test_always_nodes_run_after_a_cancel() -> None:
    """The clean-up runs once its inputs are settled; what follows it does not."""
    play = begun(flow(node("a"), node("clean", "a", always=True), node("b", "clean")))
    play.give(Cancel("user"))
    assert words(play.answer("a", Cancelled()).events) == ["NodeCancelled a", "NodeStarted clean"]
    assert words(play.answer("clean").events) == ["NodeSucceeded clean", "NodeCancelled b", "RunCancelled"]


def test_a_cancel_does_not_stop_always_nodes_but_the_second_one_does() -> None:
    """Whoever says stop a second time means the clean-up too, begun or not; a third time changes nothing."""
    play = begun(flow(node("clean", always=True), node("later", after=["clean"], always=True)))
    assert Stop(0, "cancel") not in play.give(Cancel("user")).effects
    assert play.give(Cancel("user")).effects == [Stop(0, "cancel")]
    assert play.give(Cancel("user")).events == []

    decision = play.answer("clean", Cancelled())
    assert words(decision.events) == ["NodeCancelled clean", "NodeCancelled later", "RunCancelled"]


def test_a_cancel_settles_a_pause_between_attempts() -> None:
    """A node in a pause ends at once; that of the clean-up waits for its next attempt."""
    play = begun(flow(node("a", retry=3), node("clean", always=True, retry=3)))
    play.fail("a")
    play.fail("clean")
    assert words(play.give(Cancel("user")).events) == ["RunCancelRequested", "NodeCancelled a"]
    assert play.give(RetryDue(0, 1)).events == []
    assert words(play.give(RetryDue(1, 1)).events) == ["NodeStarted clean"]
    play.fail("clean")
    assert words(play.give(Cancel("user")).events) == [
        "RunCancelRequested",
        "NodeCancelled clean",
        "RunCancelled",
    ]


def test_a_failure_during_a_cancel_is_not_repeated() -> None:
    """An attempt that fails while it is being stopped has had its last chance; the run is still cancelled."""
    play = begun(flow(node("a", retry=3)))
    play.give(Cancel("user"))

    assert words(play.fail("a").events) == ["NodeFailed a", "RunCancelled"]


def test_a_second_save_does_not_end_the_clean_up() -> None:
    """A run is replaced once; a further save while its clean-up runs wants no more than that."""
    play = begun(flow(node("clean", always=True)))
    play.give(Cancel("restart"))

    assert play.give(Cancel("restart")).events == []
    assert words(play.answer("clean").events) == ["NodeSucceeded clean", "RunCancelled"]


def test_the_timeout_of_the_run_does_not_end_the_clean_up() -> None:
    """A clean-up that a cancel left has as long as a whole run may take, counted from the cancel."""
    play = begun(flow(node("clean", always=True), timeout_s=60))
    assert SetTimer(60, RunTimeout(clean_up=True)) in play.give(Cancel("user")).effects

    assert play.give(RunTimeout()).events == []
    assert play.give(RunTimeout(clean_up=True)).effects == [Stop(0, "cancel")]


def test_the_run_timeout_cancels() -> None:
    """A run that takes too long is ended, its clean-up is not, and the end names the limit."""
    play = begun(flow(node("a"), node("clean", "a", always=True), timeout_s=60))
    assert Stop(0, "cancel") in play.give(RunTimeout()).effects
    play.answer("a", Cancelled())
    decision = play.answer("clean")

    assert words(decision.events) == ["NodeSucceeded clean", "RunTimedOut"]
    assert "60 s" in decision.events[-1].error.message


@pytest.mark.parametrize(
    ("of", "before"),
    [
        (flow(node("a")), []),
        (flow(node("a", always=True)), [Cancel("user")]),
        (flow(node("a", continue_on_error=True)), []),
    ],
    ids=["no cancel", "a cancel that does not reach the node", "failures are handled"],
)
def test_a_node_that_stops_unasked_has_failed(of: Flow, before: list[Given]) -> None:
    """A node type that pretends to be cancelled cannot make the run look well."""
    play = begun(of)
    for each in before:
        play.give(each)
    decision = play.answer("a", Cancelled())

    assert play.status("a") == "failed"
    assert decision.events[0].error.code == "RUN-013"


# --- aborting ---------------------------------------------------------------------------------------------


def test_an_abort_ends_everything_and_fails_the_run() -> None:
    """A fault of the runtime ends the clean-up too; the run's error is the fault."""
    play = begun(flow(node("a"), node("clean", "a", always=True)))
    decision = play.give(Abort(FAULT))
    assert words(decision.events) == ["RunCancelRequested"]
    assert Stop(0, "cancel") in decision.effects

    decision = play.answer("a", Cancelled())
    assert words(decision.events) == ["NodeCancelled a", "NodeCancelled clean", "RunFailed"]
    assert decision.events[-1].error == FAULT


@pytest.mark.parametrize("cancels", [0, 1, 2])
def test_an_abort_overrules_cancels_and_comes_once(cancels: int) -> None:
    """Whatever was asked before, the fault is the reason; a second abort or a later cancel changes nothing."""
    play = begun(flow(node("clean", always=True)))
    for _ in range(cancels):
        play.give(Cancel("user"))
    assert Stop(0, "cancel") in play.give(Abort(FAULT)).effects
    assert play.give(Abort(BROKEN)).events == []
    assert play.give(Cancel("user")).events == []

    assert play.answer("clean", Cancelled()).events[-1].error == FAULT


def test_an_aborted_run_that_waits_fails_at_once() -> None:
    """A run that cannot begin ends with the reason."""
    decision = Play(flow(node("a"))).give(Abort(FAULT))

    assert words(decision.events) == ["RunFailed"]
    assert decision.events[0].error == FAULT


# --- what does not fit any more ---------------------------------------------------------------------------

LATE: list[Given] = [
    Begin(),
    Answer(0, 1, Succeeded(OUTPUTS), 0.1),
    Answer(0, 1, Failed(BROKEN), 0.1),
    Answer(0, 7, Succeeded(OUTPUTS), 0.1),
    RetryDue(0, 1),
    AttemptTimeout(0, 1),
    RunTimeout(),
    RunTimeout(clean_up=True),
    Cancel("user"),
    Abort(FAULT),
]


@pytest.mark.parametrize("late", LATE, ids=repr)
def test_an_ended_run_does_not_change(late: Given) -> None:
    """Whatever comes after the end is passed over."""
    play = begun(flow(node("a")))
    play.answer("a")
    before = play.state
    decision = play.give(late)

    assert (decision.state, decision.events, decision.effects) == (before, [], [])


@pytest.mark.parametrize(
    "late",
    [
        Answer(0, 1, Succeeded(OUTPUTS), 0.1),
        Answer(1, 1, Succeeded(OUTPUTS), 0.1),
        RetryDue(0, 1),
        RetryDue(0, 2),
        AttemptTimeout(0, 1),
        AttemptTimeout(1, 0),
        Begin(),
    ],
    ids=repr,
)
def test_what_is_late_or_comes_twice_is_passed_over(late: Given) -> None:
    """During the second attempt, what belongs to the first one or to no attempt has no effect."""
    play = begun(flow(node("a", retry=3), node("b", "a")))
    play.fail("a")
    play.give(RetryDue(0, 1))
    before = play.state
    decision = play.give(late)

    assert (decision.state, decision.events, decision.effects) == (before, [], [])


@pytest.mark.parametrize(
    ("ref", "outcome", "expected"),
    [
        ("a", Succeeded(OUTPUTS), True),
        ("a", Failed(BROKEN), False),
        ("a", Skipped("no"), False),
        ("a.error", Failed(BROKEN), True),
        ("a.error", Succeeded(OUTPUTS), False),
        ("tolerant", Failed(BROKEN), True),
        ("tolerant", Skipped("no"), False),
    ],
)
def test_has_value(ref: str, outcome: Succeeded | Failed | Skipped, expected: bool) -> None:
    """A port has a value when its node gave one; a tolerated failure gives null, which is one."""
    taker = node("b", ref)
    play = begun(flow(node("a"), node("tolerant", continue_on_error=True), taker))
    play.answer(ref.partition(".")[0], outcome)

    assert has_value(play.state.scopes[ROOT], taker.refs[0]) is expected
