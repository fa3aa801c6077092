"""Keeps a process that looks up names: started with the first question, and ended with one that nobody waits for.

A process in which a look-up hangs is the only one that can be made to stop looking. Others who wait for an answer of it
lose nothing but time: their questions are asked again in the next one.
"""

import ast
import contextlib
import errno
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from socket import gaierror
from typing import IO, cast

from atomiton_runtime.nodes.http import resolver_process
from atomiton_runtime.nodes.http.names import Address, Question
from atomiton_runtime.nodes.processes import ProcessTree, start_tree

_MAX_STARTS = 3
"""A process that ends by itself again and again without an answer is given up."""
PROGRAM = (sys.executable, "-I", "-S", resolver_process.__file__)


class Resolver:
    """Answers questions. Usable from every thread; whoever forgets to close it is forgiven."""

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._desk = _Desk(program)
        weakref.finalize(self, self._desk.end)

    def ask(self, host: bytes, port: int) -> Question:
        """Return the question for a host's addresses, asked already if somebody else waits for the same."""
        return self._desk.ask(host, port)

    def leave(self, question: Question) -> None:
        """Want the answer no more; if nobody else does, end the process that looks for it, and wait for that."""
        self._desk.leave(question)

    def close(self) -> None:
        """End the process and wait for that; another question starts another one."""
        self._desk.end()
        self._desk.wait()


class _Desk:
    """The open questions, and the life of the process that has them."""

    def __init__(self, program: Sequence[str]) -> None:
        self._program = program
        self._lock = threading.Lock()
        self._open: dict[tuple[bytes, int], Question] = {}
        self._numbers: dict[int, Question] = {}
        """What the process was asked, and has not answered."""
        self._next_number = 0
        self._thread: threading.Thread | None = None
        """Starts the process, and hears its answers: the system ends it with the thread that has started it."""
        self._tree: ProcessTree | None = None
        self._gone = threading.Event()
        """Set when the process of now is; each has its own."""
        self._ending = False
        """Whether the process of now, or the one that is just being started, is not wanted any more."""

    def ask(self, host: bytes, port: int) -> Question:
        with self._lock:
            question = self._open.get((host, port))
            if question is None:
                question = self._open[host, port] = Question(host, port)
                self._put(question)
            question.askers += 1
            return question

    def leave(self, question: Question) -> None:
        with self._lock:
            question.askers -= 1
            if question.askers or question.answered:
                return
            self._open.pop((question.host, question.port), None)
            if question not in self._numbers.values():
                return  # No process knows of it.
            gone = self._gone
            self._end_tree()
        gone.wait()

    def end(self) -> None:
        with self._lock:
            for question in tuple(self._open.values()):
                self._settle(question, OSError(errno.ECANCELED, os.strerror(errno.ECANCELED)))
            if self._thread is not None:
                self._end_tree()

    def _end_tree(self) -> None:
        self._ending = True
        if self._tree is not None:
            self._tree.end()

    def wait(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()

    def _put(self, question: Question) -> None:
        """Ask the process; the caller holds the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="resolver", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:
                self._thread = None
                self._settle(question, OSError(errno.EAGAIN, str(error)))
        elif self._tree is not None:
            self._tell(self._tree, question)

    def _tell(self, tree: ProcessTree, question: Question) -> None:
        self._next_number += 1
        self._numbers[self._next_number] = question
        line = f"{self._next_number} {question.port} {question.host.hex()}\n".encode()
        written: int | None = None
        with contextlib.suppress(OSError):  # It has ended just now: the next one is asked.
            written = cast("IO[bytes]", tree.input).write(line)
        if written != len(line):
            self._end_tree()

    def _settle(self, question: Question, failure: OSError) -> None:
        self._open.pop((question.host, question.port), None)
        question.answer([], failure)

    # -- in the thread of the process ------------------------------------------------------------------------

    def _keep(self) -> None:
        silent = 0
        while True:
            heard = self._lived()
            with self._lock:
                silent = 0 if heard or self._ending else silent + 1
                self._tree, self._ending = None, False
                self._numbers.clear()
                gone, self._gone = self._gone, threading.Event()
                if silent >= _MAX_STARTS:
                    for question in tuple(self._open.values()):
                        self._settle(question, OSError(errno.ECHILD, "the process that does it ends at once"))
                if not self._open:
                    self._thread = None
                gone.set()
                if self._thread is None:
                    return

    def _lived(self) -> bool:
        """Start a process, hear it to its end, and let go of it; return whether it has answered anything."""
        try:
            tree = self._started()
        except OSError as error:
            with self._lock:
                for question in tuple(self._open.values()):
                    self._settle(question, error)
            return False
        try:
            with self._lock:
                self._tree = tree
                if self._ending:
                    tree.end()
                for question in self._open.values():
                    self._tell(tree, question)
            return self._heard(tree)
        finally:
            tree.close()

    def _started(self) -> ProcessTree:
        # Here, since only http-request without an address as its host needs it.
        from atomiton_runtime.nodes.environment import without_secrets

        # It must keep nobody from removing or unmounting another one.
        folder = Path(Path(sys.executable).anchor)
        tree = start_tree(self._program, folder=folder, environment=without_secrets(), with_input=True)
        os.set_blocking(cast("IO[bytes]", tree.input).fileno(), False)
        return tree

    def _heard(self, tree: ProcessTree) -> bool:
        answers = 0
        unread = b""
        while piece := tree.output.read(65536):
            *lines, unread = (unread + piece).split(b"\n")
            answers += sum(self._take(line) for line in lines)
        return answers > 0

    def _take(self, line: bytes) -> bool:
        """Take an answer; return whether it is one: modules of the system's look-up may print what they like."""
        try:
            told = ast.literal_eval(line.decode())
        except (ValueError, SyntaxError):
            return False
        answer: tuple[list[Address], OSError | None]
        match told:
            case (int(number), list()):
                answer = cast("list[Address]", told[1]), None
            case (int(number), None, str(words)):
                answer = [], OSError(words)
            case (int(number), int(code), str(words)):
                answer = [], gaierror(code, words)
            case _:
                return False
        with self._lock:
            question = self._numbers.pop(number, None)
            if question is None:
                return False
            if self._open.get((question.host, question.port)) is question:
                del self._open[question.host, question.port]
        question.answer(*answer)
        return True
