"""A runtime without actors: the methods the tray uses, and levers to make things happen."""

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from atomiton_runtime.control.door import ControlDoor
from atomiton_runtime.control.presence import processes_folder
from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable, UsageError
from atomiton_runtime.flow.model import Notify, Variable
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.requests import (
    CancelAccepted,
    CancelRun,
    FindLeft,
    LeftToEnd,
    Refused,
    Request,
    Response,
    RunAccepted,
    RunFlow,
)
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary, summarize
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice
from atomiton_runtime.settings import Places


@dataclass(frozen=True)
class FlowFile:
    """What `Runtime.flows` says about a file."""

    id: FlowId
    name: str
    path: str
    tray: bool = True
    notify: Notify = "failure"
    problems: tuple[Problem, ...] = ()
    runnable: bool = True
    variables: Mapping[str, Variable] = field(default_factory=dict)


class FakeRuntime:
    """Runs nothing: a submitted run starts at once and ends when a test says so. Usable from every thread."""

    def __init__(self, folder: Path, *, ends_by_itself: bool = False) -> None:
        self.places = Places(flows=folder / "flows", data=folder / "data")
        self.places.flows.mkdir(parents=True, exist_ok=True)
        self.places.data.mkdir(parents=True, exist_ok=True)
        self.process = "fake"
        self.requests: list[Request] = []
        self.refusal: tuple[ErrorInfo, ...] = ()
        self.gate = threading.Event()
        self.gate.set()
        """While it is clear, `submit` does not answer."""
        self.left_nodes: dict[RunId, tuple[str, ...]] = {}
        self.changes: dict[FlowId, str] = {}
        """What has changed in a flow since its last success, for `since_success`."""
        self.unkept: set[RunId] = set()
        """Runs of which the store has nothing."""
        self.flows_read: list[int] = []
        """Of how many flows was told, for each time that somebody asked."""
        self.silent = False
        """While it is set, questions and requests end as they do when an actor does not answer."""
        self.started = self.stopped = False
        self._ends_by_itself = ends_by_itself
        self._flows: dict[FlowId, FlowFile] = {}
        self._runs: dict[RunId, RunSummary] = {}
        self._subscribers: list[tuple[Callable[[RunEvent | Notice], object], tuple[str, ...]]] = []
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._door: ControlDoor | None = None

    # -- what the tray uses

    def start(self) -> "FakeRuntime":
        self.started = True
        self._door = ControlDoor(processes_folder(self.places.data), self.process, self.submit)
        self._door.start()
        return self

    def stop(self) -> None:
        self.stopped = True
        self.gate.set()
        if self._door is not None:
            self._door.stop()

    def submit(self, request: Request) -> Response:
        self.requests.append(request)
        self.gate.wait(20)
        self._must_answer()
        if self.refusal:
            return Refused(errors=self.refusal)
        match request:
            case RunFlow(flow=flow, trigger=trigger):
                run_id = self.begin(FlowId(flow), trigger=trigger)
                if self._ends_by_itself:
                    (self.places.data / f"{flow}.ran").touch()
                    self.succeed(run_id)
                return RunAccepted(run_id=run_id, flow=FlowId(flow))
            case CancelRun(run_id=run_id):
                self.publish(ev.RunCancelRequested(run_id=run_id, seq=0, at=_now(), reason="user"))
                return CancelAccepted(run_id=run_id)
            case FindLeft(run_id=run_id):
                return LeftToEnd(nodes=self.left_nodes.get(run_id))

    def subscribe(
        self, callback: Callable[[RunEvent | Notice], object], *, kinds: Sequence[str] = ()
    ) -> Callable[[], None]:
        with self._lock:
            subscriber = (callback, tuple(kinds))
            self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def flows(self, only: Iterable[str] | None = None) -> tuple[FlowFile, ...]:
        self._must_answer()
        with self._lock:
            wanted = self._flows.keys() if only is None else self._flows.keys() & set(only)
            self.flows_read.append(len(wanted))
            return tuple(self._flows[flow] for flow in sorted(wanted))

    def history(
        self, flow: str | None = None, *, limit: int = 50, statuses: Sequence[RunStatus] = ()
    ) -> tuple[RunSummary, ...]:
        with self._lock:
            runs = [run for run in self._runs.values() if flow in (None, run.flow)]
        chosen = [run for run in runs if not statuses or run.status in statuses]
        return tuple(sorted(chosen, key=lambda run: run.started_at, reverse=True)[:limit])

    def since_success(self, run_id: RunId) -> str | None:
        self._must_answer()
        return self.changes.get(self._runs[run_id].flow)

    def left(self, run_id: RunId) -> tuple[str, ...] | None:
        self._must_answer()
        if run_id in self.unkept:
            raise UsageError("RUN-001", f"there is no run {run_id}")
        return self.left_nodes.get(run_id)

    def active(self) -> tuple[RunSummary, ...]:
        return self.history(statuses=("queued", "running"))

    def _must_answer(self) -> None:
        if self.silent:
            raise RuntimeUnusable("RUN-011", "the shelf does not answer")

    # -- levers

    def add_flow(self, flow: str, name: str = "", *, announce: bool = True, **settings: object) -> FlowFile:
        """Save a flow file."""
        path = self.places.flows / f"{flow[:60]}.toml"
        entry = replace(FlowFile(FlowId(flow), name or flow, str(path)), **settings)  # type: ignore[arg-type]
        with self._lock:
            self._flows[entry.id] = entry
        if announce and entry.problems:
            self.publish(
                FlowBroken(flow=entry.id, path=entry.path, problems=entry.problems, runnable=entry.runnable)
            )
        elif announce:
            self.publish(FlowLoaded(flow=entry.id, path=entry.path, hash=""))
        return entry

    def break_flow(self, flow: str, *messages: str, runnable: bool = False, line: int = 3) -> None:
        """Save a flow file with problems."""
        file = str(self.places.flows / f"{flow}.toml")
        problems = tuple(
            Problem(code="FLOW-001", message=message, file=file, line=line + number, column=1)
            for number, message in enumerate(messages)
        )
        known = self._flows.get(FlowId(flow))
        settings = {"notify": known.notify} if known else {}
        self.add_flow(flow, known.name if known else "", problems=problems, runnable=runnable, **settings)

    def remove_flow(self, flow: str) -> None:
        """Delete a flow file."""
        with self._lock:
            entry = self._flows.pop(FlowId(flow))
        self.publish(FlowRemoved(flow=entry.id, path=entry.path))

    def begin(self, flow: FlowId, *, trigger: ev.Trigger = "save", at: datetime | None = None) -> RunId:
        """Start a run."""
        run_id = RunId(f"R{next(self._numbers):025}")
        moment = at or _now()
        self.publish(
            ev.RunQueued(
                run_id=run_id,
                seq=0,
                at=moment,
                flow=flow,
                flow_hash="",
                flow_path="",
                trigger=trigger,
                variables={},
                nodes=(),
                sinks=(),
            )
        )
        self.publish(ev.RunStarted(run_id=run_id, seq=1, at=moment))
        return run_id

    def succeed(self, run_id: RunId, at: datetime | None = None, *, ran: int = 0, reused: int = 0) -> None:
        """End a run well, after so many of its nodes were executed, and so many reused."""
        for number in range(ran):
            self.publish(
                ev.NodeSucceeded(
                    run_id=run_id,
                    seq=2,
                    at=_now(),
                    node=NodeId(f"ran{number}"),
                    attempt=1,
                    duration_s=0.1,
                    outputs={},
                )
            )
        for number in range(reused):
            node = NodeId(f"reused{number}")
            self.publish(
                ev.NodeReused(run_id=run_id, seq=2, at=_now(), node=node, source=RunId("R0"), attempt=1)
            )
        self.publish(ev.RunSucceeded(run_id=run_id, seq=2, at=at or _now(), duration_s=0.5))

    def fail(self, run_id: RunId, error: ErrorInfo, at: datetime | None = None) -> None:
        """End a run badly."""
        self.publish(ev.RunFailed(run_id=run_id, seq=2, at=at or _now(), duration_s=0.5, error=error))

    def cancelled(self, run_id: RunId) -> None:
        """End a cancelled run."""
        error = ErrorInfo("RUN-005", "cancelled by the user")
        self.publish(ev.RunCancelled(run_id=run_id, seq=3, at=_now(), duration_s=0.5, error=error))

    def publish(self, event: RunEvent | Notice) -> None:
        """Tell the subscribers."""
        with self._lock:
            if isinstance(event, ev.Event):
                summary = summarize(self._runs.get(event.run_id), event)
                if summary is not None:
                    self._runs[event.run_id] = summary
            subscribers = list(self._subscribers)
        for callback, kinds in subscribers:
            if not kinds or type(event).__name__ in kinds:
                callback(event)

    def last_run(self) -> RunId:
        """Return the run that was begun last."""
        return next(reversed(self._runs))


def _now() -> datetime:
    return datetime.now(UTC)
