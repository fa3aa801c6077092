"""States how results of earlier executions are found again: by the key that they depend on."""

import abc
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run.events import NodeReused, NodeSkipped, NodeStarted, NodeSucceeded, RunEvent
from atomiton_runtime.run.reuse import Digest, together, without_indexes

Place: TypeAlias = Digest
"""Names a node of a flow's file, whatever else is in the store."""
Found: TypeAlias = NodeSucceeded | NodeReused


class Execution(msgspec.Struct, frozen=True):
    """Names an execution of a node."""

    run_id: RunId
    attempt: int
    node: NodeId
    """The whole id that it had in that run."""


class Results(abc.ABC):
    """What is known of earlier executions of nodes. Every method may be called from every thread.

    Each raises `StorageError` when the store cannot be read. What is on its way to the store is not found yet.
    """

    @abc.abstractmethod
    def find(self, flow_path: str, node: NodeId, key: Digest) -> Found | None:
        """Return the newest result with this key, of whatever iteration; None: there is none.

        Args:
            flow_path: of the flow's file, absolute.
            node: the node's whole id.
            key: `Key.hash`.
        """

    @abc.abstractmethod
    def latest(self, flow_path: str, node: NodeId, *, but: Execution | None = None) -> Execution | None:
        """Return the last execution that may have changed the outside and has begun; None: none is known.

        Args:
            flow_path: of the flow's file, absolute.
            node: the node's whole id.
            but: the one that asks, which has begun already and so would be the last itself.
        """

    @abc.abstractmethod
    def newest_runs(self, flow_path: str, *, limit: int) -> tuple[RunId, ...]:
        """Return the newest runs of the flow of a file, newest first; those that go on as well."""

    @abc.abstractmethod
    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run; empty when there is no such run."""


class Recorded(msgspec.Struct, frozen=True):
    """What an event adds to what is known of executions."""

    result: tuple[Place, Digest] | None = None
    """Where a result of this key is to be found."""
    execution: tuple[Place, Execution] | None = None
    undone: Place | None = None
    """Where an execution of this run, if one has begun, came to nothing: the one before it is the last again."""


def recorded(flow_path: str, event: RunEvent) -> Recorded | None:
    """Return what an event adds to what is known of executions; None: nothing."""
    match event:
        case NodeStarted(may_write=True):
            execution = Execution(event.run_id, event.attempt, event.node)
            return Recorded(execution=(place_of(flow_path, event.node), execution))
        case NodeSkipped():
            return Recorded(undone=place_of(flow_path, event.node))
        case NodeSucceeded(key=key) if key is not None:
            return Recorded(result=(result_place(flow_path, event.node), key.hash))
        case NodeReused(key=key) if key is not None:
            result = (result_place(flow_path, event.node), key.hash)
            if not event.wrote:
                return Recorded(result=result)
            execution = Execution(event.source, event.attempt, event.executed_as or event.node)
            return Recorded(result=result, execution=(place_of(flow_path, event.node), execution))
        case _:
            return None


def place_of(flow_path: str, node: NodeId) -> Place:
    """Return the place of one node, or of one of its iterations."""
    return together((flow_path, node))


def result_place(flow_path: str, node: NodeId) -> Place:
    """Return the place where the results of a node are, of all its iterations."""
    return together((flow_path, without_indexes(node)))


class ResultIndex(Results):
    """Keeps what is known of executions in memory, for an engine that has no tables."""

    def __init__(self, journal: Callable[[RunId], Sequence[RunEvent]]) -> None:
        """Begin with nothing.

        Args:
            journal: gives the events of a run, from every thread.
        """
        self._journal = journal
        self._lock = threading.Lock()
        self._results: dict[tuple[Place, Digest], tuple[RunId, int]] = {}
        """Place and key -> run, and the `seq` of the event."""
        self._executions: dict[Place, tuple[Execution, Execution | None]] = {}
        """Place -> the last execution, and the one before it."""
        self._runs: dict[str, dict[RunId, None]] = {}
        """Path of a flow -> its runs, oldest first."""

    def add(self, flow_path: str, events: Sequence[RunEvent]) -> None:
        """Take in events that are kept, all of one run."""
        with self._lock:
            self._runs.setdefault(flow_path, {})[events[0].run_id] = None
            for event in events:
                found = recorded(flow_path, event)
                if found is not None:
                    self._take(found, event)

    def _take(self, found: Recorded, event: RunEvent) -> None:
        if found.result is not None:
            self._results[found.result] = event.run_id, event.seq
        if found.execution is not None:
            place, execution = found.execution
            self._executions[place] = execution, self._executions.get(place, (None,))[0]
        if found.undone is not None and found.undone in self._executions:
            last, before = self._executions[found.undone]
            if last.run_id == event.run_id:
                del self._executions[found.undone]
                if before is not None:
                    self._executions[found.undone] = before, None

    def forget(self, run_ids: Sequence[RunId]) -> None:
        """Forget what runs have added."""
        gone = frozenset(run_ids)
        with self._lock:
            self._results = {at: of for at, of in self._results.items() if of[0] not in gone}
            self._executions = {at: of for at, of in self._executions.items() if of[0].run_id not in gone}
            for path, runs in tuple(self._runs.items()):
                self._runs[path] = {run: None for run in runs if run not in gone}

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._results.clear()
            self._executions.clear()
            self._runs.clear()

    def find(self, flow_path: str, node: NodeId, key: Digest) -> Found | None:
        """Return the newest result with this key."""
        with self._lock:
            at = self._results.get((result_place(flow_path, node), key))
        if at is None:
            return None
        journal = self._journal(at[0])
        event = journal[at[1]] if at[1] < len(journal) else None
        # What an append had to take back may have been read: another event then has its place.
        if isinstance(event, NodeSucceeded | NodeReused) and event.key is not None and event.key.hash == key:
            return event
        return None

    def latest(self, flow_path: str, node: NodeId, *, but: Execution | None = None) -> Execution | None:
        """Return the last execution that may have changed the outside."""
        with self._lock:
            last, before = self._executions.get(place_of(flow_path, node), (None, None))
        return before if but is not None and last == but else last

    def newest_runs(self, flow_path: str, *, limit: int) -> tuple[RunId, ...]:
        """Return the newest runs of a flow's file."""
        with self._lock:
            return tuple(sorted(self._runs.get(flow_path, ()), reverse=True)[:limit])

    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run."""
        return tuple(self._journal(run_id))
