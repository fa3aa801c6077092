"""Keeps Python processes warm between the calls of `python` nodes."""

import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from atomiton_runtime.nodes import python_worker
from atomiton_runtime.nodes.processes import Ended, ProcessTree, start_tree

MAX_CALLS = 1000
"""A worker that has answered so many calls is not used again."""
MAX_IDLE_OF_A_KEY = 4
MAX_IDLE = 8
"""Most workers that wait for calls, with the same key and in all."""
IDLE_S = 60.0
"""A worker that nobody has called for so long is ended at the next look, which is as often."""


class WorkerKey(NamedTuple):
    """What calls must have in common to be answered by the same worker."""

    interpreter: str
    """Path of a Python."""
    folder: str
    """The flow's folder, absolute."""
    max_memory: int
    """Most bytes of address space; 0: as many as the system gives."""
    environment: frozenset[tuple[str, str]]


class Worker:
    """A Python process that answers one call at a time, with everything it starts."""

    def __init__(self, key: WorkerKey, tree: ProcessTree, channel: socket.socket) -> None:
        self.key = key
        self.tree = tree
        self.channel = channel
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
        self.channel.close()
        return ended


class WorkerPool:
    """Lends workers to calls. Usable from every thread; whoever forgets to close it is forgiven."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._shelf = _Shelf()
        self._keeper: _Keeper | None = None

    def take(self, key: WorkerKey) -> Worker:
        """Return a worker that is idle, or a new one, which may not be ready yet; give it back, or close it.

        Raises:
            OSError: none can be started.
        """
        found = self._shelf.take(key)
        if found is not None:
            return found
        with self._lock:
            if self._keeper is None:
                self._keeper = _Keeper(self._shelf, self._idle_s)
                weakref.finalize(self, self._keeper.orders.put, None)
            keeper = self._keeper
        return keeper.start_worker(key)

    def give_back(self, worker: Worker) -> None:
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


class _Shelf:
    """The idle workers, the one that was used last at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.workers: list[Worker] = []

    def take(self, key: WorkerKey) -> Worker | None:
        with self._lock:
            for place in range(len(self.workers) - 1, -1, -1):
                if self.workers[place].key == key:
                    return self.workers.pop(place)
        return None

    def put(self, worker: Worker) -> list[Worker]:
        """Put a worker on the shelf; return those that there is no room for now."""
        worker.idle_since = time.monotonic()
        with self._lock:
            self.workers.append(worker)
            alike = [each for each in self.workers if each.key == worker.key]
            return [*self._without(alike[:-MAX_IDLE_OF_A_KEY]), *self._without(self.workers[:-MAX_IDLE])]

    def take_older(self, idle_s: float) -> list[Worker]:
        """Return the workers that were idle for so long, and are no longer on the shelf."""
        before = time.monotonic() - idle_s
        with self._lock:
            return self._without([each for each in self.workers if each.idle_since <= before])

    def _without(self, leaving: list[Worker]) -> list[Worker]:
        self.workers = [each for each in self.workers if each not in leaving]
        return leaving


class _Keeper:
    """The thread that starts all workers of a pool and ends those that are idle for long.

    A worker ends with the thread that has started it (see `start_tree`), and the threads of attempts come and go.
    """

    def __init__(self, shelf: _Shelf, idle_s: float) -> None:
        self.orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # It must hold neither the pool nor the keeper: when they are gone, it ends.
        self.thread = threading.Thread(
            target=_keep, args=(self.orders, shelf, idle_s), name="python-workers", daemon=True
        )
        self.thread.start()

    def start_worker(self, key: WorkerKey) -> Worker:
        answer: SimpleQueue[Worker | OSError] = SimpleQueue()

        def order() -> None:
            try:
                answer.put(_start(key))
            except OSError as error:
                answer.put(error)

        self.orders.put(order)
        started = answer.get()
        if isinstance(started, OSError):
            raise started
        return started


def _keep(orders: "SimpleQueue[Callable[[], None] | None]", shelf: _Shelf, idle_s: float) -> None:
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


def _close(workers: list[Worker]) -> None:
    for worker in workers:
        worker.tree.end()
    for worker in workers:
        worker.close()


def _start(key: WorkerKey) -> Worker:
    ours, theirs = socket.socketpair()
    program = str(Path(python_worker.__file__).resolve())
    command = [key.interpreter, program, str(theirs.fileno()), key.folder, str(key.max_memory)]
    with theirs:
        try:
            tree = start_tree(
                command,
                folder=Path(key.folder),
                environment=dict(key.environment),
                with_input=False,
                pass_fds=(theirs.fileno(),),
            )
        except (OSError, ValueError) as error:
            ours.close()
            raise error if isinstance(error, OSError) else OSError(str(error)) from error
    for stream in (ours.fileno(), tree.output.fileno(), tree.errors.fileno()):
        os.set_blocking(stream, False)
    return Worker(key, tree, ours)
