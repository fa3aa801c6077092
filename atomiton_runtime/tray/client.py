"""Is the tray of one runtime: a worker that follows it, and the menu it shows."""

import contextlib
import gc
import os
import queue
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from atomiton_runtime.clock import Clock
from atomiton_runtime.errors import AtomitonError, UsageError
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.ownership import Owner, retire
from atomiton_runtime.ownership import announce as announce_owner
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import Event, RunEvent
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice, NoticeRaised
from atomiton_runtime.tray import announce, autostart, menu
from atomiton_runtime.tray import state as tray_state
from atomiton_runtime.tray.announcing import Announcing
from atomiton_runtime.tray.autostart import APP_NAME
from atomiton_runtime.tray.clicks import Clicks
from atomiton_runtime.tray.listing import Listings
from atomiton_runtime.tray.menu import Action, Entry
from atomiton_runtime.tray.news import Answered, ByPeople, Clicked, Dismissed, Ended, Opened
from atomiton_runtime.tray.port import FlowFile, TrayRuntime
from atomiton_runtime.tray.state import ListedFlow, TrayState
from atomiton_runtime.tray.surface import Surface, Wiring
from atomiton_runtime.tray.tallies import NODE_KINDS, Tallied, Tallies

_HISTORY_OF_FLOWS = 400
"""At the start the latest result is looked up for this many flows: one short read each."""
_RECENT_RUNS = 50
MANY_FLOWS = 1000
"""When so many flows were read at once, they are put where Python does not look for garbage: looking through ten
thousand of them stops every thread for 70 ms, and it looks after every few openings of the menu."""
_WORKER_PATIENCE_S = 5.0
_LOOK_AT_ENDING_S = 1.0
"""So often it is read what a run that is being cancelled still waits for."""
_EXPLAINED_AT_ONCE = 8
"""Of so many runs that failed at the same time it is looked up what has changed since their last success."""
_EXPLAINED_AT_START = 20
_FOR_PEOPLE = ("TRAY-005", "TRAY-006")
"""The icon's reports that answer a click: a line on standard error is not enough."""

_News: TypeAlias = RunEvent | Notice | Tallied | ByPeople | Ended


class Tray:
    """The tray of one runtime.

    Owns the icon (in the thread of `run`), and a worker thread that folds news into one immutable state. Events of the
    runtime only enter its inbox; the menu only reads the state. So neither a slow runtime nor a slow click blocks
    the menu.
    """

    def __init__(
        self,
        runtime: TrayRuntime,
        autostart_command: Sequence[str],
        clock: Clock,
        say: Callable[[str], object],
        surface: Callable[[Wiring], Surface],
    ) -> None:
        """Prepare the tray; nothing happens before `run`."""
        self._runtime, self._clock, self._say = runtime, clock, say
        self._state = TrayState()
        self._listings = Listings()
        self._outdated: set[FlowId] = set()
        """Flows of which there was news, and which have not been read since. The worker's alone."""
        self._inbox: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._unanswered: NoticeRaised | None = None
        self._stopping = threading.Event()
        self._surface = surface(self)
        self._announcing = Announcing(self._surface.announce, runtime.since_success, self._stopping)
        self._clicks = Clicks(
            runtime,
            autostart_command,
            flow=lambda flow: self._state.flows.get(FlowId(flow)),
            tell=self._inbox.put,
            show=self._announcing.now,
            stop=self.stop,
        )

    def run(self, first_flow: str | None = None) -> None:
        """Start the runtime, show the icon until `stop`, and stop the runtime."""
        if self._stopping.is_set():
            return
        worker = threading.Thread(target=self._work, args=(first_flow,), name="tray", daemon=True)
        # Before the start, so that what it finds wrong with the folder and the node types is not told to nobody.
        tallies = Tallies(self._inbox.put)
        unsubscribe = self._runtime.subscribe(tallies.hear, kinds=(*tray_state.KINDS, *NODE_KINDS))
        try:
            self._runtime.start()
            places = self._runtime.places
            me = Owner(process=self._runtime.process, kind="tray", pid=os.getpid(), flows=str(places.flows))
            announce_owner(places.data, me)
            worker.start()
            self._surface.run()
        finally:
            unsubscribe()
            self._stopping.set()
            self._inbox.put(Ended())
            retire(self._runtime.places.data)
            self._runtime.stop()
            if worker.ident is not None:
                worker.join(_WORKER_PATIENCE_S)

    def stop(self) -> None:
        """End `run`; returns at once, may be called from anywhere."""
        self._stopping.set()
        self._surface.stop()

    # -- What the icon asks ------------------------------------------------------------------------------------

    def entries(self) -> tuple[Entry, ...]:
        """Return the menu as it is now; never blocks."""
        state, folder = self._state, str(self._runtime.places.flows)
        return menu.compose(
            state, self._local_now(), flows_folder=folder, listed=self._listings.of(state.flows)
        )

    def opened(self) -> None:
        """Take note that somebody looks at the menu."""
        self._inbox.put(Opened())

    def report(self, code: str, message: str) -> None:
        """Say what went wrong with the icon."""
        self._say(f"{message} ({code})")
        if code in _FOR_PEOPLE:
            self._surface.announce(announce.failure(code, message))

    def act(self, action: Action) -> None:
        """Do what was clicked; called in a thread of its own. Whatever goes wrong is announced."""
        try:
            self._clicks.do(action)
        except AtomitonError as exc:
            self._announcing.now(announce.failure(exc.code, exc.message))

    # -- The worker --------------------------------------------------------------------------------------------

    def _work(self, first_flow: str | None) -> None:
        self._guarded(self._load)
        self._redraw()
        self._speak(_EXPLAINED_AT_START)
        if first_flow is not None:
            self.act(menu.RunClicked(FlowId(first_flow)))
        while True:
            news = self._next_news()
            if any(isinstance(one, Ended) for one in news):
                return
            for one in news:
                self._take(one)
            if self._outdated:
                self._guarded(self._read_outdated)
            if any(isinstance(one, Opened) for one in news):
                self._guarded(self._read_recent)
            if self._cancelling():
                self._guarded(self._read_left)
            self._redraw()
            self._speak(_EXPLAINED_AT_ONCE)

    def _next_news(self) -> list[_News]:
        """Return all news there is: a burst of events costs one drawing. None: a run that ends should be looked at."""
        try:
            news = [self._inbox.get(timeout=_LOOK_AT_ENDING_S if self._cancelling() else None)]
        except queue.Empty:
            return []
        with contextlib.suppress(queue.Empty):
            while True:
                news.append(self._inbox.get_nowait())
        return news

    def _take(self, news: _News) -> None:
        match news:
            case Clicked(flow):
                self._state = tray_state.with_click(self._state, flow)
            case Answered(flow):
                self._state = tray_state.with_answer(self._state, flow)
            case Dismissed():
                self._state = msgspec.structs.replace(self._state, notice=None)
            case Tallied(run_id, words):
                self._state = tray_state.with_nodes(self._state, run_id, words)
            case Opened() | Ended():
                pass
            case _:
                if isinstance(news, FlowLoaded | FlowBroken | FlowRemoved):
                    self._outdated.add(news.flow)
                self._note(news)

    def _note(self, fact: RunEvent | Notice) -> None:
        said = announce.announcement(self._state, fact)
        run = self._state.active.get(fact.run_id) if isinstance(fact, Event) else None
        self._state = tray_state.apply(self._state, fact)
        if run is not None and isinstance(fact, tray_state.FAILED):
            self._announcing.add_failure(run.run_id, run.flow, said)
        elif said is not None:
            self._announcing.add(said)

    def _load(self) -> None:
        self._read_flows()
        self._state = tray_state.with_active(self._state, self._runtime.active())
        self._redraw()
        for flow in list(self._state.flows)[:_HISTORY_OF_FLOWS]:
            if self._stopping.is_set():
                return
            latest = self._runtime.history(flow, limit=1, statuses=tray_state.FINAL_STATUSES)
            self._take_results(latest)
        self._read_autostart()

    def _read_flows(self) -> None:
        state = tray_state.with_flows(self._state, map(_listed, self._runtime.flows()))
        self._state = msgspec.structs.replace(state, loaded=True)
        _spare_the_collector(len(state.flows))

    def _read_outdated(self) -> None:
        """Read the flows of which there was news; all others are what they were."""
        if not self._state.loaded:
            self._read_flows()
        else:
            fresh = map(_listed, self._runtime.flows(self._outdated))
            self._state = tray_state.with_changed_flows(self._state, self._outdated, fresh)
            _spare_the_collector(len(self._outdated))
        self._outdated = set()

    def _read_recent(self) -> None:
        recent = self._runtime.history(limit=_RECENT_RUNS, statuses=tray_state.FINAL_STATUSES)
        self._take_results([run for run in recent if run.flow in self._state.flows])
        self._read_autostart()

    def _take_results(self, runs: Sequence[RunSummary]) -> None:
        """Take over how runs ended, where that is news; look up of those that failed what has changed."""
        before = self._state.results
        self._state = tray_state.with_history(self._state, runs)
        for run in runs:
            result = self._state.results.get(run.flow)
            if result is None or result is before.get(run.flow) or result.run_id != run.run_id:
                continue
            if result.status in tray_state.FAILURES:
                self._announcing.add_failure(run.run_id, run.flow, None)

    def _speak(self, explained_at_most: int) -> None:
        if self._announcing.speak(explained_at_most, self._explain):
            self._redraw()

    def _explain(self, run_id: RunId, flow: FlowId, since: str) -> None:
        self._state = tray_state.with_since(self._state, run_id, flow, since)

    def _cancelling(self) -> list[RunId]:
        return [run.run_id for run in self._state.active.values() if run.cancelling]

    def _read_left(self) -> None:
        for run_id in self._cancelling():
            with contextlib.suppress(UsageError):  # nothing of it could be kept, or it is no longer kept
                self._state = tray_state.with_left(self._state, run_id, self._runtime.left(run_id) or ())

    def _read_autostart(self) -> None:
        self._state = msgspec.structs.replace(self._state, autostart=autostart.status().enabled)

    def _guarded(self, read: Callable[[], None]) -> None:
        """Read from the runtime; if it does not answer, say so in the menu and go on with what is known."""
        try:
            read()
        except AtomitonError as exc:
            if not self._stopping.is_set():
                self._unanswered = NoticeRaised(level="error", error=exc.info())
                self._take(self._unanswered)
        else:
            if self._unanswered is not None and self._state.notice is self._unanswered:
                self._state = msgspec.structs.replace(self._state, notice=None)
            self._unanswered = None

    def _redraw(self) -> None:
        # Worked out here, in the worker: whoever opens the menu finds it done.
        listed = self._listings.of(self._state.flows)
        title = f"{APP_NAME}: {menu.summary(self._state, listed)}"
        self._surface.redraw(tray_state.mood(self._state), title)

    def _local_now(self) -> datetime:
        return self._clock.now().astimezone()


def _spare_the_collector(flows_read: int) -> None:
    """Set aside what stays, after so many flows were read; what is no longer used is freed all the same."""
    if flows_read >= MANY_FLOWS:
        gc.collect()
        gc.freeze()


def _listed(file: FlowFile) -> ListedFlow:
    return ListedFlow(
        id=file.id,
        name=file.name,
        path=file.path,
        notify=file.notify,
        listed=file.tray,
        runnable=file.runnable,
        problems=file.problems,
        needs=tuple(name for name, variable in file.variables.items() if variable.required),
    )
