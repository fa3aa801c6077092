"""Collects what happens, from all threads and from signals, for one thread that also waits for keys."""

import contextlib
import os
import queue
import select
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue that can be waited for beside a file; a context manager that closes its pipe."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_blocking(self._write_end, False)

    def put(self, item: T) -> None:
        """Take an item; may be called in a signal handler and in every thread, as long as it is open."""
        self._items.put(item)
        with contextlib.suppress(BlockingIOError):  # full: then it can be read
            os.write(self._write_end, b"\0")

    def wait(self, timeout_s: float | None, file: int | None = None) -> bool:
        """Wait for an item, or until `file` can be read; return whether it can."""
        files = [self._read_end] if file is None else [self._read_end, file]
        readable, _, _ = select.select(files, [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            # Before the items are taken: what comes afterwards is heard of again.
            while os.read(self._read_end, 4096):
                pass
        return file is not None and file in readable

    def take(self) -> list[T]:
        """Return all that has come since the last time."""
        taken: list[T] = []
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._items.get_nowait())
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._read_end)
        os.close(self._write_end)
