"""Starts a program together with everything it will start, and ends all of it.

Linux: `supervisor.py` stands between us and the program, and misses nobody. Elsewhere, a thread of ours waits for
the program and ends those that are then found by parent and by a mark in their environment.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec

from atomiton_runtime.nodes import supervisor

if TYPE_CHECKING:
    import psutil

MARK = "ATOMITON_ATTEMPT"
"""The environment variable that everything an attempt started inherits."""
GRACE_S = supervisor.GRACE_S
"""Between asking a process to end and killing it, in seconds."""
_LOOK_AGAIN_S = 0.02
_PAUSE = threading.Event()
_SUPERVISED = sys.platform == "linux" and not getattr(sys, "frozen", False)


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended, and its tree with it."""

    exit_code: int | None = None
    signal: int | None = None
    """The number of the signal that ended it."""
    error: int | None = None
    """The `errno` for which it could not begin."""
    left: tuple[int, ...] = ()
    """Processes of the tree that could not be ended: another user's, or stuck in the kernel."""


class ProcessTree:
    """A running program with its descendants. Made by `start_tree`; `close` it whatever happens.

    `output`, `errors` and `input` are the program's streams as seen from here; `status` becomes readable, and
    then gives the end of the file, when nothing of the tree is alive any more.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", status: int, mark: str) -> None:
        self._process = process
        self._mark = mark
        self._lock = threading.Lock()
        self._reaped = False
        self._lines = b""
        self.status = status

    @property
    def input(self) -> IO[bytes] | None:
        """Where to write what the program reads; None when it reads nothing."""
        return self._process.stdin

    @property
    def output(self) -> IO[bytes]:
        """Where to read what the program writes."""
        return cast("IO[bytes]", self._process.stdout)

    @property
    def errors(self) -> IO[bytes]:
        """Where to read what the program writes to its standard error."""
        return cast("IO[bytes]", self._process.stderr)

    def is_alone(self) -> bool:
        """Return whether, besides the program's own children, nothing else of the tree is alive."""
        if _SUPERVISED:
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
                return len(children.read_text().split()) <= 1
        return sum(1 for _ in _marked(self._mark)) <= (2 if _SUPERVISED else 1)

    def end(self) -> None:
        """Ask for the end of the whole tree; returns at once. For any thread, at any time, any number of times."""
        with self._lock:
            if self._reaped:
                return
            if _SUPERVISED:
                self._process.send_signal(signal.SIGTERM)
                self._process.send_signal(signal.SIGCONT)
            else:
                threading.Thread(target=end_marked, args=(self._mark,), name="end-tree", daemon=True).start()

    def read_status(self) -> bool:
        """Take in what `status` has to say; return False when that was the last word."""
        said = os.read(self.status, 4096)
        self._lines += said
        return bool(said)

    def ended(self) -> Ended:
        """Return how it ended; waits for that."""
        while self.read_status():
            pass
        with self._lock:
            returned = self._process.wait()
            self._reaped = True
        found = _parsed(self._lines.decode())
        if found is None:
            # The supervisor itself was killed: nobody but the mark knows its tree now.
            left = end_marked(self._mark)
            return Ended(signal=abs(returned), left=left)
        return found

    def close(self) -> None:
        """Let go of the streams, and of the tree if it is still there."""
        self.end()
        self.ended()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        os.close(self.status)


def signal_name(number: int) -> str:
    """Return what a signal is called: `SIGTERM`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def start_tree(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    with_input: bool,
    pass_fds: tuple[int, ...] = (),
) -> ProcessTree:
    """Start `command`, whose first entry is the path of a program, in a session of its own.

    On Linux the tree is ended with the *thread* that started it: the system tells of a parent's death by thread.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        environment: of the program, whole.
        with_input: whether something is to be written to it.
        pass_fds: descriptors besides the standard streams that it inherits, by the same numbers (not on Windows).

    Raises:
        OSError: it cannot be started (on Linux, this may come later: `Ended.error`).
    """
    mark = f"{os.getpid()}-{os.urandom(16).hex()}"
    status, status_end = os.pipe()
    supervised = [sys.executable, "-I", "-S", supervisor.__file__, str(status_end), str(os.getpid())]
    try:
        process = subprocess.Popen(
            [*supervised, *command] if _SUPERVISED else list(command),
            stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**environment, MARK: mark},
            bufsize=0,
            start_new_session=True,
            pass_fds=(*pass_fds, status_end) if _SUPERVISED else pass_fds,
        )
    except (OSError, ValueError):
        os.close(status)
        os.close(status_end)
        raise
    if _SUPERVISED:
        os.close(status_end)
    else:
        watch = threading.Thread(
            target=_watch, args=(process, status_end, mark), name="watch-tree", daemon=True
        )
        watch.start()
    return ProcessTree(process, status, mark)


def own_program(module: str, *arguments: str) -> list[str]:
    """Return the command that calls `main` of a module of ours, in a Python like this one.

    With -I, nothing that lies in the working directory is taken for a module; with -S, it starts in half the time.
    """
    count = 1 + len(arguments)
    paths = [os.path.abspath(each) for each in sys.path]  # noqa: PTH100  # texts, and "" is the working directory
    code = (
        f"import sys; sys.path[:] = sys.argv[{count}:]; from {module} import main; main(*sys.argv[1:{count}])"
    )
    return [sys.executable, "-I", "-S", "-c", code, *arguments, *paths]


def end_marked(mark: str) -> tuple[int, ...]:
    """End all processes that carry this mark, and their descendants; return those that are left."""
    import psutil

    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in _marked(mark):
            with contextlib.suppress(psutil.Error):
                ask(process)
                process.resume()
        deadline = time.monotonic() + GRACE_S
        # Not `psutil.wait_procs`: for a zombie that its new parent is slow to bury, it waits all the time.
        while (left := tuple(process.pid for process in _marked(mark))) and time.monotonic() < deadline:
            _PAUSE.wait(_LOOK_AGAIN_S)
        if not left:
            return ()
    return tuple(process.pid for process in _marked(mark))


def _marked(mark: str) -> Iterator["psutil.Process"]:
    import psutil

    seen: set[int] = {os.getpid()}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                for member in (process, *process.children(recursive=True)):
                    if member.pid not in seen and member.status() != psutil.STATUS_ZOMBIE:
                        seen.add(member.pid)
                        yield member


def _watch(process: "subprocess.Popen[bytes]", status_end: int, mark: str) -> None:
    code = process.wait()
    left = end_marked(mark)
    lines = f"exit {code}\n" if code >= 0 else f"signal {-code}\n"
    if left:
        lines += f"left {' '.join(map(str, left))}\n"
    os.write(status_end, lines.encode())
    os.close(status_end)


def _parsed(lines: str) -> Ended | None:
    facts = {word: rest for word, _, rest in (line.partition(" ") for line in lines.splitlines())}
    left = tuple(int(pid) for pid in facts.get("left", "").split())
    if "error" in facts:
        return Ended(error=int(facts["error"]), left=left)
    if "exit" in facts:
        return Ended(exit_code=int(facts["exit"]), left=left)
    return Ended(signal=int(facts["signal"]), left=left) if "signal" in facts else None
