"""Gives temporary folders that nothing survives: what a killed process leaves is removed by the next one.

Whoever uses a folder holds it by a lock of the operating system, and that of a dead process is free, whatever has
become of its process id. Where there is no such lock (Windows), only its own end removes a folder.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

if sys.platform != "win32":
    import fcntl

IN_MEMORY = Path("/dev/shm")  # Linux: a file system that is there when every disk is full
_PREFIX = "atomiton-scratch-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")


class ScratchFolder:
    """A temporary folder of this process; `close` removes it with all that is in it."""

    def __init__(self, parent: Path | None = None) -> None:
        """Make it in `parent`, by default where the system wants such folders, and remove those of dead processes.

        Raises:
            OSError: as the system says.
        """
        sweep()
        self._descriptor = -1
        while self._descriptor < 0:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            try:
                self._descriptor = _held(self.path)
            except OSError:
                self.path.rmdir()
                raise

    def close(self) -> None:
        """Remove it; a second call changes nothing."""
        if self._descriptor >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            _let_go(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sweep() -> None:
    """Remove the folders of dead processes of this user; never one that somebody uses."""
    if sys.platform == "win32":
        return
    for parent in (tempfile.gettempdir(), IN_MEMORY):
        with contextlib.suppress(OSError):
            for entry in os.scandir(parent):
                if _NAME.fullmatch(entry.name):
                    _remove_dead(Path(entry.path))


if sys.platform == "win32":

    def _held(path: Path) -> int:
        del path
        return sys.maxsize

    def _let_go(descriptor: int) -> None:
        del descriptor

else:

    def _held(path: Path) -> int:
        """Return what holds a new folder; negative: a sweep of another process was faster, and removes it."""
        try:
            descriptor = _opened(path)
        except FileNotFoundError:
            return -1
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1
        except OSError:  # A file system without locks: nobody else gets one there either.
            return descriptor
        if path.exists():
            return descriptor
        os.close(descriptor)
        return -1

    def _let_go(descriptor: int) -> None:
        os.close(descriptor)

    def _remove_dead(path: Path) -> None:
        with contextlib.suppress(OSError):
            descriptor = _opened(path)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)

    def _opened(path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
