"""Folds what happens to one flow into what a tree of it shows."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from atomiton_runtime.cli.journal import ENDS
from atomiton_runtime.cli.live.outline import Place, outline
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import FINAL_EVENTS, NodeStatus, RunEvent, RunStatus, Trigger

ACTIVE: tuple[RunStatus, ...] = ("queued", "running")
_Settled = ev.NodeSucceeded | ev.NodeReused | ev.NodeFailed | ev.NodeSkipped | ev.NodeCancelled


class Row(msgspec.Struct, kw_only=True):
    """What is known of a node; of one inside a loop, of all its executions together."""

    status: NodeStatus = "pending"
    """Of a node of a loop: of its last execution."""
    attempt: int = 0
    began_at: datetime | None = None
    duration_s: float | None = None
    outputs: dict[str, msgspec.Raw] | None = None
    """Of the last execution that gave some, perhaps in an earlier run; None: there are none, or they are `words`."""
    words: str | None = None
    """What is said about such outputs."""
    is_fresh: bool = False
    """Whether they are those of this run."""
    error: ErrorInfo | None = None
    reason: str = ""
    said: str = ""
    """The last line that the node has printed in this run."""
    running: set[NodeId] = msgspec.field(default_factory=set[NodeId])
    counts: Counter[NodeStatus] = msgspec.field(default_factory=Counter[NodeStatus])
    """How many executions have which end."""
    is_many: bool = False
    """Whether it is inside a loop."""
    is_numbered: bool = False
    """Whether its own body is a loop's."""
    ended: int = 0
    """How many executions of its body have ended."""
    total: int = 0
    """How many there will be, as far as that is known."""
    is_endless: bool = False
    """Whether that is not known."""

    def begin_anew(self) -> None:
        """Forget the executions; what came out of the last one stays until something else does."""
        fresh = Row(outputs=self.outputs, words=self.words, is_many=self.is_many)
        for field in self.__struct_fields__:
            setattr(self, field, getattr(fresh, field))


class RunShown(msgspec.Struct, kw_only=True):
    """The run whose nodes are shown."""

    id: RunId
    status: RunStatus
    trigger: Trigger
    flow_hash: str
    began_at: datetime
    duration_s: float | None = None
    error: ErrorInfo | None = None
    is_cancelling: bool = False


class Picture:
    """What is known of one flow: its nodes, its newest run, what is wrong with its file."""

    def __init__(self, flow: FlowId, path: str) -> None:
        self.id = flow
        self.path = path
        self.flow: Flow | None = None
        """The last valid version; None: there was none yet."""
        self.places: tuple[Place, ...] = ()
        self.rows: dict[str, Row] = {}
        """`Place.key` -> what is known of that node."""
        self.run: RunShown | None = None
        self.problems: tuple[Problem, ...] = ()
        """What is wrong with the file as it is now."""
        self.is_gone = False
        self.notice: ErrorInfo | None = None
        """The last thing to know that is about no node."""
        self.waiting: dict[RunId, ev.RunQueued] = {}
        """The runs that wait for their turn."""
        self._next_seq = 0
        self._inside: dict[str, int] = {}
        self._below: dict[str, list[Row]] = {}
        """Node with a body -> what is known of all nodes within, once that was needed."""
        self._settled: dict[str, int] = {}
        """Execution of a loop's body, `each/3` -> how many of its nodes are settled."""

    @property
    def is_active(self) -> bool:
        """Whether the run goes on."""
        return self.run is not None and self.run.status in ACTIVE

    def load(self, flow: Flow) -> None:
        """Take a valid version of the flow; nodes of the same name keep what is known of them."""
        self.flow, self.problems, self.is_gone = flow, (), False
        self.places = outline(flow)
        known = self.rows
        self.rows = {place.key: known.get(place.key) or Row() for place in self.places}
        self._inside = {place.key: place.inside for place in self.places}
        self._below = {}

    def spoil(self, problems: Sequence[Problem]) -> None:
        """Take what is wrong with the file; everything else stays as it was."""
        self.problems = tuple(problems)

    def take(self, event: RunEvent) -> bool:
        """Take the next event, and return whether it changes anything: one of another flow does not."""
        match event:
            case ev.RunQueued():
                self._queue(event)
            case ev.RunStarted() if event.run_id in self.waiting:
                self._show(self.waiting[event.run_id])
            case _ if event.run_id in self.waiting and isinstance(event, FINAL_EVENTS):
                self._leave_queue(event)
            case _:
                pass
        if self.run is None or event.run_id != self.run.id or event.seq < self._next_seq:
            return isinstance(event, ev.RunQueued) and event.run_id in self.waiting
        self._next_seq = event.seq + 1
        self._record(self.run, event)
        return True

    # -- runs ------------------------------------------------------------------------------------------------

    def _queue(self, event: ev.RunQueued) -> None:
        if event.flow_path != self.path or (self.run and event.run_id == self.run.id):
            return
        self.waiting[event.run_id] = event
        if not self.is_active:
            self._show(event)

    def _leave_queue(self, event: RunEvent) -> None:
        """Forget a run that ends before its turn; where nothing else goes on, its end is the news."""
        queued = self.waiting[event.run_id]
        if self.is_active:
            del self.waiting[event.run_id]
        else:
            self._show(queued)

    def _show(self, queued: ev.RunQueued) -> None:
        self.waiting.pop(queued.run_id, None)
        self.run = RunShown(
            id=queued.run_id,
            status="queued",
            trigger=queued.trigger,
            flow_hash=queued.flow_hash,
            began_at=queued.at,
        )
        self.notice = None
        self._next_seq = queued.seq
        self._settled.clear()
        for row in self.rows.values():
            row.begin_anew()
            row.is_many = False

    def _record(self, run: RunShown, event: RunEvent) -> None:
        match event:
            case ev.RunStarted():
                run.status, run.began_at = "running", event.at
            case ev.RunCancelRequested():
                run.is_cancelling = True
            case ev.RunSucceeded():
                run.status, run.duration_s = "succeeded", event.duration_s
            case ev.RunFailed() | ev.RunCancelled() | ev.RunTimedOut() | ev.RunInterrupted():
                run.status, run.duration_s = ENDS[type(event)], event.duration_s
                run.error = event.error
            case ev.RunQueued():
                pass
            case _:
                row_key = self.key_of(event.node)
                if row_key is not None:
                    self._record_node(row_key, self.rows[row_key], event)

    # -- nodes -----------------------------------------------------------------------------------------------

    def key_of(self, node: str) -> str | None:
        """Return the key of the node with this whole id: `each/resize` for `each/3/resize`; None: it is not shown."""
        if "/" not in node:
            return node if node in self.rows else None
        parts = node.split("/")
        key, place = "", 0
        while place < len(parts):
            key = f"{key}/{parts[place]}" if key else parts[place]
            row = self.rows.get(key)
            if row is None:
                return None
            place += 2 if row.is_numbered else 1
        return key

    def _record_node(self, key: str, row: Row, event: RunEvent) -> None:
        match event:
            case ev.NodeStarted():
                row.status, row.attempt, row.began_at = "running", event.attempt, event.at
                row.running.add(event.node)
            case ev.NodeRetrying():
                row.running.discard(event.node)
                row.status, row.duration_s, row.error = "pending", event.duration_s, event.error
            case ev.NodeLogged():
                row.said = next(
                    (line for line in reversed(event.text.splitlines()) if line.strip()), row.said
                )
            case ev.BodyOpened():
                self._open(key, row, event)
            case (
                ev.NodeSucceeded() | ev.NodeReused() | ev.NodeFailed() | ev.NodeSkipped() | ev.NodeCancelled()
            ):
                _settle(row, event)
                self._count(key, event.node)
            case _:
                pass

    def _open(self, key: str, row: Row, event: ev.BodyOpened) -> None:
        row.is_numbered = event.plan.numbered
        if not row.is_many:
            row.ended, row.total, row.is_endless = 0, 0, False
        row.total += event.plan.count or 0
        row.is_endless |= event.plan.count is None
        for inner in self._rows_below(key):
            if not row.is_many:
                inner.begin_anew()
            inner.is_many = row.is_many or row.is_numbered or inner.is_many

    def _rows_below(self, key: str) -> list[Row]:
        if key not in self._below:
            self._below[key] = [row for other, row in self.rows.items() if other.startswith(f"{key}/")]
        return self._below[key]

    def _count(self, key: str, node: NodeId) -> None:
        """Count the executions of a loop's body whose nodes are all settled."""
        owner_key, scope = key.rpartition("/")[0], node.rpartition("/")[0]
        owner = self.rows.get(owner_key)
        if owner is None or not owner.is_numbered:
            return
        self._settled[scope] = self._settled.get(scope, 0) + 1
        if self._settled[scope] == self._inside[owner_key]:
            owner.ended += 1
            del self._settled[scope]


def _settle(row: Row, event: _Settled) -> None:
    row.running.discard(event.node)
    match event:
        case ev.NodeSucceeded():
            row.status, row.duration_s = "succeeded", event.duration_s
            row.outputs, row.words, row.is_fresh = event.outputs, None, True
            row.error = row.error if row.is_many else None
        case ev.NodeReused():
            row.status, row.error = ("failed", event.error) if event.error else ("reused", row.error)
            row.attempt = 0
            row.duration_s = row.duration_s if row.is_many else None
            if event.outputs is not None:
                row.outputs, row.words, row.is_fresh = event.outputs, None, True
        case ev.NodeFailed():
            row.status, row.duration_s, row.error = "failed", event.duration_s, event.error
        case ev.NodeSkipped():
            row.status, row.reason, row.attempt = "skipped", event.reason, 0
            row.duration_s = row.duration_s if row.is_many else None
        case ev.NodeCancelled():
            row.status = "cancelled"
            row.duration_s = event.duration_s if event.attempt else None
    row.counts[row.status] += 1
