"""Lets the owner of the data folder execute a run, and follows it here as if it were our own."""

import os
import queue
import signal
import time

import click

from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.following import INTERRUPTED, PATIENT_SIGNALS, Display, exit_code, signals_into
from atomiton_runtime.control import is_live, request
from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable, UsageError
from atomiton_runtime.flow.variables import VariablesInvalid
from atomiton_runtime.ids import RunId
from atomiton_runtime.ownership import Owner
from atomiton_runtime.requests import CancelRun, Refused, ResumeRun, RunAccepted, RunFlow
from atomiton_runtime.run.document import RunDocument, document
from atomiton_runtime.run.events import FINAL_EVENTS, RunEvent
from atomiton_runtime.run.notices import Notice
from atomiton_runtime.runtime import Runtime

_LOOK_S = 0.02
"""The journal in the shared store is read so often: what an owner says of a run it keeps there first."""
_TICK_S = 0.1


def execute_there(
    runtime: Runtime, owner: Owner, asked: RunFlow | ResumeRun, display: Display
) -> tuple[RunDocument, int]:
    """Let `owner` execute a run to its end, and return its document and the exit code.

    Signals cancel the run as they do when it is our own; the third one leaves it to its owner. Must be called in the
    main thread.

    Raises:
        UsageError: the owner refuses the request, for reasons of the user's.
        RuntimeUnusable: the owner does not answer (CLI-020), or died (RUN-010).
    """
    inbox: queue.SimpleQueue[RunEvent | Notice | signal.Signals] = queue.SimpleQueue()
    data = runtime.places.data
    try:
        with signals_into(inbox):
            response = request(data, owner.process, asked)
            if isinstance(response, Refused):
                raise VariablesInvalid(response.errors)
            assert isinstance(response, RunAccepted)
            return _follow(runtime, owner, response.run_id, display, inbox)
    finally:
        display.close()


def _follow(
    runtime: Runtime,
    owner: Owner,
    run_id: RunId,
    display: Display,
    inbox: "queue.SimpleQueue[RunEvent | Notice | signal.Signals]",
) -> tuple[RunDocument, int]:
    shown = 0
    signals: list[signal.Signals] = []
    drawn = time.monotonic()
    while True:
        journal = _journal(runtime, run_id)
        for event in journal[shown:]:
            display.event(event)
        shown = len(journal)
        if journal and isinstance(journal[-1], FINAL_EVENTS):
            told = document(journal)
            return told, INTERRUPTED if signals[:1] == [signal.SIGINT] else exit_code(told)
        if not is_live(runtime.places.data, owner.process):
            raise _died(run_id)
        if time.monotonic() - drawn > _TICK_S:
            display.tick()
            drawn = time.monotonic()
        try:
            number = inbox.get(timeout=_LOOK_S)
        except queue.Empty:
            continue
        assert isinstance(number, signal.Signals)
        signals.append(number)
        if len(signals) > PATIENT_SIGNALS:
            _leave(display, signals[0], run_id)
        display.cancelling(len(signals))
        request(runtime.places.data, owner.process, CancelRun(run_id=run_id))


def _journal(runtime: Runtime, run_id: RunId) -> tuple[RunEvent, ...]:
    try:
        return runtime.journal(run_id)
    except UsageError:
        return ()  # accepted, and on its way to the store


def _died(run_id: RunId) -> RuntimeUnusable:
    return RuntimeUnusable(
        "RUN-010",
        f"the process that executed the run {run_id} died",
        hint=f"`atomiton resume {run_id}` continues it",
    )


def _leave(display: Display, number: signal.Signals, run_id: RunId) -> None:
    display.close()
    left = ErrorInfo("CLI-024", f"run {run_id} is being cancelled, and left to the process that executes it")
    click.echo(error_text(left), err=True)
    os._exit(INTERRUPTED if number is signal.SIGINT else 3)
