"""Builds states, flows and events of the tray's tests."""

from datetime import UTC, datetime, timedelta

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.tray.state import ListedFlow, Result, TrayState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FLOW, RUN = FlowId("customers"), RunId("01R")
FAULT = ErrorInfo("FILE-002", "in.csv is not there", "read")


def flow(name: str = "customers", /, **settings: object) -> ListedFlow:
    """Return a flow whose id is its name in small letters."""
    values: dict[str, object] = {
        "id": FlowId(name.lower()),
        "name": name,
        "path": f"/flows/{name.lower()}.toml",
    }
    return ListedFlow(**(values | settings))  # type: ignore[arg-type]


def known(*flows: ListedFlow, **fields: object) -> TrayState:
    """Return a loaded state with these flows."""
    return TrayState(loaded=True, flows={one.id: one for one in flows}, **fields)  # type: ignore[arg-type]


def queued(run: RunId = RUN, flow_id: FlowId = FLOW, at: datetime = NOW) -> ev.RunQueued:
    """Return the first event of a run."""
    return ev.RunQueued(
        run_id=run,
        seq=0,
        at=at,
        flow=flow_id,
        flow_hash="",
        flow_path="",
        trigger="save",
        variables={},
        nodes=(),
        sinks=(),
    )


def started(run: RunId = RUN) -> ev.RunStarted:
    """Return the event that a run left the queue."""
    return ev.RunStarted(run_id=run, seq=1, at=NOW)


ENDS: dict[str, ev.RunEvent] = {
    "succeeded": ev.RunSucceeded(run_id=RUN, seq=2, at=NOW, duration_s=1.5),
    "failed": ev.RunFailed(run_id=RUN, seq=2, at=NOW, duration_s=1.5, error=FAULT),
    "cancelled": ev.RunCancelled(run_id=RUN, seq=2, at=NOW, duration_s=1.5, error=FAULT),
    "timed_out": ev.RunTimedOut(run_id=RUN, seq=2, at=NOW, duration_s=1.5, error=FAULT),
    "interrupted": ev.RunInterrupted(run_id=RUN, seq=2, at=NOW, duration_s=1.5, error=FAULT),
}


def result(status: str = "succeeded", ago: timedelta = timedelta(minutes=3)) -> Result:
    """Return how a run ended."""
    error = None if status == "succeeded" else FAULT
    return Result(run_id=RUN, status=status, at=NOW - ago, duration_s=1.5, error=error)  # type: ignore[arg-type]


def problem(message: str = "unknown key `inptu`", line: int = 7) -> Problem:
    """Return something wrong with a file."""
    return Problem(code="FLOW-003", message=message, file="/flows/customers.toml", line=line, column=1)
