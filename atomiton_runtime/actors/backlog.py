"""Is what a subscriber has not been told yet: bounded, and what had to be left out of it is said."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.run.events import (
    BodyOpened,
    BodyStarted,
    BodyStopRequested,
    NodeCancelled,
    NodeFailed,
    NodeLogged,
    NodeRetrying,
    NodeReused,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    RunEvent,
    RunQueued,
)
from atomiton_runtime.run.notices import Notice, NoticeRaised
from atomiton_runtime.values import encode

Fact: TypeAlias = RunEvent | Notice
LIMIT = 10_000
"""Facts that may wait for one subscriber (count)."""
LIMIT_BYTES = 8 * 1024 * 1024
"""What they may weigh together; one alone may weigh more."""
_PLAIN_BYTES = 600
"""Of a fact without what it carries; measured with tracemalloc."""
_OF_NODES = frozenset(
    {
        BodyOpened,
        BodyStarted,
        BodyStopRequested,
        NodeCancelled,
        NodeFailed,
        NodeLogged,
        NodeRetrying,
        NodeReused,
        NodeSkipped,
        NodeStarted,
        NodeSucceeded,
    }
)
"""The many: they go first, so that who is late still hears how runs end."""


class Backlog:
    """Keeps facts for one reader, in order. `add` may be called by one thread while another one takes."""

    def __init__(self, limit: int | None = None, limit_bytes: int | None = None) -> None:
        self._limit, self._limit_bytes = limit or LIMIT, limit_bytes or LIMIT_BYTES
        self._waiting: deque[tuple[Fact, int]] = deque()
        self.size_bytes = 0
        """Of the facts that wait."""
        self._missed = 0
        self._told = self._closed = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, facts: Sequence[Fact]) -> bool:
        """Add facts; return whether the reader has to be told that there are some."""
        with self._lock:
            if self._closed:
                return False
            for fact in facts:
                size = size_bytes(fact)
                self._waiting.append((fact, size))
                self.size_bytes += size
                if len(self._waiting) > self._limit or self.size_bytes > self._limit_bytes:
                    self._shed()
            told, self._told = self._told, True
        return not told

    def take(self) -> Fact | None:
        """Return the next fact; None: there is none, and the reader will be told of the next one.

        Where facts were left out, a notice (RUN-023) that says how many comes before the next one.
        """
        with self._lock:
            if self._missed:
                missed, self._missed = self._missed, 0
                return NoticeRaised(level="warning", error=_missed(missed))
            if not self._waiting:
                self._told = False
                return None
            fact, size = self._waiting.popleft()
            self.size_bytes -= size
            return fact

    def close(self) -> None:
        """Take no more facts: the reader leaves after those that are here."""
        with self._lock:
            self._closed = True

    def _shed(self) -> None:
        """Leave out what is of nodes, and if that is not half of it the oldest of the rest; never the newest fact."""
        newest = self._waiting.pop()
        before = len(self._waiting)
        kept = deque(entry for entry in self._waiting if type(entry[0]) not in _OF_NODES)
        left_bytes = newest[1] + sum(size for _, size in kept)
        while kept and (len(kept) > self._limit // 2 or left_bytes > self._limit_bytes // 2):
            left_bytes -= kept.popleft()[1]
        self._missed += before - len(kept)
        kept.append(newest)
        self._waiting, self.size_bytes = kept, left_bytes


def size_bytes(fact: Fact) -> int:
    """Return about how much memory a fact takes."""
    match fact:
        case NodeSucceeded(outputs=outputs) | NodeReused(outputs=dict() as outputs):
            return _PLAIN_BYTES + sum(len(memoryview(raw)) for raw in outputs.values())
        case NodeLogged(text=text):
            return _PLAIN_BYTES + len(text)
        case RunQueued(variables=variables, nodes=nodes):
            return _PLAIN_BYTES + sum(map(len, nodes)) + (len(encode(variables)) if variables else 0)
        case _:
            return _PLAIN_BYTES


def _missed(count: int) -> ErrorInfo:
    return ErrorInfo(
        "RUN-023",
        f"{count} events were not told here: more came than could be taken",
        hint="`atomiton logs` shows all events of a run",
    )
