"""Is a run in the hands of who asked for it: wait for its end, watch its events, cancel it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunDocument, document
from atomiton_runtime.run.events import RunEvent, is_final
from atomiton_runtime.run.notices import Notice


class Run:
    """A run that this runtime was asked for. Usable from every thread."""

    def __init__(self, run_id: RunId, flow: FlowId, cancel: Callable[[RunId], None]) -> None:
        self.id = run_id
        self.flow = flow
        self._cancel = cancel
        self._journal: list[RunEvent] = []
        self._arrived = threading.Condition()
        self._ended = threading.Event()
        """Apart from the condition, so that who waits for the end is not woken by every event."""

    @property
    def done(self) -> bool:
        """Whether the run has ended and its last event is kept."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Tell the run to end; a second time, its `always` nodes as well. One that has ended is left alone."""
        self._cancel(self.id)

    def events(self, timeout_s: float | None = None) -> Iterator[RunEvent]:
        """Yield the run's events from its first to its last, as they are kept.

        Raises:
            TimeoutError: the run did not end within `timeout_s` seconds from now.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        place = 0
        while True:
            left_s = None if deadline is None else max(deadline - time.monotonic(), 0)
            with self._arrived:
                if not self._arrived.wait_for(lambda: len(self._journal) > place, left_s):  # noqa: B023  # called here
                    raise TimeoutError(f"run {self.id} goes on")
                event = self._journal[place]
            yield event
            place += 1
            if is_final(event):
                return

    def news(self, place: int, *, timeout_s: float) -> Sequence[RunEvent]:
        """Return the run's events from `place` on, as soon as there are any; none: not within `timeout_s` seconds."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._journal) > place, timeout_s)
            return self._journal[place:]

    def result(self, timeout_s: float | None = None) -> RunDocument:
        """Wait for the run's end and return its document.

        Raises:
            TimeoutError: the run did not end within `timeout_s` seconds; it goes on.
        """
        if not self._ended.wait(timeout_s):
            raise TimeoutError(f"run {self.id} goes on")
        return document(self._journal)

    def receive(self, facts: Sequence[RunEvent | Notice]) -> None:
        """Take the run's next events; called by the bus."""
        with self._arrived:
            self._journal += cast("Sequence[RunEvent]", facts)
            self._arrived.notify_all()
        if is_final(facts[-1]):
            self._ended.set()
