"""Makes journals for tests: small, valid, of any length."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run import events as ev

AT = datetime(2026, 11, 23, 19, 15, 0, 123000, tzinfo=UTC)


def queued(
    run_id: str, *, flow: str = "customers", nodes: tuple[str, ...] = ("read", "save"), at: datetime = AT
) -> ev.RunQueued:
    """Return the first event of a run."""
    ids = tuple(NodeId(node) for node in nodes)
    return ev.RunQueued(
        run_id=RunId(run_id),
        seq=0,
        at=at,
        flow=FlowId(flow),
        flow_hash="f00d",
        flow_path=f"/flows/{flow}.toml",
        trigger="cli",
        variables={"limit": 5, "nothing": None, "names": ["ä", None]},
        nodes=ids,
        sinks=ids[-1:],
        process="p1",
    )


def started(run_id: str, seq: int = 1, *, at: datetime = AT) -> ev.RunStarted:
    """Return the event with which a run leaves the queue."""
    return ev.RunStarted(run_id=RunId(run_id), seq=seq, at=at)


def node_started(run_id: str, seq: int, node: str = "read") -> ev.NodeStarted:
    """Return the beginning of an attempt."""
    return ev.NodeStarted(run_id=RunId(run_id), seq=seq, at=AT, node=NodeId(node), attempt=1)


def node_succeeded(
    run_id: str, seq: int, node: str = "read", outputs: Mapping[str, msgspec.Raw] | None = None
) -> ev.NodeSucceeded:
    """Return the end of an attempt, with outputs."""
    return ev.NodeSucceeded(
        run_id=RunId(run_id),
        seq=seq,
        at=AT,
        node=NodeId(node),
        attempt=1,
        duration_s=0.25,
        outputs=dict(outputs) if outputs is not None else {"result": msgspec.Raw(b'{"rows":[1,2]}')},
    )


def succeeded(run_id: str, seq: int) -> ev.RunSucceeded:
    """Return the good end of a run."""
    return ev.RunSucceeded(run_id=RunId(run_id), seq=seq, at=AT, duration_s=1.5)


def failed(run_id: str, seq: int) -> ev.RunFailed:
    """Return the bad end of a run."""
    error = ErrorInfo("NODE-001", "no such file", "read", None, "look again")
    return ev.RunFailed(run_id=RunId(run_id), seq=seq, at=AT, duration_s=1.5, error=error)


def journal(run_id: str, *, flow: str = "customers", middle: int = 2) -> list[ev.RunEvent]:
    """Return a whole journal with `middle` pairs of node events between begin and end."""
    events: list[ev.RunEvent] = [queued(run_id, flow=flow), started(run_id)]
    for _ in range(middle):
        events.append(node_started(run_id, len(events)))
        events.append(node_succeeded(run_id, len(events)))
    events.append(succeeded(run_id, len(events)))
    return events
