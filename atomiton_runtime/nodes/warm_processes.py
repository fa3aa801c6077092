"""Keeps processes warm between the calls that they answer, one at a time."""

import threading
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.nodes.processes import Ended, ProcessTree

MAX_CALLS = 1000
"""A worker that has answered so many calls is not used again."""
MAX_IDLE_OF_A_KEY = 4
MAX_IDLE = 8
"""Most workers that wait for calls, with the same key and in all."""
IDLE_S = 60.0
"""A worker that nobody has called for so long is ended at the next look, which is as often."""


class Worker:
    """A process that answers one call at a time, with everything it starts."""

    def __init__(self, key: Hashable, tree: ProcessTree) -> None:
        self.key = key
        """What calls must have in common to be answered by the same worker."""
        self.tree = tree
        self.ready = False
        """Whether it has said that it is."""
        self.calls = 0
        self.idle_since = 0.0
        """When it was given back (`time.monotonic`)."""

    def close(self) -> Ended:
        """End it with everything it has started, wait for that, and return how it ended."""
        self.tree.end()
        ended = self.tree.ended()
        self.tree.close()
        return ended


W = TypeVar("W", bound=Worker)


class Leash:
    """Ends a worker when its call is cancelled, and never later: then it may be answering another call."""

    def __init__(self, worker: Worker, cancel: CancelToken) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = worker
        cancel.on_cancel(self._pull)

    def _pull(self) -> None:
        with self._lock:
            if self._worker is not None:
                self._worker.tree.end()

    def let_go(self) -> None:
        """Let a later cancel do nothing."""
        with self._lock:
            self._worker = None


class WorkerPool(Generic[W]):
    """Lends workers to calls. Usable from every thread; whoever forgets to close it is forgiven."""

    def __init__(self, start: Callable[[Any], W], *, idle_s: float = IDLE_S) -> None:
        """Make a pool without workers; `start` starts one for a key, or raises OSError."""
        self._start = start
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._shelf: _Shelf[W] = _Shelf()
        self._keeper: _Keeper[W] | None = None

    def take(self, key: Hashable) -> W:
        """Return a worker that is idle, or a new one, which may not be ready yet; give it back, or close it.

        Raises:
            OSError: none can be started.
        """
        found = self._shelf.take(key)
        if found is not None:
            return found
        with self._lock:
            if self._keeper is None:
                self._keeper = _Keeper(self._shelf, self._start, self._idle_s)
                weakref.finalize(self, self._keeper.orders.put, None)
            keeper = self._keeper
        return keeper.start_worker(key)

    def give_back(self, worker: W) -> None:
        """Take a worker back that has answered and is as it was before."""
        if worker.calls >= MAX_CALLS:
            worker.close()
            return
        for superfluous in self._shelf.put(worker):
            superfluous.close()

    def idle(self) -> int:
        """Return how many workers wait for calls."""
        return len(self._shelf.workers)

    def close(self) -> None:
        """End all workers that are idle, and wait for that. The pool can be used again."""
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.orders.put(None)
            keeper.thread.join()


class _Shelf(Generic[W]):
    """The idle workers, the one that was used last at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.workers: list[W] = []

    def take(self, key: Hashable) -> W | None:
        with self._lock:
            for place in range(len(self.workers) - 1, -1, -1):
                if self.workers[place].key == key:
                    return self.workers.pop(place)
        return None

    def put(self, worker: W) -> list[W]:
        """Put a worker on the shelf; return those that there is no room for now."""
        worker.idle_since = time.monotonic()
        with self._lock:
            self.workers.append(worker)
            alike = [each for each in self.workers if each.key == worker.key]
            return [*self._without(alike[:-MAX_IDLE_OF_A_KEY]), *self._without(self.workers[:-MAX_IDLE])]

    def take_older(self, idle_s: float) -> list[W]:
        """Return the workers that were idle for so long, and are no longer on the shelf."""
        before = time.monotonic() - idle_s
        with self._lock:
            return self._without([each for each in self.workers if each.idle_since <= before])

    def _without(self, leaving: list[W]) -> list[W]:
        self.workers = [each for each in self.workers if each not in leaving]
        return leaving


class _Keeper(Generic[W]):
    """The thread that starts all workers of a pool and ends those that are idle for long.

    A worker ends with the thread that has started it (see `start_tree`), and the threads of attempts come and go.
    """

    def __init__(self, shelf: _Shelf[W], start: Callable[[Any], W], idle_s: float) -> None:
        self._start = start
        self.orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # It must hold neither the pool nor the keeper: when they are gone, it ends.
        self.thread = threading.Thread(
            target=_keep, args=(self.orders, shelf, idle_s), name="warm-processes", daemon=True
        )
        self.thread.start()

    def start_worker(self, key: Hashable) -> W:
        answer: SimpleQueue[W | OSError] = SimpleQueue()

        def order() -> None:
            try:
                answer.put(self._start(key))
            except OSError as error:
                answer.put(error)

        self.orders.put(order)
        started = answer.get()
        if isinstance(started, OSError):
            raise started
        return started


def _keep(orders: "SimpleQueue[Callable[[], None] | None]", shelf: _Shelf[Any], idle_s: float) -> None:
    while True:
        try:
            order = orders.get(timeout=idle_s)
        except Empty:
            _close(shelf.take_older(idle_s))
            continue
        if order is None:
            break
        order()
    _close(shelf.take_older(0.0))


def _close(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.tree.end()
    for worker in workers:
        worker.close()
