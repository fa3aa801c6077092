"""Folds a journal into what people and programs read: the run document and the summary of a run."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import NodeStatus, RunEvent, RunStatus, Trigger
from atomiton_runtime.values import Value

_FINAL_STATUS: dict[type[RunEvent], RunStatus] = {
    ev.RunSucceeded: "succeeded",
    ev.RunFailed: "failed",
    ev.RunCancelled: "cancelled",
    ev.RunTimedOut: "timed_out",
    ev.RunInterrupted: "interrupted",
}
SUMMARISED = frozenset({ev.RunQueued, ev.RunStarted, *_FINAL_STATUS})
"""The events that change a run's summary."""


class NodeDocument(msgspec.Struct, kw_only=True):
    """What became of one node."""

    status: NodeStatus = "pending"
    attempts: int = 0
    duration_s: float | None = None
    """Of the last attempt, in seconds."""
    outputs: dict[str, Value] | None = None
    """Port -> value in document form (see DESIGN section 4: bytes and large values are marked objects)."""
    error: ErrorInfo | None = None
    reused_from: RunId | msgspec.UnsetType = msgspec.UNSET
    """The run whose result this is; unset: this run's own."""


class RunDocument(msgspec.Struct, kw_only=True):
    """A run as `run --json` and `show --json` print it."""

    run_id: RunId
    flow: FlowId
    status: RunStatus
    trigger: Trigger
    started_at: str
    """ISO 8601 in UTC, to the millisecond: `2026-11-23T19:15:00.123Z`."""
    duration_s: float | None
    flow_hash: str
    variables: dict[str, Value]
    outputs: dict[str, dict[str, Value]]
    """Sink node -> its outputs; only the sinks that have some."""
    nodes: dict[str, NodeDocument]
    error: ErrorInfo | None


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run as lists show it."""

    run_id: RunId
    flow: FlowId
    status: RunStatus
    trigger: Trigger
    started_at: datetime
    duration_s: float | None = None
    error: ErrorInfo | None = None
    process: str = ""
    resumes: RunId | None = None
    """The run that this one continues."""
    flow_path: str = ""
    """Of the flow's file; empty: the run is of an older version."""


def summarize(summary: RunSummary | None, event: RunEvent) -> RunSummary | None:
    """Return the summary after `event`; None while the run's first event has not come."""
    match event:
        case ev.RunQueued():
            return RunSummary(
                run_id=event.run_id,
                flow=event.flow,
                status="queued",
                trigger=event.trigger,
                started_at=event.at,
                process=event.process,
                resumes=event.resumes,
                flow_path=event.flow_path,
            )
        case ev.RunStarted() if summary is not None:
            return msgspec.structs.replace(summary, status="running", started_at=event.at)
        case ev.RunSucceeded() if summary is not None:
            return msgspec.structs.replace(summary, status="succeeded", duration_s=event.duration_s)
        case ev.RunFailed() | ev.RunCancelled() | ev.RunTimedOut() | ev.RunInterrupted() if (
            summary is not None
        ):
            return msgspec.structs.replace(
                summary, status=_FINAL_STATUS[type(event)], duration_s=event.duration_s, error=event.error
            )
        case _:
            return summary


def document(journal: Iterable[RunEvent]) -> RunDocument:
    """Return the run document of a journal.

    Raises:
        ValueError: the journal does not begin with `RunQueued`.
    """
    events = iter(journal)
    first = next(events, None)
    if not isinstance(first, ev.RunQueued):
        raise ValueError("a journal begins with RunQueued")
    nodes = {node: NodeDocument() for node in first.nodes}
    summary = summarize(None, first)
    for event in events:
        if type(event) in SUMMARISED:
            summary = summarize(summary, event)
        else:
            _record(nodes, event)
    assert summary is not None
    return RunDocument(
        run_id=summary.run_id,
        flow=summary.flow,
        status=summary.status,
        trigger=summary.trigger,
        started_at=_instant(summary.started_at),
        duration_s=summary.duration_s,
        flow_hash=first.flow_hash,
        variables=first.variables,
        outputs={
            sink: outputs
            for sink in first.sinks
            if (node := nodes.get(sink)) and (outputs := node.outputs) is not None
        },
        nodes=_in_order(nodes),
        error=summary.error,
    )


def _in_order(nodes: dict[NodeId, NodeDocument]) -> dict[str, NodeDocument]:
    """Return the nodes of the flow in file order, each with those that ran within it right behind it."""
    families: dict[str, dict[str, NodeDocument]] = {}
    for node, state in nodes.items():
        families.setdefault(node.partition("/")[0], {})[node] = state
    return {node: state for family in families.values() for node, state in family.items()}


def _record(nodes: dict[NodeId, NodeDocument], event: RunEvent) -> None:
    match event:
        case ev.NodeStarted():
            node = nodes.setdefault(event.node, NodeDocument())
            node.status, node.attempts = "running", event.attempt
        case ev.NodeSucceeded():
            node = nodes.setdefault(event.node, NodeDocument())
            node.status, node.duration_s, node.error = "succeeded", event.duration_s, None
            node.outputs = {port: msgspec.json.decode(raw) for port, raw in event.outputs.items()}
        case ev.NodeReused():
            node = nodes.setdefault(event.node, NodeDocument())
            node.status, node.error = "failed" if event.error else "reused", event.error
            # That it could be was perhaps found out in an attempt, which is not one that was made.
            node.attempts, node.duration_s = 0, None
            node.reused_from = event.source
            if event.outputs is not None:
                node.outputs = {port: msgspec.json.decode(raw) for port, raw in event.outputs.items()}
        case ev.NodeRetrying():
            node = nodes.setdefault(event.node, NodeDocument())
            node.status, node.duration_s, node.error = "pending", event.duration_s, event.error
        case ev.NodeFailed():
            node = nodes.setdefault(event.node, NodeDocument())
            node.status, node.duration_s, node.error = "failed", event.duration_s, event.error
        case ev.NodeSkipped():
            node = nodes.setdefault(event.node, NodeDocument())
            # Its condition was looked at in an attempt, which is not one that was made.
            node.status, node.attempts = "skipped", 0
        case ev.NodeCancelled():
            node = nodes.setdefault(event.node, NodeDocument())
            node.status = "cancelled"
            if event.attempt:
                node.duration_s = event.duration_s
        case _:
            return


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
