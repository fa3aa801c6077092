"""What of a run that was cut need not be executed again, and how a run that continues it proceeds."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atomiton_runtime.flow.graph import body_of
from atomiton_runtime.flow.model import Flow, Node
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import (
    Again,
    Answer,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Opened,
    Skipped,
    Succeeded,
)
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.resume import Resumption, plan_resume
from atomiton_runtime.run.state import new_run
from tests.doubles.flows import BROKEN, OUTPUTS, RUN_ID, Play, flow, node, queued, words

LOOP = Plan(count=3, numbered=True, takes=(0,))
LATER = RunId("01JDCV0000000000000LATER")
ITEMS = [msgspec.Raw(b"1"), msgspec.Raw(b"2"), msgspec.Raw(b"3")]


class Continued(Play):
    """A run that continues another one."""

    def __init__(self, of: Flow, resumption: Resumption) -> None:
        super().__init__(of)
        first = msgspec.structs.replace(queued(of), run_id=LATER, resumes=RUN_ID)
        self.state = apply(new_run(of, LATER, resumption.kept), first)
        self.journal: list[RunEvent] = [first]
        self.give(Begin())


def body(*children: Node) -> Node:
    """Return the node `it` with this body."""
    numbered = tuple(msgspec.structs.replace(child, index=place) for place, child in enumerate(children))
    return msgspec.structs.replace(node("it"), body=body_of(numbered))


def begun(of: Flow) -> Play:
    play = Play(of)
    play.give(Begin())
    return play


def within(play: Play, whole_id: str, outcome: object = None) -> None:
    """Answer the attempt of a node, wherever it is executed."""
    prefix, slash, name = whole_id.rpartition("/")
    scope_id = play.state.scope_of[prefix + slash]
    scope = play.state.scopes[scope_id]
    index = scope.graph.index_of[NodeId(name)]
    attempt = scope.nodes[index].attempt
    play.give(Answer(index, attempt, outcome or Succeeded(OUTPUTS), 0.25, scope_id))  # pyright: ignore[reportArgumentType]


def resumed(play: Play, *journals: Sequence[RunEvent]) -> Continued:
    """Return the run that continues another one whose process died just now."""
    return Continued(play.flow, plan_resume(play.flow, [*journals, play.journal]))


def test_what_succeeded_stands() -> None:
    """It is reused with its outputs, and what was under way is executed again."""
    play = begun(flow(node("a"), node("b", "a"), node("c", "b")))
    play.answer("a")
    again = resumed(play)

    assert words(again.journal[1:]) == ["RunStarted", "NodeReused a", "NodeStarted b"]
    reused = again.journal[2]
    assert isinstance(reused, ev.NodeReused)
    assert (reused.source, reused.attempt, reused.outputs) == (RUN_ID, 1, OUTPUTS)
    again.answer("b")
    assert words(again.answer("c").events) == ["NodeSucceeded c", "RunSucceeded"]


def test_what_was_under_way_is_cut() -> None:
    """Only that: what failed, waits for another attempt or has not begun is known not to have worked."""
    play = begun(flow(node("a"), node("b", retry=2), node("c"), node("d", "a")))
    play.fail("b")
    play.fail("c")

    assert [each.node for each in plan_resume(play.flow, [play.journal]).cut] == ["a"]


def test_a_run_that_never_began() -> None:
    """All of it is executed."""
    play = Play(flow(node("a")))

    assert words(resumed(play).journal[1:]) == ["RunStarted", "NodeStarted a"]


@pytest.mark.parametrize("takes", ["a", "a.error"])
def test_a_failure_that_was_handled_stands(takes: str) -> None:
    """Whoever took the error of the node, or its null, need not be executed again."""
    play = begun(flow(node("a", continue_on_error=True), node("b", takes), node("c", "b")))
    play.fail("a")
    play.answer("b")
    again = resumed(play)

    assert words(again.journal[2:]) == ["NodeReused a", "NodeReused b", "NodeStarted c"]
    assert again.status("a") == "failed"
    assert words(again.answer("c").events)[-1] == "RunSucceeded"


def test_a_failure_that_nothing_handled_is_tried_again() -> None:
    """And so is the clean-up that had waited for it, and what was skipped because of it."""
    play = begun(flow(node("a"), node("b", "a"), node("tidy", after=["a"], always=True), node("e")))
    play.answer("e")
    play.fail("a")
    play.answer("tidy")
    assert play.state.status == "failed"
    again = resumed(play)

    assert words(again.journal[2:]) == ["NodeStarted a", "NodeReused e"]
    assert words(again.answer("a").events) == ["NodeSucceeded a", "NodeStarted b", "NodeStarted tidy"]


def test_what_was_left_out_stays_left_out() -> None:
    """`when` is not asked again, and who lived without that node is not executed again."""
    play = begun(flow(node("a"), node("b", "a"), node("x"), node("c", "b", "x"), node("d", "c")))
    play.answer("a", Skipped("`when` is false: no"))
    play.answer("x")
    play.answer("c")
    again = resumed(play)

    assert words(again.journal[2:]) == [
        "NodeSkipped a",
        "NodeReused x",
        "NodeSkipped b",
        "NodeReused c",
        "NodeStarted d",
    ]


def test_a_cancel_cuts_what_was_under_way() -> None:
    """A cancelled run can be continued as well."""
    play = begun(flow(node("a"), node("b", "a")))
    play.give(Cancel("user"))
    play.answer("a", Cancelled())
    plan = plan_resume(play.flow, [play.journal])

    assert [each.node for each in plan.cut] == ["a"]
    assert not plan.kept


def test_a_cancel_settles_what_stands_as_anything_else() -> None:
    """A run that is cancelled before it has taken over what stands does not go on."""
    play = begun(flow(node("it"), node("b", "it")))
    again = Continued(play.flow, plan_resume(play.flow, [play.journal]))
    again.give(Cancel("user"))

    assert words(again.answer("it", Cancelled()).events) == [
        "NodeCancelled it",
        "NodeCancelled b",
        "RunCancelled",
    ]


def in_a_loop(plan: Plan = LOOP, items_hash: str = "same") -> Play:
    """Return a run that is cut in the second of three iterations."""
    play = begun(flow(body(node("a"), node("b", "a")), node("end", "it")))
    play.give(Answer(0, 1, Opened(plan, ITEMS, items_hash), 0.0))
    for child in ("it/0/a", "it/0/b", "it/1/a"):
        within(play, child)
    return play


def opened(play: Play, plan: Plan = LOOP, items_hash: str = "same") -> list[str]:
    """Open the body of `it`; return what followed."""
    return words(play.give(Answer(0, 1, Opened(plan, ITEMS, items_hash), 0.0)).events)


def test_a_loop_goes_on_where_it_was_cut() -> None:
    """What was done within it stands, node by node."""
    play = in_a_loop()
    plan = plan_resume(play.flow, [play.journal])
    assert [each.node for each in plan.cut] == ["it/1/b"]
    again = Continued(play.flow, plan)

    assert words(again.journal[2:]) == ["NodeStarted it"]
    assert opened(again) == [
        "BodyOpened it",
        "BodyStarted it",
        "NodeReused it/0/a",
        "NodeReused it/0/b",
        "BodyStarted it",
        "NodeReused it/1/a",
        "NodeStarted it/1/b",
    ]


def test_other_items_are_other_work() -> None:
    """Where the items are not what they were, nothing that was done with them stands."""
    again = resumed(in_a_loop())

    assert opened(again, items_hash="other") == ["BodyOpened it", "BodyStarted it", "NodeStarted it/0/a"]


def test_a_loop_that_was_done_is_reused_whole() -> None:
    """Its body is not opened again."""
    play = in_a_loop()
    for child in ("it/1/b", "it/2/a", "it/2/b", "it"):
        within(play, child)

    assert words(resumed(play).journal[2:]) == ["NodeReused it", "NodeStarted end"]


def test_a_race_that_was_won_ends_the_others() -> None:
    """The child that had won has still won."""
    plan = Plan(strategy="race", side_by_side=True, concurrency=9, takes=(0, 1))
    play = begun(flow(body(node("a"), node("b"))))
    play.give(Answer(0, 1, Opened(plan), 0.0))
    within(play, "it/a")
    again = resumed(play)

    assert opened(again, plan, "") == [
        "BodyOpened it",
        "BodyStarted it",
        "NodeReused it/a",
        "BodyStopRequested it",
        "NodeCancelled it/b",
    ]


def test_a_run_may_be_cut_again_and_again() -> None:
    """What stood in the first run stands in the third, also where the second did not get that far."""
    play = in_a_loop()
    second = resumed(play)
    third = Continued(play.flow, plan_resume(play.flow, [play.journal, second.journal]))
    assert opened(third)[-1] == "NodeStarted it/1/b"
    within(third, "it/1/b")
    fourth = plan_resume(play.flow, [play.journal, second.journal, third.journal])

    assert {"it/0/a", "it/0/b", "it/1/a", "it/1/b"} < set(fourth.kept)
    assert [each.node for each in fourth.cut] == ["it/2/a"]


def test_another_attempt_of_a_body_forgets_the_first() -> None:
    """What was done within a failed attempt is done again by the next, so it does not stand."""
    retried = msgspec.structs.replace(body(node("a"), node("b", "a")), retry=node("x", retry=2).retry)
    play = begun(flow(retried))
    play.give(Answer(0, 1, Opened(LOOP, ITEMS, "same"), 0.0))
    within(play, "it/0/a")
    within(play, "it/0/b", Failed(BROKEN))
    later = [
        ev.NodeStarted(run_id=RUN_ID, seq=99, at=play.journal[-1].at, node=NodeId("it"), attempt=2),
    ]

    assert set(plan_resume(play.flow, [[*play.journal, *later]]).kept) == set()


def test_other_items_in_a_second_run_forget_those_of_the_first() -> None:
    """The newest word about an iteration is that of the run that was cut last."""
    play = in_a_loop()
    second = resumed(play)
    opened(second, items_hash="other")
    within(second, "it/0/a")

    kept = plan_resume(play.flow, [play.journal, second.journal]).kept
    assert kept[NodeId("it/0/a")].source == LATER
    assert "it/1/a" not in kept


def test_a_while_loop_asks_again() -> None:
    """Whether there is another execution is asked as ever; what was done in one stands."""
    plan = Plan(count=None, numbered=True, takes=(1,))
    play = begun(flow(body(node("a"), node("b", "a"))))
    play.give(Answer(0, 1, Opened(plan, ITEMS[:1], "one"), 0.0))
    play.give(Answer(0, 1, Again(True), 0.0))
    within(play, "it/0/a")
    again = resumed(play)
    opened(again, plan, "one")

    assert words(again.give(Answer(0, 1, Again(True), 0.0)).events) == [
        "BodyStarted it",
        "NodeReused it/0/a",
        "NodeStarted it/0/b",
    ]


GRAPHS = st.lists(st.lists(st.integers(0, 20), max_size=3), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(GRAPHS, st.data())
def test_whatever_was_settled_is_not_executed_twice(parents: list[list[int]], data: st.DataObject) -> None:
    """A random flow, cut at a random event again and again, comes to its end; each success is executed once."""
    nodes = [
        node(f"n{index}", *{f"n{parent % index}" for parent in wanted} if index else ())
        for index, wanted in enumerate(parents)
    ]
    of = flow(*nodes)
    executed: dict[str, int] = {each.id: 0 for each in of.nodes}
    journals: list[Sequence[RunEvent]] = []
    for _ in range(4):
        play = Continued(of, plan_resume(of, journals))
        while play.state.status == "running" and data.draw(st.integers(0, 5)):
            running = [each.id for each in of.nodes if play.status(each.id) == "running"]
            name = data.draw(st.sampled_from(running))
            executed[name] += 1
            play.answer(name)
        journals.append(play.journal)
        if play.state.status == "succeeded":
            break
    assert all(count <= 1 for count in executed.values())
    final = plan_resume(of, journals)
    assert {node for node, count in executed.items() if count} == set(final.kept)
