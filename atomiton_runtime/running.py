"""Is a run in the hands of who asked for it: wait for its end, watch its events, cancel it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from atomiton_runtime.actors.backlog import size_bytes
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunDocument, document
from atomiton_runtime.run.events import RunEvent, is_final
from atomiton_runtime.run.notices import Notice

WINDOW_BYTES = 2 * 1024 * 1024
"""What the newest events of a run may take in memory (some 3 000 without large outputs); older ones are read again."""


class Run:
    """A run that this runtime was asked for. Usable from every thread.

    It holds the newest events alone. Older ones are read from the store where somebody wants them: an event is told
    only when it is kept. So what is asked for late, of a run of many events, can be had as long as the runtime lives
    and the store has the run; events of which the store could keep nothing are passed over.
    """

    def __init__(
        self,
        run_id: RunId,
        flow: FlowId,
        cancel: Callable[[RunId], None],
        read: Callable[[RunId, int], Sequence[RunEvent]],
    ) -> None:
        """Begin to hold a run of which nothing is known.

        Args:
            run_id: the run.
            flow: its flow.
            cancel: tells it to end.
            read: gives some of its kept events from a `seq` on; called in the thread of who wants them.
        """
        self.id = run_id
        self.flow = flow
        self._cancel = cancel
        self._read = read
        self._first: RunEvent | None = None
        self._newest: deque[RunEvent] = deque()
        self._newest_bytes = 0
        self._arrived = threading.Condition()
        self._ended = threading.Event()
        """Apart from the condition, so that who waits for the end is not woken by every event."""

    @property
    def done(self) -> bool:
        """Whether the run has ended and its last event is kept."""
        return self._ended.is_set()

    @property
    def last(self) -> RunEvent | None:
        """The newest event; None: there is none yet."""
        with self._arrived:
            return self._newest[-1] if self._newest else None

    def cancel(self) -> None:
        """Tell the run to end; a second time, its `always` nodes as well. One that has ended is left alone."""
        self._cancel(self.id)

    def events(self, timeout_s: float | None = None) -> Iterator[RunEvent]:
        """Yield the run's events from its first to its last, as they are kept.

        Raises:
            TimeoutError: the run did not end within `timeout_s` seconds from now.
            AtomitonError: what is no longer held cannot be read: the runtime is stopped, or the store is damaged.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        place = 0
        while True:
            news = self.news(
                place, timeout_s=None if deadline is None else max(deadline - time.monotonic(), 0)
            )
            if not news:
                raise TimeoutError(f"run {self.id} goes on")
            yield from news
            place = news[-1].seq + 1
            if is_final(news[-1]):
                return

    def news(self, place: int, *, timeout_s: float | None) -> Sequence[RunEvent]:
        """Return some of the run's events from `place` on, as soon as there are any; the next ones follow on the last.

        Args:
            place: the `seq` of the first one wanted.
            timeout_s: so long they are waited for, in seconds; None: for ever. Then there are none.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._newest) and self._newest[-1].seq >= place, timeout_s)
            held = self._held(place)
            if not self._newest or place >= self._newest[0].seq:
                return held
        return self._read(self.id, place) or (held if place else [cast(RunEvent, self._first)])

    def _held(self, place: int) -> Sequence[RunEvent]:
        """Return what is held from `place` on."""
        newest = self._newest
        # By its index from the end, which is found at once: that of who keeps up is near it.
        count = min(newest[-1].seq + 1 - place, len(newest)) if newest else 0
        return [newest[index] for index in range(-count, 0)]

    def result(self, timeout_s: float | None = None) -> RunDocument:
        """Wait for the run's end and return its document.

        Raises:
            TimeoutError: the run did not end within `timeout_s` seconds; it goes on.
            AtomitonError: as `events` does.
        """
        if not self._ended.wait(timeout_s):
            raise TimeoutError(f"run {self.id} goes on")
        return document(self.events())

    def receive(self, facts: Sequence[RunEvent | Notice]) -> None:
        """Take the run's next events; called by the bus."""
        events = cast("Sequence[RunEvent]", facts)
        with self._arrived:
            self._first = self._first or events[0]
            self._newest.extend(events)
            self._newest_bytes += sum(map(size_bytes, events))
            while self._newest_bytes > WINDOW_BYTES and len(self._newest) > 1:
                self._newest_bytes -= size_bytes(self._newest.popleft())
            self._arrived.notify_all()
        if is_final(events[-1]):
            self._ended.set()
