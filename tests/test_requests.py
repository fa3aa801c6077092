"""Requests and responses are read as they were written, and nothing else is taken for one."""

import msgspec
import pytest

from atomiton_runtime.errors import AtomitonError, ErrorInfo, Where
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.requests import (
    CancelAccepted,
    CancelRun,
    Refused,
    Request,
    Response,
    RunAccepted,
    RunFlow,
    decode_request,
    decode_response,
)


@pytest.mark.parametrize(
    ("request_", "written"),
    [
        (
            RunFlow(flow="a"),
            b'{"request":"run","flow":"a","variables":{},"trigger":"api","run_id":null,"follow":false}',
        ),
        (
            RunFlow(flow="a", variables={"n": [1, None]}, trigger="tray"),
            b'{"request":"run","flow":"a","variables":{"n":[1,null]},"trigger":"tray","run_id":null,"follow":false}',
        ),
        (CancelRun(run_id=RunId("R")), b'{"request":"cancel","run_id":"R","reason":"user"}'),
    ],
)
def test_a_request_is_written_and_read(request_: Request, written: bytes) -> None:
    """The written form is stable, and reading it gives the request again."""
    assert written == msgspec.json.encode(request_)
    assert request_ == decode_request(written)


@pytest.mark.parametrize(
    "response",
    [
        RunAccepted(run_id=RunId("R"), flow=FlowId("a")),
        CancelAccepted(run_id=RunId("R")),
        Refused(errors=(ErrorInfo("FLOW-001", "no", "n", Where("f", 1, 2), "try"),)),
    ],
)
def test_a_response_is_written_and_read(response: Response) -> None:
    """Every response comes back whole, with its errors."""
    assert response == decode_response(msgspec.json.encode(response))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{}",
        b"[]",
        b'{"request":"fly"}',
        b'{"request":"run"}',
        b'{"request":"run","flow":1}',
        b"\xff",
        b"{" * 9999,
    ],
)
def test_anything_else_is_no_request(message: bytes) -> None:
    """What is no request is refused as such, whatever it is."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError, RecursionError)):
        decode_request(message)


def test_an_error_becomes_a_value() -> None:
    """The error of documents has everything the exception had, and the node that met it."""
    error = AtomitonError("X-001", "wrong", hint="right it", where=Where("a.toml", 3, 5))

    assert error.info("read") == ErrorInfo("X-001", "wrong", "read", Where("a.toml", 3, 5), "right it")
    assert str(error) == "wrong"
    assert str(error.where) == "a.toml:3:5"
