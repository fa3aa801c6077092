"""What a command that goes on for ever waits for."""

import signal
import threading

from atomiton_runtime.cli.happenings import LIMIT, Happenings
from tests.doubles.journals import queued


def test_a_terminal_that_does_not_read_makes_wait_who_brings_facts() -> None:
    """So many facts wait here and no more; a signal is taken all the same; reading makes room for the next one."""
    happened, brought = Happenings(), list[int]()
    more = threading.Semaphore(0)

    def bring() -> None:
        for number in range(LIMIT + 2):
            happened.bring(queued(f"R{number}"))
            brought.append(number)
            more.release()

    bringing = threading.Thread(target=bring)
    bringing.start()
    for _ in range(LIMIT):
        assert more.acquire(timeout=10)
    assert len(brought) == LIMIT
    happened.put(signal.SIGTERM)
    first = happened.get(10)
    assert more.acquire(timeout=10)
    assert first == queued("R0")
    assert len(brought) == LIMIT + 1
    happened.close()
    bringing.join(10)
    assert not bringing.is_alive()


def test_a_signal_comes_in_its_turn_and_nothing_is_said_as_well() -> None:
    """Who waits is told what came, or that nothing did; after the end nobody waits for room."""
    happened = Happenings()
    happened.put(signal.SIGINT)

    assert happened.get(0) is signal.SIGINT
    assert happened.get(0) is None
    happened.close()
    for _ in range(2 * LIMIT):
        happened.bring(queued("R1"))
    assert happened.get(0) is None
