"""Composes the tray's menu: a pure function of the state and the time."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeAlias

import msgspec

from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.tray import wording
from atomiton_runtime.tray.listing import Listing, by_name, listing
from atomiton_runtime.tray.state import FAILURES, ActiveRun, ListedFlow, Mood, Result, TrayState

FLOWS_SHOWN = 20
"""Flows in the menu itself; the rest is under `More flows`."""
FLOWS_A_PAGE = 25
PAGES = 20
CANCELS_SHOWN = 8
SINCE_SHOWN = 5
"""Of so many failed flows, the latest ones, it is said what has changed since their last success."""
SINCE_LIMIT_CHARS = 96

GLYPHS = {"succeeded": "✓", "cancelled": "–"}
_INDENT = "      "
_FAILED_GLYPH = "✗"
_SAID = {
    "succeeded": "",
    "failed": "failed ",
    "cancelled": "cancelled ",
    "timed_out": "timed out ",
    "interrupted": "interrupted ",
}


class RunClicked(msgspec.Struct, frozen=True):
    """Execute a flow."""

    flow: FlowId


class NeedsClicked(msgspec.Struct, frozen=True):
    """Say how to execute a flow that needs variables."""

    flow: FlowId


class CancelClicked(msgspec.Struct, frozen=True):
    """End a run."""

    run_id: RunId


class OpenClicked(msgspec.Struct, frozen=True):
    """Open a file or folder with the desktop's program for it."""

    path: str


class AutostartClicked(msgspec.Struct, frozen=True):
    """Switch the start at login."""

    enable: bool


class NoticeClicked(msgspec.Struct, frozen=True):
    """Put a notice away: it was read."""


class QuitClicked(msgspec.Struct, frozen=True):
    """End the tray."""


Action: TypeAlias = (
    RunClicked | NeedsClicked | CancelClicked | OpenClicked | AutostartClicked | NoticeClicked | QuitClicked
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the menu."""

    key: str
    """Says what the entry is about, unique in the menu and the same for ever: a click is a click on this."""
    text: str = ""
    """As people read it: accelerator marks are escaped by whoever shows it."""
    action: Action | None = None
    """None: the line only says something (or holds `children`)."""
    mood: Mood | None = None
    """The small picture before the text."""
    checked: bool | None = None
    """None: there is nothing to check."""
    children: tuple["Entry", ...] = ()
    separator: bool = False


class _View(msgspec.Struct, frozen=True, kw_only=True):
    """What entries are made from. Nothing in here is searched once per entry: there may be very many flows and runs."""

    state: TrayState
    listing: Listing
    runs: Mapping[FlowId, Sequence[ActiveRun]]
    """The runs that have not ended, of the flows that have any."""
    now: datetime


def compose(
    state: TrayState, now: datetime, *, flows_folder: str, listed: Listing | None = None
) -> tuple[Entry, ...]:
    """Return the menu's entries.

    Args:
        state: what is known.
        now: aware, in the zone whose time of day is shown.
        flows_folder: what `Open flows folder` opens.
        listed: the listing of the state's flows, for whoever has it already.
    """
    listed = listed or listing(state.flows)
    view = _View(state=state, listing=listed, runs=_runs_by_flow(state), now=now)
    return (
        Entry(key="status", text=summary(state, listed)),
        *_notice(state),
        *_cancels(state, now),
        _separator("flows"),
        *_flow_entries(view, flows_folder),
        _separator("app"),
        Entry(key="folder", text="Open flows folder", action=OpenClicked(flows_folder)),
        Entry(
            key="autostart",
            text="Start at login",
            checked=state.autostart,
            action=AutostartClicked(not state.autostart),
        ),
        Entry(key="quit", text="Quit", action=QuitClicked()),
    )


def summary(state: TrayState, listed: Listing | None = None) -> str:
    """Return the state in one short line: the menu's first, and the icon's title.

    Args:
        state: what is known.
        listed: the listing of the state's flows, for whoever has it already.
    """
    if not state.loaded:
        return "Reading the flows …"
    listed = listed or listing(state.flows)
    count, running = len(listed.flows), len(state.active)
    failed = sum(1 for flow, result in state.results.items() if _failed(result) and _is_whole(state, flow))
    parts = [wording.counted(count, "flow", "flows")] if count else ["No flows yet"]
    parts += [f"{running} running"] if running else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{listed.broken} broken"] if listed.broken else []
    return " · ".join(parts)


def _is_whole(state: TrayState, flow: FlowId) -> bool:
    known = state.flows.get(flow)
    return known is not None and known.listed and not known.problems


def _runs_by_flow(state: TrayState) -> Mapping[FlowId, Sequence[ActiveRun]]:
    runs: dict[FlowId, list[ActiveRun]] = {}
    for run in state.active.values():
        runs.setdefault(run.flow, []).append(run)
    return runs


def _separator(key: str) -> Entry:
    return Entry(key=f"separator:{key}", separator=True)


def _failed(result: Result | None) -> bool:
    return result is not None and result.status in FAILURES


def _notice(state: TrayState) -> tuple[Entry, ...]:
    if state.notice is None:
        return ()
    text = wording.one_line(state.notice.error.message)
    return (Entry(key="notice", text=text, mood="failed", action=NoticeClicked()),)


def _cancels(state: TrayState, now: datetime) -> tuple[Entry, ...]:
    if not state.active:
        return ()
    oldest = heapq.nsmallest(CANCELS_SHOWN, state.active.values(), key=lambda run: (run.since, run.run_id))
    entries = [_cancel(state, run, now) for run in oldest]
    if hidden := len(state.active) - len(entries):
        entries.append(Entry(key="cancel-more", text=f"… and {wording.counted(hidden, 'run', 'runs')} more"))
    return (_separator("cancel"), *entries)


def _cancel(state: TrayState, run: ActiveRun, now: datetime) -> Entry:
    flow = state.flows.get(run.flow)
    name = wording.name(flow.name if flow else "", run.flow)
    if run.cancelling:
        waits = f"  ·  waits for {wording.one_line(', '.join(run.left), 40)}" if run.left else " …"
        return Entry(key=f"cancel:{run.run_id}", text=f"Cancelling {name}{waits}")
    said = f"since {wording.clock_time(run.since, now)}" if run.started else "queued"
    return Entry(
        key=f"cancel:{run.run_id}", text=f"Cancel {name}  ·  {said}", action=CancelClicked(run.run_id)
    )


def _flow_entries(view: _View, flows_folder: str) -> tuple[Entry, ...]:
    flows = view.listing.flows
    if view.state.loaded and not flows:
        return (
            Entry(key="none", text="Save a flow file in the flows folder", action=OpenClicked(flows_folder)),
        )
    first = _most_wanted(view) if len(flows) > FLOWS_SHOWN else flows
    explained = _explained(view, first)
    shown = [entry for flow in first for entry in _flow_lines(view, flow, explained)]
    return (*shown, *((_more(view, first),) if len(first) < len(flows) else ()))


def _explained(view: _View, flows: Sequence[ListedFlow]) -> Mapping[FlowId, str]:
    """Return what has changed since their last success, of the flows that failed last."""
    results = ((flow.id, view.state.results.get(flow.id)) for flow in flows if not flow.problems)
    told = [(flow, result) for flow, result in results if result and result.since and flow not in view.runs]
    latest = heapq.nlargest(SINCE_SHOWN, told, key=lambda each: each[1].at)
    return {flow: result.since for flow, result in latest}


def _flow_lines(view: _View, flow: ListedFlow, explained: Mapping[FlowId, str]) -> Iterator[Entry]:
    yield _flow_entry(view, flow)
    if flow.id in explained:
        since = wording.one_line(explained[flow.id], SINCE_LIMIT_CHARS)
        yield Entry(key=f"since:{flow.id}", text=f"{_INDENT}{since}")


def _most_wanted(view: _View) -> Sequence[ListedFlow]:
    """Return the flows to show at once, by name: those that run, then the latest used, then by name."""
    state, running = view.state, view.runs

    def rank(flow: ListedFlow) -> tuple[bool, float, tuple[str, str]]:
        result = state.results.get(flow.id)
        return flow.id not in running, -result.at.timestamp() if result else 0.0, by_name(flow)

    used = (state.flows.get(flow) for flow in running.keys() | state.results.keys())
    first = heapq.nsmallest(FLOWS_SHOWN, (flow for flow in used if flow and flow.listed), key=rank)
    unused = _others(view, first)
    return sorted((*first, *islice(unused, FLOWS_SHOWN - len(first))), key=by_name)


def _others(view: _View, first: Sequence[ListedFlow]) -> Iterator[ListedFlow]:
    ids = {flow.id for flow in first}
    return (flow for flow in view.listing.flows if flow.id not in ids)


def _more(view: _View, first: Sequence[ListedFlow]) -> Entry:
    count = len(view.listing.flows) - len(first)
    text = f"More flows ({count})"
    rest = tuple(islice(_others(view, first), PAGES * FLOWS_A_PAGE))
    if count <= FLOWS_A_PAGE:
        return Entry(key="more", text=text, children=tuple(_flow_entry(view, flow) for flow in rest))
    pages = [rest[start : start + FLOWS_A_PAGE] for start in range(0, len(rest), FLOWS_A_PAGE)]
    entries = [_page(view, number, page) for number, page in enumerate(pages)]
    if hidden := count - len(rest):
        entries.append(Entry(key="more-hidden", text=f"… and {hidden} more: see atomiton list"))
    return Entry(key="more", text=text, children=tuple(entries))


def _page(view: _View, number: int, page: Sequence[ListedFlow]) -> Entry:
    first, last = (wording.one_line(wording.name(flow.name, flow.id), 24) for flow in (page[0], page[-1]))
    children = tuple(_flow_entry(view, flow) for flow in page)
    return Entry(key=f"page:{number}", text=f"{first}  –  {last}", children=children)


def _flow_entry(view: _View, flow: ListedFlow) -> Entry:
    name = _unmistakable_name(view, flow)
    if flow.problems:
        return _broken_entry(flow, name)
    said, mood = _said(view, flow)
    text = f"{name}  ·  {said}" if said else name
    action = NeedsClicked(flow.id) if flow.needs else RunClicked(flow.id)
    return Entry(key=f"run:{flow.id}", text=text, action=action, mood=mood)


def _unmistakable_name(view: _View, flow: ListedFlow) -> str:
    name = wording.name(flow.name, flow.id)
    return f"{name} ({wording.one_line(flow.id, 24)})" if flow.name in view.listing.twins else name


def _said(view: _View, flow: ListedFlow) -> tuple[str, Mood]:
    state, now = view.state, view.now
    runs = view.runs.get(flow.id, ())
    if runs and all(run.cancelling for run in runs):
        return "cancelling …", "running"
    started = [run.since for run in runs if run.started]
    if started:
        return f"running since {wording.clock_time(min(started), now)}", "running"
    if runs:
        return "queued", "running"
    if flow.id in state.clicked:
        return "starting …", "running"
    if flow.needs:
        return f"needs {wording.one_line(', '.join(flow.needs), 40)}", "idle"
    result = state.results.get(flow.id)
    if result is None:
        return "", "idle"
    glyph = GLYPHS.get(result.status, _FAILED_GLYPH)
    mood: Mood = "failed" if _failed(result) else "succeeded" if result.status == "succeeded" else "idle"
    why = f": {wording.one_line(result.error.message, 44)}" if mood == "failed" and result.error else ""
    nodes = f", {result.nodes}" if result.nodes and not why else ""
    return f"{glyph} {_SAID.get(result.status, '')}{wording.time_ago(result.at, now)}{nodes}{why}", mood


def _broken_entry(flow: ListedFlow, name: str) -> Entry:
    first = wording.problem_line(flow.problems[0])
    more = f" (+{len(flow.problems) - 1})" if len(flow.problems) > 1 else ""
    open_file = OpenClicked(flow.path)
    if not flow.runnable or flow.needs:
        return Entry(
            key=f"broken:{flow.id}", text=f"{name}  ·  {first}{more}", action=open_file, mood="failed"
        )
    return Entry(
        key=f"broken:{flow.id}",
        text=f"{name}  ·  {wording.counted(len(flow.problems), 'problem', 'problems')}",
        mood="failed",
        children=(
            Entry(key=f"problem:{flow.id}", text=f"{first}{more}", action=open_file),
            Entry(key=f"run:{flow.id}", text="Run the last valid version", action=RunClicked(flow.id)),
        ),
    )
