"""Makes one call of a worker: sends the request, follows what it prints, and takes its answer."""

import codecs
import contextlib
import os
import selectors
import struct
import time
from collections.abc import Callable

import msgspec

from atomiton_runtime.nodes import python_worker
from atomiton_runtime.nodes.processes import Ended
from atomiton_runtime.nodes.python_workers import PythonWorker
from atomiton_runtime.nodes.streams import Capture

START_S = 60.0
"""A worker that is not ready by then never will be."""
MAX_PRINTED_BYTES = 10 * 1024 * 1024
"""So much of what is printed is kept as the output `stdout`."""

_HEAD = struct.Struct(">Qc")
_CHUNK_BYTES = 1024 * 1024
_PIPE_BYTES = 1024 * 1024
"""No pipe holds more (pipe(7): the most that is allowed without privileges)."""
_MAX_LINE_CHARS = 65536


class Answer(msgspec.Struct, kw_only=True):
    """What became of a call."""

    ready: bool = False
    """Whether the worker has started up."""
    begun: bool = False
    """Whether the code may have been executed."""
    result: bytes | None = None
    """The value as JSON."""
    error: bytes | None = None
    """JSON, as `python_worker` describes it."""
    dirty: bool = True
    """Whether the worker must not be called again."""
    ended: Ended | None = None
    """How the worker ended, when it did not answer."""
    late: bool = False
    """Whether it was not ready in time."""


class Prints:
    """What the code prints: the beginning of its stdout, the end of its stderr, and every line to the log."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self.output = Capture(MAX_PRINTED_BYTES)
        self.errors = Capture(0)
        self._lines = {False: _Lines(log), True: _Lines(log)}

    def add(self, chunk: bytes, *, to_errors: bool) -> None:
        """Take in the next bytes of a stream."""
        (self.errors if to_errors else self.output).add(chunk)
        self._lines[to_errors].add(chunk)

    def end(self) -> None:
        """Say the last lines, even if they have no end."""
        for lines in self._lines.values():
            lines.end()


class _Lines:
    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def add(self, chunk: bytes) -> None:
        text = self._rest + self._decoder.decode(chunk)
        whole, newline, self._rest = text.rpartition("\n")
        if newline:
            self._log(whole)
        if len(self._rest) > _MAX_LINE_CHARS:
            self._log(self._rest)
            self._rest = ""

    def end(self) -> None:
        self._rest += self._decoder.decode(b"", final=True)
        if self._rest:
            self._log(self._rest)
        self._rest = ""


def call(worker: PythonWorker, request: bytes, prints: Prints) -> Answer:
    """Make a call and return what became of it; `prints` takes in all that was printed until then."""
    answer = Answer(ready=worker.ready)
    with selectors.DefaultSelector() as selector:
        conversation = _Conversation(worker, request, prints, answer, selector)
        conversation.hold()
    worker.calls += 1
    worker.ready = answer.ready
    return answer


class _Conversation:
    def __init__(
        self,
        worker: PythonWorker,
        request: bytes,
        prints: Prints,
        answer: Answer,
        selector: selectors.BaseSelector,
    ) -> None:
        self._worker, self._prints, self._answer, self._selector = worker, prints, answer, selector
        self._unsent = [memoryview(_HEAD.pack(len(request), b"c")), memoryview(request)]
        self._received = bytearray()
        self._deadline = time.monotonic() + START_S

    def hold(self) -> None:
        """Send, read and wait until there is an answer, or none can come any more."""
        tree, channel = self._worker.tree, self._worker.channel
        self._selector.register(channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
        for stream in (tree.output, tree.errors):
            self._selector.register(stream, selectors.EVENT_READ)
        self._selector.register(tree.status, selectors.EVENT_READ)
        while not self._is_over():
            for key, events in self._selector.select(self._patience_s()):
                if key.fileobj is channel:
                    self._exchange(events)
                elif key.fileobj is tree.output or key.fileobj is tree.errors:
                    if not self._print(key.fd):
                        self._selector.unregister(key.fileobj)
                elif not tree.read_status():
                    self._answer.ended = tree.ended()
                    self._receive()  # An answer may have come just before.
        for stream in (tree.output, tree.errors):
            before = self._read_bytes()
            while self._print(stream.fileno()) and self._read_bytes() - before < _PIPE_BYTES:
                pass

    def _is_over(self) -> bool:
        answer = self._answer
        if not answer.ready and time.monotonic() > self._deadline:
            answer.late = True
        return (
            answer.late or answer.ended is not None or answer.result is not None or answer.error is not None
        )

    def _patience_s(self) -> float | None:
        return None if self._answer.ready else max(self._deadline - time.monotonic(), 0.0)

    def _read_bytes(self) -> int:
        return self._prints.output.size_bytes + self._prints.errors.size_bytes

    def _print(self, descriptor: int) -> bool:
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if chunk:
            self._prints.add(chunk, to_errors=descriptor == self._worker.tree.errors.fileno())
        return bool(chunk)

    def _exchange(self, events: int) -> None:
        channel = self._worker.channel
        if events & selectors.EVENT_WRITE:
            self._send()
            if not self._unsent:
                self._selector.modify(channel, selectors.EVENT_READ)
        if events & selectors.EVENT_READ and not self._receive():
            self._selector.unregister(channel)

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                while self._unsent:
                    sent = self._worker.channel.send(self._unsent[0][:_CHUNK_BYTES])
                    self._unsent[0] = self._unsent[0][sent:]
                    if not self._unsent[0]:
                        del self._unsent[0]
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    raise
                self._unsent.clear()  # Nobody is there to read it; the status tells.

    def _receive(self) -> bool:
        """Take in what is there; return whether more may come."""
        try:
            while chunk := self._worker.channel.recv(_CHUNK_BYTES):
                self._received += chunk
                self._take_frames()
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _take_frames(self) -> None:
        while len(self._received) >= _HEAD.size:
            length, letter = _HEAD.unpack_from(self._received)
            end = _HEAD.size + length
            if length > python_worker.MAX_FRAME_BYTES + 1 or letter not in b"hbre":
                # The code has written to our channel. Nothing that comes can be believed.
                self._worker.tree.end()
                self._received.clear()
                return
            if len(self._received) < end:
                return
            self._take(letter, bytes(memoryview(self._received)[_HEAD.size : end]))
            del self._received[:end]

    def _take(self, letter: bytes, content: bytes) -> None:
        answer = self._answer
        match letter:
            case b"h":
                answer.ready = True
            case b"b":
                answer.begun = True
            case b"r":
                answer.dirty, answer.result = content[:1] != b".", content[1:]
            case _:
                answer.dirty, answer.error = content[:1] != b".", content[1:]
