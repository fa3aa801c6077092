"""Random bodies in bodies, and whatever may happen to them in any order: every run ends, and its journal is true."""

from collections import Counter
from functools import reduce

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from atomiton_runtime.flow.graph import body_of
from atomiton_runtime.flow.model import Flow, Node, Retry
from atomiton_runtime.ids import ROOT, NodeId, ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.decide import Decision
from atomiton_runtime.run.effects import Execute, Stop
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import (
    Again,
    Answer,
    AttemptTimeout,
    Begin,
    Cancel,
    Cancelled,
    Failed,
    Given,
    Opened,
    Outcome,
    RetryDue,
    Reused,
    Skipped,
    Succeeded,
)
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.plan import Plan, Strategy
from atomiton_runtime.run.state import RunState
from tests.doubles.flows import BROKEN, OUTPUTS, RUN_ID, Play, flow, node

MAX_DEPTH = 3
REUSED = Reused(Kept(source=RUN_ID, attempt=3, outputs=OUTPUTS))
STRATEGIES: tuple[Strategy, ...] = ("all", "race", "all-settled")
LEAF_OUTCOMES: tuple[Outcome, ...] = (
    Succeeded(OUTPUTS),
    Succeeded(OUTPUTS),
    Failed(BROKEN),
    Failed(BROKEN, final=True),
    Skipped("`when` is false"),
    REUSED,
    Cancelled(),
)
MOVES = ("answer",) * 8 + ("timer", "timer", "twice", "cancel")
CALM_MOVES = ("answer",) * 4 + ("timer", "twice")
FINAL = (ev.NodeSucceeded, ev.NodeReused, ev.NodeFailed, ev.NodeSkipped, ev.NodeCancelled)


def _nodes(draw: st.DrawFn, depth: int, most: int, *, alone: bool) -> tuple[Node, ...]:
    """Return nodes of a flow or body; `alone`: none of them waits for another."""
    size = draw(st.integers(1, most))
    return tuple(_node(draw, index, depth, alone=alone) for index in range(size))


def _node(draw: st.DrawFn, index: int, depth: int, *, alone: bool) -> Node:
    parents = draw(st.lists(st.integers(0, index - 1), max_size=2)) if index and not alone else []
    made = node(
        f"n{index}",
        *(f"n{parent}{draw(st.sampled_from(('', '', '.error')))}" for parent in parents),
        retry=Retry(attempts=draw(st.sampled_from((1, 1, 2)))),
        timeout_s=draw(st.sampled_from((None, 5.0))),
        continue_on_error=draw(st.sampled_from((False, False, True))),
        always=draw(st.sampled_from((False, False, False, True))),
    )
    kind = draw(st.sampled_from(("leaf", "body", "side-by-side"))) if depth < MAX_DEPTH else "leaf"
    if kind == "leaf":
        return msgspec.structs.replace(made, index=index)
    children = _nodes(draw, depth + 1, 3, alone=kind == "side-by-side")
    return msgspec.structs.replace(made, index=index, type=kind, body=body_of(children))


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Return a random flow with bodies in bodies."""
    return flow(*_nodes(draw, 0, 4, alone=False), max_parallel=draw(st.integers(1, 3)), timeout_s=60.0)


class Storm:
    """Gives a run random things in a random order, and looks at every decision."""

    def __init__(self, of: Flow, data: st.DataObject) -> None:
        self.data = data
        self.play = Play(of)
        self.open: dict[tuple[ScopeId, int], Execute] = {}
        self.timers: list[Given] = []
        self.past: list[Answer] = []

    def give(self, given: Given) -> None:
        before = self.play.state
        if isinstance(given, Answer):
            self.open.pop((given.scope, given.node), None)
            self.past.append(given)
        decision = self.play.give(given)
        assert decision.state == reduce(apply, decision.events, before)
        self._carry_out(decision)
        _check(self.play.state, self.open)

    def _carry_out(self, decision: Decision) -> None:
        for effect in decision.effects:
            if isinstance(effect, Execute):
                place = effect.scope, effect.node
                assert place not in self.open, "two steps of a node are executed at once"
                self.open[place] = effect
            elif isinstance(effect, Stop):
                assert (effect.scope, effect.node) in self.open, "what is not executed is stopped"
            else:
                self.timers.append(effect.then)

    def move(self, kind: str) -> None:
        match kind:
            case "answer" if self.open:
                order = self.data.draw(st.sampled_from(list(self.open.values())))
                self.give(_answer(order, self._outcome(order)))
            case "timer" if self.timers:
                timer = self.data.draw(st.sampled_from(self.timers))
                self.timers.remove(timer)
                self.give(timer)
            case "twice":
                self._answer_twice()
            case "cancel":
                self.give(Cancel(self.data.draw(st.sampled_from(("user", "restart", "quit", "timeout")))))
            case _:
                pass

    def _answer_twice(self) -> None:
        """Give an answer a second time, if nothing that it could be meant for is executed."""
        late = [each for each in self.past if (each.scope, each.node) not in self.open]
        if late:
            self.give(self.data.draw(st.sampled_from(late)))

    def _outcome(self, order: Execute) -> Outcome:
        written = self.play.state.scopes[order.scope].graph.nodes[order.node]
        if order.step == "again":
            more = st.builds(Again, st.booleans())
            return self.data.draw(st.one_of(more, more, st.sampled_from((Failed(BROKEN), Cancelled()))))
        if order.step == "begin" and written.body is not None:
            opened = st.builds(Opened, plans(written))
            return self.data.draw(st.one_of(opened, opened, st.sampled_from(LEAF_OUTCOMES[2:])))
        return self.data.draw(st.sampled_from(LEAF_OUTCOMES))

    def finish(self) -> None:
        """Let everything succeed, and every pause pass, until the run has ended."""
        for _ in range(5000):
            if self.open:
                order = next(iter(self.open.values()))
                self.give(_answer(order, self._orderly(order)))
                continue
            pauses = [timer for timer in self.timers if isinstance(timer, RetryDue)]
            if not pauses:
                return
            self.timers.remove(pauses[0])
            self.give(pauses[0])
        raise AssertionError("the run does not end")

    def _orderly(self, order: Execute) -> Outcome:
        written = self.play.state.scopes[order.scope].graph.nodes[order.node]
        if order.step == "again":
            return Again(False)
        if order.step == "begin" and written.body is not None:
            return Opened(Plan(side_by_side=written.type == "side-by-side", numbered=True))
        return Succeeded(OUTPUTS)


@st.composite
def plans(draw: st.DrawFn, of: Node) -> Plan:
    """Return how the body of a node is executed: once, a number of times, while there is more, or side by side."""
    takes = tuple(range(len(of.children)))
    concurrency = draw(st.integers(1, 3))
    if of.type == "side-by-side":
        strategy = draw(st.sampled_from(STRATEGIES))
        return Plan(side_by_side=True, strategy=strategy, concurrency=concurrency, takes=takes)
    count = draw(st.sampled_from((0, 1, 2, 3, None)))
    return Plan(
        count=count, numbered=True, concurrency=concurrency, collect=draw(st.booleans()), takes=takes[-1:]
    )


def _answer(order: Execute, outcome: Outcome) -> Answer:
    return Answer(order.node, order.attempt, outcome, 0.1, order.scope)


def _check(state: RunState, steps: dict[tuple[ScopeId, int], Execute]) -> None:
    """Compare what the state counts with what is there, and what is executed with what was ordered."""
    places, busy = 0, 0
    executed: set[tuple[ScopeId, int]] = set()
    for scope_id, scope in state.scopes.items():
        unsettled = [each for each in scope.nodes if each.status in ("pending", "running")]
        assert scope.unsettled == len(unsettled)
        for index, each in enumerate(scope.nodes):
            takes_a_place = each.attempt > 0 and each in unsettled and each.body is None
            places += takes_a_place
            busy += takes_a_place and scope.graph.nodes[index].body is None
            if each.status == "running" and (each.body is None or not each.body.open):
                executed.add((scope_id, index))
            if each.body is not None and each.status == "running":
                owned = [one for one in state.scopes.values() if one.owner is not None]
                within = [one for one in owned if one.owner and one.owner.scope == scope_id]
                assert each.body.open == sum(
                    one.owner is not None and one.owner.node == index for one in within
                )
    assert state.running == places
    assert busy <= state.flow.settings.max_parallel
    if state.status == "running":
        assert executed == set(steps)


def _check_journal(play: Play) -> None:
    """Every node of every execution is settled once, and every attempt that began is ended by one event."""
    last: dict[str, str] = {}
    attempts = Counter[tuple[str, int]]()
    for event in play.journal:
        if isinstance(event, ev.BodyOpened):
            # A new attempt of a node executes its children anew, under the same names.
            for name in [name for name in last if name.startswith(f"{event.node}/")]:
                assert last.pop(name) == "settled"
        elif isinstance(event, ev.NodeStarted):
            assert last.get(event.node, "fresh") in ("fresh", "waits")
            last[event.node] = "runs"
            attempts[event.node, event.attempt] += 1
        elif isinstance(event, ev.NodeRetrying):
            assert last[event.node] == "runs"
            last[event.node] = "waits"
        elif isinstance(event, FINAL):
            assert last.get(event.node) != "settled"
            last[event.node] = "settled"
    assert set(last.values()) <= {"settled"}
    assert {str(each.id) for each in play.flow.nodes} <= set(last)


@settings(max_examples=150)
@given(flows(), st.data())
def test_every_run_with_bodies_ends_and_its_journal_is_true(of: Flow, data: st.DataObject) -> None:
    """Whatever comes in whatever order, the run ends, nothing of a body is left, and each node was settled once."""
    run = Storm(of, data)
    run.give(Begin())
    moves = data.draw(st.sampled_from((MOVES, CALM_MOVES)))
    for kind in data.draw(st.lists(st.sampled_from(moves), max_size=60)):
        run.move(kind)
    run.finish()
    play = run.play

    assert isinstance(play.journal[-1], ev.FINAL_EVENTS)
    assert not run.open
    assert set(play.state.scopes) == {ROOT}
    assert dict(play.state.scope_of) == {"": ROOT}
    assert (play.state.running, play.state.scopes[ROOT].unsettled) == (0, 0)
    _check_journal(play)


@settings(max_examples=75)
@given(flows(), st.data())
def test_two_cancels_end_bodies_without_another_start(of: Flow, data: st.DataObject) -> None:
    """After the second cancel nothing begins, at any depth; the run ends with the answer of the last step."""
    run = Storm(of, data)
    run.give(Begin())
    for kind in data.draw(st.lists(st.sampled_from(CALM_MOVES), max_size=40)):
        run.move(kind)
    run.give(Cancel("user"))
    run.give(Cancel("user"))
    known = len(run.play.journal)
    while run.open:
        run.give(_answer(next(iter(run.open.values())), Cancelled()))

    assert isinstance(run.play.journal[-1], ev.FINAL_EVENTS)
    begun = (ev.NodeStarted, ev.BodyStarted)
    assert not [event for event in run.play.journal[known:] if isinstance(event, begun)]
    assert set(run.play.state.scopes) == {ROOT}


def test_a_cancel_settles_executions_that_end_together_once() -> None:
    """Also where the node, once settled, takes what is around it with it."""
    each = msgspec.structs.replace(node("each"), index=0, body=body_of((_first("x", 2),)))
    play = Play(flow(msgspec.structs.replace(node("box"), body=body_of((each,)))))
    play.give(Begin())
    play.give(Answer(0, 1, Opened(Plan()), 0.0))
    play.give(Answer(0, 1, Opened(Plan(count=2, numbered=True, concurrency=2)), 0.0, ScopeId(1)))
    for scope_id in (2, 3):
        play.give(Answer(0, 1, Failed(BROKEN), 0.0, ScopeId(scope_id)))

    play.give(Cancel("user"))
    assert play.state.status == "cancelled"


def test_an_answer_about_an_opened_body_that_comes_twice_is_passed_over() -> None:
    """It neither opens the body again nor settles a node whose children are executed."""
    play = Play(flow(msgspec.structs.replace(node("box"), body=body_of((_first("x"),)))))
    play.give(Begin())
    play.give(Answer(0, 1, Opened(Plan()), 0.0))

    for twice in (Opened(Plan()), Succeeded(OUTPUTS), Failed(BROKEN), Again(True)):
        assert play.give(Answer(0, 1, twice, 0.0)).events == []


def test_a_timeout_is_not_lost_on_an_answer_that_is_on_its_way() -> None:
    """Nothing more of the body begins, though the node type says there is more."""
    box = node("box", timeout_s=5.0)
    play = Play(flow(msgspec.structs.replace(box, body=body_of((_first("x"),)))))
    play.give(Begin())
    play.give(Answer(0, 1, Opened(Plan(count=None, numbered=True)), 0.0))

    assert Stop(0, "timeout") in play.give(AttemptTimeout(0, 1)).effects
    play.give(Answer(0, 1, Again(True), 0.0))
    assert play.status("box") == "failed"
    assert play.state.failure is not None
    assert play.state.failure.code == "NODE-010"


def test_the_children_of_a_called_flow() -> None:
    """A node that calls a flow executes the nodes of that flow, and its failures are told by whole names."""
    called = flow(node("read"), node("write", "read"))
    caller = msgspec.structs.replace(node("call"), calls="other")
    play = Play(msgspec.structs.replace(flow(caller), subflows={"other": called}))
    play.give(Begin())
    play.give(Answer(0, 1, Opened(Plan(takes=(1,))), 0.0))
    scope = play.state.scopes[ScopeId(1)]

    assert (scope.flow, scope.graph, scope.id_of(called.nodes[1])) == (called, called, "call/write")
    play.give(Answer(0, 1, Failed(BROKEN), 0.0, ScopeId(1)))
    assert play.state.failure is not None
    assert play.state.failure.node == "call/read"
    assert play.state.status == "failed"


def _first(name: str, attempts: int = 1) -> Node:
    """Return the first node of a body."""
    made = node(name, retry=Retry(attempts=attempts))
    return msgspec.structs.replace(made, id=NodeId(name), index=0)
