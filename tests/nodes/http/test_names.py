"""Looking up a name ends when it is told to, is shared, and takes the first address that answers."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.http.connecting import connected
from atomiton_runtime.nodes.http.names import addresses
from atomiton_runtime.nodes.http.waking import Waker
from tests.doubles.fault_server import FaultServer, answer, answering

DEADLINE_S = 20.0
FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]


class SlowNames:
    """A name server that answers when the test lets it."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.questions = 0

    def lookup(self, *_: object, **__: object) -> list[Any]:
        """Answer as `socket.getaddrinfo` does."""
        self.questions += 1
        self.asked.release()
        self.may_answer.wait(DEADLINE_S)
        return FOUND


@pytest.fixture
def slow() -> Iterator[SlowNames]:
    """Give a slow name server; in the end it answers."""
    names = SlowNames()
    yield names
    names.may_answer.set()


def test_a_cancel_does_not_wait_for_the_name_server(slow: SlowNames) -> None:
    """Who is told to stop goes away while the question is still open."""
    token = CancelToken()
    ended = list[type[BaseException]]()

    def ask() -> None:
        try:
            addresses("slow.example", 80, token, timeout_s=DEADLINE_S, lookup=slow.lookup)
        except NodeCancelledError as error:
            ended.append(type(error))

    thread = threading.Thread(target=ask)
    thread.start()
    assert slow.asked.acquire(timeout=DEADLINE_S)
    token.cancel()
    thread.join(DEADLINE_S)

    assert [NodeCancelledError] == ended
    assert not slow.may_answer.is_set()


def test_a_name_server_that_does_not_answer_is_given_up(slow: SlowNames) -> None:
    """After the time there is, the failure says what took so long."""
    with pytest.raises(NodeError) as caught:
        addresses("slow.example", 80, CancelToken(), timeout_s=0.01, lookup=slow.lookup)

    assert caught.value.code == "HTTP-004"
    assert "looking up slow.example took longer than 0.01 s" in caught.value.message


def test_a_question_is_asked_once_for_all(slow: SlowNames) -> None:
    """Many attempts at one name share one question, and so one thread; the next one asks anew."""
    for _ in range(3):
        with pytest.raises(NodeError, match="took longer"):
            addresses("slow.example", 80, CancelToken(), timeout_s=0.01, lookup=slow.lookup)
    asked_while_open = slow.questions
    slow.may_answer.set()
    found = addresses("slow.example", 80, CancelToken(), timeout_s=DEADLINE_S, lookup=slow.lookup)

    assert (1, [(socket.AF_INET, ("127.0.0.1", 80))]) == (asked_while_open, found)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "not known"), "there is no host of the name x.example"),
        (socket.gaierror(socket.EAI_AGAIN, "try later"), "cannot be looked up now: try later"),
        (UnicodeError("label too long"), "there is no host of the name x.example"),
    ],
)
def test_a_name_that_is_not_known_fails(failure: Exception, words: str) -> None:
    """No such name, and nobody who knows it now, are told apart."""

    def lookup(*_: object, **__: object) -> list[Any]:
        raise failure

    with pytest.raises(NodeError) as caught:
        addresses("x.example", 80, CancelToken(), timeout_s=DEADLINE_S, lookup=lookup)

    assert caught.value.code == "HTTP-002"
    assert words in caught.value.message


def test_no_thread_to_be_had_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no thread, the attempt fails and the next one may ask again."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(NodeError, match="can't start new thread"):
                addresses("x.example", 80, CancelToken(), timeout_s=1.0, lookup=lambda *_, **__: FOUND)


def test_an_address_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is an address already is not looked up."""
    monkeypatch.setattr(threading.Thread, "start", None)

    assert addresses("127.0.0.1", 80, CancelToken(), timeout_s=1.0) == [(socket.AF_INET, ("127.0.0.1", 80))]


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
