"""Is the one API: run, cancel, subscribe, flows, history. Starting it starts the actors, stopping it ends them."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, cast

from atomiton_runtime.actors.base import ASK_TIMEOUT_S, Rank
from atomiton_runtime.actors.event_bus import Fact
from atomiton_runtime.actors.messages import (
    EndAllRuns,
    EndRun,
    GetActiveRuns,
    LoadFlow,
    StartRun,
)
from atomiton_runtime.actors.system import ActorSystem
from atomiton_runtime.archive import Archive
from atomiton_runtime.choosing import choose
from atomiton_runtime.control.door import Answer, ControlDoor
from atomiton_runtime.control.presence import processes_folder
from atomiton_runtime.errors import AtomitonError, ErrorInfo, RuntimeUnusable, StorageError, UsageError
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.model import Flow, FlowTest
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.ids import FlowId, RunId, is_run_id, new_run_id
from atomiton_runtime.nodes.paths import keep_out
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.opening import end_runs_of_the_dead, open_own, open_to_read
from atomiton_runtime.requests import (
    Chosen,
    ReplayNode,
    Request,
    Response,
    ResumeRun,
    RunFlow,
    RunRequest,
)
from atomiton_runtime.resuming import Known, continuation
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import CancelReason
from atomiton_runtime.run.notices import NoticeRaised
from atomiton_runtime.running import Run
from atomiton_runtime.scratch import sweep
from atomiton_runtime.secrecy.vault import open_vault
from atomiton_runtime.serving import serve, submit
from atomiton_runtime.settings import Places, find_places
from atomiton_runtime.storage.create import create_storage, wanted_durability
from atomiton_runtime.storage.engine import Durability, StorageEngine
from atomiton_runtime.storage.limits import wanted_retention
from atomiton_runtime.storage.retention import Retention
from atomiton_runtime.testing import order_for_test
from atomiton_runtime.values import Value
from atomiton_runtime.versions import content_of

log = logging.getLogger(__name__)
# Whoever embeds the package decides where its log goes; without a word of theirs, nowhere.
logging.getLogger("atomiton_runtime").addHandler(logging.NullHandler())

STOP_TIMEOUT_S = 10.0
_FOR_CLEANING_UP, _FOR_ENDING, _FOR_STOPPING = 0.5, 0.275, 0.125
"""Shares of the time to stop; between a process's SIGTERM and its SIGKILL are 2 s. A tenth is for the last words."""
_SHOWN_RUNS = 3
_ASIDE_S = 0.1
"""So long an actor may take to say what does not end, while the time runs out."""
_LATER_RUNS = 100
"""So many of the newest runs are looked through for one that continues another, or should."""


class Runtime(Archive):
    """Executes the flows of a folder.

    A context manager: entering starts the actors, leaving cancels what runs and stops them.

    Args:
        flows: the folder of flow files; default: `ATOMITON_FLOWS`, else the user's configuration folder.
        storage: `memory:`, `sqlite:///PATH` or `files:///PATH`; default: SQLite in the data folder.
        durability: what an event survives once it was told: `"process"` (`kill -9`) or `"power"` (also a power cut;
            each commit then waits for the disk); default: `ATOMITON_DURABILITY`, else `"process"`.
        retention: how much the store keeps; default: `ATOMITON_KEEP_RUNS`, `ATOMITON_KEEP_DAYS`,
            `ATOMITON_KEEP_BYTES`, else 1000 ended runs of each flow, 90 days, 1 GiB.
        data: the data folder; default: `ATOMITON_DATA`, else the user's data folder.
        watch: whether saving a flow's file executes it.
        only_read: whether it is only asked what is kept; a store that cannot be written is then no obstacle.
        warn: told while starting what its user must know although the start goes on; the bus carries it as well.
    """

    def __init__(
        self,
        flows: str | Path | None = None,
        storage: str | None = None,
        *,
        data: str | Path | None = None,
        durability: Durability | None = None,
        retention: Retention | None = None,
        watch: bool = False,
        only_read: bool = False,
        warn: Callable[[ErrorInfo], object] | None = None,
    ) -> None:
        self.places: Places = find_places(os.environ, flows=flows, data=data)
        engine = create_storage(
            storage or self.places.storage_url, durability=durability or wanted_durability(os.environ)
        )
        process, vault = str(new_run_id()), open_vault(self.places.data)
        self.catalogue = NodeCatalogue(self.places.flows)
        system = ActorSystem(
            engine=engine,
            catalogue=self.catalogue,
            folder=self.places.flows,
            watch=watch,
            process=process,
            vault=vault,
            keeps_sources=not only_read,
            retention=retention or wanted_retention(os.environ),
        )
        # Whoever shares the store meets in one folder: who is alive there decides what an open run means.
        meeting_place = self.places.data if storage is None else _folder_of(engine)
        super().__init__(engine, system, vault, process, meeting_place)
        self._watch = watch
        self._is_own_store = storage is None
        self._let_in: Callable[[], None] | None = None
        self._only_reads = only_read
        self._warn = warn
        self._door = self._new_door()
        self._runs_ended = threading.Event()

    # -- start and stop: each the reverse of the other -------------------------------------------------------

    def start(self) -> Self:
        """Start everything.

        Raises:
            StorageError: the store cannot be opened (STORE-...).
            RuntimeUnusable: an actor does not answer, or the data folder cannot be used.
        """
        if not self._only_reads:
            sweep()
        try:
            if self._is_own_store:
                self._let_in = keep_out(self.places.data, self.places.flows)
            warnings = [self._open_store(), self._open_door()]
            self._engine.tell = self._say
            self._system.start()
            for warning in warnings:
                if warning is not None:
                    self._say(warning)
                    if self._warn is not None:
                        self._warn(warning)
            if self._watch and warnings[1] is None:
                self._resume_interrupted()
        except BaseException:
            self._stopped = True
            self._release(STOP_TIMEOUT_S / 4)
            raise
        return self

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Cancel what runs, wait for its end, stop everything; a second call changes nothing.

        Half of `timeout_s` belongs to `always` nodes; then they are ended as well. What ignores that is left alone in
        time for all of this to end within `timeout_s` (of 4 s or more).

        Raises:
            RuntimeUnusable: something was still busy in the end (RUN-011).
        """
        if self._stopped:
            return
        self._stopped = True
        self._system.conductor.tell(EndAllRuns(ended=self._runs_ended.set))
        resisting: list[str] = []
        if not self._runs_ended.wait(timeout_s * _FOR_CLEANING_UP):
            self._system.conductor.tell(EndAllRuns(ended=self._runs_ended.set))
            if not self._runs_ended.wait(timeout_s * _FOR_ENDING):
                resisting = self._resisting()
        busy = self._release(max(timeout_s * _FOR_STOPPING, 1.0))
        if busy:
            raise RuntimeUnusable(
                "RUN-011",
                f"still busy when the runtime was stopped: {', '.join(resisting or busy)}",
                hint="what does not end when it is told to ends with the process; "
                "a node type has to look at `context.cancel`",
            )

    def _resisting(self) -> list[str]:
        """Return the nodes of the runs that do not end, each with its flow; what cannot be found out is left out."""
        with contextlib.suppress(AtomitonError):
            left = self._left_here(timeout_s=_ASIDE_S)[:_SHOWN_RUNS]
            return [f"{node} of {run.flow}" for run in left for node in run.nodes]
        return []

    def _release(self, timeout_s: float) -> list[str]:
        busy = self._system.stop(timeout_s)
        if self._let_in is not None:
            self._let_in()
        if self._door is not None:
            self._door.stop(timeout_s / 2)
        self._engine.close()
        return busy

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _new_door(self) -> ControlDoor | None:
        if self._meeting_place is None or self._only_reads:
            return None
        return ControlDoor(processes_folder(self._meeting_place), self.process, self.serve)

    def _say(self, warning: ErrorInfo) -> None:
        self._system.bus.publish(NoticeRaised(level="warning", error=warning))

    def _open_store(self) -> ErrorInfo | None:
        """Open the store; return what its user must know."""
        try:
            if self._is_own_store:
                return open_own(self._engine, self.places.data)
            self._engine.open()  # what somebody gave us the address of is not ours to move
        except StorageError as refused:
            if not self._only_reads:
                raise
            return open_to_read(self._engine, refused)
        return None

    def _open_door(self) -> ErrorInfo | None:
        """Open the door and tell the truth about runs whose process died; return why that cannot be done.

        On a disk that is full or read-only what is kept can still be read, so the start goes on.
        """
        try:
            if self._door is not None:
                self._door.start()
            if self._meeting_place is not None:
                end_runs_of_the_dead(self._engine, self._meeting_place)
        except (RuntimeUnusable, StorageError) as error:
            log.warning("%s", error.message)
            if not self._only_reads:
                return error.info()
            end_runs_of_the_dead(self._engine, self._meeting_place, self._ends.take)
        return None

    # -- runs ------------------------------------------------------------------------------------------------

    def run(self, flow: str, /, **variables: object) -> Run:
        """Execute a flow; return at once.

        Args:
            flow: a flow's id, or the path of its file.
            variables: for the flow's `[variables]`; those left out have their defaults.

        Raises:
            UsageError: there is no such flow (FLOW-404), or a variable is wrong (VAR-...).
            FlowInvalid: the file has problems, and no earlier version of it is loaded.
        """
        return self._start(RunFlow(flow=flow), variables)

    def start_run(self, request: RunRequest) -> Run:
        """Execute what a client asks for; return at once. Raises as `run`, `resume` and `replay` do."""
        if isinstance(request, ResumeRun):
            return self.resume(request.run_id, rerun=request.rerun, skip=request.skip)
        if isinstance(request, ReplayNode):
            return self.replay(request.run_id, request.node, set=request.set)
        return self._start(request, dict(request.variables))

    def resume(self, run_id: RunId, *, rerun: Sequence[str] = (), skip: Sequence[str] = ()) -> Run:
        """Continue a run that did not come to its end, as a run of its own; return at once.

        What was settled is not executed again. What was under way is, if its type or the flow (`repeatable`) says that
        this is safe; else it is in doubt, and has to be named.

        Args:
            run_id: a run that was interrupted, cancelled, timed out or has failed.
            rerun: nodes in doubt that are to be executed again, by their whole ids (`each/3/send`).
            skip: nodes in doubt that are to be passed over.

        Raises:
            UsageError: there is no such run (RUN-001), or it cannot be continued (RUN-016 to RUN-020).
            FlowInvalid: the flow's file has problems, and no earlier version of it is loaded.
        """
        known = Known(
            journal=self.journal, flow=self.flow, continued_by=self._continued_by, catalogue=self.catalogue
        )
        return self._begin(continuation(run_id, known, rerun=rerun, skip=skip))

    def replay(self, run_id: RunId, node: str, *, set: Mapping[str, Value] | None = None) -> Run:
        """Execute one node of a run once more, on the inputs that it had there; return at once.

        Its definition is that of the flow's file as it is now; where the file or the node is gone, that of the run. It
        is executed in earnest, also if it writes. All other nodes are left alone.

        Args:
            run_id: a run of whatever status that is no replay itself.
            node: its whole id, also of a child: `each/3/resize`.
            set: parameter -> value in its place, for this replay; `values.limit` names a key within a parameter.

        Raises:
            UsageError: there is no such run (RUN-001), or it cannot be replayed (RUN-027 to RUN-030), or what is set
                is no valid value (the codes of flow files).
            FlowInvalid: the flow's file has problems.
        """
        from atomiton_runtime.recalling import Known as KnownToReplay
        from atomiton_runtime.replaying import replay

        known = KnownToReplay(
            journal=self.journal,
            load=self._load,
            text=self._content_of,
            attempt=self._system.attempt,
        )
        return self._begin(replay(run_id, node, known, changes=set))

    def _load(self, path: str, content: bytes | None, changes: Mapping[KeyPath, Value]) -> Flow:
        self._must_live()
        wanted = LoadFlow(path=path, content=content, changes=changes)
        return cast(Flow, self._system.shelf.ask(wanted, asker=Rank.CLIENT))

    def _content_of(self, queued: ev.RunQueued) -> bytes | None:
        return content_of(queued, self._engine.large_values.read)

    def run_test(self, flow: Flow, test: FlowTest) -> Run:
        """Execute what a test of a flow needs; return at once. Nothing that may write is executed unasked.

        Raises:
            UsageError: the test would execute a node that may write, without allowing it (RUN-024).
        """
        return self._begin(order_for_test(flow, test, self.catalogue))

    def _continued_by(self, run: RunSummary) -> RunId | None:
        later = self.history(run.flow, limit=_LATER_RUNS)
        return next((other.run_id for other in later if other.resumes == run.run_id), None)

    def _resume_interrupted(self) -> None:
        """Continue the runs that a crash has cut, of flows that want that; say which need a decision."""
        seen: set[FlowId] = set()
        for summary in self.history(statuses=("interrupted",), limit=_LATER_RUNS):
            if summary.flow in seen or summary.trigger in ("resume", "replay"):
                continue  # one that was cut while it was continued may be what cuts: a person should look
            seen.add(summary.flow)
            first = self.first_event(summary.run_id)
            if self.history(summary.flow, limit=1)[0].run_id != summary.run_id or not isinstance(
                first, ev.RunQueued
            ):
                continue
            try:
                if self.flow(first.flow_path).settings.resume == "auto":
                    self.resume(summary.run_id)
            except FlowInvalid:
                continue  # its problems are told as such
            except UsageError as error:
                self._system.bus.publish(NoticeRaised(level="warning", error=error.info()))

    def submit(self, request: Request) -> Response:
        """Answer a client's request; what the client did wrong is `Refused`, never raised."""
        return submit(self, request)

    def serve(self, request: Request) -> Answer:
        """Answer the request of another process: a run is accepted once that is kept, and may be followed."""
        return serve(self, request)

    def cancel(self, run_id: RunId, reason: CancelReason = "user") -> None:
        """Tell a run of this runtime to end; return at once.

        Raises:
            UsageError: there is no such run (RUN-001), or it has ended (RUN-002).
        """
        if run_id not in self._active_ids():
            status = self.summary(run_id).status
            raise UsageError("RUN-002", f"run {run_id} has ended already: {status}")
        self.end(run_id, reason)

    def end(self, run_id: RunId, reason: CancelReason = "user") -> None:
        """Tell a run to end, if it is there and has not ended; return at once."""
        self._system.conductor.tell(EndRun(run_id=run_id, reason=reason))

    def active(self) -> tuple[RunSummary, ...]:
        """Return the runs of this runtime that have not ended, oldest first."""
        ids = self._active_ids()
        if not ids:
            return ()
        open_runs = self.history(statuses=("queued", "running"), limit=10_000)
        return tuple(summary for summary in reversed(open_runs) if summary.run_id in ids)

    def _start(self, request: RunFlow, given: dict[str, object]) -> Run:
        flow = self.flow(request.flow)
        variables = check_variables(flow.variables, given, from_text=False)
        if request.run_id is not None:
            self._must_be_new(request.run_id)
        chosen = choose(flow, request.chosen or Chosen())
        order = StartRun(
            run_id=request.run_id or new_run_id(),
            flow=flow,
            variables=variables,
            trigger=request.trigger,
            kept=chosen.left_out,
            reuse=chosen.reuse,
        )
        return self._begin(order)

    def _must_be_new(self, run_id: RunId) -> None:
        if not is_run_id(run_id):
            raise UsageError(
                "RUN-022", f"{run_id!r} cannot be the id of a run", hint="leave it out, or give a ULID"
            )
        if self.is_kept(run_id) or run_id in self._active_ids():
            raise UsageError("RUN-022", f"there is a run {run_id} already", hint="a run is executed once")

    def _begin(self, order: StartRun) -> Run:
        run = Run(order.run_id, order.flow.id, self.end, self.part)
        self._system.bus.listen(run.receive, run_id=run.id)
        self._system.conductor.tell(order)
        return run

    def _active_ids(self, timeout_s: float = ASK_TIMEOUT_S) -> tuple[RunId, ...]:
        asked = self._system.conductor.ask(GetActiveRuns(), asker=Rank.CLIENT, timeout_s=timeout_s)
        return cast("tuple[RunId, ...]", asked)

    # -- facts -----------------------------------------------------------------------------------------------

    def subscribe(
        self, callback: Callable[[Fact], object], *, kinds: Sequence[str] = (), run_id: RunId | None = None
    ) -> Callable[[], None]:
        """Call `callback` with each fact that matches, in a thread of its own; return what ends that.

        Args:
            callback: may be slow or raise; it delays and hurts nobody else.
            kinds: class names such as `"NodeFailed"` or `"FlowBroken"`; empty means all.
            run_id: only the events of this run.
        """
        return self._system.bus.subscribe(callback, kinds=kinds, run_id=run_id)


def _folder_of(engine: StorageEngine) -> Path | None:
    """Return the folder that a store lies in; None for one in memory, which nobody shares."""
    _, on_disk, path = engine.url.partition("///")
    return Path(path).absolute().parent if on_disk else None
