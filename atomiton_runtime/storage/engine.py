"""States what a storage engine is: the contract that every engine and its one test suite share."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.storage.additions import Addition
from atomiton_runtime.storage.failures import damaged
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.results import Results

Durability: TypeAlias = Literal["none", "process", "power"]
"""What an appended event survives: the store's `close`; `kill -9` of the process; also a power cut."""


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with the space it takes."""

    summary: RunSummary
    size_bytes: int
    """Of its events and the large values they mention, as of the last change of its summary."""


def _to_nobody(error: ErrorInfo) -> None:
    del error


class StorageEngine(abc.ABC):
    """Keeps journals. Used by one thread at a time; several processes may share a store on disk.

    Every method but `close` raises `StorageError` (STORE-...) when the store cannot do it, and a failed call
    leaves the store as it was.
    """

    url: str
    """What `create_storage` would take to open the same store."""
    durability: Durability
    """What an appended event survives."""
    tell: Callable[[ErrorInfo], object] = staticmethod(_to_nobody)
    """Told, in the engine's thread, what it mended by itself while it was open."""
    results: Results
    """What is known of earlier executions of nodes. Usable from every thread, from `open` to `close`."""
    large_values: LargeValues
    """Where values over 1 MiB live, as files named by their hash. Usable from every thread."""

    def __init__(self) -> None:
        self._appended_bytes = 0
        self.open_bytes: dict[RunId, int] = {}
        """Run that this engine has added to and that has not ended -> the bytes it takes, as in `StoredRun`."""

    @property
    def appended_bytes(self) -> int:
        """What this engine has brought into the store so far: events, and large values that were not there."""
        return self._appended_bytes + self.large_values.written_bytes

    @abc.abstractmethod
    def open(self) -> None:
        """Make the store usable: create what is missing, check what is there. Called once, first."""

    @abc.abstractmethod
    def open_for_reading(self) -> None:
        """Make a store usable that is there and cannot be written, instead of `open`; nothing on its disk is changed.

        `append` and `delete_runs` then raise STORE-002. What a killed process has begun to write and nobody was told
        of may be seen.

        Raises:
            StorageError: there is none (STORE-001), or it cannot be read.
        """

    @abc.abstractmethod
    def append(self, events: Sequence[RunEvent]) -> None:
        """Add events of any number of runs, all or none; when it returns they survive `kill -9`.

        Within a run `seq` continues the journal without a gap. An event that is already there, equal, is
        passed over (a group may be sent again after a fault).

        Raises:
            StorageError: STORE-003 for a gap or for another event at a `seq` that is taken.
        """

    @abc.abstractmethod
    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run in the order of `seq`; empty when there is no such run."""

    @abc.abstractmethod
    def part(self, run_id: RunId, place: int, *, limit_bytes: int) -> tuple[RunEvent, ...]:
        """Return the events of a run from `place` on, until they weigh `limit_bytes` as they are kept.

        One at least, if there is one; empty when there is none. What it costs does not grow with the events before
        `place`, where these were read before.

        Args:
            run_id: the run; that it is not there is no mistake.
            place: the `seq` of the first event, from 0.
            limit_bytes: the last event may exceed it.
        """

    @abc.abstractmethod
    def summaries(
        self,
        *,
        flow: FlowId | None = None,
        statuses: Sequence[RunStatus] = (),
        limit: int = 50,
    ) -> tuple[RunSummary, ...]:
        """Return the newest runs first, at most `limit`; `statuses` empty means all."""

    @abc.abstractmethod
    def summary(self, run_id: RunId) -> RunSummary | None:
        """Return the summary of a run, or None when there is no such run."""

    @abc.abstractmethod
    def find_runs(self, prefix: str, *, limit: int = 10) -> tuple[RunId, ...]:
        """Return the ids that begin with `prefix` (case is ignored), newest first, at most `limit`."""

    @abc.abstractmethod
    def delete_runs(self, run_ids: Sequence[RunId], *, limit_bytes: int | None = None) -> bool:
        """Remove runs whole and give their space back; return whether some of it is left to `reclaim`.

        Args:
            run_ids: the runs, of which nothing is seen any more from now on; ids that are not there are passed over.
            limit_bytes: an engine for which more takes long may give back only so much now; None: all.
        """

    def reclaim(self, *, limit_bytes: int) -> bool:
        """Give back some more of the space of runs that were deleted; return whether there is still more.

        What a process that ended in between has left is found again.

        Args:
            limit_bytes: about how much.
        """
        del limit_bytes
        return False

    @abc.abstractmethod
    def stored_runs(self) -> tuple[StoredRun, ...]:
        """Return every run with its size, oldest first."""

    @abc.abstractmethod
    def stored_bytes(self) -> int:
        """Return the space that the whole store takes, in bytes."""

    def _count(self, additions: Mapping[RunId, Addition]) -> None:
        """Take notice of what has just been kept; each engine calls it at the end of `append`."""
        for run_id, addition in additions.items():
            self._appended_bytes += sum(map(len, addition.lines))
            self.large_values.settle(file.name for file in addition.files)
            if addition.ended:
                self.open_bytes.pop(run_id, None)
            else:
                self.open_bytes[run_id] = addition.size_bytes

    def rebuild(self) -> ErrorInfo:
        """Move a damaged store aside and open a new one with what can be read of it; return what to tell the user.

        To be called when `open` has raised STORE-005, by one process at a time, while no other uses the store.

        Raises:
            StorageError: this engine cannot (STORE-005), or the new store cannot be made.
        """
        raise damaged(self.url, "it cannot be rebuilt by itself")

    @abc.abstractmethod
    def close(self) -> None:
        """Release everything; a second call changes nothing."""
