"""Run ids are unique and sort by time."""

import re
import threading
from datetime import UTC, datetime, timedelta

import time_machine

from atomiton_runtime.ids import RunId, new_run_id, time_of


def test_ids_are_ulids() -> None:
    """An id has 26 characters of Crockford's base 32 and fits 128 bits."""
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", new_run_id())


def test_ids_sort_in_the_order_of_their_making() -> None:
    """Also many ids of one millisecond are distinct and ascending."""
    ids = [new_run_id() for _ in range(5000)]

    assert ids == sorted(set(ids))


def test_a_clock_that_goes_back_does_not_disorder_ids() -> None:
    """After a step back of the clock ids still ascend; after a step forward they show the new time."""
    start = datetime.now(UTC) + timedelta(days=1)
    ids: list[str] = []
    for hours in (0, -5, 0, 1):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            ids += [new_run_id(), new_run_id()]

    assert ids == sorted(set(ids))
    assert ids[0][:9] == ids[3][:9]
    assert ids[-1][:10] > ids[0][:10]


def test_threads_never_get_the_same_id() -> None:
    """Ids made by many threads at once are distinct."""
    made: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: made.append([new_run_id() for _ in range(500)])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len({run_id for ids in made for run_id in ids}) == 4000
    assert all(ids == sorted(ids) for ids in made)


def test_an_id_tells_when_it_was_made() -> None:
    """The time of an id is that of its making, to the millisecond; what is no id of ours, or of no year, has none."""
    now = datetime.now(UTC) + timedelta(days=2)
    with time_machine.travel(now, tick=False):
        told = time_of(new_run_id())
    assert told is not None
    assert timedelta(0) <= now - told < timedelta(milliseconds=1)
    assert (None, None) == (time_of(RunId("R1")), time_of(RunId("7" + "Z" * 25)))
