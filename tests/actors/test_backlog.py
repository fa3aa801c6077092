"""A subscriber that is late keeps a bounded part of what it was not told, and hears how much it missed."""

import threading
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime import create_event_bus
from atomiton_runtime.actors import backlog as backlogs
from atomiton_runtime.actors.backlog import Backlog, Fact, size_bytes
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.notices import NoticeRaised
from tests.doubles.addresses import Collected

AT = datetime(2026, 11, 24, tzinfo=UTC)
RUN = RunId("r")


def of_node(seq: int, size: int = 0) -> Fact:
    outputs = {"result": msgspec.Raw(b'"%s"' % (b"x" * size))}
    return ev.NodeSucceeded(
        run_id=RUN, seq=seq, at=AT, node=NodeId("n"), attempt=1, duration_s=0.0, outputs=outputs
    )


def of_run(seq: int) -> Fact:
    return ev.RunSucceeded(run_id=RUN, seq=seq, at=AT, duration_s=0.0)


def taken(backlog: Backlog) -> tuple[list[int], int]:
    """Return the places of the facts that there are, and how many are said to be missing."""
    places, missed = list[int](), 0
    while (fact := backlog.take()) is not None:
        if isinstance(fact, NoticeRaised):
            assert fact.error.code == "RUN-023"
            missed += int(fact.error.message.split()[0])
        else:
            places.append(fact.seq)
    return places, missed


def test_what_is_taken_in_time_is_all_there() -> None:
    """Facts come out in order, and the reader has to be told once until it has taken them all."""
    backlog = Backlog()
    assert [backlog.add([of_node(place)]) for place in range(3)] == [True, False, False]
    assert taken(backlog) == ([0, 1, 2], 0)
    assert backlog.add([of_node(3)])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5_000)), max_size=200))
def test_nothing_is_left_out_in_silence(shapes: list[tuple[bool, int]]) -> None:
    """However many come and however large: the bounds hold, the order too, and what is missing is counted."""
    backlog, limit, limit_bytes = Backlog(20, 20_000), 20, 20_000
    for place, (is_run, size) in enumerate(shapes):
        fact = of_run(place) if is_run else of_node(place, size)
        backlog.add([fact])
        assert len(backlog) <= limit
        assert backlog.size_bytes <= max(limit_bytes, size_bytes(fact) + limit_bytes // 2)
    places, missed = taken(backlog)

    assert places == sorted(places)
    assert len(places) + missed == len(shapes)
    assert backlog.size_bytes == 0


def test_events_of_nodes_go_first() -> None:
    """Who is late still hears how runs end."""
    backlog = Backlog(limit=100)
    for place in range(1000):
        backlog.add([of_run(place) if place % 50 == 0 else of_node(place)])
    places, missed = taken(backlog)

    assert [place for place in places if place % 50 == 0] == list(range(0, 1000, 50))
    assert missed == 1000 - len(places) > 0


@pytest.mark.parametrize(
    "fact",
    [
        of_node(0, 10_000),
        ev.NodeLogged(run_id=RUN, seq=0, at=AT, node=NodeId("n"), attempt=1, text="x" * 10_000),
        ev.RunQueued(
            run_id=RUN,
            seq=0,
            at=AT,
            flow=FlowId("f"),
            flow_hash="",
            flow_path="",
            trigger="api",
            variables={"v": "x" * 10_000},
            nodes=(),
            sinks=(),
        ),
        ev.NodeReused(
            run_id=RUN,
            seq=0,
            at=AT,
            node=NodeId("n"),
            attempt=1,
            source=RUN,
            outputs={"result": msgspec.Raw(b'"%s"' % (b"x" * 10_000))},
        ),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_what_a_fact_carries_counts(fact: Fact) -> None:
    """An output, a text, variables: two of ten thousand bytes are too much for fifteen thousand."""
    backlog = Backlog(limit_bytes=15_000)
    backlog.add([fact, fact])
    assert taken(backlog) == ([0], 1)


def test_a_subscriber_that_never_returns_costs_no_more_than_its_backlog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While it hangs at its first fact few of the others are kept; when it goes on it hears how many it missed."""
    monkeypatch.setattr(backlogs, "LIMIT", 50)
    began, gate = threading.Event(), threading.Event()
    late, prompt = Collected("late"), Collected("prompt")

    def hang(fact: Fact) -> None:
        began.set()
        assert gate.wait(10)
        late.tell(fact)

    with create_event_bus() as bus:
        bus.subscribe(hang)
        bus.publish(of_node(0))
        assert began.wait(10)
        bus.subscribe(prompt.tell, kinds=("RunSucceeded",))
        for place in range(1, 1000):
            bus.publish(of_node(place))
        bus.publish(of_run(1000))
        prompt.until(of_run(1000))
        gate.set()
        heard = late.until(of_run(1000))

    notices = [fact for fact in heard if isinstance(fact, NoticeRaised)]
    assert len(heard) <= 53
    assert sum(int(notice.error.message.split()[0]) for notice in notices) == 1000 - len(heard) + len(notices)
