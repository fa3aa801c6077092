"""Starts the processes that execute the calls of `python` nodes."""

import os
import socket
from pathlib import Path
from typing import NamedTuple

from atomiton_runtime.nodes import python_worker
from atomiton_runtime.nodes.processes import Ended, ProcessTree, start_tree
from atomiton_runtime.nodes.warm_processes import Worker


class WorkerKey(NamedTuple):
    """What calls must have in common to be answered by the same worker."""

    interpreter: str
    """Path of a Python."""
    folder: str
    """The flow's folder, absolute."""
    max_memory: int
    """Most bytes of address space; 0: as many as the system gives."""
    environment: frozenset[tuple[str, str]]


class PythonWorker(Worker):
    """A Python process that executes one call at a time, with everything it starts."""

    def __init__(self, key: WorkerKey, tree: ProcessTree, channel: socket.socket) -> None:
        super().__init__(key, tree)
        self.channel = channel

    def close(self) -> Ended:
        """End it with everything it has started, wait for that, and return how it ended."""
        ended = super().close()
        self.channel.close()
        return ended


def start_worker(key: WorkerKey) -> PythonWorker:
    """Start a worker, which is not ready yet.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = socket.socketpair()
    program = str(Path(python_worker.__file__).resolve())
    command = [key.interpreter, program, str(theirs.fileno()), key.folder, str(key.max_memory)]
    with theirs:
        try:
            tree = start_tree(
                command,
                folder=Path(key.folder),
                environment=dict(key.environment),
                with_input=False,
                pass_fds=(theirs.fileno(),),
            )
        except (OSError, ValueError) as error:
            ours.close()
            raise error if isinstance(error, OSError) else OSError(str(error)) from error
    for stream in (ours.fileno(), tree.output.fileno(), tree.errors.fileno()):
        os.set_blocking(stream, False)
    return PythonWorker(key, tree, ours)
