"""The word that tells an attempt to stop: heard by whoever waits, and never unsaid."""

import threading

import pytest

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError


def test_a_token_is_cancelled_once_and_for_all() -> None:
    """Callbacks are called once, in order; one that comes too late is called at once."""
    token, heard = CancelToken(), list[str]()
    token.on_cancel(lambda: heard.append("first"))
    token.on_cancel(lambda: heard.append("second"))
    token.raise_if_cancelled()
    assert not token.cancelled
    token.cancel()
    token.cancel()
    token.on_cancel(lambda: heard.append("late"))
    assert token.cancelled
    assert heard == ["first", "second", "late"]
    with pytest.raises(NodeCancelledError):
        token.raise_if_cancelled()


def test_who_waits_is_woken() -> None:
    """Waiting ends with the cancel; without one it ends with its time."""
    token, waiting = CancelToken(), threading.Event()
    assert token.wait(0.001) is False
    answers: list[bool] = []

    def wait() -> None:
        waiting.set()
        answers.append(token.wait(10))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(10)
    token.cancel()
    thread.join(10)
    assert answers == [True]
    assert token.wait(10) is True
