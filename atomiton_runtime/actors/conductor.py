"""Owns the state of every run: each message becomes a decision, its events and its effects."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import assert_never, cast

import msgspec

from atomiton_runtime.actors.active_run import ActiveRun
from atomiton_runtime.actors.base import Address, GuardedActor
from atomiton_runtime.actors.flow_queues import FlowQueues
from atomiton_runtime.actors.gathering import Gathered
from atomiton_runtime.actors.messages import (
    ConductorMessage,
    EndAllRuns,
    EndRun,
    ExecuteNode,
    FindReusable,
    FlowSaved,
    GetActiveRuns,
    GetLeft,
    Left,
    NodeAnswered,
    NodeMessage,
    NodeSpoke,
    Order,
    Raise,
    ReusableFound,
    StartRun,
    StoreFailed,
    TimeIsUp,
)
from atomiton_runtime.actors.queueing import BY_PEOPLE, SKIPPED, Waiting, verdict
from atomiton_runtime.actors.reusing import reuse_of_save
from atomiton_runtime.actors.runaway import Pace, paused
from atomiton_runtime.actors.workers import Workers
from atomiton_runtime.clock import Clock
from atomiton_runtime.errors import ErrorInfo, UsageError
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.ids import RunId, new_run_id
from atomiton_runtime.run.decide import decide
from atomiton_runtime.run.effects import Execute, SetTimer, Stop
from atomiton_runtime.run.events import RunEvent, is_final
from atomiton_runtime.run.given import Abort, Answer, Begin, Cancel, Failed, Given, Spoken
from atomiton_runtime.run.left import left_of
from atomiton_runtime.run.notices import NoticeRaised

log = logging.getLogger(__name__)


class ConductorBook:
    """All runs that have not ended: the state that outlives an incarnation of the conductor."""

    def __init__(self, workers: Workers) -> None:
        self.runs: dict[RunId, ActiveRun] = {}
        """In the order in which they were accepted."""
        self.queues = FlowQueues()
        self.pace = Pace()
        self.workers = workers
        self.unsent = Gathered()
        self.ended: Callable[[], None] | None = None
        """Once set, no run is accepted any more; called when none is left."""


class Conductor(GuardedActor[ConductorMessage]):
    """Lets every run proceed. Never asks, sleeps or opens a file.

    Owns: the state of all runs, their timers and queues, and which node execution is idle. Receives: `StartRun`,
    `EndRun`, `EndAllRuns`, `NodeAnswered`, `ReusableFound`, `NodeSpoke`, `FlowSaved`, `StoreFailed`, `GetActiveRuns`,
    `GetLeft`, `TimeIsUp`. Sends: `Append` to the keeper, `ExecuteNode` and `FindReusable` to node executions. Rank:
    CONDUCTOR. When it dies its successor has the same book and mailbox; a handler that raises ends the run it was
    about, and no other.
    """

    def __init__(
        self,
        address: Address,
        supervisor: Callable[[object], None],
        *,
        keeper: Address,
        book: ConductorBook,
        clock: Clock,
        process: str,
    ) -> None:
        super().__init__(address, supervisor)
        self._keeper = keeper
        self._book = book
        self._clock = clock
        self._process = process

    def receive(self, message: ConductorMessage) -> object:
        """Handle one message."""
        match message:
            case NodeAnswered(run_id=run_id, worker=worker, answer=answer):
                self._take_back(worker)
                self._proceed(run_id, answer)
            case ReusableFound(worker=worker):
                self._take_back(worker)
                self._begin_with(message)
            case NodeSpoke():
                self._note(message)
            case StartRun():
                self._accept(message)
            case TimeIsUp():
                self._ring()
            case EndRun(run_id=run_id, reason=reason):
                self._proceed(run_id, Cancel(reason))
            case EndAllRuns(ended=ended):
                self._end_all(ended)
            case FlowSaved(flow=flow):
                self._accept_save(flow)
            case StoreFailed(run_ids=run_ids, error=error):
                for run_id in run_ids:
                    self._proceed(run_id, Abort(error))
            case GetActiveRuns():
                return tuple(self._book.runs)
            case GetLeft():
                return self._left()
            case _:
                assert_never(message)
        return None

    def _left(self) -> tuple[Left, ...]:
        return tuple(
            Left(run_id=run_id, flow=run.request.flow.id, nodes=left_of(run.state))
            for run_id, run in self._book.runs.items()
            if run.state.cancel is not None
        )

    def end(self) -> None:
        """Send the keeper what is still gathered."""
        if self._book.unsent:
            self._send_events()

    def on_fault(self, message: object, error: BaseException) -> None:
        """Handle the message once more, for nobody will say it again; if that fails too, end its run."""
        run_id = getattr(message, "run_id", None)
        if not (isinstance(message, StartRun) and run_id in self._book.runs):
            try:
                # What was taken in before the fault is passed over: a second answer decides nothing.
                self.receive(cast(ConductorMessage, message))
                return
            except BaseException as again:  # noqa: BLE001  # the door is open: nothing may pass it now either
                error = again
        if isinstance(run_id, str):
            self._abort(RunId(run_id), message, error)

    def _abort(self, run_id: RunId, message: object, error: BaseException) -> None:
        fault = ErrorInfo("RUN-012", f"the runtime failed on {type(message).__name__}: {error!r}")
        if isinstance(message, NodeAnswered):
            answer = message.answer
            self._proceed(
                run_id, Answer(answer.node, answer.attempt, Failed(fault, final=True), 0.0, answer.scope)
            )
        self._proceed(run_id, Abort(fault))

    # -- accepting -----------------------------------------------------------------------------------------

    def _accept_save(self, flow: Flow) -> None:
        request = StartRun(run_id=new_run_id(), flow=flow, variables={}, trigger="save")
        try:
            variables = check_variables(flow.variables, {}, from_text=False)
        except UsageError as error:
            # A save is run or explained: the explanation is a run that failed for want of a variable.
            self._keep(request)
            self._proceed(request.run_id, Abort(error.info()))
            return
        known = self._book.pace.is_paused(flow.path)
        if not self._book.pace.may_run(flow.path, flow.settings.max_runs_per_minute, time.monotonic()):
            # A save is run or explained, here too; said aloud is only that it is so from now on.
            self._keep(request)
            self._proceed(request.run_id, Cancel("user", paused(flow)))
            if not known:
                self._supervisor(Raise(notice=NoticeRaised(level="warning", error=paused(flow))))
            return
        self._accept(msgspec.structs.replace(request, variables=variables, reuse=reuse_of_save(flow)))

    def _accept(self, request: StartRun) -> None:
        """Journal the run, and let it begin, wait or be explained away."""
        book, flow, run_id = self._book, request.flow, request.run_id
        if request.trigger in BY_PEOPLE:
            book.pace.resume(flow.path)
        self._keep(request)
        if book.ended is not None:
            self._proceed(run_id, Cancel("quit"))
            return
        going_on = book.queues.going_on(flow.path)
        if going_on is None:
            book.queues.begin(flow.path, run_id)
            self._begin(run_id)
            return
        fate = verdict(flow.settings.on_busy, request.trigger, book.queues.waiting(flow.path))
        for replaced in fate.replace:
            self._proceed(replaced, Cancel("restart"))
        if not fate.accept:
            self._proceed(run_id, Cancel("user", SKIPPED))
            return
        book.queues.wait(flow.path, Waiting(run_id, request.trigger))
        if fate.restart:
            self._proceed(going_on, Cancel("restart"))

    def _keep(self, request: StartRun) -> None:
        run = ActiveRun(request, self._clock.now(), self._process)
        self._book.runs[request.run_id] = run
        self._book.unsent.add((run.first,))
        # At once: whoever asked for the run may ask for its journal next.
        self._send_events()

    def _begin(self, run_id: RunId) -> None:
        run = self._book.runs[run_id]
        run.began = time.monotonic()
        if run.request.reuse.mode != "auto":
            self._proceed(run_id, Begin())
            return
        wanted = FindReusable(
            run_id=run_id,
            flow=run.request.flow,
            variables=run.request.variables,
            forced=run.request.reuse.forced,
        )
        try:
            place = self._book.workers.place(wanted)
        except Exception as error:  # noqa: BLE001  # no thread, no memory: everything is looked at when its turn comes
            log.warning("nobody can look for earlier results: %s", error)
            self._proceed(run_id, Begin())
            return
        if place is not None:
            place(wanted)

    def _begin_with(self, found: ReusableFound) -> None:
        run = self._book.runs.get(found.run_id)
        if run is not None and run.state.status == "queued":
            run.keep(found.kept)
            run.began = time.monotonic()
            self._proceed(found.run_id, Begin())

    # -- proceeding ----------------------------------------------------------------------------------------

    def _proceed(self, run_id: RunId, given: Given) -> None:
        """Decide, take over the new state, send what follows. A run that has ended is passed over."""
        run = self._book.runs.get(run_id)
        if run is None:
            return
        wrote = isinstance(given, Answer) and run.may_have_written(given)
        decision = decide(run.state, given, run.now(self._clock.now()))
        run.take_over(given, decision.state)
        self._book.unsent.weigh(decision.events)
        waiting: list[tuple[Order, NodeMessage]] = []
        for effect in decision.effects:
            match effect:
                case Execute():
                    try:
                        self._send(run.order(effect), waiting)
                    except Exception as error:  # noqa: BLE001  # no thread, no memory: the attempt failed, not the run's books
                        self._answer_for(run_id, effect, error)
                case Stop():
                    run.stop(effect)
                case SetTimer():
                    self._wake_by(run.set_timer(effect))
        if decision.events:
            self._journal(decision.events, tuple(waiting), at_once=wrote)
            if is_final(decision.events[-1]):
                self._leave(run)

    def _note(self, message: NodeSpoke) -> None:
        """Journal what an attempt has said, up to what the log of a run may hold."""
        text = message.speech.take()
        run = self._book.runs.get(message.run_id)
        if run is not None and (kept := run.within_log(text)):
            self._proceed(message.run_id, Spoken(message.node, message.attempt, kept, message.scope))

    def _journal(
        self,
        events: Sequence[RunEvent],
        waiting: tuple[tuple[Order, NodeMessage], ...],
        *,
        at_once: bool,
    ) -> None:
        """Send events to the keeper: now where that matters or somebody waits for it, else gathered."""
        unsent = self._book.unsent
        unsent.add(events)
        if at_once or waiting or unsent.must_go():
            self._send_events(waiting)
        else:
            self._wake_by(time.monotonic() + unsent.pause_s())

    def _send_events(self, waiting: tuple[tuple[Order, NodeMessage], ...] = ()) -> None:
        self._keeper.tell(self._book.unsent.taken(waiting))

    def _send(self, order: ExecuteNode, waiting: list[tuple[Order, NodeMessage]]) -> None:
        """Give the order to a node execution; some go by way of the keeper, and begin when all before them is kept."""
        place = self._book.workers.place(order)
        if place is None:
            return
        if self._book.unsent.makes_wait(may_write=order.written.may_write):
            waiting.append((place, order))
        else:
            place(order)

    def _answer_for(self, run_id: RunId, effect: Execute, error: Exception) -> None:
        """Answer for an attempt that no node execution could be given to."""
        failed = Failed(
            ErrorInfo(
                "RUN-014",
                f"the attempt could not be started: {error}",
                hint="the system has no thread or memory left: end other programs, or raise the limits (`ulimit -a`)",
            )
        )
        answer = Answer(effect.node, effect.attempt, failed, 0.0, effect.scope)
        self.address.tell(NodeAnswered(run_id=run_id, worker=None, answer=answer))

    def _take_back(self, worker: int | None) -> None:
        waited = None if worker is None else self._book.workers.is_idle(worker)
        if waited is not None:
            self._send_events((waited,))

    def _leave(self, run: ActiveRun) -> None:
        """Forget a run that has ended, and let the next one of its flow begin."""
        book, run_id = self._book, run.request.run_id
        del book.runs[run_id]
        following = book.queues.leave(run.request.flow.path, run_id)
        if following is not None:
            self._begin(following)
        if book.ended is not None and not book.runs:
            book.ended()

    # -- time and the end ----------------------------------------------------------------------------------

    def _wake_by(self, due: float) -> None:
        deadline = self.address.mailbox.deadline
        if deadline is None or due < deadline:
            self.address.mailbox.deadline = due

    def _ring(self) -> None:
        """Give every run the timers that are due, and set the deadline to the next one."""
        if self._book.unsent:
            self._send_events()
        now = time.monotonic()
        for run_id, run in tuple(self._book.runs.items()):
            for timer in run.take_due(now):
                self._proceed(run_id, timer)
        for run in self._book.runs.values():
            for due in run.timers.values():
                self._wake_by(due)

    def _end_all(self, ended: Callable[[], None]) -> None:
        again = self._book.ended is not None
        self._book.ended = ended
        for run_id, run in tuple(self._book.runs.items()):
            # The clean-up of a run that is being cancelled already has its time, until somebody asks again.
            if again or run.state.cancel is None:
                self._proceed(run_id, Cancel("quit"))
        if not self._book.runs:
            ended()
