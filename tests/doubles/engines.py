"""An engine whose disk can fill up, or fail in worse ways, whenever a test says so."""

from collections.abc import Sequence

from atomiton_runtime.errors import StorageError
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage.memory import MemoryEngine

FULL = StorageError("STORE-002", "the disk is full", hint="make room")


class FailingEngine(MemoryEngine):
    """A memory engine that raises `failure` from `append` while that is set."""

    failure: BaseException | None = None

    def append(self, events: Sequence[RunEvent]) -> None:
        """Keep events, or fail."""
        if self.failure is not None:
            raise self.failure
        super().append(events)
