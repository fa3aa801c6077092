"""Lists what a client may ask of a runtime and what it answers: the written messages between the two sides.

A client (tray, CLI, later the socket and the web page) creates a request, `Runtime.submit` answers it. The same
messages, as JSON, are the fixtures of `tests/contract`.
"""

from typing import TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.events import CancelReason, Trigger
from atomiton_runtime.values import Value

MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024
"""Of a request: more than fits into a command line, even if each character has to be written as `\\u0000`."""
STOPPED = "RUN-011"
"""The code of the refusal by a runtime that is ending: nothing was done."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which nodes of a flow are to be executed: one of these."""

    fresh: bool = False
    """All of them, `reuse = "always"` or not."""
    from_node: str | None = None
    """This one and all that depend on it; of the others, those whose results do not hold."""
    only_node: str | None = None
    """This one, and before it those that it needs and whose results do not hold."""


class RunFlow(msgspec.Struct, frozen=True, kw_only=True, tag_field="request", tag="run"):
    """Execute a flow."""

    flow: str
    """A flow's id, or the path of its file."""
    variables: dict[str, Value] = {}
    trigger: Trigger = "api"
    run_id: RunId | None = None
    """What the run is to be called, so that a client whose runtime dies before it answers can look for it."""
    follow: bool = False
    """After the response come the run's events, until its last."""
    chosen: Chosen | msgspec.UnsetType = msgspec.UNSET
    """Which nodes are to be executed; unset: all of them, but for those with `reuse = "always"`."""


class ResumeRun(msgspec.Struct, frozen=True, kw_only=True, tag_field="request", tag="resume"):
    """Continue a run that did not come to its end."""

    run_id: RunId
    rerun: tuple[str, ...] = ()
    """Nodes in doubt that are to be executed again."""
    skip: tuple[str, ...] = ()
    """Nodes in doubt that are to be passed over."""
    follow: bool = False
    """After the response come the new run's events, until its last."""


class ReplayNode(msgspec.Struct, frozen=True, kw_only=True, tag_field="request", tag="replay"):
    """Execute one node of a run once more, on the inputs that it had there."""

    run_id: RunId
    node: str
    """Its whole id: `each/3/resize`."""
    set: dict[str, Value] = {}
    """Parameter, or `parameter.key` -> its value for this replay."""
    follow: bool = False
    """After the response come the new run's events, until its last."""


class CancelRun(msgspec.Struct, frozen=True, kw_only=True, tag_field="request", tag="cancel"):
    """End a run."""

    run_id: RunId
    reason: CancelReason = "user"


class FindLeft(msgspec.Struct, frozen=True, kw_only=True, tag_field="request", tag="left"):
    """Say what keeps a run from being cancelled."""

    run_id: RunId


RunRequest: TypeAlias = RunFlow | ResumeRun | ReplayNode
"""What a run comes of."""
Request: TypeAlias = RunFlow | ResumeRun | ReplayNode | CancelRun | FindLeft


class RunAccepted(msgspec.Struct, frozen=True, kw_only=True, tag_field="response", tag="accepted"):
    """The run exists; its events follow on the bus."""

    run_id: RunId
    flow: FlowId


class CancelAccepted(msgspec.Struct, frozen=True, kw_only=True, tag_field="response", tag="cancelling"):
    """The run is told to end; its final event follows on the bus."""

    run_id: RunId


class LeftToEnd(msgspec.Struct, frozen=True, kw_only=True, tag_field="response", tag="left"):
    """What keeps a run from being cancelled."""

    nodes: tuple[str, ...] | None
    """Those that are executed; None: the run is not being cancelled."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag_field="response", tag="refused"):
    """Nothing was done, for these reasons (at least one)."""

    errors: tuple[ErrorInfo, ...]


Response: TypeAlias = RunAccepted | CancelAccepted | LeftToEnd | Refused

_REQUESTS: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_RESPONSES: msgspec.json.Decoder[Response] = msgspec.json.Decoder(Response)


def decode_request(message: bytes) -> Request:
    """Return the request written in `message`.

    Raises:
        msgspec.DecodeError: it is not JSON, or not a request.
    """
    return _REQUESTS.decode(message)


def decode_response(message: bytes) -> Response:
    """Return the response written in `message`.

    Raises:
        msgspec.DecodeError: it is not JSON, or not a response.
    """
    return _RESPONSES.decode(message)
