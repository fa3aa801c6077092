"""Runs one command as the root of a process tree of which nothing can get away (Linux).

A program of its own, started as `python -I -S supervisor.py STATUS_FD PARENT_PID PROGRAM [ARG ...]`, with the
command's folder, environment and standard streams. It is the tree's *subreaper*: whoever loses his parent in the
tree becomes its child, so "no child left" means "nobody left", also for daemons that forked twice, began a
session of their own or cleared their environment. The tree is ended when the command ends, when the supervisor
gets SIGTERM, and when the process that started it dies.

Lines it writes to STATUS_FD: `exit N` or `signal N` (the command ended), `error ERRNO` (it could not begin),
`left PID ...` (these could not be ended). Closing the pipe, by exiting, is its last word.

Source: prctl(2), PR_SET_CHILD_SUBREAPER and PR_SET_PDEATHSIG.
"""

import ctypes
import os
import sys
import time

TYPE_CHECKING = False  # As type checkers know it, without loading `typing`.
if TYPE_CHECKING:
    import signal
else:
    # `signal` wraps this in enums, which costs a third of the supervisor's start-up (4 of 12 ms, CPython 3.11).
    import _signal as signal

GRACE_S = 2.0
"""Between SIGTERM and SIGKILL, in seconds."""
_KILL_S = 5.0
"""A process that is still there so long after SIGKILL is reported, in seconds."""
_RESCAN_S = 0.02

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_WATCHED = (signal.SIGCHLD, signal.SIGTERM)
_RESET = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ)


def main(status_fd: int, parent: int, command: list[str]) -> None:
    """Run the command; return when nothing of its tree is alive, or can be ended."""
    os.set_inheritable(status_fd, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # It died before it could be watched.
        return
    root = os.fork()
    if root == 0:
        _become(command, status_fd)
    _let_go_of_streams()
    while not _command_ended(root, status_fd):
        if signal.sigwaitinfo(_WATCHED).si_signo == signal.SIGTERM:
            break
    _end_all(root, status_fd)


def _become(command: list[str], status_fd: int) -> None:
    try:
        # A session of its own: `kill 0` inside the command must not reach the supervisor.
        os.setsid()
        for number in _RESET:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        os.execv(command[0], command)
    except OSError as error:
        os.write(status_fd, f"error {error.errno}\n".encode())
    finally:
        os._exit(127)


def _let_go_of_streams() -> None:
    # Else the command could not close its own end: a reader of its output would never see the end of it.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _command_ended(root: int, status_fd: int) -> bool:
    """Reap who has ended; return whether the command is among them, or nobody is left."""
    ended = False
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return ended
            if pid == root:
                ended = True
                code = os.waitstatus_to_exitcode(status)
                os.write(status_fd, f"exit {code}\n".encode() if code >= 0 else f"signal {-code}\n".encode())
    except ChildProcessError:
        return True


def _nobody_left(root: int, status_fd: int) -> bool:
    _command_ended(root, status_fd)
    try:
        # WNOWAIT: who ends just now is left for `_command_ended`.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def _end_all(root: int, status_fd: int) -> None:
    if _nobody_left(root, status_fd):
        return
    _signal_all(signal.SIGTERM, signal.SIGCONT)
    if _wait_until(time.monotonic() + GRACE_S, root, status_fd, then=()):
        return
    if not _wait_until(time.monotonic() + _KILL_S, root, status_fd, then=(signal.SIGKILL,)):
        left = " ".join(map(str, _descendants()))
        os.write(status_fd, f"left {left}\n".encode())


def _wait_until(deadline: float, root: int, status_fd: int, *, then: tuple[int, ...]) -> bool:
    """Wait until nobody is left; signal `then` to all again and again, for those that were just born."""
    while not _nobody_left(root, status_fd):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        if then:
            _signal_all(*then)
            remaining = min(remaining, _RESCAN_S)
        signal.sigtimedwait([signal.SIGCHLD], remaining)
    return True


def _signal_all(*numbers: int) -> None:
    for pid in _descendants():
        for number in numbers:
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                break


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  # as below
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123  # without pathlib it starts faster
                    # The name in parentheses may itself hold parentheses and spaces.
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    generation = [os.getpid()]
    while generation:
        generation = [child for pid in generation for child in children.get(pid, ())]
        found += generation
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
