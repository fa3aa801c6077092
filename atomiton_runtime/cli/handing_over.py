"""Lets the owner of the data folder execute a run, and follows it here as if it were our own."""

import os
import queue
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import click
import msgspec

from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.following import INTERRUPTED, PATIENT_SIGNALS, Display, exit_code, signals_into
from atomiton_runtime.control.conversation import Conversation, Unreached, converse, request
from atomiton_runtime.control.presence import is_live
from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable, UsageError
from atomiton_runtime.flow.variables import VariablesInvalid
from atomiton_runtime.ids import RunId, new_run_id
from atomiton_runtime.ownership import PATIENCE_S, Owner, owner_of
from atomiton_runtime.requests import STOPPED, CancelRun, Refused, RunAccepted, RunFlow, RunRequest
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.run.events import RunEvent, is_final
from atomiton_runtime.running import Run
from atomiton_runtime.runtime import Runtime

_CANCELLED = 3
_TICK_S = 0.1
_LOOK_S = 0.25
"""So often the store is read where the owner does not say what happens, and an owner that ends is asked again."""
_CANCEL_TIMEOUT_S = 2.0

_Inbox: TypeAlias = "queue.SimpleQueue[signal.Signals]"


def execute_there(runtime: Runtime, request: RunRequest, display: Display) -> tuple[RunDocument, int] | None:
    """Let the owner execute a run to its end, and return its document and the exit code; None: there is no owner.

    An owner that ends or dies before it has accepted the run is replaced: by the next one, or by None. Signals cancel
    the run as they do when it is our own; the third one leaves it to its owner. Must be called in the main thread.

    Raises:
        UsageError: the owner refuses the request, for reasons of the user's.
        RuntimeUnusable: the owner does not answer (CLI-020), or what became of the run is not known (RUN-010).
    """
    asked = msgspec.structs.replace(request, follow=True)
    if isinstance(asked, RunFlow):
        asked = msgspec.structs.replace(asked, run_id=asked.run_id or new_run_id())
    inbox: _Inbox = queue.SimpleQueue()
    deadline = time.monotonic() + PATIENCE_S
    try:
        with signals_into(inbox):
            while (owner := owner_of(runtime.places.data)) is not None:
                ended = _execute_at(runtime, owner, asked, _Follower(runtime, owner, display, inbox))
                if ended is not None:
                    return ended
                if time.monotonic() > deadline:
                    raise RuntimeUnusable("CLI-020", f"{owner.words} (process {owner.pid}) takes no run")
                _await_another(inbox)
    finally:
        display.close()
    return None


def _await_another(inbox: _Inbox) -> None:
    """Wait a moment; a signal ends the command, for nothing has begun."""
    with suppress(queue.Empty):
        number = inbox.get(timeout=_LOOK_S)
        raise click.exceptions.Exit(INTERRUPTED if number is signal.SIGINT else _CANCELLED)


def _execute_at(
    runtime: Runtime, owner: Owner, asked: RunRequest, follower: "_Follower"
) -> tuple[RunDocument, int] | None:
    """Let this owner execute the run to its end; None: it has not begun, and may be asked for again."""
    data = runtime.places.data
    try:
        conversation = converse(data, owner.process, asked)
    except Unreached as unreached:
        if unreached.code != "CLI-020":
            raise
        return None
    except RuntimeUnusable as unanswered:
        # An owner that is stopped, say, will not do any more what it was asked for: it sees that nobody waits. One that
        # hung up is dying; had it accepted the run, that is kept.
        if isinstance(unanswered.__cause__, TimeoutError) or not _dies(data, owner):
            raise
        run_id = asked.run_id if isinstance(asked, RunFlow) else None
        return follower.by_store(run_id) if run_id and runtime.is_kept(run_id) else None
    with conversation:
        match conversation.response:
            case Refused(errors=errors) if errors[0].code == STOPPED:
                return None
            case Refused(errors=errors):
                raise _refusal(errors)
            case response:
                assert isinstance(response, RunAccepted)
                return follower.by_door(conversation, response)


def _dies(data: Path, owner: Owner) -> bool:
    """Wait until the owner is dead; return whether it is."""
    deadline = time.monotonic() + PATIENCE_S
    while is_live(data, owner.process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)
    return True


class _Follower:
    """Shows a run of the owner until its end, and makes signals cancel it."""

    def __init__(self, runtime: Runtime, owner: Owner, display: Display, inbox: _Inbox) -> None:
        self._runtime, self._owner, self._display, self._inbox = runtime, owner, display, inbox
        self._place = 0
        """Of the next event to be shown."""
        self._ended = False
        self._signals: list[signal.Signals] = []

    def by_door(self, conversation: Conversation, run: RunAccepted) -> tuple[RunDocument, int]:
        """Follow by what the owner says; what this terminal does not take at once is read from the store."""
        told = Run(run.run_id, run.flow, _nothing, self._runtime.part)

        def listen() -> None:
            for event in conversation.events():
                told.receive([event])

        listener = threading.Thread(target=listen, name="follow-run", daemon=True)
        listener.start()
        try:
            while not self._ended:
                self._obey(run.run_id)
                heard_all = not listener.is_alive()  # first this: what was said before is found now
                news = told.news(self._place, timeout_s=0 if heard_all else _TICK_S)
                self._take(news)
                if not news:
                    if heard_all:
                        return self.by_store(run.run_id)
                    self._display.tick()
        finally:
            conversation.close()
            listener.join()
        return self._end(told.result(timeout_s=0))

    def by_store(self, run_id: RunId) -> tuple[RunDocument, int]:
        """Follow by what is kept: the owner died, or it hung up because this process was stopped for long."""
        while True:
            # First this: what an owner that is dead now has kept, is read now.
            alive = is_live(self._runtime.places.data, self._owner.process)
            if not alive:
                return self._recovered(run_id)
            while news := self._runtime.part(run_id, self._place):
                self._take(news)
            if self._ended:
                return self._end(self._runtime.show(run_id))
            self._display.tick()
            with suppress(queue.Empty):
                self._cancel(self._inbox.get(timeout=_LOOK_S), run_id)

    def _recovered(self, run_id: RunId) -> tuple[RunDocument, int]:
        """Show what is kept of a run whose process died, with the last event that each start gives such runs."""
        places = self._runtime.places
        with Runtime(places.flows, data=places.data) as fresh:
            while news := fresh.part(run_id, self._place):
                self._take(news)
            if self._ended:
                return self._end(fresh.show(run_id))
        raise RuntimeUnusable(
            "RUN-010",
            f"the process that executed the run {run_id} died, and the end of the run cannot be kept",
            hint=f"`atomiton show {run_id}` shows what is known of it",
        )

    def _obey(self, run_id: RunId) -> None:
        with suppress(queue.Empty):
            while True:
                self._cancel(self._inbox.get_nowait(), run_id)

    def _take(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            self._display.event(event)
        if events:
            self._place, self._ended = events[-1].seq + 1, is_final(events[-1])

    def _end(self, told: RunDocument) -> tuple[RunDocument, int]:
        return told, INTERRUPTED if self._signals[:1] == [signal.SIGINT] else exit_code(told)

    def _cancel(self, number: signal.Signals, run_id: RunId) -> None:
        self._signals.append(number)
        if len(self._signals) > PATIENT_SIGNALS:
            _leave(self._display, self._signals[0], run_id)
        self._display.cancelling(len(self._signals))
        with suppress(RuntimeUnusable):  # what becomes of the run, and of its owner, is seen in any case
            request(
                self._runtime.places.data,
                self._owner.process,
                CancelRun(run_id=run_id),
                timeout_s=_CANCEL_TIMEOUT_S,
            )


def _nothing(run_id: RunId) -> None:
    """Cancel nothing: the owner is asked to."""


def _refusal(errors: Sequence[ErrorInfo]) -> UsageError | RuntimeUnusable:
    """Return what was refused as the error that it would be here, with its exit code."""
    first = errors[0]
    if first.code.startswith(("STORE-", "CLI-02", "RUN-011", "RUN-012")):
        return RuntimeUnusable(first.code, first.message, hint=first.hint)
    return VariablesInvalid(errors)


def _leave(display: Display, number: signal.Signals, run_id: RunId) -> None:
    display.close()
    left = ErrorInfo("CLI-024", f"run {run_id} is being cancelled, and left to the process that executes it")
    click.echo(error_text(left), err=True)
    os._exit(INTERRUPTED if number is signal.SIGINT else _CANCELLED)
