"""Says which processes live, by the locks that they hold."""

import contextlib
import os
import sys
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

if sys.platform != "win32":
    import fcntl

_FOLDER = "processes"


class Sign(msgspec.Struct, frozen=True):
    """What a `.door` file says."""

    token: str
    path: str | None = None
    port: int | None = None
    pid: int = 0
    """Of the process; only that there is none of this number says anything, see `is_live`."""


def processes_folder(data: Path) -> Path:
    """Return the folder where the processes that use the data folder `data` keep their locks and doors."""
    return data / _FOLDER


def is_live(data: Path, process: str) -> bool:
    """Return whether the process of this name lives now."""
    folder = processes_folder(data)
    return (
        (folder / f"{process}.lock").exists() and not _bury(folder, process) and not _is_gone(folder, process)
    )


def live_processes(data: Path) -> set[str]:
    """Return the names of the processes that live now, and remove what dead ones left behind."""
    folder = processes_folder(data)
    names = [lock.stem for lock in folder.glob("*.lock")]
    return {name for name in names if not _bury(folder, name) and not _is_gone(folder, name)}


def _bury(folder: Path, process: str) -> bool:
    """Remove the files of a dead process; return whether it is dead."""
    lock = FileLock(folder / f"{process}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError:
        # On a disk that cannot be written, or without the right to: its files stay, and are not ours to remove.
        return not _is_held(folder / f"{process}.lock")
    try:
        remove_files(folder, process)
    finally:
        lock.release()
    return True


def _is_held(lock: Path) -> bool:
    """Return whether a process holds the lock, as far as that can be found out without writing."""
    if sys.platform == "win32":
        return True
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True  # held, or not ours to look at: then nobody can say that it is dead
    return False


def _is_gone(folder: Path, process: str) -> bool:
    """Return whether a process is dead although its lock is held.

    A child that it was starting when it was killed has the lock as well, until it becomes another program: some
    milliseconds in which a dead process would look alive. That its number is free proves its death; that the number is
    in use proves nothing, and the lock decides.
    """
    try:
        pid = msgspec.json.decode((folder / f"{process}.door").read_bytes(), type=Sign).pid
    except (OSError, msgspec.DecodeError):
        return False
    if not pid or os.name == "nt":
        return False  # there, asking a process whether it lives may end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def remove_files(folder: Path, process: str) -> None:
    """Remove what a process left in its folder; the caller holds its lock."""
    # The lock's file goes last; on Windows an open file stays until the next look.
    for kind in ("door", "sock", "lock"):
        with contextlib.suppress(OSError):
            (folder / f"{process}.{kind}").unlink(missing_ok=True)
