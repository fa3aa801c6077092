"""A name becomes addresses, or a failure with its reason; the first address that answers is taken."""

import errno
import socket

import pytest

from atomiton_runtime.nodes.base import CancelToken, NodeError
from atomiton_runtime.nodes.http.connecting import connected
from atomiton_runtime.nodes.http.names import Address, Question, addresses
from atomiton_runtime.nodes.http.waking import Waker
from tests.doubles.fault_server import FaultServer, answer, answering

DEADLINE_S = 20.0
FOUND: list[Address] = [(socket.AF_INET, ("127.0.0.1", 80))]


class Told:
    """Knows the answer to every question at once."""

    def __init__(self, found: list[Address], failure: OSError | None = None) -> None:
        self.found = found
        self.failure = failure
        self.left = 0

    def ask(self, host: bytes, port: int) -> Question:
        """Return the answered question."""
        question = Question(host, port)
        question.answer(self.found, self.failure)
        return question

    def leave(self, question: Question) -> None:
        """Count."""
        assert question.answered
        self.left += 1


def test_what_was_found_is_returned() -> None:
    """The addresses come as they were found, and the question is left."""
    names = Told(FOUND)

    assert addresses("a.example", 80, CancelToken(), timeout_s=DEADLINE_S, names=names) == FOUND
    assert names.left == 1


@pytest.mark.parametrize(
    ("host", "failure", "words"),
    [
        (
            "x.example",
            socket.gaierror(socket.EAI_NONAME, "not known"),
            "there is no host of the name x.example",
        ),
        ("x.example", socket.gaierror(socket.EAI_AGAIN, "try later"), "cannot be looked up now: try later"),
        (
            "x.example",
            OSError(errno.EMFILE, "Too many files"),
            "x.example cannot be looked up: Too many files",
        ),
        ("x" * 70, None, f"there is no host of the name {'x' * 70}"),
        ("::1%nowhere", None, "there is no host of the name ::1%nowhere"),
    ],
)
def test_a_name_that_is_not_known_fails(host: str, failure: OSError | None, words: str) -> None:
    """No such name, nobody who knows it now, and nobody to ask are told apart."""
    with pytest.raises(NodeError) as caught:
        addresses(host, 80, CancelToken(), timeout_s=DEADLINE_S, names=Told([], failure))

    assert caught.value.code == "HTTP-002"
    assert words in caught.value.message


def test_an_address_is_not_asked_for() -> None:
    """What is an address already is not looked up."""
    names = Told([])

    assert addresses("127.0.0.1", 80, CancelToken(), timeout_s=1.0, names=names) == FOUND
    assert names.left == 0


def refusing_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_the_address_that_answers_is_taken() -> None:
    """Addresses that refuse, or lead nowhere, only cost their turn."""
    waker = Waker(CancelToken())
    with FaultServer(answering(answer())) as server:
        places = [
            (socket.AF_INET6, ("127.0.0.1", 80)),  # no address of this family
            (socket.AF_INET, ("127.0.0.1", refusing_port())),
            (socket.AF_INET, ("127.0.0.1", server.port)),
        ]
        for order in (places, places[::-1], places[1:]):
            with connected(order, waker, timeout_s=DEADLINE_S) as connection:
                assert connection.getpeername() == ("127.0.0.1", server.port)
    waker.close()


def test_a_silent_address_does_not_hold_up_the_next() -> None:
    """An address that does not answer is left behind after a quarter of a second."""
    waker = Waker(CancelToken())
    with socket.socket() as hole, FaultServer(answering(answer())) as server:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(hole.getsockname())
        places = [(socket.AF_INET, hole.getsockname()), (socket.AF_INET, ("127.0.0.1", server.port))]
        with connected(places, waker, timeout_s=DEADLINE_S) as connection:
            assert connection.getpeername() == ("127.0.0.1", server.port)
        for filler in fillers:
            filler.close()
    waker.close()


def test_when_all_refuse_the_last_refusal_is_told() -> None:
    """No address that answers is a failure with the system's reason."""
    waker = Waker(CancelToken())
    places = [(socket.AF_INET, ("127.0.0.1", refusing_port())) for _ in range(2)]
    with pytest.raises(ConnectionRefusedError):
        connected(places, waker, timeout_s=DEADLINE_S)
    waker.close()
