import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from atomiton_runtime.requests import Request, Response, decode_request, decode_response
from atomiton_runtime.run.document import RunDocument, document
from atomiton_runtime.run.events import RunEvent, decode_event, encode_event
from atomiton_runtime.run.notices import Notice
from tests.contract import written

EVENT_FILES = ("events-of-a-run", "events-of-a-cancelled-run", "events-of-other-kinds")
READERS: dict[str, Callable[[bytes], object]] = {
    "requests": decode_request,
    "responses": decode_response,
    **dict.fromkeys(EVENT_FILES, decode_event),
    "notices": lambda line: msgspec.json.decode(line, type=Notice),
}
CASES = [(reader, line) for name, reader in READERS.items() for line in written.lines(name)]


@pytest.mark.parametrize(("read", "line"), CASES)
def test_a_written_message_is_read_and_written_alike(read: Callable[[bytes], object], line: bytes) -> None:
    """Reading a message and writing it again gives the same message, no key more or less."""
    assert json.loads(msgspec.json.encode(read(line))) == json.loads(line)


@pytest.mark.parametrize(("read", "line"), CASES)
def test_a_message_without_its_kind_is_refused(read: Callable[[bytes], object], line: bytes) -> None:
    """A message of no known kind, or with a field of a wrong type, is an error and never half read."""
    message: dict[str, Any] = json.loads(line)
    tag = next(key for key in ("request", "response", "kind") if key in message)
    for wrong in ({**message, tag: "unheard-of"}, {key: [[]] for key in message} | {tag: message[tag]}):
        with pytest.raises(msgspec.DecodeError):
            read(json.dumps(wrong).encode())


@pytest.mark.parametrize(
    ("names", "union"),
    [(["requests"], Request), (["responses"], Response), (EVENT_FILES, RunEvent), (["notices"], Notice)],
)
def test_every_message_is_written_down(names: list[str], union: Any) -> None:
    """No kind of message escapes: each is in the files at least once."""
    found = {type(READERS[name](line)) for name in names for line in written.lines(name)}

    assert found == set(union.__args__)


def test_the_written_document_is_that_of_the_written_events() -> None:
    """Folding the events gives the document, and the document reads back."""
    text = (written.FOLDER / "document.json").read_bytes()
    told = document(written.events())

    assert json.loads(msgspec.json.encode(told)) == json.loads(text)
    assert msgspec.json.decode(text, type=RunDocument) == told


def test_an_event_is_one_line() -> None:
    """An event travels as one line, whatever is in it."""
    assert all(b"\n" not in encode_event(event) for name in EVENT_FILES for event in written.events(name))
