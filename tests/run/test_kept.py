"""What a test gives in the place of an execution settles a node as an execution would."""

import msgspec

from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import NodeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import Begin
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.state import new_run
from tests.doubles.flows import BROKEN, OUTPUTS, RUN_ID, Play, flow, node, queued, words

FAILED = Kept(source=RUN_ID, attempt=1, error=BROKEN)
GIVEN = Kept(source=RUN_ID, attempt=1, outputs=OUTPUTS)
SKIPPED = Kept(source=RUN_ID, skipped="nobody needs it")


def begun(of: Flow, **kept: Kept) -> Play:
    """Return a run that has left the queue, with what stands of some nodes."""
    play = Play(of)
    known = {NodeId(name): each for name, each in kept.items()}
    play.state = apply(new_run(of, RUN_ID, known), queued(of))
    play.give(Begin())
    return play


def test_given_outputs_are_as_good_as_those_of_an_execution() -> None:
    """A node behind a skipped one is executed if what it takes is given."""
    play = begun(flow(node("a"), node("b", "a"), node("c", "b")), a=SKIPPED, b=GIVEN)
    assert ["c"] == play.executed()
    assert ["NodeSucceeded c", "RunSucceeded"] == words(play.answer("c").events)


def test_a_given_failure_that_nothing_handles_fails_the_run() -> None:
    """It counts as a failed attempt, after which there is no other one, whatever `retry` says."""
    play = begun(flow(node("a", retry=3), node("b", "a")), a=FAILED)
    assert [] == play.executed()
    assert ("failed", "skipped") == (play.status("a"), play.status("b"))
    assert "failed" == play.state.status
    assert msgspec.structs.replace(BROKEN, node="a") == play.state.failure


def test_a_given_failure_that_is_handled() -> None:
    """Who takes the error runs, and the run succeeds."""
    play = begun(flow(node("a"), node("b", "a.error"), node("c", "a")), a=FAILED)
    assert ["b"] == play.executed()
    assert ["NodeSucceeded b", "RunSucceeded"] == words(play.answer("b").events)
    assert "skipped" == play.status("c")


def test_a_given_failure_that_the_run_goes_on_after() -> None:
    """With `on_error = "continue"` the run goes on."""
    play = begun(flow(node("a", continue_on_error=True), node("b", after=["a"])), a=FAILED)
    decision = play.answer("b")
    assert ["NodeSucceeded b", "RunSucceeded"] == words(decision.events)
    assert isinstance(decision.events[-1], ev.RunSucceeded)
