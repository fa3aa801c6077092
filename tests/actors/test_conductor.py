"""The owner of all runs, without a thread of its own: what it sends for what it is told."""

from collections.abc import Callable

import msgspec

from atomiton_runtime.actors.base import Address
from atomiton_runtime.actors.conductor import Conductor, ConductorBook
from atomiton_runtime.actors.gathering import EVENT_BYTES, GATHER_EVENTS, UNKEPT_BYTES
from atomiton_runtime.actors.messages import (
    Append,
    EndAllRuns,
    EndRun,
    ExecuteNode,
    FlowSaved,
    NodeAnswered,
    StartRun,
    TimeIsUp,
)
from atomiton_runtime.actors.workers import Workers
from atomiton_runtime.clock import SystemClock
from atomiton_runtime.flow.model import Flow, Variable
from atomiton_runtime.ids import RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.given import Answer, Cancelled, Succeeded
from tests.doubles.addresses import Collected
from tests.doubles.flows import OUTPUTS, RUN_ID, flow, node, words


class Stage:
    """A conductor, and those it speaks to."""

    def __init__(self, start: Callable[[int], Address] | None = None) -> None:
        self.keeper, self.own, self.worker = Collected("keeper"), Collected("conductor"), Collected("worker")
        self.faults: list[object] = []
        self.book = ConductorBook(Workers(start or (lambda _: self.worker)))
        self.conductor = Conductor(
            self.own,
            self.faults.append,
            keeper=self.keeper,
            book=self.book,
            clock=SystemClock(),
            process="me",
        )

    def tell(self, message: object) -> None:
        """Let the conductor receive a message, through its door."""
        self.conductor.on_receive(message)

    def start(self, of: Flow, run_id: str = RUN_ID) -> None:
        """Ask for a run."""
        self.tell(StartRun(run_id=RunId(run_id), flow=of, variables={}, trigger="api"))

    def order(self) -> ExecuteNode:
        """Return the next order."""
        message = self.worker.next()
        assert isinstance(message, ExecuteNode)
        return message

    def answer(self, order: ExecuteNode) -> NodeAnswered:
        """Return the answer of a worker that succeeded."""
        answer = Answer(order.node, order.attempt, Succeeded(OUTPUTS), 0.1)
        return NodeAnswered(run_id=order.run_id, worker=0, answer=answer)

    def journal(self) -> list[RunEvent]:
        """Return all events that were sent to the keeper until now, after the gathering time."""
        self.tell(TimeIsUp())
        appended = [message for message in self.keeper.all_so_far() if isinstance(message, Append)]
        return [event for message in appended for event in message.events]


def test_an_attempt_that_no_thread_can_be_had_for_fails_and_nothing_else() -> None:
    """The system may have no thread left: the node says so, the journal has no gap, the next run may be luckier."""

    def start(number: int) -> Address:
        raise RuntimeError("can't start new thread")

    stage = Stage(start)
    stage.start(flow(node("a"), node("b", always=True)))
    while answers := stage.own.all_so_far():
        for answer in answers:
            stage.tell(answer)
    journal = stage.journal()
    assert [event.seq for event in journal] == list(range(len(journal)))
    assert isinstance(journal[-1], ev.RunFailed)
    assert journal[-1].error.code == "RUN-014"
    assert stage.book.runs == {}
    assert stage.faults == []


def test_a_node_that_writes_begins_by_way_of_the_keeper() -> None:
    """Its order goes with its start, and the worker hears nothing until that is kept."""
    stage = Stage()
    stage.start(flow(node("a", may_write=True), node("b", "a")))
    assert stage.worker.all_so_far() == []
    with_order = [
        message for message in stage.keeper.all_so_far() if isinstance(message, Append) and message.then
    ]
    assert words(with_order[0].events)[-1] == "NodeStarted a"
    place, order = with_order[0].then[0]
    place(order)
    assert stage.order() == order
    stage.tell(stage.answer(order))
    last = stage.keeper.all_so_far()[-1]
    assert isinstance(last, Append)
    assert words(last.events)[0] == "NodeSucceeded a", "what it did goes to the keeper at once"


def test_outputs_that_outrun_the_keeper_are_waited_for() -> None:
    """After large outputs the next order goes by way of the keeper, after them; then others go at once again."""
    stage = Stage()
    stage.start(flow(node("a"), node("b", "a"), node("c", "b"), max_parallel=1))
    large = {"result": msgspec.Raw(b'"' + b"x" * UNKEPT_BYTES + b'"')}
    order = stage.order()
    stage.keeper.all_so_far()
    answer = Answer(order.node, order.attempt, Succeeded(large), 0.1)
    stage.tell(NodeAnswered(run_id=order.run_id, worker=0, answer=answer))
    assert stage.worker.all_so_far() == []
    sent = stage.keeper.next()
    assert isinstance(sent, Append)
    assert ["NodeSucceeded a", "NodeStarted b"] == words(sent.events)[-2:]
    ((place, order),) = sent.then
    place(order)
    stage.tell(stage.answer(stage.order()))

    assert order.node + 1 == stage.order().node


def test_a_flood_of_events_is_waited_for_now_and_then() -> None:
    """However small each event is, an order goes by way of the keeper before many thousands wait there."""
    stage = Stage()
    count = UNKEPT_BYTES // EVENT_BYTES
    nodes = [node("n0"), *(node(f"n{number}", f"n{number - 1}") for number in range(1, count))]
    stage.start(flow(*nodes))
    order, by_way = stage.order(), 0
    for _ in nodes[1:]:
        stage.tell(stage.answer(order))
        sent = [each for each in stage.keeper.all_so_far() if isinstance(each, Append)]
        for place, waiting in (entry for append in sent for entry in append.then):
            by_way += 1
            place(waiting)
        order = stage.order()

    assert by_way in (2, 3), "there are two events of each node, and its outputs"


def test_many_events_go_to_the_keeper_without_waiting_for_the_time() -> None:
    """A flood of events is not gathered without end."""
    stage = Stage()
    stage.start(flow(*[node(f"n{number}") for number in range(GATHER_EVENTS)], max_parallel=GATHER_EVENTS))
    assert len(stage.book.unsent) < GATHER_EVENTS


def test_quitting_leaves_a_cancelled_run_its_clean_up_until_asked_again() -> None:
    """A cancel and the stop of the runtime are not a second cancel; a second stop is."""
    stage, ended = Stage(), Collected("ended")
    stage.start(flow(node("a"), node("b", after=("a",), always=True)))
    first = stage.order()
    stage.tell(EndRun(run_id=RUN_ID, reason="user"))
    assert first.cancel.cancelled
    stage.tell(msgspec.structs.replace(stage.answer(first), answer=Answer(0, 1, Cancelled(), 0.1)))
    clean_up = stage.order()
    stage.tell(EndAllRuns(ended=lambda: ended.tell("first")))
    assert not clean_up.cancel.cancelled
    stage.tell(EndAllRuns(ended=lambda: ended.tell("second")))
    assert clean_up.cancel.cancelled
    stage.tell(msgspec.structs.replace(stage.answer(clean_up), answer=Answer(1, 1, Cancelled(), 0.1)))
    assert ended.all_so_far() == ["second"]
    assert isinstance(stage.journal()[-1], ev.RunCancelled)


def test_a_run_asked_for_while_stopping_is_explained() -> None:
    """It is accepted and cancelled, not forgotten."""
    stage = Stage()
    stage.tell(EndAllRuns(ended=lambda: None))
    stage.start(flow(node("a")))
    assert words(stage.journal()) == ["RunQueued", "RunCancelled"]


def test_a_save_of_a_flow_that_wants_a_variable_is_explained() -> None:
    """Nobody can be asked after a save, so the run fails with what is missing."""
    stage = Stage()
    wanting = msgspec.structs.replace(
        flow(node("a")), variables={"who": Variable(name="who", type="string", required=True)}
    )
    stage.tell(FlowSaved(flow=wanting))
    last = stage.journal()[-1]
    assert isinstance(last, ev.RunFailed)
    assert "who" in last.error.message
    assert stage.worker.all_so_far() == []


class Tired(Conductor):
    """Fails on a kind of message, each time."""

    failing: type = type(None)

    def receive(self, message: object) -> object:  # type: ignore[override]  # whatever the test tells
        """Fail, or not."""
        if isinstance(message, self.failing):
            raise MemoryError("again")
        return super().receive(message)  # type: ignore[arg-type]


def test_a_message_that_fails_twice_ends_its_run() -> None:
    """No run waits for ever for an answer that cannot be taken."""
    stage = Stage()
    stage.conductor.__class__ = Tired
    stage.start(flow(node("a"), node("b", "a")))
    order = stage.order()
    stage.conductor.failing = NodeAnswered  # type: ignore[attr-defined]
    stage.tell(stage.answer(order))
    last = stage.journal()[-1]
    assert isinstance(last, ev.RunFailed)
    assert last.error.code == "RUN-012"
    assert len(stage.faults) == 1


def test_a_request_that_failed_half_way_ends_its_run() -> None:
    """A run that is in the books already is not accepted a second time."""
    stage = Stage()
    request = StartRun(run_id=RUN_ID, flow=flow(node("a")), variables={}, trigger="api")
    stage.tell(request)
    stage.conductor.on_fault(request, MemoryError())
    order = stage.order()
    assert order.cancel.cancelled
    stage.tell(msgspec.structs.replace(stage.answer(order), answer=Answer(0, 1, Cancelled(), 0.1)))
    assert isinstance(stage.journal()[-1], ev.RunFailed)


def test_what_is_gathered_is_sent_at_the_end() -> None:
    """A conductor that stops leaves no event behind."""
    stage = Stage()
    stage.start(flow(node("a"), node("b", "a")))
    stage.keeper.all_so_far()
    stage.tell(stage.answer(stage.order()))
    assert stage.book.unsent
    stage.own.closing = True
    stage.conductor.on_stop()
    sent = stage.keeper.next()
    assert isinstance(sent, Append)
    assert "NodeSucceeded a" in words(sent.events)
