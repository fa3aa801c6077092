"""Tells what happens to a flow as a run would, event by event, and shows the tree that comes of it."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from atomiton_runtime.cli.live.drawing import draw
from atomiton_runtime.cli.live.picture import Picture
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.values import encode

AT = datetime(2026, 11, 23, 19, 15, 0, tzinfo=UTC)
PATH = Path("/flows/tables.toml")


def flow_of(text: str) -> Flow:
    """Return the flow that is written so; nodes of type `edit-fields` get their `values`."""
    text = text.replace('"edit-fields"\n', '"edit-fields"\nvalues = {}\n')
    loaded = load_flow(text.encode(), PATH, NodeCatalogue(Path("/flows")))
    assert isinstance(loaded, Flow), loaded
    return loaded


def picture_of(text: str) -> Picture:
    """Return the picture of the flow that is written so, before its first run."""
    picture = Picture(FlowId("tables"), str(PATH))
    picture.load(flow_of(text))
    return picture


class Telling:
    """Tells a picture the events of one run; each method returns whether the picture changed."""

    def __init__(self, picture: Picture, run: str = "first") -> None:
        self.picture = picture
        self._head = {"run_id": RunId(run), "at": AT}
        self._seq = -1

    def _tell(self, kind: type[msgspec.Struct], **fields: object) -> bool:
        self._seq += 1
        event = kind(**{**self._head, "seq": self._seq, **fields})
        return self.picture.take(event)  # type: ignore[arg-type]

    def queued(self, trigger: str = "save", path: str = str(PATH), flow_hash: str | None = None) -> bool:
        """Tell that the run was accepted."""
        known = self.picture.flow.hash if self.picture.flow else ""
        return self._tell(
            ev.RunQueued,
            flow=FlowId("tables"),
            flow_hash=known if flow_hash is None else flow_hash,
            flow_path=path,
            trigger=trigger,
            variables={},
            nodes=(),
            sinks=(),
        )

    def begun(self) -> bool:
        """Tell that the run was accepted and left the queue."""
        self.queued()
        return self.left_queue()

    def left_queue(self) -> bool:
        """Tell that the run left the queue."""
        return self._tell(ev.RunStarted)

    def ended(self, duration_s: float = 0.012) -> bool:
        """Tell that all went well."""
        return self._tell(ev.RunSucceeded, duration_s=duration_s)

    def failed_run(self, error: ErrorInfo) -> bool:
        """Tell that a failure went unhandled."""
        return self._tell(ev.RunFailed, duration_s=0.5, error=error)

    def started(self, node: str, attempt: int = 1) -> bool:
        """Tell that an attempt began."""
        return self._tell(ev.NodeStarted, node=NodeId(node), attempt=attempt)

    def gave(self, node: str, attempt: int = 1, **outputs: object) -> bool:
        """Tell that an attempt gave these outputs."""
        raw = {port: msgspec.Raw(encode(value)) for port, value in outputs.items()}
        return self._tell(ev.NodeSucceeded, node=NodeId(node), attempt=attempt, duration_s=0.004, outputs=raw)

    def did(self, node: str, **outputs: object) -> bool:
        """Tell that a node began and gave these outputs."""
        self.started(node)
        return self.gave(node, **outputs)

    def reused(self, node: str, **outputs: object) -> bool:
        """Tell that a node is not executed: this came of it earlier."""
        raw = {port: msgspec.Raw(encode(value)) for port, value in outputs.items()}
        return self._tell(
            ev.NodeReused, node=NodeId(node), source=RunId("earlier"), attempt=1, outputs=raw or None
        )

    def failed(self, node: str, error: ErrorInfo, attempt: int = 1) -> bool:
        """Tell that the last attempt failed."""
        return self._tell(
            ev.NodeFailed, node=NodeId(node), attempt=attempt, duration_s=0.004, error=error, handled=True
        )

    def retrying(self, node: str, error: ErrorInfo) -> bool:
        """Tell that an attempt failed and another one follows."""
        return self._tell(
            ev.NodeRetrying, node=NodeId(node), attempt=1, duration_s=0.004, error=error, delay_s=1.0
        )

    def skipped(self, node: str, reason: str = "`when` is false") -> bool:
        """Tell that a node will not run."""
        return self._tell(ev.NodeSkipped, node=NodeId(node), reason=reason)

    def cancelled(self, node: str) -> bool:
        """Tell that a node was ended."""
        return self._tell(ev.NodeCancelled, node=NodeId(node), attempt=1, duration_s=0.004)

    def told_to_end(self) -> bool:
        """Tell that the run is to end."""
        return self._tell(ev.RunCancelRequested, reason="user")

    def said(self, node: str, text: str) -> bool:
        """Tell what an attempt printed."""
        return self._tell(ev.NodeLogged, node=NodeId(node), attempt=1, text=text)

    def opened(self, node: str, count: int | None, *, numbered: bool = True, attempt: int = 1) -> bool:
        """Tell how the body of a node is to be executed."""
        plan = Plan(count=count, numbered=numbered)
        return self._tell(ev.BodyOpened, node=NodeId(node), attempt=attempt, plan=plan, began_s=0.0)

    def iteration(self, node: str, index: int) -> bool:
        """Tell that an execution of a body began."""
        return self._tell(ev.BodyStarted, node=NodeId(node), index=index)


def screen_of(
    picture: Picture, *, columns: int = 72, lines: int = 24, after_s: float = 0.0, encoding: str = "utf-8"
) -> list[str]:
    """Return the lines of a screen of this size that shows the picture, without what is empty."""
    drawn = [line.plain.rstrip() for line in _drawn(picture, _console(columns, lines, encoding), after_s)]
    return [line for line in drawn if line]


def coloured_screen_of(picture: Picture, *, columns: int = 72, **environ: str) -> str:
    """Return what is written to a terminal with colours, with its escape sequences."""
    console = _console(columns, 24, "utf-8", **environ)
    for line in _drawn(picture, console, 0.0):
        console.print(line)
    assert isinstance(console.file, io.TextIOWrapper)
    console.file.flush()
    assert isinstance(console.file.buffer, io.BytesIO)
    return console.file.buffer.getvalue().decode()


def _drawn(picture: Picture, console: Console, after_s: float) -> list[Text]:
    return draw(picture, console, AT + timedelta(seconds=after_s), footer="q quits")


def _console(columns: int, lines: int, encoding: str, **environ: str) -> Console:
    return Console(
        file=io.TextIOWrapper(io.BytesIO(), encoding=encoding),
        width=columns,
        height=lines,
        force_terminal=True,
        color_system="standard",
        highlight=False,
        legacy_windows=False,
        _environ=environ,
    )
