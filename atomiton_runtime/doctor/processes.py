"""Tells which processes of a data folder live, by their locks alone: nothing is removed, nobody is asked."""

import errno
import os
from pathlib import Path

import msgspec

from atomiton_runtime.control.presence import processes_folder


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """Who uses a data folder."""

    live: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    """Those whose files are still there; the next process that starts removes them."""


def processes_of(data: Path) -> Processes:
    """Return the processes that left a lock in the data folder.

    Raises:
        OSError: the folder is there but cannot be read.
    """
    folder = processes_folder(data)
    if not folder.is_dir():
        return Processes()
    locks = sorted(folder / name for name in os.listdir(folder) if name.endswith(".lock"))  # noqa: PTH208  # raises where it may not look
    held = {lock: is_held(lock) for lock in locks}
    return Processes(
        live=tuple(lock.stem for lock, is_live in held.items() if is_live),
        dead=tuple(lock.stem for lock, is_live in held.items() if not is_live),
    )


def is_held(lock: Path) -> bool:
    """Return whether a process holds this OS lock. A lock that may not be looked at counts as held."""
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _lockable(handle)
    finally:
        os.close(handle)


if os.name == "nt":

    def _lockable(handle: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        return True

else:

    def _lockable(handle: int) -> bool:
        import fcntl

        try:
            # Shared, and for a moment only: a process that starts now waits that long.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in (errno.EAGAIN, errno.EACCES)
        fcntl.flock(handle, fcntl.LOCK_UN)
        return True
