"""Keeps processes that work on images, and lends them to attempts."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol, TypeAlias, cast

import msgspec

from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.environment import without_secrets
from atomiton_runtime.nodes.image_messages import Answer, Begin, Finish, Request, encoded_request, refusal
from atomiton_runtime.nodes.processes import Ended, ProcessTree, own_program, signal_name, start_tree
from atomiton_runtime.nodes.turns import Turns
from atomiton_runtime.nodes.warm_processes import Leash, Worker, WorkerPool

MAX_AT_ONCE = max(2, os.cpu_count() or 2)
"""Images that are worked on at the same time: more would only take memory from each other."""
_PIECE_BYTES = 1024 * 1024


class Studio(Protocol):
    """Where the images of one attempt are worked on."""

    def ask(self, request: Request) -> Answer:
        """Return the answer to a request; then take `data`.

        Raises:
            NodeError: the process broke (IMAGE-010).
        """
        ...

    def data(self) -> Iterator[bytes]:
        """Yield the content of the file that the last answer was about, in pieces."""
        ...


Lend: TypeAlias = Callable[[Begin, CancelToken], AbstractContextManager[Studio]]
"""Gives a studio that has begun, for one attempt; see `Studios.lent`."""


class Studios:
    """The studios of a runtime. Usable from every thread."""

    def __init__(self) -> None:
        self._pool: WorkerPool[_Process] = WorkerPool(_started)
        self._turns = Turns(MAX_AT_ONCE)

    @contextlib.contextmanager
    def lent(self, begin: Begin, cancel: CancelToken) -> Generator[Studio]:
        """Lend a studio; when the block ends, or is cancelled, nothing works for it any more.

        Raises:
            NodeError: what is to lie over the images is refused, or there is no process (IMAGE-010).
            NodeCancelledError: the attempt was told to stop, and its process is gone.
        """
        with self._turns.turn(cancel):
            while True:
                process = self._taken()
                leash = Leash(process, cancel)
                with self._held(process, leash, cancel):
                    try:
                        answer = process.ask(begin)
                    except NodeError:
                        if process.calls:
                            continue  # It had died while it was idle, and knew nothing of this attempt.
                        raise
                    if answer.refused is not None:
                        raise refusal(answer.refused)
                    yield process
                return

    @contextlib.contextmanager
    def _held(self, process: "_Process", leash: Leash, cancel: CancelToken) -> Generator[None]:
        try:
            yield
        finally:
            if process.is_clean and not cancel.cancelled:
                with contextlib.suppress(NodeError):
                    process.ask(Finish())
            leash.let_go()
            if cancel.cancelled or not process.is_clean:
                process.close()
            else:
                process.calls += 1
                self._pool.give_back(process)
            if cancel.cancelled:
                raise NodeCancelledError  # Whatever else went wrong did so because of it.

    def close(self) -> None:
        """End the processes that wait for images."""
        self._pool.close()

    def _taken(self) -> "_Process":
        try:
            return self._pool.take(None)
        except OSError as error:
            raise _no_process(error.strerror or str(error)) from error


class _Process(Worker):
    """A studio that is a process."""

    def __init__(self, tree: ProcessTree) -> None:
        super().__init__(None, tree)
        self.is_clean = True
        """Whether it has answered all that it was asked, and all of its answers were read."""
        self._decoder = msgspec.json.Decoder(Answer)
        self._output = io.BufferedReader(cast(io.RawIOBase, tree.output), _PIECE_BYTES)
        self._unread_bytes = 0

    def ask(self, request: Request) -> Answer:
        self.is_clean = False
        line = b""
        with contextlib.suppress(OSError):  # It has ended.
            self._write(encoded_request(request))
            line = self._output.readline()
        if not line.endswith(b"\n"):
            raise self._broke()
        answer = self._decoder.decode(line)
        self._unread_bytes = answer.size_bytes
        self.is_clean = not answer.size_bytes
        return answer

    def data(self) -> Iterator[bytes]:
        while self._unread_bytes:
            piece = self._output.read1(min(self._unread_bytes, _PIECE_BYTES))
            if not piece:
                raise self._broke()
            self._unread_bytes -= len(piece)
            self.is_clean = not self._unread_bytes
            yield piece

    def close(self) -> Ended:
        ended = super().close()
        with contextlib.suppress(ValueError):  # Its stream is closed.
            self._output.detach()
        return ended

    def _write(self, line: bytes) -> None:
        unwritten = memoryview(line)
        while unwritten:
            unwritten = unwritten[cast("IO[bytes]", self.tree.input).write(unwritten) :]

    def _broke(self) -> NodeError:
        self.tree.end()
        ended = self.tree.ended()
        if ended.error is not None:
            return _no_process(os.strerror(ended.error))
        how = f"by {signal_name(ended.signal)}" if ended.signal else f"with exit code {ended.exit_code}"
        hint = "the image is broken in a way that nobody foresaw, or needs more memory than there is"
        return NodeError("IMAGE-010", f"the process that worked on it was ended {how}", hint=hint)


def _started(_: object) -> _Process:
    command = own_program("atomiton_runtime.nodes.image_process")
    folder = Path(Path(sys.executable).anchor)  # It must keep nobody from removing or unmounting another one.
    return _Process(start_tree(command, folder=folder, environment=without_secrets(), with_input=True))


def _no_process(words: str) -> NodeError:
    return NodeError("IMAGE-010", f"the process that works on images did not start: {words}")
