"""Actors, an engine and a node type that fail when they are told to, each in its true place."""

import threading
from collections.abc import Sequence
from typing import Any

from atomiton_runtime.actors.base import GuardedActor
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage.memory import MemoryEngine


class Fuse:
    """Lets the next message of one kind raise, once it is armed."""

    def __init__(self, kind: type, fault: BaseException) -> None:
        self.kind = kind
        self.fault = fault
        self.armed = False
        self.blown = threading.Event()

    def meet(self, message: object) -> None:
        """Raise, if this is the message."""
        if self.armed and type(message) is self.kind:
            self.armed = False
            self.blown.set()
            raise self.fault


def with_fuse(actor: type[GuardedActor[Any]], fuse: Fuse) -> type[GuardedActor[Any]]:
    """Return the actor's class with a fuse in front of its handler."""

    class Fused(actor):
        def receive(self, message: object) -> object:
            fuse.meet(message)
            return super().receive(message)

    Fused.__name__ = actor.__name__
    return Fused


class FaultyEngine(MemoryEngine):
    """An engine in memory whose `append` raises the next of `faults`, as long as there are some."""

    def __init__(self, faults: list[BaseException]) -> None:
        super().__init__()
        self.faults = faults

    def append(self, events: Sequence[RunEvent]) -> None:
        """Fail or keep."""
        if self.faults:
            raise self.faults.pop()
        super().append(events)
