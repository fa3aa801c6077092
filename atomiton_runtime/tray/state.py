"""Folds what the runtime says into what the tray shows: one immutable value, replaced by each event."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Notify
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice, NoticeRaised

Mood: TypeAlias = Literal["idle", "running", "succeeded", "failed"]
"""What the icon says."""

FAILURES: frozenset[RunStatus] = frozenset({"failed", "timed_out", "interrupted"})
FAILED = (ev.RunFailed, ev.RunTimedOut, ev.RunInterrupted)
"""The events with which a run comes to one of these ends."""
FINAL_STATUSES: tuple[RunStatus, ...] = ("succeeded", "failed", "cancelled", "timed_out", "interrupted")
KINDS = (
    "RunQueued",
    "RunStarted",
    "RunCancelRequested",
    "RunSucceeded",
    "RunFailed",
    "RunCancelled",
    "RunTimedOut",
    "RunInterrupted",
    "FlowLoaded",
    "FlowBroken",
    "FlowRemoved",
    "NoticeRaised",
)
"""The kinds of events and notices that change what the tray shows."""

_STATUS_AFTER: dict[type[RunEvent], RunStatus] = {
    ev.RunSucceeded: "succeeded",
    ev.RunFailed: "failed",
    ev.RunCancelled: "cancelled",
    ev.RunTimedOut: "timed_out",
    ev.RunInterrupted: "interrupted",
}


class ListedFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow file, as far as the tray cares."""

    id: FlowId
    name: str
    path: str
    notify: Notify = "failure"
    listed: bool = True
    """False: `tray = false`; it is in no menu, its notifications come all the same."""
    runnable: bool = True
    problems: tuple[Problem, ...] = ()
    needs: tuple[str, ...] = ()
    """The variables that have no default."""


class ActiveRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has not ended."""

    run_id: RunId
    flow: FlowId
    since: datetime
    """When it started; while it is queued: when it was accepted."""
    started: bool = False
    cancelling: bool = False
    nodes: str = ""
    """What became of its nodes in words, as far as some were reused."""
    left: tuple[str, ...] = ()
    """While it is cancelling: the nodes that have not ended, as far as that was looked up."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a flow's latest run ended, and when."""

    run_id: RunId
    status: RunStatus
    at: datetime
    duration_s: float | None = None
    error: ErrorInfo | None = None
    nodes: str = ""
    """How many of its nodes ran and were reused, in words; empty: none was, or that is not known."""
    since: str = ""
    """What has changed since the flow's last success, in a line; empty: that is not known, or it did not fail."""


class TrayState(msgspec.Struct, frozen=True, kw_only=True):
    """All that the tray knows. Its dictionaries are never changed in place."""

    loaded: bool = False
    """False until the runtime has said which flows there are."""
    flows: dict[FlowId, ListedFlow] = {}
    active: dict[RunId, ActiveRun] = {}
    results: dict[FlowId, Result] = {}
    clicked: tuple[FlowId, ...] = ()
    """A flow for each click that the runtime has not answered yet."""
    notice: NoticeRaised | None = None
    """The latest warning or error about the runtime itself."""
    latest: RunId | None = None
    """The run that ended last since the tray started."""
    autostart: bool = False


def with_flows(state: TrayState, flows: Iterable[ListedFlow]) -> TrayState:
    """Return the state with these flows, and without the results of flows that are gone."""
    known = {flow.id: flow for flow in flows}
    results = {flow: result for flow, result in state.results.items() if flow in known}
    return msgspec.structs.replace(state, flows=known, results=results)


def with_changed_flows(
    state: TrayState, changed: Collection[FlowId], flows: Iterable[ListedFlow]
) -> TrayState:
    """Return the state in which these flows are all that is left of the `changed` ones; the others stay.

    Where nothing is new its flows are the very same: what was worked out from them holds.
    """
    fresh = {flow.id: flow for flow in flows}
    gone = {flow for flow in changed if flow not in fresh and flow in state.flows}
    new = {flow: listed for flow, listed in fresh.items() if state.flows.get(flow) != listed}
    if not gone and not new:
        return state
    known = {**state.flows, **new}
    for flow in gone:
        del known[flow]
    return msgspec.structs.replace(state, flows=known, results=_without(state.results, gone))


def with_history(state: TrayState, runs: Iterable[RunSummary]) -> TrayState:
    """Return the state with the results of `runs` where they are newer than what it knows."""
    results = dict(state.results)
    for run in runs:
        if run.status not in FINAL_STATUSES:
            continue
        at = run.started_at + timedelta(seconds=run.duration_s or 0)
        known = results.get(run.flow)
        if known is None or (known.at < at and known.run_id != run.run_id):
            results[run.flow] = Result(
                run_id=run.run_id, status=run.status, at=at, duration_s=run.duration_s, error=run.error
            )
    return msgspec.structs.replace(state, results=results)


def with_active(state: TrayState, runs: Iterable[RunSummary]) -> TrayState:
    """Return the state with the runs that this runtime is executing."""
    active = {
        run.run_id: ActiveRun(
            run_id=run.run_id, flow=run.flow, since=run.started_at, started=run.status == "running"
        )
        for run in runs
    }
    return msgspec.structs.replace(state, active={**active, **state.active})


def with_left(state: TrayState, run_id: RunId, nodes: tuple[str, ...]) -> TrayState:
    """Return the state in which a run that is being cancelled waits for these nodes."""
    run = state.active.get(run_id)
    return state if run is None else _with_run(state, msgspec.structs.replace(run, left=nodes))


def with_nodes(state: TrayState, run_id: RunId, words: str) -> TrayState:
    """Return the state in which this is what became of a run's nodes."""
    run = state.active.get(run_id)
    return state if run is None else _with_run(state, msgspec.structs.replace(run, nodes=words))


def with_since(state: TrayState, run_id: RunId, flow: FlowId, said: str) -> TrayState:
    """Return the state in which this has changed since a flow's last success, if the run still is its latest one."""
    result = state.results.get(flow)
    if result is None or result.run_id != run_id:
        return state
    told = msgspec.structs.replace(result, since=said)
    return msgspec.structs.replace(state, results={**state.results, flow: told})


def with_click(state: TrayState, flow: FlowId) -> TrayState:
    """Return the state in which a click on `flow` waits for the runtime's answer."""
    return msgspec.structs.replace(state, clicked=(*state.clicked, flow))


def with_answer(state: TrayState, flow: FlowId) -> TrayState:
    """Return the state in which one click on `flow` less waits for an answer."""
    waiting = list(state.clicked)
    if flow in waiting:
        waiting.remove(flow)
    return msgspec.structs.replace(state, clicked=tuple(waiting))


def apply(state: TrayState, event: RunEvent | Notice) -> TrayState:
    """Return the state after `event`; what it does not know of (a run of before its time) changes nothing.

    Of a flow notice only the problems are taken: what else the file says is to be read again (`with_flows`).
    """
    match event:
        case ev.RunQueued():
            run = ActiveRun(run_id=event.run_id, flow=event.flow, since=event.at)
            return _with_run(state, run)
        case NoticeRaised():
            return _with_notice(state, event)
        case FlowBroken():
            return _with_problems(state, event.flow, event.path, event.problems, runnable=event.runnable)
        case FlowLoaded():
            return _with_problems(state, event.flow, event.path, (), runnable=True)
        case FlowRemoved():
            return with_changed_flows(state, (event.flow,), ())
        case _:
            run = state.active.get(event.run_id)
            return state if run is None else _after(state, run, event)


def _with_notice(state: TrayState, event: NoticeRaised) -> TrayState:
    """Return the state with this warning, or, if it is good news about the same file, without the one it had."""
    if event.level != "info":
        return msgspec.structs.replace(state, notice=event)
    shown = state.notice.error.where if state.notice else None
    good = event.error.where
    mended = shown is not None and good is not None and shown.file == good.file
    return msgspec.structs.replace(state, notice=None) if mended else state


def _with_problems(
    state: TrayState, flow: FlowId, path: str, problems: tuple[Problem, ...], *, runnable: bool
) -> TrayState:
    known = state.flows.get(flow)
    if known is not None and known.problems == problems and known.runnable == runnable:
        return (
            state  # the first scan says so of each file, and a flow that is saved again and again of its own
        )
    changed = msgspec.structs.replace(
        known or ListedFlow(id=flow, name=flow, path=path), problems=problems, runnable=runnable
    )
    return msgspec.structs.replace(state, flows={**state.flows, flow: changed})


def _after(state: TrayState, run: ActiveRun, event: RunEvent) -> TrayState:
    match event:
        case ev.RunStarted():
            return _with_run(state, msgspec.structs.replace(run, started=True, since=event.at))
        case ev.RunCancelRequested():
            return _with_run(state, msgspec.structs.replace(run, cancelling=True))
        case ev.RunSucceeded() | ev.RunFailed() | ev.RunCancelled() | ev.RunTimedOut() | ev.RunInterrupted():
            error = None if isinstance(event, ev.RunSucceeded) else event.error
            result = Result(
                run_id=run.run_id,
                status=_STATUS_AFTER[type(event)],
                at=event.at,
                duration_s=event.duration_s,
                error=error,
                nodes=run.nodes,
            )
            active = {run_id: other for run_id, other in state.active.items() if run_id != run.run_id}
            return msgspec.structs.replace(
                state, active=active, results={**state.results, run.flow: result}, latest=run.run_id
            )
        case _:
            return state


def _without(results: dict[FlowId, Result], flows: Collection[FlowId]) -> dict[FlowId, Result]:
    if not any(flow in results for flow in flows):
        return results
    return {flow: result for flow, result in results.items() if flow not in flows}


def _with_run(state: TrayState, run: ActiveRun) -> TrayState:
    return msgspec.structs.replace(state, active={**state.active, run.run_id: run})


def mood(state: TrayState) -> Mood:
    """Return what the icon must say.

    A failure stays until the flow is repaired or has run well: a later success of another flow does not hide it.
    """
    if state.active or state.clicked:
        return "running"
    listed = [flow for flow in state.flows.values() if flow.listed]
    if any(flow.problems or _failed(state, flow.id) for flow in listed):
        return "failed"
    if state.notice is not None and state.notice.level == "error":
        return "failed"
    succeeded = any(
        result.run_id == state.latest and result.status == "succeeded" for result in state.results.values()
    )
    return "succeeded" if succeeded else "idle"


def _failed(state: TrayState, flow: FlowId) -> bool:
    result = state.results.get(flow)
    return result is not None and result.status in FAILURES
