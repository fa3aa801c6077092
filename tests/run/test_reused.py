"""A node that has begun may be found reused: what follows is as if it had succeeded."""

import msgspec
import pytest

from atomiton_runtime.flow.graph import body_of
from atomiton_runtime.flow.model import Node
from atomiton_runtime.ids import NodeId, RunId, ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.effects import Execute, Stop
from atomiton_runtime.run.events import RunEvent, decode_event, encode_event
from atomiton_runtime.run.fold import apply
from atomiton_runtime.run.given import (
    Answer,
    AttemptTimeout,
    Begin,
    Cancel,
    Cancelled,
    Opened,
    Reused,
    Succeeded,
)
from atomiton_runtime.run.kept import Kept, kept_of
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.resume import plan_resume
from atomiton_runtime.run.reuse import Digest, make_key
from atomiton_runtime.run.state import IllegalEvent
from tests.doubles.flows import MIDNIGHT, OUTPUTS, RUN_ID, Play, flow, node, words

EARLIER = RunId("01JDCV000000000000EARLIER")
KEY = make_key({"type": "double 1"}, written=Digest("0" * 32))
HASHES = {"result": Digest("1" * 32)}
LEFT = {"/out/a.json": "file 00"}
KEPT = Kept(source=EARLIER, attempt=3, outputs=OUTPUTS, hashes=HASHES, key=KEY, left=LEFT, wrote=True)


def begun(*nodes: Node, max_parallel: int = 8) -> Play:
    play = Play(flow(*nodes, max_parallel=max_parallel))
    play.give(Begin())
    return play


def in_body(*children: Node, plan: Plan) -> Play:
    """Return a run in which the body of `it` is executed once."""
    numbered = tuple(msgspec.structs.replace(child, index=place) for place, child in enumerate(children))
    play = begun(msgspec.structs.replace(node("it"), body=body_of(numbered)))
    play.give(Answer(0, 1, Opened(plan), 0.0))
    return play


def test_what_is_found_is_told_whole() -> None:
    """With all that a later run needs to find it again; and what takes it gets its outputs."""
    play = begun(node("a"), node("b", "a"))
    decision = play.answer("a", Reused(KEPT))
    reused = decision.events[0]

    assert words(decision.events) == ["NodeReused a", "NodeStarted b"]
    assert isinstance(reused, ev.NodeReused)
    assert (reused.source, reused.attempt, reused.outputs) == (EARLIER, 3, OUTPUTS)
    assert (reused.hashes, reused.key, reused.left, reused.wrote) == (HASHES, KEY, LEFT, True)
    assert msgspec.structs.replace(KEPT, executed_as=NodeId("a")) == kept_of(reused)
    assert (play.state.nodes[0].outputs, play.state.nodes[0].hashes) == (OUTPUTS, HASHES)
    assert words(play.answer("b").events) == ["NodeSucceeded b", "RunSucceeded"]


@pytest.mark.parametrize(("executed_as", "told"), [("a", None), ("each/3/a", "each/3/a"), (None, None)])
def test_another_name_is_told(executed_as: str | None, told: str | None) -> None:
    """Where the node was called otherwise there: as another iteration."""
    as_node = None if executed_as is None else NodeId(executed_as)
    decision = begun(node("a")).answer("a", Reused(msgspec.structs.replace(KEPT, executed_as=as_node)))

    assert isinstance(decision.events[0], ev.NodeReused)
    assert decision.events[0].executed_as == told


def test_its_place_is_free() -> None:
    """The next one begins."""
    play = begun(node("a"), node("b"), max_parallel=1)
    assert words(play.answer("a", Reused(KEPT)).events) == ["NodeReused a", "NodeStarted b"]
    assert play.state.running == 1


def test_late_and_double_answers_are_passed_over() -> None:
    """Its attempt there has another number; none of this run counts any more."""
    play = begun(node("a"), node("b"))
    play.answer("a", Reused(KEPT))
    for attempt in (1, 3):
        for outcome in (Succeeded(OUTPUTS), Reused(KEPT), Cancelled()):
            assert play.give(Answer(0, attempt, outcome, 0.1)).events == []
        assert play.give(AttemptTimeout(0, attempt)).events == []
    assert play.status("a") == "reused"


def test_a_cancel_that_meets_it_lets_it_stand() -> None:
    """Nothing was executed, so nothing is cancelled; what follows does not begin."""
    play = begun(node("a"), node("b", "a"))
    play.give(Cancel("user"))
    assert words(play.answer("a", Reused(KEPT)).events) == ["NodeReused a", "NodeCancelled b", "RunCancelled"]


def test_it_wins_a_race() -> None:
    """The others are stopped."""
    play = in_body(node("a"), node("b"), plan=Plan(side_by_side=True, strategy="race", concurrency=2))
    decision = play.give(Answer(0, 1, Reused(KEPT), 0.1, ScopeId(1)))

    assert words(decision.events) == ["NodeReused it/a", "BodyStopRequested it"]
    assert decision.effects == [Stop(1, "cancel", ScopeId(1))]


def test_it_ends_an_execution_of_a_body() -> None:
    """And what it gave is the result."""
    play = in_body(node("a"), plan=Plan(takes=(0,)))
    decision = play.give(Answer(0, 1, Reused(KEPT), 0.1, ScopeId(1)))

    assert words(decision.events) == ["NodeReused it/a"]
    assert decision.effects == [Execute(0, 1, step="gather")]


def test_a_body_is_found_before_it_is_opened() -> None:
    """None of its nodes begins; afterwards it cannot be."""
    play = begun(
        msgspec.structs.replace(node("it"), body=body_of((msgspec.structs.replace(node("a"), index=0),)))
    )
    assert words(play.answer("it", Reused(KEPT)).events) == ["NodeReused it", "RunSucceeded"]

    opened = in_body(node("a"), plan=Plan())
    assert opened.give(Answer(0, 1, Reused(KEPT), 0.1)).events == []
    event = ev.NodeReused(
        run_id=RUN_ID, seq=opened.state.next_seq, at=MIDNIGHT, node=NodeId("it"), source=EARLIER, attempt=1
    )
    with pytest.raises(IllegalEvent):
        apply(opened.state, event)


def test_a_run_that_continues_another_keeps_the_keys() -> None:
    """Of what was executed and of what was reused, so that a third one finds both."""
    play = begun(node("a"), node("b"))
    success = Succeeded(OUTPUTS, hashes=HASHES, key=KEY, left=LEFT, wrote=True)
    play.answer("a", success)
    play.answer("b", Reused(msgspec.structs.replace(KEPT, executed_as=NodeId("each/1/b"))))
    kept = plan_resume(play.flow, [play.journal]).kept

    executed = msgspec.structs.replace(KEPT, source=RUN_ID, attempt=1, executed_as=NodeId("a"))
    assert kept == {"a": executed, "b": msgspec.structs.replace(KEPT, executed_as=NodeId("each/1/b"))}


OLD = [
    b'{"kind":"NodeStarted","run_id":"R1","seq":2,"at":"2026-11-23T19:15:00Z","node":"a","attempt":1}',
    b'{"kind":"NodeSucceeded","run_id":"R1","seq":3,"at":"2026-11-23T19:15:00Z","node":"a","attempt":1,'
    b'"duration_s":0.1,"outputs":{"result":1}}',
    b'{"kind":"NodeReused","run_id":"R1","seq":2,"at":"2026-11-23T19:15:00Z","node":"a","source":"R0",'
    b'"attempt":1,"outputs":{"result":1}}',
    b'{"kind":"NodeReused","run_id":"R1","seq":2,"at":"2026-11-23T19:15:00Z","node":"a","source":"R0",'
    b'"attempt":1,"outputs":null,"error":null}',
]


@pytest.mark.parametrize("line", OLD)
def test_events_of_older_versions_are_read(line: bytes) -> None:
    """Nothing is known of what they depend on; what has no new fields is written as it was."""
    event = decode_event(line)

    assert event == decode_event(encode_event(event))
    if isinstance(event, ev.NodeStarted):
        assert not event.may_write
    else:
        assert isinstance(event, ev.NodeSucceeded | ev.NodeReused)
        assert (event.key, event.hashes, event.left, event.wrote) == (None, {}, {}, False)
        assert kept_of(event).executed_as == "a"
    if b"null" not in line:
        assert line == encode_event(event)


def _all_new() -> list[RunEvent]:
    head = {"run_id": RUN_ID, "seq": 2, "at": MIDNIGHT, "node": NodeId("a"), "attempt": 1}
    known = {"outputs": OUTPUTS, "hashes": HASHES, "key": KEY, "left": LEFT, "wrote": True}
    return [
        ev.NodeStarted(may_write=True, **head),
        ev.NodeSucceeded(duration_s=0.1, **known, **head),
        ev.NodeReused(source=EARLIER, executed_as=NodeId("b"), **known, **head),
    ]


@pytest.mark.parametrize("event", _all_new(), ids=lambda event: type(event).__name__)
def test_the_new_fields_come_back(event: RunEvent) -> None:
    """As they were."""
    assert event == decode_event(encode_event(event))
