"""Which node execution gets an order, and what waits when all are busy."""

import msgspec

from atomiton_runtime.actors.active_run import ActiveRun
from atomiton_runtime.actors.base import Address
from atomiton_runtime.actors.messages import ExecuteNode, StartRun
from atomiton_runtime.actors.workers import Workers
from atomiton_runtime.run.effects import Execute
from tests.doubles.addresses import Collected
from tests.doubles.flows import MIDNIGHT, RUN_ID, flow, node


def order(number: int) -> ExecuteNode:
    """Return an order that differs from others by its attempt."""
    request = StartRun(run_id=RUN_ID, flow=flow(node("a")), variables={}, trigger="api")
    placed = ActiveRun(request, MIDNIGHT, "").order(Execute(0, 1))
    return msgspec.structs.replace(placed, attempt=number)


def test_the_warmest_worker_comes_first_and_no_more_than_the_limit_are_started() -> None:
    """An idle worker is used again; beyond the limit orders wait, oldest first."""
    started: list[Collected] = []

    def start(number: int) -> Address:
        assert number == len(started)
        started.append(Collected(f"worker {number}"))
        return started[-1]

    workers = Workers(start, limit=2)
    assert workers.place(order(1)) == started[0].tell
    assert workers.place(order(2)) == started[1].tell
    assert workers.place(order(3)) is None
    assert workers.place(order(4)) is None
    place, waited = workers.is_idle(1) or (None, None)
    assert (place, waited and waited.attempt) == (started[1].tell, 3)
    place, waited = workers.is_idle(0) or (None, None)
    assert (place, waited and waited.attempt) == (started[0].tell, 4)
    assert workers.is_idle(0) is None
    assert workers.is_idle(1) is None
    assert workers.place(order(5)) == started[1].tell
    assert len(started) == 2
