"""Only so many have a turn at once, in order, and who waits can be cancelled."""

import threading

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError
from atomiton_runtime.nodes.turns import Turns

DEADLINE_S = 20.0


class Attempt(threading.Thread):
    """Takes a turn and keeps it until it is told to end."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self.token = CancelToken()
        self.had_turn = threading.Event()
        self.may_end = threading.Event()
        self.cancelled = False
        self._turns = turns
        self.start()

    def run(self) -> None:
        """Wait, have the turn, end."""
        try:
            with self._turns.turn(self.token):
                self.had_turn.set()
                self.may_end.wait(DEADLINE_S)
        except NodeCancelledError:
            self.cancelled = True

    def end(self) -> None:
        """Let it end, and wait for that."""
        self.may_end.set()
        self.join(DEADLINE_S)
        assert not self.is_alive()


def waiting(turns: Turns, count: int) -> None:
    """Wait until so many wait."""
    deadline = threading.Event()
    for _ in range(2000):
        if len(turns._waiting) == count:
            return
        deadline.wait(0.01)
    raise AssertionError(f"there are {len(turns._waiting)} waiting, not {count}")


def test_one_more_than_there_are_turns_waits_for_the_first_that_ends() -> None:
    """Two at once; the third has its turn when one of them ends, the fourth after it."""
    turns = Turns(2)
    one, two = Attempt(turns), Attempt(turns)
    assert one.had_turn.wait(DEADLINE_S)
    assert two.had_turn.wait(DEADLINE_S)
    three = Attempt(turns)
    waiting(turns, 1)
    four = Attempt(turns)
    waiting(turns, 2)
    assert not three.had_turn.is_set()
    one.end()
    assert three.had_turn.wait(DEADLINE_S)
    assert not four.had_turn.is_set()
    for each in (two, three, four):
        each.end()
    assert four.had_turn.is_set()


def test_who_waits_can_be_cancelled_and_takes_nothing_along() -> None:
    """A cancel ends the waiting at once; the turns are all there for others, also if one came at that moment."""
    turns = Turns(1)
    one = Attempt(turns)
    assert one.had_turn.wait(DEADLINE_S)
    two = Attempt(turns)
    waiting(turns, 1)
    two.token.cancel()
    two.join(DEADLINE_S)
    three = Attempt(turns)
    waiting(turns, 1)
    with turns._lock:  # Both at once: it is woken by the cancel, and has been given the turn.
        three.token.cancel()
        turns._pass_on()
    three.join(DEADLINE_S)

    assert (two.cancelled, three.cancelled) == (True, True)
    turns._free -= 1  # That of the first, which was passed on above in its place.
    one.end()
    last = Attempt(turns)
    assert last.had_turn.wait(DEADLINE_S)
    last.end()
    assert turns._free == 1
