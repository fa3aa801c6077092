"""Lists the facts about a run: its journal is a sequence of these, its state the fold of them."""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.reuse import Digest, Key
from atomiton_runtime.values import LargeValue, Value

Trigger = Literal["cli", "tray", "save", "api", "schedule", "file", "startup", "resume", "replay"]
RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled", "timed_out", "interrupted"]
NodeStatus = Literal["pending", "running", "succeeded", "failed", "skipped", "reused", "cancelled"]
CancelReason = Literal["user", "restart", "quit", "timeout", "fault"]
StopReason = Literal["race", "timeout"]
ReuseMode = Literal["none", "declared", "auto"]
"""`none`: everything is executed. `declared`: but for nodes with `reuse = "always"`. `auto`: whatever still holds is
not executed, but for nodes with `reuse = "never"`."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """A fact about a run, in the past tense."""

    run_id: RunId
    seq: int
    """The place in the run's journal: 0, 1, 2 ... without gaps."""
    at: datetime
    """Wall clock, UTC."""


class RunQueued(Event, frozen=True, kw_only=True):
    """A run was accepted; from here on it is never forgotten. Always the first event."""

    flow: FlowId
    flow_hash: str
    flow_path: str
    trigger: Trigger
    variables: dict[str, Value]
    nodes: tuple[NodeId, ...]
    """All nodes of the flow, in file order."""
    sinks: tuple[NodeId, ...]
    """The nodes whose outputs are the run's outputs."""
    process: str = ""
    """Names the process that executes the run: the stem of its liveness lock file."""
    subflows: dict[str, str] = {}
    """The flows that its nodes call, at any depth: path of the file -> hash."""
    resumes: RunId | None = None
    """The run that this one continues; None: it begins at the beginning."""
    source: LargeValue | msgspec.UnsetType = msgspec.UNSET
    """Where the text of the flow's file is kept; unset: it is not."""
    reuse: ReuseMode | msgspec.UnsetType = msgspec.UNSET
    """Which earlier results may stand in for executions; unset: as `declared`."""
    forced: tuple[NodeId, ...] | msgspec.UnsetType = msgspec.UNSET
    """The nodes of the flow itself that are executed in any case, because they were asked for; unset: none."""


class RunStarted(Event, frozen=True, kw_only=True):
    """The run left the queue."""


class NodeStarted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt began."""

    node: NodeId
    """The whole id: of a child node with the nodes around it, and the execution's index, `each/3/resize`."""
    attempt: int
    """Counted from 1."""
    may_write: bool = False
    """Whether it may change the outside: what an earlier execution has left there is then as good as gone."""


class NodeSucceeded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt gave outputs."""

    node: NodeId
    attempt: int
    duration_s: float
    outputs: dict[str, msgspec.Raw]
    """Port -> the value as `values.encode` wrote it, or `{"$file": path, "size_bytes": n}`."""
    hashes: dict[str, Digest] = {}
    """Port -> the hash of its value."""
    key: Key | None = None
    """What the outputs depend on; None: that is not known, so they are never reused."""
    left: dict[str, str] = {}
    """Path -> the fingerprint of what the execution has left there."""
    wrote: bool = False
    """Whether it may have changed the outside."""
    stale: str = ""
    """Why an earlier result with the same key did not stand in for it; empty: there was none, or nobody looked."""


class NodeReused(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A node is not executed: what became of it in an earlier run stands."""

    node: NodeId
    source: RunId
    """The run that executed it."""
    attempt: int
    """The number of its last attempt there."""
    outputs: dict[str, msgspec.Raw] | None = None
    error: ErrorInfo | None = None
    """Why it failed there, where that failure was handled; it is then failed here as well."""
    hashes: dict[str, Digest] = {}
    key: Key | None = None
    left: dict[str, str] = {}
    wrote: bool = False
    """These four: see `NodeSucceeded`."""
    executed_as: NodeId | None = None
    """Its whole id there; None: the same."""


class NodeRetrying(Event, frozen=True, kw_only=True):
    """An attempt failed and another one will follow after `delay_s`."""

    node: NodeId
    attempt: int
    """The attempt that failed."""
    duration_s: float
    error: ErrorInfo
    delay_s: float


class NodeFailed(Event, frozen=True, kw_only=True):
    """The last attempt failed."""

    node: NodeId
    attempt: int
    duration_s: float
    error: ErrorInfo
    handled: bool
    """True: the run, or the body around the node, goes on (`on_error = "continue"`, somebody takes the error port, or
    failures are what the body collects)."""


class NodeSkipped(Event, frozen=True, kw_only=True):
    """A node will not run, for a reason that is no failure of its own."""

    node: NodeId
    reason: str


class NodeCancelled(Event, frozen=True, kw_only=True):
    """A node was ended, or kept from starting, because its run was cancelled."""

    node: NodeId
    attempt: int
    """0: it had not started."""
    duration_s: float


class NodeLogged(Event, frozen=True, kw_only=True):
    """An attempt said something."""

    node: NodeId
    attempt: int
    text: str
    """One or more lines; the last one may lack its end."""


class BodyOpened(Event, frozen=True, kw_only=True):
    """A node with a body knows how it is to be executed."""

    node: NodeId
    attempt: int
    plan: Plan
    began_s: float
    """When the attempt began, in seconds since the run left the queue."""
    items_hash: str = ""
    """Of the items of its executions: the same hash, the same items. Empty: it has none."""


class BodyStarted(Event, frozen=True, kw_only=True):
    """An execution of a body began: an iteration, say."""

    node: NodeId
    """The node that the body belongs to."""
    index: int
    """Counted from 0."""


class BodyStopRequested(Event, frozen=True, kw_only=True):
    """What runs of a node's body is being stopped, and nothing else of it begins but `always` nodes."""

    node: NodeId
    reason: StopReason


class RunCancelRequested(Event, frozen=True, kw_only=True):
    """The run is to end; what runs is being stopped, `always` nodes still follow.

    A second one, and one for a `fault` of the runtime itself, ends the `always` nodes as well.
    """

    reason: CancelReason
    error: ErrorInfo | None = None
    """The fault, when it is one."""


class RunSucceeded(Event, frozen=True, kw_only=True):
    """Every node is settled and no failure went unhandled."""

    duration_s: float


class RunFailed(Event, frozen=True, kw_only=True):
    """A failure went unhandled."""

    duration_s: float
    error: ErrorInfo


class RunCancelled(Event, frozen=True, kw_only=True):
    """The run was cancelled and nothing of it is alive."""

    duration_s: float
    error: ErrorInfo


class RunTimedOut(Event, frozen=True, kw_only=True):
    """The run took longer than its `timeout` and nothing of it is alive."""

    duration_s: float
    error: ErrorInfo


class RunInterrupted(Event, frozen=True, kw_only=True):
    """The process that executed the run died; found out afterwards."""

    duration_s: float
    error: ErrorInfo


RunEvent: TypeAlias = (
    RunQueued
    | RunStarted
    | NodeStarted
    | NodeSucceeded
    | NodeReused
    | NodeRetrying
    | NodeFailed
    | NodeSkipped
    | NodeCancelled
    | NodeLogged
    | BodyOpened
    | BodyStarted
    | BodyStopRequested
    | RunCancelRequested
    | RunSucceeded
    | RunFailed
    | RunCancelled
    | RunTimedOut
    | RunInterrupted
)
FINAL_EVENTS = (RunSucceeded, RunFailed, RunCancelled, RunTimedOut, RunInterrupted)
"""After one of these a journal gets no further event."""
_FINAL_KINDS = frozenset(FINAL_EVENTS)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[RunEvent] = msgspec.json.Decoder(RunEvent)


def is_final(event: object) -> bool:
    """Return whether this is one of `FINAL_EVENTS`.

    Every event is asked several times on its way, and `isinstance` costs 0.1 us for each msgspec class it is not.
    """
    return type(event) in _FINAL_KINDS


def encode_event(event: RunEvent) -> bytes:
    """Return the event as one line of JSON, without the line's end."""
    return _ENCODER.encode(event)


def decode_event(line: bytes) -> RunEvent:
    """Return the event that `encode_event` wrote.

    Raises:
        msgspec.DecodeError: it is not JSON, or not an event (also: of a newer version).
    """
    try:
        # The values of outputs are taken over as they are, so the whole is looked at first.
        return _DECODER.decode(line.decode())
    except (UnicodeDecodeError, AttributeError) as error:
        raise msgspec.DecodeError(f"it holds what is no text: {error}") from error
