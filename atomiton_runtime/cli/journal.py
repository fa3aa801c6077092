"""Tells an event or a notice as lines for people: in `logs`, and in `watch`."""

from datetime import datetime
from typing import TypeAlias

import click
import msgspec

from atomiton_runtime.cli.failures import error_text, problem_text
from atomiton_runtime.cli.wording import (
    STATUS_COLORS,
    counted,
    dim,
    duration,
    harmless,
    one_line,
    reused_from,
    status,
)
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run import notices
from atomiton_runtime.run.events import RunEvent, RunStatus, is_final
from atomiton_runtime.run.notices import Notice
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.state import NodeEvent
from atomiton_runtime.run.tally import Tally, counted_in
from atomiton_runtime.values import decode, preview

_PREVIEW_CHARS = 100
_TEXT_PORTS = ("stdout", "stderr")


def event_lines(event: RunEvent, now: datetime) -> list[str]:
    """Return what happened, with what programs printed and errors whole; nothing where another event says it."""
    told = _told(event, now)
    return [f"{_clock(event.at)}  {told[0]}", *(f"    {line}" for line in told[1:])] if told else []


def notice_lines(notice: Notice, at: datetime) -> list[str]:
    """Return what became known about a flow or the runtime, with all problems of a broken file."""
    match notice:
        case notices.FlowLoaded():
            told = [f"{_flow(notice.flow)} {click.style('loaded', fg='green')}"]
        case notices.FlowBroken():
            problems = click.style(counted(len(notice.problems), "problem"), fg="red")
            older = "; its last valid version stays runnable" if notice.runnable else ""
            told = [f"{_flow(notice.flow)} has {problems}{older}"]
            told += [line for problem in notice.problems for line in problem_text(problem).split("\n")]
        case notices.FlowRemoved():
            told = [f"{_flow(notice.flow)} {click.style('removed', fg='yellow')}"]
        case notices.NoticeRaised():
            told = error_text(notice.error).split("\n")
    return [f"{_clock(at)}  {told[0]}", *(f"    {line}" for line in told[1:])]


class RunLines:
    """Tells the beginnings and the ends of runs, each with its flow and with how many nodes ran and were reused."""

    def __init__(self, flow_path: str | None = None) -> None:
        """Tell of all runs, or only of those of the flow in this file."""
        self._flow_path = flow_path
        self._runs: dict[RunId, tuple[str, Tally]] = {}

    def lines(self, event: RunEvent) -> list[str]:
        """Return the beginning or the end of a run as lines; nothing for another event, or another flow's."""
        known = self._runs.get(event.run_id)
        if isinstance(event, ev.RunQueued) and self._flow_path in (None, event.flow_path):
            known = event.flow, Tally()
        if known is None:
            return [] if self._flow_path is not None else _run_lines(event, event.run_id, Tally())
        flow, tally = known[0], counted_in(known[1], event)
        if is_final(event):
            self._runs.pop(event.run_id, None)
        else:
            self._runs[event.run_id] = flow, tally
        return _run_lines(event, flow, tally)


def _run_lines(event: RunEvent, flow: str, tally: Tally) -> list[str]:
    nodes = f": {tally.words}" if tally.words else ""
    match event:
        case ev.RunStarted():
            told = [f"{_flow(flow)} {status('running')}  {dim(event.run_id)}"]
        case ev.RunSucceeded():
            told = [f"{_flow(flow)} {status('succeeded')} in {duration(event.duration_s)}{nodes}"]
        case ev.RunFailed() | ev.RunCancelled() | ev.RunTimedOut() | ev.RunInterrupted():
            word = ENDS[type(event)]
            told = [f"{_flow(flow)} {status(word)} after {duration(event.duration_s)}{nodes}"]
            told += _error(event.error) if word != "cancelled" else []
        case _:
            return []
    return [f"{_clock(event.at)}  {told[0]}", *(f"    {line}" for line in told[1:])]


ENDS: dict[type[RunEvent], RunStatus] = {
    ev.RunSucceeded: "succeeded",
    ev.RunFailed: "failed",
    ev.RunCancelled: "cancelled",
    ev.RunTimedOut: "timed_out",
    ev.RunInterrupted: "interrupted",
}
"""Final event -> the status of the run."""


def _told(event: RunEvent, now: datetime) -> list[str]:
    match event:
        case ev.RunQueued():
            continued = f", continues run {event.resumes}" if event.resumes else ""
            return [f"{_flow(event.flow)} queued by {event.trigger}{continued}", *_variables(event)]
        case ev.RunStarted():
            return ["run started"]
        case ev.RunCancelRequested():
            return [f"run told to end: {event.reason}"]
        case ev.RunSucceeded():
            return [f"run {status('succeeded')} in {duration(event.duration_s)}"]
        case ev.RunFailed() | ev.RunCancelled() | ev.RunTimedOut() | ev.RunInterrupted():
            head = f"run {status(ENDS[type(event)])} after {duration(event.duration_s)}"
            # What is wrong with a node stands at the node already.
            return [head] if event.error.node else [head, *_error(event.error)]
        case ev.BodyStarted():
            return []  # its first child says it
        case _:
            told, *more = _told_of_node(event, now)
            return [f"{_node(event.node)} {told}", *more]


_OfNode: TypeAlias = NodeEvent | ev.NodeLogged | ev.BodyOpened | ev.BodyStopRequested


def _told_of_node(event: _OfNode, now: datetime) -> list[str]:
    """Return what happened to a node, without its name; at least one line."""
    match event:
        case ev.NodeStarted():
            return [f"{status('running')}{f', attempt {event.attempt}' if event.attempt > 1 else ''}"]
        case ev.NodeSucceeded():
            return [f"{status('succeeded')} in {duration(event.duration_s)}", *_outputs(event)]
        case ev.NodeReused():
            words = reused_from(event.source, now)
            if event.error is None:
                return [click.style(words, fg=STATUS_COLORS["reused"])]
            return [f"{status('failed')}, {words}", *_error(event.error)]
        case ev.NodeRetrying():
            head = f"attempt {event.attempt} failed, again in {duration(event.delay_s)}"
            return [head, *_error(event.error)]
        case ev.NodeFailed():
            handled = ", and that is handled" if event.handled else ""
            return [
                f"{status('failed')} after {duration(event.duration_s)}{handled}",
                *_error(event.error),
            ]
        case ev.NodeSkipped():
            return [f"{status('skipped')}: {one_line(event.reason)}"]
        case ev.NodeCancelled():
            when = f"after {duration(event.duration_s)}" if event.attempt else "before it began"
            return [f"{status('cancelled')} {when}"]
        case ev.NodeLogged():
            return ["says", *(f"{dim('|')} {line}" for line in harmless(event.text).splitlines())]
        case ev.BodyOpened():
            return [dim(_how_often(event.plan))]
        case ev.BodyStopRequested():
            why = "one child has won" if event.reason == "race" else "its time is over"
            return [f"told to end its children: {why}"]


def _how_often(plan: Plan) -> str:
    if not plan.numbered:
        return "begins with its children"
    often = "while its condition holds" if plan.count is None else counted(plan.count, "iteration")
    return f"{often}, {plan.concurrency} at once" if plan.concurrency > 1 else often


def _variables(event: ev.RunQueued) -> list[str]:
    return [
        dim(f"vars.{name} = {one_line(preview(value, _PREVIEW_CHARS))}")
        for name, value in event.variables.items()
    ]


def _outputs(event: ev.NodeSucceeded) -> list[str]:
    """Return what programs printed, whole; of the other outputs the first one's beginning."""
    texts = [port for port in _TEXT_PORTS if port in event.outputs]
    if texts:
        return [line for port in texts for line in _text(port, event.outputs[port])]
    for port, raw in event.outputs.items():
        value = one_line(preview(msgspec.json.decode(raw), _PREVIEW_CHARS))
        return [dim(f"{port} = {value}")]
    return []


def _text(port: str, raw: msgspec.Raw) -> list[str]:
    value = decode(raw)
    if not isinstance(value, str):
        return [dim(f"{port} = {one_line(preview(value, _PREVIEW_CHARS))}")]
    mark = click.style("!", fg="yellow") if port == "stderr" else dim("|")
    return [f"{mark} {line}" for line in harmless(value).splitlines()]


def _error(error: ErrorInfo) -> list[str]:
    return error_text(error).split("\n")


def _flow(flow: str) -> str:
    return click.style(one_line(flow), bold=True)


def _node(node: str) -> str:
    return click.style(one_line(node), bold=True)


def _clock(at: datetime) -> str:
    return dim(f"{at.astimezone():%H:%M:%S.%f}"[:-3])
