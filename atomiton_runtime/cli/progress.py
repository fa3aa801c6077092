"""Draws a run on a terminal while it goes on: a line for each settled node, a moving part for the others."""

import time
from datetime import UTC, datetime

import click

from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.wording import counted, dim, duration, harmless, one_line, reused_from
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.tally import Tally, counted_in

_SHOWN_RUNNING = 8
"""More running nodes than this are only counted."""


class Silence:
    """Shows nothing while a run goes on: what is not a terminal gets the result and nothing else."""

    def event(self, event: RunEvent) -> None:
        """Pass over the event."""

    def tick(self) -> None:
        """Do nothing."""

    def cancelling(self, times: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class LiveProgress:
    """Prints to stderr, a terminal. The moving part appears only when a run takes longer than a moment.

    It is redrawn by `tick` and `event` alone, so there is no thread.
    """

    def __init__(self, flow_name: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._drawn = False
        self._flow_name = harmless(flow_name)
        self._marks = _Marks(self._console.encoding)
        self._running: dict[str, float] = {}
        self._children: dict[str, int] = {}
        self._tally = Tally()
        self._nodes = 0
        self._settled = 0
        self._name_cells = 4
        self._began = time.monotonic()
        self._cancelling = False

    def event(self, event: RunEvent) -> None:
        """Print what settled, and redraw the rest."""
        self._tally = counted_in(self._tally, event)
        match event:
            case ev.RunQueued():
                top = [node for node in event.nodes if "/" not in node]
                self._nodes = len(top)
                self._name_cells = min(max((len(node) for node in top), default=4), 32)
            case ev.RunStarted():
                self._began = time.monotonic()
            case ev.NodeStarted() if "/" not in event.node:
                self._running[event.node] = time.monotonic()
            case _:
                self._settle(event)
        if self._drawn:
            self._draw()

    def _settle(self, event: RunEvent) -> None:
        match event:
            case (
                ev.NodeSucceeded() | ev.NodeReused() | ev.NodeSkipped() | ev.NodeFailed() | ev.NodeCancelled()
            ) if "/" in event.node:
                parent = event.node.partition("/")[0]
                self._children[parent] = self._children.get(parent, 0) + 1
            case ev.NodeSucceeded():
                inside = self._children.get(event.node, 0)
                note = dim(counted(inside, "node") + " inside") if inside else ""
                self._line(event.node, self._marks.succeeded, duration(event.duration_s), note)
            case ev.NodeFailed():
                note = dim("(handled)") if event.handled else ""
                text = f"{event.error.code} {one_line(event.error.message)} {note}"
                self._line(event.node, self._marks.failed, duration(event.duration_s), text)
            case ev.NodeReused():
                mark = self._marks.failed if event.error else self._marks.succeeded
                words = reused_from(event.source, datetime.now(UTC))
                self._line(event.node, mark, "", dim(words))
            case ev.NodeSkipped():
                self._line(event.node, self._marks.skipped, "", dim(f"skipped: {one_line(event.reason)}"))
            case ev.NodeCancelled():
                text = "cancelled" if event.attempt else dim("cancelled before it began")
                self._line(event.node, self._marks.cancelled, duration(event.duration_s or None), text)
            case ev.NodeRetrying() if "/" not in event.node:
                again = f"attempt {event.attempt} failed: {one_line(event.error.message)}; again in "
                again += duration(event.delay_s)
                self._print(event.node, self._marks.again, duration(event.duration_s), again)
                self._running.pop(event.node, None)
            case ev.RunCancelRequested():
                self._cancelling = True
            case _:
                pass

    def tick(self) -> None:
        """Draw the moving part."""
        if not self._drawn:
            self._drawn = True
            self._live.start()
        self._draw()

    def cancelling(self, times: int) -> None:
        """Say that the run is being ended, and what another signal would do."""
        self._cancelling = True
        further = "also ends clean-up nodes" if times == 1 else "leaves at once"
        self._say(click.style("cancelling", fg="yellow") + dim(f" - Ctrl-C again {further}"))

    def close(self) -> None:
        """Remove the moving part; what was printed stays."""
        if self._drawn:
            self._drawn = False
            self._live.stop()

    def finish(self, status: str, duration_s: float | None, error: ev.ErrorInfo | None) -> None:
        """Print how the run ended."""
        mark = {"succeeded": self._marks.succeeded, "cancelled": self._marks.cancelled}.get(
            status, self._marks.failed
        )
        word = status.replace("_", " ")
        name = click.style(self._flow_name, bold=True)
        nodes = f": {self._tally.words}" if self._tally.words else ""
        self._say(f"{mark} {name} {word} {dim(f'in {duration(duration_s)}{nodes}')}")
        if error is not None and status != "cancelled":
            self._say(error_text(error))

    def _line(self, node: str, mark: str, took: str, text: str) -> None:
        self._running.pop(node, None)
        self._settled += 1
        self._print(node, mark, took, text)

    def _print(self, node: str, mark: str, took: str, text: str) -> None:
        name = one_line(node).ljust(self._name_cells)
        self._say(f"{mark} {name}  {dim(took.rjust(8))}  {text}".rstrip())

    def _say(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def _draw(self) -> None:
        from rich.text import Text

        now = time.monotonic()
        lines: list[str] = []
        turn = self._marks.spinner[int(now * 10) % len(self._marks.spinner)]
        for node, since in list(self._running.items())[:_SHOWN_RUNNING]:
            done = self._children.get(node, 0)
            inside = dim(counted(done, "node") + " done inside") if done else ""
            name = one_line(node).ljust(self._name_cells)
            lines.append(f"{click.style(turn, fg='cyan')} {name}  {duration(now - since).rjust(8)}  {inside}")
        more = len(self._running) - _SHOWN_RUNNING
        if more > 0:
            lines.append(dim(f"  and {more} more running"))
        hint = "cancelling" if self._cancelling else "Ctrl-C cancels"
        lines.append(dim(f"  {self._settled} of {self._nodes} nodes, {duration(now - self._began)}, {hint}"))
        self._live.update(Text.from_ansi("\n".join(lines)), refresh=True)


class _Marks:
    """The signs before the lines; plain ones where the terminal cannot show others."""

    def __init__(self, encoding: str) -> None:
        rich = encoding.lower().startswith("utf")
        self.succeeded = click.style("✓" if rich else "+", fg="green")
        self.failed = click.style("✗" if rich else "x", fg="red")
        self.skipped = click.style("–" if rich else "-", fg="yellow")
        self.cancelled = click.style("■" if rich else "!", fg="yellow")
        self.again = click.style("↻" if rich else "~", fg="yellow")
        self.spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if rich else "|/-\\"
