from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Flow, Node, Retry
from atomiton_runtime.ids import ROOT
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.decide import Decision
from atomiton_runtime.run.document import document
from atomiton_runtime.run.effects import Effect, Execute, SetTimer
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import (
    Abort,
    Answer,
    AttemptTimeout,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Given,
    Outcome,
    RetryDue,
    Reused,
    RunTimeout,
    Skipped,
    Succeeded,
)
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.state import RunState
from tests.doubles.flows import BROKEN, OUTPUTS, RUN_ID, Play, flow, node
from tests.doubles.naive_scheduler import SETTLED, NaiveRun

REUSED = Reused(Kept(source=RUN_ID, attempt=3, outputs=OUTPUTS))
FAULT = ErrorInfo("STORE-001", "the disk is full")
OUTCOMES: tuple[Outcome, ...] = (
    Succeeded(OUTPUTS),
    Failed(BROKEN),
    Failed(BROKEN, final=True),
    Skipped("`when` is false"),
    REUSED,
    Cancelled(),
)
MOVES = ("answer", "answer", "answer", "timer", "timer", "stale", "again", "cancel", "abort", "begin")
CALM_MOVES = ("answer", "answer", "timer", "stale", "again")


@st.composite
def flows(draw: st.DrawFn, most: int = 30) -> Flow:
    """Return a random flow whose nodes stand in a random order."""
    size = draw(st.integers(0, most))
    nodes = [_node(draw, index) for index in range(size)]
    order = draw(st.permutations(nodes))
    return flow(*order, max_parallel=draw(st.integers(1, 4)), timeout_s=60.0)


def _node(draw: st.DrawFn, index: int) -> Node:
    earlier = st.integers(0, index - 1) if index else st.nothing()
    parents = draw(st.lists(earlier, max_size=3)) if index else []
    ports = [f"n{parent}{draw(st.sampled_from(('', '', '', '.error')))}" for parent in parents]
    return node(
        f"n{index}",
        *ports,
        table=bool(ports) and draw(st.booleans()),
        after=[f"n{other}" for other in draw(st.lists(earlier, max_size=1))] if index else [],
        retry=Retry(attempts=draw(st.sampled_from((1, 1, 1, 2, 3)))),
        timeout_s=draw(st.sampled_from((None, None, 5.0))),
        continue_on_error=draw(st.sampled_from((False, False, False, True))),
        always=draw(st.sampled_from((False, False, False, True))),
    )


class Storm:
    """Gives a run random things in a random order, and looks at every decision."""

    def __init__(self, of: Flow, data: st.DataObject) -> None:
        self.data = data
        self.play = Play(of)
        self.naive = NaiveRun(of)
        self.open: list[Execute] = []
        self.timers: list[Given] = []
        self.past: list[Given] = [RunTimeout()] if of.nodes else []
        self.asked_to_end = 0

    def draw(self, strategy: st.SearchStrategy[object]) -> object:
        return self.data.draw(strategy)

    def give(self, given: Given) -> None:
        before, known = self.play.state, len(self.play.journal)
        decision = self.play.give(given)
        self.naive.give(given)
        self.past.append(given)
        self._check_decision(before, decision, known)
        for effect in decision.effects:
            self._carry_out(effect)
        settled = {self.play.flow.index_of[event.node] for event in _settlings(decision.events)}
        self.open = [each for each in self.open if each.node not in settled]
        self._check_against_the_naive_one()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Execute():
                self.open.append(effect)
            case SetTimer(then=timer):
                self.timers.append(timer)
            case _:
                pass

    def _check_decision(self, before: RunState, decision: Decision, known: int) -> None:
        assert decision.state == reduce(apply, decision.events, before)
        assert [event.seq for event in decision.events] == list(range(known, known + len(decision.events)))
        state = before
        for event in decision.events:
            if isinstance(event, ev.NodeStarted):
                _check_start(state, event)
            state = apply(state, event)
        running = [index for index, each in enumerate(state.nodes) if each.status == "running"]
        assert len(running) <= state.flow.settings.max_parallel

    def _check_against_the_naive_one(self) -> None:
        state = self.play.state
        statuses = {each.id: state.nodes[each.index].status for each in state.flow.nodes}
        assert statuses == self.naive.status
        assert state.status == self.naive.run
        running = [index for index, each in enumerate(state.nodes) if each.status == "running"]
        assert sorted(each.node for each in self.open) == running

    def move(self, kind: str) -> None:
        match kind:
            case "answer" if self.open:
                order = self.draw(st.sampled_from(self.open))
                self.give(Answer(order.node, order.attempt, self.draw(st.sampled_from(OUTCOMES)), 0.1))
            case "timer" if self.timers:
                timer = self.draw(st.sampled_from(self.timers))
                self.timers.remove(timer)
                self.give(timer)
            case "stale" if self.play.flow.nodes:
                self.give(self.draw(stale(len(self.play.flow.nodes))))
            case "again" if self.past:
                self.give(self.draw(st.sampled_from(self.past)))
            case "cancel":
                self.give(Cancel(self.draw(st.sampled_from(("user", "restart", "quit", "timeout", "fault")))))
            case "abort":
                self.give(Abort(FAULT))
            case "begin":
                self.give(Begin())
            case _:
                pass

    def finish(self) -> None:
        """Answer everything and let every pause pass, without another cancel, until the run has ended."""
        most = 4 * len(self.play.flow.nodes) + 4
        for _ in range(most):
            if self.open:
                self.give(Answer(self.open[0].node, self.open[0].attempt, Succeeded(OUTPUTS), 0.1))
                continue
            pauses = [timer for timer in self.timers if isinstance(timer, RetryDue)]
            if not pauses:
                break
            self.timers.remove(pauses[0])
            self.give(pauses[0])


def stale(size: int) -> st.SearchStrategy[Given]:
    """Return things that belong to some attempt of some node, most likely to none that runs."""
    node_of, attempt = st.integers(0, size - 1), st.integers(0, 4)
    return st.one_of(
        st.builds(RetryDue, node_of, st.just(7)),
        st.builds(AttemptTimeout, node_of, attempt),
        st.builds(Answer, node_of, st.just(7), st.sampled_from(OUTCOMES), st.just(0.1)),
    )


def _settlings(events: list[ev.RunEvent]) -> list[ev.RunEvent]:
    kinds = (
        ev.NodeSucceeded,
        ev.NodeReused,
        ev.NodeRetrying,
        ev.NodeFailed,
        ev.NodeSkipped,
        ev.NodeCancelled,
    )
    return [event for event in events if isinstance(event, kinds)]


def _check_start(state: RunState, event: ev.NodeStarted) -> None:
    index = state.flow.index_of[event.node]
    assert all(state.nodes[parent].status in SETTLED for parent in state.flow.parents[index])
    assert state.nodes[index].attempt == event.attempt - 1
    assert event.attempt <= state.flow.nodes[index].retry.attempts


def storm(of: Flow, data: st.DataObject, moves: tuple[str, ...], most: int) -> Storm:
    """Return what is left of a run after random moves and an orderly end."""
    run = Storm(of, data)
    run.give(Begin())
    for kind in data.draw(st.lists(st.sampled_from(moves), max_size=most)):
        run.move(kind)
    run.finish()
    return run


@settings(max_examples=150)
@given(flows(), st.data())
def test_every_run_ends_and_its_journal_is_true(of: Flow, data: st.DataObject) -> None:
    """Whatever comes in whatever order, the run ends, each attempt is settled once, and the journal says so."""
    run = storm(of, data, data.draw(st.sampled_from((MOVES, CALM_MOVES))), 60)
    play = run.play

    assert isinstance(play.journal[-1], ev.FINAL_EVENTS)
    assert play.state.scopes[ROOT].unsettled == 0
    assert play.state.running == 0
    orders = [(each.node, each.attempt) for each in play.effects if isinstance(each, Execute)]
    assert len(orders) == len(set(orders))
    told = document(play.journal)
    assert told.status == play.state.status
    assert {name: each.status for name, each in told.nodes.items()} == {
        each.id: play.status(each.id) for each in of.nodes
    }
    _check_settlings(play, orders)
    _check_end(play)


def _check_settlings(play: Play, orders: list[tuple[int, int]]) -> None:
    started: dict[str, int] = {}
    settled: list[tuple[int, int]] = []
    open_now: set[str] = set()
    for event in play.journal:
        if isinstance(event, ev.NodeStarted):
            started[event.node] = event.attempt
            open_now.add(event.node)
        elif event in _settlings([event]) and event.node in open_now:
            open_now.discard(event.node)
            settled.append((play.flow.index_of[event.node], started[event.node]))
    assert sorted(settled) == sorted(orders)


def _check_end(play: Play) -> None:
    cancels = [event for event in play.journal if isinstance(event, ev.RunCancelRequested)]
    unhandled = [event for event in play.journal if isinstance(event, ev.NodeFailed) and not event.handled]
    statuses = {each.status for each in play.state.nodes}
    match play.state.status:
        case "succeeded":
            assert not cancels
            assert not unhandled
            assert "cancelled" not in statuses
        case "failed":
            assert unhandled or cancels[-1].reason == "fault"
        case _:
            assert cancels
    if "cancelled" in statuses:
        assert cancels
    if len(cancels) < 2 and all(each.reason != "fault" for each in cancels):
        assert all(play.status(each.id) != "cancelled" for each in play.flow.nodes if each.always), (
            "the clean-up was ended though nobody asked twice"
        )


@settings(max_examples=75)
@given(flows(), st.data())
def test_always_nodes_run_in_every_calm_end(of: Flow, data: st.DataObject) -> None:
    """Without a cancel, an `always` node begins in every run, except where its error ports say otherwise."""
    play = storm(of, data, CALM_MOVES, 40).play
    if any(isinstance(event, ev.RunCancelRequested) for event in play.journal):
        return
    begun = {event.node for event in play.journal if isinstance(event, ev.NodeStarted)}

    for each in of.nodes:
        takes_errors = any(ref.port == "error" for ref in each.refs)
        assert each.id in begun or not each.always or takes_errors


@settings(max_examples=75)
@given(flows())
def test_a_run_in_which_all_goes_well_succeeds(of: Flow) -> None:
    """When every attempt succeeds, the run does, and only those that take errors are skipped."""
    play = Play(of)
    play.give(Begin())
    while play.state.status == "running":
        index = next(index for index, each in enumerate(play.state.nodes) if each.status == "running")
        play.answer(of.nodes[index].id)

    assert play.state.status == "succeeded"
    assert {each.status for each in play.state.nodes} <= {"succeeded", "skipped"}


@settings(max_examples=75)
@given(flows(), st.integers(0, 20), st.booleans())
def test_two_cancels_end_a_run_without_another_start(of: Flow, answers: int, tolerant: bool) -> None:
    """After the second cancel nothing begins; the run ends with the answer of the last attempt."""
    play = Play(of)
    play.give(Begin())
    for _ in range(answers):
        running = [each.id for each in of.nodes if play.status(each.id) == "running"]
        if running:
            (play.answer if tolerant else play.fail)(running[0])
    play.give(Cancel("user"))
    play.give(Cancel("user"))
    begun = len(play.executed())
    for each in of.nodes:
        if play.status(each.id) == "running":
            play.answer(each.id, Cancelled())

    assert len(play.executed()) == begun
    assert isinstance(play.journal[-1], ev.FINAL_EVENTS)


SHAPES = {
    "wide": lambda size: flow(*(node(f"n{at}") for at in range(size)), max_parallel=4),
    "chain": lambda size: flow(
        *(node(f"n{at}", *([f"n{at - 1}"] if at else [])) for at in range(size)), max_parallel=4
    ),
    "retrying": lambda size: flow(
        node("first"), *(node(f"n{at}", after=["first"], retry=50) for at in range(size)), max_parallel=4
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_cost_of_an_event_does_not_grow_with_the_flow(shape: str) -> None:
    """One answer copies as many pages, and walks as many nodes of the queue, in a flow of 100 as of 5000."""
    assert _cost(SHAPES[shape](5000)) == _cost(SHAPES[shape](100))


def _cost(of: Flow) -> list[tuple[int, int, int]]:
    """Return for some answers: pages copied, events, and new links of the queue."""
    play = Play(of)
    play.give(Begin())
    if play.executed() == ["first"]:
        play.answer("first")  # it makes all the others ready: that one answer costs as much as they are
    costs: list[tuple[int, int, int]] = []
    for _ in range(20):
        index = next(each.index for each in of.nodes[:60] if play.state.nodes[each.index].status == "running")
        name, before = of.nodes[index].id, play.state
        decision = play.answer(name) if of.nodes[index].retry.attempts == 1 else play.fail(name)
        costs.append((_copied(before, play.state), len(decision.events), _new_links(before, play.state)))
        play.give(RetryDue(index, play.state.nodes[index].attempt))
    return costs


def _copied(before: RunState, after: RunState) -> int:
    pairs = [
        *zip(before.nodes._pages, after.nodes._pages, strict=True),
        *zip(before.scopes[ROOT].waiting._pages, after.scopes[ROOT].waiting._pages, strict=True),
    ]
    return sum(old is not new for old, new in pairs)


def _new_links(before: RunState, after: RunState) -> int:
    """Return how many links the queue has that it did not have; more than 100 count as 100."""
    known = set[int]()
    for chain in (before.ready_front, before.ready_back):
        while chain is not None:
            known.add(id(chain))
            chain = chain[1]
    fresh = 0
    for chain in (after.ready_front, after.ready_back):
        while chain is not None and id(chain) not in known:
            fresh += 1
            chain = chain[1]
    return min(fresh, 100)
