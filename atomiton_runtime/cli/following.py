"""Follows a run from its start to its end, and makes a signal cancel it."""

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from types import FrameType
from typing import Protocol

import click

from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.requests import RunRequest
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.run.events import FINAL_EVENTS, RunEvent, is_final
from atomiton_runtime.run.notices import Notice, NoticeRaised
from atomiton_runtime.running import Run
from atomiton_runtime.runtime import Runtime

INTERRUPTED = 130
EXIT_CODES = {"succeeded": 0, "failed": 1, "cancelled": 3, "timed_out": 4, "interrupted": INTERRUPTED}
"""Status of a run -> exit code of the command that executed it."""
UNUSABLE = 5
_OF_THE_RUNTIME = ("RUN-011", "RUN-012")

_TICK_S = 0.1
_RESULT_TIMEOUT_S = 10.0
_HURRIED_STOP_S = 1.0
PATIENT_SIGNALS = 2
"""The first cancels a run, the second its clean-up as well; with one more, this process leaves."""
_ENDS_AND_FAULTS = ("NoticeRaised", *(kind.__name__ for kind in FINAL_EVENTS))
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Display(Protocol):
    """Shows a run while it goes on."""

    def event(self, event: RunEvent) -> None:
        """Take the next event of the run."""
        ...

    def tick(self) -> None:
        """Take notice that a tenth of a second passed without an event."""
        ...

    def cancelling(self, times: int) -> None:
        """Take notice that the user wants the run to end, and has said so this often."""
        ...

    def close(self) -> None:
        """Leave the screen; called in any case, possibly twice."""
        ...


class SignalInbox(Protocol):
    """A `queue.SimpleQueue` that takes signals, among other things."""

    def put(self, item: signal.Signals) -> None:
        """Take a signal; may be called in a signal handler."""
        ...


def execute(runtime: Runtime, request: RunRequest, display: Display) -> tuple[RunDocument, int]:
    """Run a flow to its end and return its document and the exit code.

    The first SIGINT, SIGTERM or SIGHUP cancels the run, the second one its clean-up as well, and the end is awaited;
    a third one gives the runtime a second and ends this process. Must be called in the main thread.
    """
    inbox: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
    faults = _Faults()
    unsubscribe = runtime.subscribe(faults.note, kinds=_ENDS_AND_FAULTS)
    try:
        with signals_into(inbox):
            run = runtime.start_run(request)
            signals: list[signal.Signals] = []

            def obey(number: signal.Signals) -> None:
                signals.append(number)
                if len(signals) > PATIENT_SIGNALS:
                    _leave(runtime, display, signals[0])
                display.cancelling(len(signals))
                run.cancel()

            show(run, display, inbox, obey)
            faults.ended.wait(
                _RESULT_TIMEOUT_S
            )  # what is wrong with the end is told before it, but in another thread
    finally:
        unsubscribe()
        display.close()
    document = run.result(timeout_s=_RESULT_TIMEOUT_S)
    code = INTERRUPTED if signals[:1] == [signal.SIGINT] else exit_code(document)
    if faults.first is not None and document.error is None:
        # It did succeed, but the store could not keep that: who relies on the history must hear of it.
        click.echo(error_text(faults.first), err=True)
        code = UNUSABLE
    return document, code


def show(
    run: Run,
    display: Display,
    inbox: "queue.SimpleQueue[signal.Signals]",
    obey: Callable[[signal.Signals], object],
) -> None:
    """Show a run until its end, as fast as the display takes it: what waits meanwhile is held by nobody."""
    place = 0
    while True:
        with contextlib.suppress(queue.Empty):
            obey(inbox.get_nowait())
            continue
        news = run.news(place, timeout_s=_TICK_S)
        if not news:
            display.tick()
            continue
        for event in news:
            display.event(event)
        place = news[-1].seq + 1
        if is_final(news[-1]):
            return


class _Faults:
    """Hears what goes wrong in the runtime until the one run of this process has ended."""

    def __init__(self) -> None:
        self.first: ErrorInfo | None = None
        self.ended = threading.Event()

    def note(self, fact: RunEvent | Notice) -> None:
        """Take a fact, in the order in which they are told."""
        if not isinstance(fact, NoticeRaised):
            self.ended.set()
        elif fact.level == "error":
            self.first = self.first or fact.error


def exit_code(document: RunDocument) -> int:
    """Return the exit code for a run that has ended: whose fault it was counts, not where it was met."""
    error = document.error
    if error is not None and (error.code.startswith("STORE-") or error.code in _OF_THE_RUNTIME):
        return UNUSABLE
    return EXIT_CODES[document.status]


@contextlib.contextmanager
def signals_into(inbox: SignalInbox, numbers: Sequence[signal.Signals] = _SIGNALS) -> Generator[None]:
    """Put these signals into `inbox` instead of what they do otherwise; SIGINT, SIGTERM and SIGHUP end the process.

    `SimpleQueue.put` is made for signal handlers; a handler that called the runtime could meet a lock that the
    interrupted code holds.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        inbox.put(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(runtime: Runtime, display: Display, number: signal.Signals) -> None:
    display.close()
    with contextlib.suppress(Exception):
        runtime.stop(timeout_s=_HURRIED_STOP_S)
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(INTERRUPTED if number is signal.SIGINT else EXIT_CODES["cancelled"])
