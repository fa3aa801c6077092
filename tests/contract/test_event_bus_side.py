"""The event bus's side: the written facts reach who asked for them, whatever another subscriber does."""

import threading

import msgspec
import pytest

from atomiton_runtime import create_event_bus
from atomiton_runtime.run.events import FINAL_EVENTS, Event
from tests.contract import written
from tests.doubles.addresses import Collected

EVENTS = written.events()
CANCELLED = [
    msgspec.structs.replace(event, run_id="another") for event in written.events("events-of-a-cancelled-run")
]
FACTS = [*EVENTS, *CANCELLED, *written.notices()]


def heard(collected: Collected, count: int) -> list[object]:
    return [collected.next() for _ in range(count)]


@pytest.mark.parametrize(
    ("kinds", "run_id"),
    [
        ((), None),
        (("NodeSucceeded", "RunSucceeded"), None),
        (("FlowBroken",), None),
        ((), EVENTS[0].run_id),
        (("NodeStarted",), EVENTS[0].run_id),
    ],
)
def test_facts_reach_subscribers_by_kind_and_run(kinds: tuple[str, ...], run_id: str | None) -> None:
    """A subscriber hears all that it asked for, in order, and nothing else."""
    expected = [
        fact
        for fact in FACTS
        if (not kinds or type(fact).__name__ in kinds)
        and (run_id is None or (isinstance(fact, Event) and fact.run_id == run_id))
    ]
    said = Collected("subscriber")
    with create_event_bus() as bus:
        bus.subscribe(said.tell, kinds=kinds, run_id=run_id)
        bus.publish(*FACTS)
        assert heard(said, len(expected)) == expected
    assert said.all_so_far() == []


def test_a_subscriber_that_raises_hurts_nobody() -> None:
    """Another subscriber hears everything, and so does the one that raises."""
    said, tried = Collected("subscriber"), Collected("raises")

    def raises(fact: object) -> None:
        tried.tell(fact)
        raise SystemExit(str(fact))

    with create_event_bus() as bus:
        bus.subscribe(raises)
        bus.subscribe(said.tell)
        bus.publish(*FACTS)

        assert heard(said, len(FACTS)) == FACTS
        assert heard(tried, len(FACTS)) == FACTS


def test_a_slow_subscriber_delays_nobody() -> None:
    """While one subscriber hangs at its first fact, another hears them all."""
    said, gate = Collected("subscriber"), threading.Event()
    with create_event_bus() as bus:
        bus.subscribe(lambda fact: gate.wait(10))
        bus.subscribe(said.tell)
        bus.publish(*FACTS)

        assert heard(said, len(FACTS)) == FACTS
        gate.set()


def test_who_unsubscribes_hears_no_more() -> None:
    """After its end a subscription is silent; the others are not."""
    first, second = Collected("first"), Collected("second")
    with create_event_bus() as bus:
        end = bus.subscribe(first.tell)
        bus.subscribe(second.tell)
        bus.publish(EVENTS[0])
        assert heard(first, 1) == EVENTS[:1]
        end()
        end()
        bus.publish(*EVENTS[1:])

        assert heard(second, len(EVENTS)) == EVENTS
    assert first.all_so_far() == []


def test_a_listener_of_a_run_leaves_with_its_last_event() -> None:
    """What listens to one run gets its events together as they come, and is forgotten after the last one."""
    said = Collected("listener")
    with create_event_bus() as bus:
        bus.listen(said.tell, run_id=EVENTS[0].run_id)
        bus.publish(*EVENTS[:3], *CANCELLED)
        bus.publish(*EVENTS[3:])
        bus.publish(*EVENTS)

        assert heard(said, 2) == [EVENTS[:3], EVENTS[3:]]
    assert said.all_so_far() == []
    assert isinstance(EVENTS[-1], FINAL_EVENTS)
