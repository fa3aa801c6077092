"""Decisions about bodies: which execution begins, what ends one, and what becomes of the node."""

import msgspec
import pytest

from atomiton_runtime.flow.graph import body_of
from atomiton_runtime.flow.model import Node, Retry
from atomiton_runtime.ids import ROOT, NodeId, ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.effects import Execute, SetTimer, Stop
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import (
    Again,
    Answer,
    AttemptTimeout,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Opened,
    Outcome,
    RetryDue,
    Spoken,
    Succeeded,
)
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.state import IllegalEvent, new_run
from tests.doubles.flows import BROKEN, MIDNIGHT, OUTPUTS, RUN_ID, Play, flow, node, words

LOOP = Plan(count=3, numbered=True, takes=(1,))
RACE = Plan(strategy="race", side_by_side=True, concurrency=9, takes=(0, 1))


def owner(*children: Node, **keys: object) -> Node:
    """Return the node `it` with this body."""
    numbered = tuple(msgspec.structs.replace(child, index=place) for place, child in enumerate(children))
    return msgspec.structs.replace(node("it", **keys), body=body_of(numbered))  # pyright: ignore[reportArgumentType]


def begun(it: Node, plan: Plan, *others: Node, max_parallel: int = 8) -> Play:
    """Return a run in which the body of `it` is opened."""
    play = Play(flow(it, *others, max_parallel=max_parallel))
    play.give(Begin())
    play.give(Answer(0, 1, Opened(plan), 0.0))
    return play


def answer(play: Play, whole_id: str, outcome: Outcome | None = None) -> list[str]:
    """Answer the step of a node that is executed, and return what happened then."""
    prefix, slash, name = whole_id.rpartition("/")
    scope_id = play.state.scope_of[prefix + slash]
    scope = play.state.scopes[scope_id]
    index = scope.graph.index_of[NodeId(name)]
    given = Answer(index, scope.nodes[index].attempt, outcome or Succeeded(OUTPUTS), 0.25, scope_id)
    return words(play.give(given).events)


def steps(play: Play) -> list[str]:
    """Return the steps that were ordered for `it` itself."""
    return [
        each.step
        for each in play.effects
        if isinstance(each, Execute) and each.scope == ROOT and each.node == 0
    ]


def test_iterations_follow_each_other() -> None:
    """One at a time, and then the outputs are made."""
    play = begun(owner(node("a"), node("b", "a")), LOOP)
    assert words(play.journal[-3:]) == ["BodyOpened it", "BodyStarted it", "NodeStarted it/0/a"]
    assert play.state.running == 1

    assert answer(play, "it/0/a") == ["NodeSucceeded it/0/a", "NodeStarted it/0/b"]
    assert answer(play, "it/0/b") == ["NodeSucceeded it/0/b", "BodyStarted it", "NodeStarted it/1/a"]
    for index in (1, 2):
        answer(play, f"it/{index}/a")
        answer(play, f"it/{index}/b")
    assert steps(play) == ["begin", "gather"]
    assert answer(play, "it") == ["NodeSucceeded it", "RunSucceeded"]
    assert set(play.state.scopes) == {ROOT}


def test_nothing_to_repeat() -> None:
    """A body that is executed no time has outputs all the same."""
    play = begun(owner(node("a")), msgspec.structs.replace(LOOP, count=0))

    assert steps(play) == ["begin", "gather"]


def test_several_at_once() -> None:
    """As many executions as the plan allows, and no more nodes than the flow does."""
    play = begun(
        owner(node("a"), node("b", "a")), msgspec.structs.replace(LOOP, concurrency=2), max_parallel=1
    )

    assert words(play.journal[-3:]) == ["BodyStarted it", "BodyStarted it", "NodeStarted it/0/a"]
    assert answer(play, "it/0/a")[-1] == "NodeStarted it/1/a"


def test_an_iteration_that_fails_ends_the_loop() -> None:
    """What has begun goes on; no other iteration begins; the failure is the child's."""
    play = begun(owner(node("a"), node("b", "a")), msgspec.structs.replace(LOOP, concurrency=2))

    assert answer(play, "it/0/a", Failed(BROKEN)) == ["NodeFailed it/0/a", "NodeSkipped it/0/b"]
    answer(play, "it/1/a")
    assert answer(play, "it/1/b") == ["NodeSucceeded it/1/b", "NodeFailed it", "RunFailed"]
    assert play.state.failure is not None
    assert play.state.failure.node == "it/0/a"


def test_failures_are_collected() -> None:
    """With `collect` the next iteration begins."""
    play = begun(owner(node("a"), node("b", "a")), msgspec.structs.replace(LOOP, count=2, collect=True))

    assert answer(play, "it/0/a", Failed(BROKEN))[-1] == "NodeStarted it/1/a"
    answer(play, "it/1/a")
    answer(play, "it/1/b")
    assert steps(play)[-1] == "gather"


def test_whether_there_is_more_is_asked() -> None:
    """Before each execution, where the plan has no count."""
    play = begun(owner(node("a")), Plan(count=None, numbered=True, takes=(0,)))
    assert steps(play) == ["begin", "again"]

    assert answer(play, "it", Again(True)) == ["BodyStarted it", "NodeStarted it/0/a"]
    answer(play, "it/0/a")
    assert steps(play) == ["begin", "again", "again"]
    assert answer(play, "it", Again(False)) == []
    assert steps(play)[-1] == "gather"


@pytest.mark.parametrize("more", [True, False])
def test_an_answer_that_comes_after_the_cancel_begins_nothing(more: bool) -> None:
    """The node is settled as cancelled."""
    play = begun(owner(node("a")), Plan(count=None, numbered=True))
    assert Stop(0, "cancel") in play.give(Cancel("user")).effects

    assert answer(play, "it", Again(more)) == ["NodeCancelled it", "RunCancelled"]


def test_an_answer_about_a_body_that_is_not_executed_is_passed_over() -> None:
    """A node type that says there is more before it has said how is not believed."""
    play = Play(flow(owner(node("a"))))
    play.give(Begin())

    assert play.give(Answer(0, 1, Again(True), 0.0)).events == []


def test_a_cancel_reaches_every_child() -> None:
    """What runs is stopped, what waits is settled; the node ends when all have."""
    play = begun(owner(node("a"), node("b", "a")), msgspec.structs.replace(LOOP, concurrency=2))
    decision = play.give(Cancel("user"))

    assert {each.scope for each in decision.effects if isinstance(each, Stop)} == {1, 2}
    assert answer(play, "it/0/a", Cancelled()) == ["NodeCancelled it/0/a", "NodeCancelled it/0/b"]
    assert answer(play, "it/1/a", Cancelled())[-2:] == ["NodeCancelled it", "RunCancelled"]


def test_clean_up_within_a_body() -> None:
    """`always` children run in a cancelled run, until somebody cancels again."""
    play = begun(owner(node("a"), node("b", after=["a"], always=True)), Plan(takes=(1,)))
    play.give(Cancel("user"))

    assert answer(play, "it/a", Cancelled()) == ["NodeCancelled it/a", "NodeStarted it/b"]
    assert Stop(1, "cancel", ScopeId(1)) in play.give(Cancel("user")).effects


def test_what_is_within_an_always_node_is_clean_up_too() -> None:
    """A cancel does not reach it."""
    play = begun(owner(node("a"), always=True), Plan(takes=(0,)))

    assert not any(isinstance(each, Stop) for each in play.give(Cancel("user")).effects)
    answer(play, "it/a")
    assert steps(play)[-1] == "gather"


def test_a_timeout_stops_the_body_and_counts_as_an_attempt() -> None:
    """The node fails when nothing of its body is left, and may be tried again."""
    it = owner(node("a"), node("b", "a"), timeout_s=5.0, retry=Retry(attempts=2, jitter=False))
    play = begun(it, Plan(takes=(1,)))
    decision = play.give(AttemptTimeout(0, 1))

    assert words(decision.events) == ["BodyStopRequested it"]
    assert Stop(0, "cancel", ScopeId(1)) in decision.effects
    assert answer(play, "it/a", Cancelled())[-2:] == ["NodeCancelled it/b", "NodeRetrying it"]
    assert words(play.give(RetryDue(0, 1)).events) == ["NodeStarted it"]
    play.give(Answer(0, 2, Opened(Plan(takes=(1,))), 0.0))
    assert "it/a" in words(play.journal[-1:])[0]


def test_a_timeout_before_the_body_is_opened() -> None:
    """Then it is the step of the node that is stopped."""
    play = Play(flow(owner(node("a"), timeout_s=5.0)))
    play.give(Begin())

    assert play.give(AttemptTimeout(0, 1)).effects == [Stop(0, "timeout")]


def test_the_first_that_succeeds_ends_a_race() -> None:
    """Also those that have not begun; the node is settled when the last of them is."""
    play = begun(owner(node("a"), node("b"), node("c", retry=2)), RACE, max_parallel=2)

    answer(play, "it/b", Failed(BROKEN))
    answer(play, "it/c", Failed(BROKEN))
    assert answer(play, "it/a") == [
        "NodeSucceeded it/a",
        "BodyStopRequested it",
        "NodeCancelled it/c",
    ]
    assert steps(play) == ["begin", "gather"]


def test_a_race_that_is_over_stops_what_runs() -> None:
    """The losers are ended; a late success of one changes nothing."""
    play = begun(owner(node("a"), node("b")), RACE)

    assert answer(play, "it/a") == ["NodeSucceeded it/a", "BodyStopRequested it"]
    assert Stop(1, "cancel", ScopeId(1)) in play.effects
    assert answer(play, "it/b") == ["NodeSucceeded it/b"]
    assert steps(play) == ["begin", "gather"]


def test_children_side_by_side_wait_for_a_place() -> None:
    """At most `concurrency` of them at once."""
    plan = Plan(strategy="all-settled", side_by_side=True, concurrency=2, takes=(0, 1, 2))
    play = begun(owner(node("a"), node("b"), node("c")), plan)

    assert words(play.journal[-2:]) == ["NodeStarted it/a", "NodeStarted it/b"]
    assert answer(play, "it/a", Failed(BROKEN)) == ["NodeFailed it/a", "NodeStarted it/c"]
    answer(play, "it/b")
    answer(play, "it/c")
    assert steps(play)[-1] == "gather"


def test_bodies_in_bodies() -> None:
    """A stop reaches the innermost, and its end the outermost."""
    inner = msgspec.structs.replace(owner(node("x")), id=NodeId("inner"))
    play = begun(owner(inner), Plan(takes=(0,)))
    scope_id = ScopeId(1)
    play.give(Answer(0, 1, Opened(msgspec.structs.replace(LOOP, takes=(0,))), 0.0, scope_id))
    assert words(play.journal[-1:]) == ["NodeStarted it/inner/0/x"]

    play.give(Cancel("user"))
    assert answer(play, "it/inner/0/x", Cancelled()) == [
        "NodeCancelled it/inner/0/x",
        "NodeCancelled it/inner",
        "NodeCancelled it",
        "RunCancelled",
    ]


def test_what_is_late_is_passed_over() -> None:
    """Answers, timers and words of an execution that is over decide nothing."""
    play = begun(owner(node("a")), msgspec.structs.replace(LOOP, count=1, takes=(0,)))
    answer(play, "it/0/a")
    over = ScopeId(1)
    for late in (
        Answer(0, 1, Succeeded(OUTPUTS), 0.0, over),
        AttemptTimeout(0, 1, over),
        RetryDue(0, 1, over),
        Spoken(0, 1, "late", over),
    ):
        assert play.give(late).events == []


def test_what_an_attempt_says() -> None:
    """It is an event of the journal, and changes nothing else."""
    play = begun(owner(node("a")), Plan(takes=(0,)))

    assert words(play.give(Spoken(0, 1, "hello", ScopeId(1))).events) == ["NodeLogged it/a"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ev.BodyStarted, {"node": "it", "index": 7}),
        (ev.BodyStarted, {"node": "it/0/a", "index": 0}),
        (ev.BodyOpened, {"node": "it", "attempt": 1, "plan": LOOP, "began_s": 0.0}),
        (ev.BodyStopRequested, {"node": "nobody", "reason": "race"}),
        (ev.BodyStopRequested, {"node": "last", "reason": "race"}),
        (ev.NodeSucceeded, {"node": "it", "attempt": 1, "duration_s": 0.0, "outputs": {}}),
    ],
)
def test_events_out_of_place_are_refused(kind: type[ev.RunEvent], fields: dict[str, object]) -> None:
    """And the state stays what it was."""
    play = begun(owner(node("a")), LOOP, node("last", "it"))
    wrong = kind(run_id=RUN_ID, seq=play.state.next_seq, at=MIDNIGHT, **fields)  # pyright: ignore[reportCallIssue]
    before = msgspec.structs.replace(play.state)

    with pytest.raises(IllegalEvent):
        apply(play.state, wrong)
    assert play.state == before


def test_the_journal_gives_the_state() -> None:
    """Folding the events once more gives the same, at any moment."""
    play = begun(owner(node("a"), node("b", "a")), msgspec.structs.replace(LOOP, concurrency=2))
    answer(play, "it/0/a")
    answer(play, "it/1/a", Failed(BROKEN))
    state = new_run(play.flow, RUN_ID)
    for event in play.journal:
        state = apply(state, event)

    assert state == play.state


def test_executions_that_only_wait_end_together() -> None:
    """A cancel settles the node once, though several of its executions end by it."""
    plan = msgspec.structs.replace(LOOP, concurrency=2, takes=(0,))
    play = begun(owner(node("a")), plan, node("other"), max_parallel=1)
    assert "NodeStarted other" in words(play.journal)

    assert words(play.give(Cancel("user")).events) == [
        "RunCancelRequested",
        "NodeCancelled it/0/a",
        "NodeCancelled it/1/a",
        "NodeCancelled it",
    ]
    assert words(play.give(Answer(1, 1, Cancelled(), 0.0)).events) == ["NodeCancelled other", "RunCancelled"]


def test_a_queue_forgets_what_has_ended() -> None:
    """What waited behind an `always` node, and was cancelled with its whole body, does not come up again."""
    plan = msgspec.structs.replace(LOOP, concurrency=2, takes=(0,))
    play = begun(owner(node("a")), plan, node("other"), node("keep", always=True), max_parallel=1)
    play.give(Cancel("user"))

    stopped = play.give(Answer(1, 1, Cancelled(), 0.0))
    assert words(stopped.events) == ["NodeCancelled other", "NodeStarted keep"]
    assert answer(play, "keep") == ["NodeSucceeded keep", "RunCancelled"]


def test_a_timeout_that_meets_the_answer_is_not_lost() -> None:
    """The body is opened though its time is over: then its children are stopped at once."""
    play = Play(flow(owner(node("a"), timeout_s=5.0)))
    play.give(Begin())
    assert play.give(AttemptTimeout(0, 1)).effects == [Stop(0, "timeout")]
    opened = play.give(Answer(0, 1, Opened(Plan(takes=(0,))), 5.5))

    (timer,) = [each for each in opened.effects if isinstance(each, SetTimer)]
    assert timer == SetTimer(0.0, AttemptTimeout(0, 1))
    assert words(play.give(timer.then).events) == ["BodyStopRequested it"]
    assert answer(play, "it/a", Cancelled())[-2:] == ["NodeFailed it", "RunFailed"]
