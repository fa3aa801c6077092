"""Draws the picture of a flow as the lines of a terminal, no more of them than fit."""

from collections import Counter
from datetime import datetime

from rich.console import Console
from rich.text import Text

from atomiton_runtime.cli.failures import error_text, problem_text
from atomiton_runtime.cli.live.branches import ERROR_LINES, Branches, fit, wrapped
from atomiton_runtime.cli.live.picture import Picture, RunShown
from atomiton_runtime.cli.live.states import URGENCY, more_nodes, state, summary
from atomiton_runtime.cli.wording import STATUS_COLORS, counted, duration, nearby, one_line
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.run.events import NodeStatus

_SIGNS = {
    "pending": "·",
    "queued": "·",
    "succeeded": "✓",
    "reused": "=",
    "skipped": "–",
    "failed": "✗",
    "timed_out": "✗",
    "interrupted": "✗",
    "cancelled": "■",
}
_PLAIN_SIGNS = dict(zip(_SIGNS, "..+=-xxx!", strict=True))
_SPINNER, _PLAIN_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_EXCERPT_MARGIN_CELLS = 12
_AROUND_LINES = 3
"""The line above the tree, the one below it, and the footer."""


def draw(picture: Picture, console: Console, now: datetime, *, footer: str) -> list[Text]:
    """Return the lines of the whole screen: at most `console.height`, each at most `console.width` cells wide.

    Args:
        picture: what is known of the flow.
        console: where it will be shown; only its size and its encoding are asked for.
        now: the moment, for what is running, in the time zone of the reader.
        footer: the last line.
    """
    signs = _signs(console, now)
    problems = _problems(picture, console)
    head = [_title(picture), _status(picture, signs, now), *([Text(), *problems] if problems else [])]
    tree = _tree(
        picture,
        Branches(picture, console, signs, now),
        max(console.height - len(head) - _AROUND_LINES, 1),
    )
    # A screen that is too low for all of it shows the beginning and the keys.
    shown = [*head, Text(), *tree, Text()][: max(console.height - 1, 1)]
    return [fit(line, console.width) for line in [*shown, Text(footer, style="dim")]][: console.height]


def _signs(console: Console, now: datetime) -> dict[str, str]:
    rich = console.encoding.lower().startswith("utf")
    spinner = _SPINNER if rich else _PLAIN_SPINNER
    turn = spinner[int(now.timestamp() * 10) % len(spinner)]
    return {**(_SIGNS if rich else _PLAIN_SIGNS), "running": turn}


# -- above the tree --------------------------------------------------------------------------------------------


def _title(picture: Picture) -> Text:
    title = Text(one_line(picture.flow.name if picture.flow else picture.id), style="bold")
    return title.append(f"  {nearby(picture.path)}", style="not bold dim")


def _status(picture: Picture, signs: dict[str, str], now: datetime) -> Text:
    run = picture.run
    if run is None:
        return Text(f"{signs['pending']} it has not run yet", style="dim")
    line = Text()
    line.append(
        f"{signs[run.status]} {run.status.replace('_', ' ')}", style=STATUS_COLORS.get(run.status, "")
    )
    if run.is_cancelling and picture.is_active:
        line.append(", cancelling", style="yellow")
    line.append(_lasted(run, now))
    line.append(f"  by {run.trigger} at {_moment(run.began_at, now)}", style="dim")
    line.append(f"  {summary(picture)}")
    if picture.waiting:
        line.append(f"  {counted(len(picture.waiting), 'run')} waiting", style="cyan")
    if picture.flow and run.flow_hash != picture.flow.hash:
        line.append("  of another version of the file", style="dim")
    return line


def _lasted(run: RunShown, now: datetime) -> str:
    if run.duration_s is not None:
        return f" {'in' if run.status == 'succeeded' else 'after'} {duration(run.duration_s)}"
    if run.status == "running":
        return f" for {duration(max((now - run.began_at).total_seconds(), 0))}"
    return ""


def _moment(at: datetime, now: datetime) -> str:
    local = at.astimezone(now.tzinfo)
    return f"{local:%H:%M:%S}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def _problems(picture: Picture, console: Console) -> list[Text]:
    """Return what is wrong with the file, and what is to be known that is about no node."""
    most = max(console.height // 2, 4)
    lines: list[Text] = []
    for count, problem in enumerate(picture.problems):
        text = problem_text(problem, cells=max(console.width - _EXCERPT_MARGIN_CELLS, 20))
        more = wrapped(text, console)
        if lines and len(lines) + len(more) > most - 1:
            left = counted(len(picture.problems) - count, "more problem")
            lines.append(Text(f"... {left}", style="dim"))
            break
        lines += more
    if picture.is_gone:
        lines.append(Text("the file is gone", style="yellow"))
    error = _error_of_no_node(picture)
    if error is not None:
        lines += wrapped(error_text(error), console)[:ERROR_LINES]
    if picture.notice is not None:
        lines += wrapped(error_text(picture.notice, "note"), console)[:ERROR_LINES]
    return lines


def _error_of_no_node(picture: Picture) -> ErrorInfo | None:
    run = picture.run
    if run is None or run.error is None or run.status == "cancelled":
        return None
    return run.error if picture.key_of(run.error.node or "") is None else None


# -- the tree --------------------------------------------------------------------------------------------------


def _tree(picture: Picture, branches: Branches, room: int) -> list[Text]:
    shown = _chosen(picture, branches, room)
    lines = [line for at in sorted(shown) for line in shown[at]]
    hidden: Counter[NodeStatus] = Counter(
        state(picture.rows[place.key]) for at, place in enumerate(picture.places) if at not in shown
    )
    if hidden:
        lines.append(Text(f"... {more_nodes(hidden)}", style="dim"))
    if picture.problems or picture.is_gone:
        for line in lines:
            line.stylize("dim")
    return lines


def _chosen(picture: Picture, branches: Branches, room: int) -> dict[int, list[Text]]:
    """Return the lines of the nodes for which there is room, the most urgent ones first: place -> lines."""
    places = picture.places
    order = sorted(range(len(places)), key=lambda at: URGENCY.index(state(picture.rows[places[at].key])))
    chosen: dict[int, list[Text]] = {}
    left, most = room, max(room // 3, 2)
    for at in order:
        # Unless it is the last one, a line has to stay for how many more there are.
        free = left if len(chosen) == len(order) - 1 else left - 1
        if free <= 0:
            break
        chosen[at] = branches.lines(places[at])[: min(free, most)]
        left -= len(chosen[at])
    return chosen
