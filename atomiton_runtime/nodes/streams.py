"""Feeds a program's input and reads its output at the same time, in bounded memory."""

import contextlib
import os
import selectors
import threading
from typing import IO

from atomiton_runtime.nodes.processes import Ended, ProcessTree

_CHUNK_BYTES = 65536
_TAIL_BYTES = 4096


class Capture:
    """The beginning of a stream up to a limit, its length, and its last few lines for messages."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._head = bytearray()
        self._tail = b""
        self.size_bytes = 0
        """Of all that came, kept or not."""

    def add(self, chunk: bytes) -> None:
        """Take in the next bytes of the stream."""
        room = self._limit_bytes - len(self._head)
        if room > 0:
            self._head += chunk[:room]
        self.size_bytes += len(chunk)
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]

    def text(self) -> str:
        """Return what was kept; bytes that are no UTF-8 become U+FFFD, and a line says where it was cut.

        To be called once: the bytes are given up.
        """
        head, self._head = self._head, bytearray()
        kept = head.decode("utf-8", errors="replace")
        dropped = self.size_bytes - len(head)
        return f"{kept}\n[cut here: {dropped} more bytes were dropped]\n" if dropped else kept

    def last_lines(self, count: int) -> str:
        """Return the last lines of the stream, at most 4 KiB of them."""
        tail = self._tail
        if self.size_bytes > len(tail):  # the first line is a piece, of a secret perhaps
            tail = tail.partition(b"\n")[2] or tail
        lines = tail.decode("utf-8", errors="replace").strip().splitlines()
        return "\n".join(lines[-count:])


def converse(tree: ProcessTree, given: bytes | None, output: Capture, errors: Capture) -> Ended:
    """Write `given` to the program, read what it prints, and return how it ended when all of its tree has.

    A program that does not read its input, or closes it early, is no fault. What the program's descendants print
    after its own end is kept as well; none of them can hold this up, because they are ended.
    """
    streams = {tree.output: output, tree.errors: errors}
    return _converse(tree, given, streams)


def _with_selector(tree: ProcessTree, given: bytes | None, streams: dict[IO[bytes], Capture]) -> Ended:
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, streams[stream])
        if tree.input is not None:
            os.set_blocking(tree.input.fileno(), False)
            selector.register(tree.input, selectors.EVENT_WRITE)
        selector.register(tree.status, selectors.EVENT_READ)
        unsent = memoryview(given or b"")
        alive = True
        while alive:
            for key, _ in selector.select():
                if key.fileobj == tree.status:
                    alive = tree.read_status()
                elif isinstance(key.data, Capture):
                    if not _read(key.fd, key.data):
                        selector.unregister(key.fileobj)
                else:
                    unsent = _send(key.fd, unsent)
                    if not unsent and tree.input is not None:
                        selector.unregister(tree.input)
                        tree.input.close()
    for stream, capture in streams.items():
        while _read(stream.fileno(), capture):
            pass
    return tree.ended()


def _read(descriptor: int, capture: Capture) -> bool:
    """Take in what is there; return False at the end, or when nothing is there."""
    try:
        chunk = os.read(descriptor, _CHUNK_BYTES)
    except BlockingIOError:
        return False
    capture.add(chunk)
    return bool(chunk)


def _send(descriptor: int, unsent: memoryview) -> memoryview:
    try:
        return unsent[os.write(descriptor, unsent[:_CHUNK_BYTES]) :] if unsent else unsent
    except BlockingIOError:
        return unsent
    except BrokenPipeError:
        return memoryview(b"")


def _with_threads(tree: ProcessTree, given: bytes | None, streams: dict[IO[bytes], Capture]) -> Ended:
    """Do the same where a selector cannot wait for pipes; the threads end with the tree that holds the pipes."""

    def drain(stream: IO[bytes], capture: Capture) -> None:
        while chunk := stream.read(_CHUNK_BYTES):
            capture.add(chunk)

    def feed(stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError), stream:
            stream.write(given or b"")

    threads = [
        threading.Thread(target=drain, args=each, name="read-stream", daemon=True) for each in streams.items()
    ]
    if tree.input is not None:
        threads.append(threading.Thread(target=feed, args=(tree.input,), name="feed-stream", daemon=True))
    for thread in threads:
        thread.start()
    ended = tree.ended()
    for thread in threads:
        thread.join()
    return ended


# Windows has no poll, and its select waits for sockets only.
_converse = _with_selector if hasattr(selectors, "PollSelector") else _with_threads
