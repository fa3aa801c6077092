"""Events are lines of JSON that come back as they were."""

import typing
from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import FINAL_EVENTS, RunEvent, decode_event, encode_event, is_final
from tests.doubles.journals import journal, node_succeeded, queued

KINDS: tuple[type[RunEvent], ...] = typing.get_args(RunEvent)


@pytest.mark.parametrize(
    "event", [*journal("R1"), node_succeeded("R1", 9, outputs={})], ids=lambda e: type(e).__name__
)
def test_an_event_comes_back_as_it_was(event: RunEvent) -> None:
    """Decoding gives an equal event, which encodes to the same line; a line has no end inside."""
    line = encode_event(event)

    assert event == decode_event(line)
    assert line == encode_event(decode_event(line))
    assert b"\n" not in line
    assert line.startswith(f'{{"kind":"{type(event).__name__}"'.encode())


@given(st.text(), st.dictionaries(st.text(), st.none() | st.integers(-9, 9) | st.text(), max_size=3))
def test_any_text_of_a_user_stays_on_one_line(name: str, variables: dict[str, object]) -> None:
    """Names and variables with any characters come back, and never break a line."""
    event = msgspec.structs.replace(queued("R1", flow=name), variables=variables)

    assert event == decode_event(encode_event(event))
    assert b"\n" not in encode_event(event)


def test_every_kind_of_event_is_listed() -> None:
    """Each subclass of Event is in RunEvent, and the final ones end a run's name."""
    assert set(KINDS) == set(ev.Event.__subclasses__())
    assert {kind.__name__ for kind in FINAL_EVENTS} == {
        "RunSucceeded",
        "RunFailed",
        "RunCancelled",
        "RunTimedOut",
        "RunInterrupted",
    }


def test_only_a_final_event_is_final() -> None:
    """Of a whole journal only the last event is final."""
    whole = journal("R1")

    assert [False] * (len(whole) - 1) + [True] == [is_final(event) for event in whole]


def test_outputs_travel_as_they_were_written() -> None:
    """The journal keeps an output's JSON byte for byte, spaces included."""
    event = node_succeeded("R1", 1, outputs={"result": msgspec.Raw(b'{ "a" : 1 }')})
    again = decode_event(encode_event(event))

    assert isinstance(again, ev.NodeSucceeded)
    assert bytes(again.outputs["result"]) == b'{ "a" : 1 }'


def test_another_time_zone_is_kept() -> None:
    """A time with an offset is the same moment after reading."""
    at = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))

    assert decode_event(encode_event(queued("R1", at=at))).at == at


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"null", b'{"kind":"RunFlew"}', b'{"kind":"RunStarted"}', b"{", b"\xff"]
)
def test_anything_else_is_no_event(line: bytes) -> None:
    """A line of a newer version or of nothing at all is a DecodeError."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_event(line)
