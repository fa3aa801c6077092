"""Decides which events are worth a notification, and what it says: a pure function of state and event."""

from pathlib import PurePath

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Notify
from atomiton_runtime.ids import FlowId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.notices import FlowBroken, Notice, NoticeRaised
from atomiton_runtime.tray import wording
from atomiton_runtime.tray.state import ListedFlow, Mood, TrayState

SINCE_LIMIT_CHARS = 200
"""Of what has changed since the last success."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A notification: what people see, and what it is about."""

    about: str
    """A later announcement about the same thing takes the place of this one: a flow that fails at each save fills
    no screen."""
    title: str
    text: str
    mood: Mood = "failed"


def announcement(state: TrayState, event: RunEvent | Notice) -> Announcement | None:
    """Return what to show for `event`, or None.

    Args:
        state: what was known before the event.
        event: what happened. A flow's `notify` decides about its runs and its problems.
    """
    match event:
        case FlowBroken():
            return _broken(state.flows.get(event.flow), event) if state.loaded else None
        case NoticeRaised():
            return None if event.level == "info" else _notice(event)
        case ev.RunSucceeded() | ev.RunFailed() | ev.RunTimedOut() | ev.RunInterrupted() | ev.RunCancelled():
            run = state.active.get(event.run_id)
            return _ended(state, run.flow, event) if run else None
        case _:
            return None


def refusal(flow: ListedFlow | None, errors: tuple[ErrorInfo, ...], *, about: str) -> Announcement:
    """Return what to show when the runtime refused a click."""
    name = f"{wording.name(flow.name, flow.id)} did not start" if flow else "The click did nothing"
    return Announcement(about=about, title=name, text=wording.error_text(errors[0] if errors else None))


def needs(flow: ListedFlow) -> Announcement:
    """Return what to show when a flow was clicked that needs variables (TRAY-011)."""
    flags = " ".join(f"--{variable} …" for variable in flow.needs)
    return Announcement(
        about=f"flow:{flow.id}",
        title=f"{wording.name(flow.name, flow.id)} needs {wording.one_line(', '.join(flow.needs))}",
        text=f"Run it in a terminal:\natomiton run {wording.one_line(f'{flow.id} {flags}', 200)}",
        mood="idle",
    )


def failure(code: str, message: str, *, about: str = "tray") -> Announcement:
    """Return what to show when the tray itself could not do something."""
    return Announcement(about=about, title="Atomiton", text=f"{wording.one_line(message, 300)} ({code})")


def with_since(said: Announcement, since: str) -> Announcement:
    """Return what to show of a failure, with what has changed since the last success as the second line."""
    what, *more = said.text.split("\n")
    lines = [what, wording.one_line(since, SINCE_LIMIT_CHARS), *more]
    return msgspec.structs.replace(said, text="\n".join(line for line in lines if line))


def _ended(
    state: TrayState,
    flow_id: FlowId,
    event: ev.RunSucceeded | ev.RunFailed | ev.RunTimedOut | ev.RunInterrupted | ev.RunCancelled,
) -> Announcement | None:
    flow = state.flows.get(flow_id)
    notify: Notify = flow.notify if flow else "failure"
    name = wording.name(flow.name if flow else "", flow_id)
    about, took = f"flow:{flow_id}", wording.duration(event.duration_s)
    if notify == "never":
        return None
    match event:
        case ev.RunFailed():
            return Announcement(about=about, title=f"{name} failed", text=wording.error_text(event.error))
        case ev.RunTimedOut():
            return Announcement(
                about=about, title=f"{name} timed out after {took}", text=wording.error_text(event.error)
            )
        case ev.RunInterrupted():
            return Announcement(
                about=about, title=f"{name} was interrupted", text=wording.error_text(event.error)
            )
        case ev.RunSucceeded() if notify == "always":
            return Announcement(about=about, title=f"{name} succeeded", text=f"in {took}", mood="succeeded")
        case ev.RunCancelled() if notify == "always":
            return Announcement(about=about, title=f"{name} was cancelled", text=f"after {took}", mood="idle")
        case _:
            return None


def _broken(flow: ListedFlow | None, event: FlowBroken) -> Announcement | None:
    if flow is not None and (flow.notify == "never" or flow.problems == event.problems):
        return None
    name = wording.name(flow.name if flow else "", event.flow or PurePath(event.path).stem)
    lines = [wording.problem_line(problem) for problem in event.problems[:3]]
    if hidden := len(event.problems) - len(lines):
        lines.append(f"and {hidden} more: atomiton check")
    if event.runnable:
        lines.append("The last valid version stays runnable.")
    title = f"{name} has {wording.counted(len(event.problems), 'problem', 'problems')}"
    return Announcement(about=f"flow:{event.flow}", title=title, text="\n".join(lines))


def _notice(event: NoticeRaised) -> Announcement:
    return Announcement(
        about=f"notice:{event.error.code}", title="Atomiton", text=wording.error_text(event.error)
    )
