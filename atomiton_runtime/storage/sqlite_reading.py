"""Connects to a SQLite store on a disk that is full or read-only.

In WAL mode even a reader needs an index in shared memory, a file beside the database that cannot be made there. Who is
alone with a whole file needs none; what a killed process left in a write-ahead log is read in a copy, for which another
disk, or memory, has room.
"""

import shutil
import sqlite3
from pathlib import Path

from atomiton_runtime.scratch import IN_MEMORY, ScratchFolder

_LOG = "-wal"


def connect_for_reading(path: Path) -> tuple[sqlite3.Connection, ScratchFolder | None]:
    """Return a connection that only reads, and the folder of the copy that it reads, to be removed after it.

    Raises:
        sqlite3.Error: the file cannot be read.
        OSError: a copy is needed, and no disk has room for it.
    """
    log = path.with_name(path.name + _LOG)
    copy = _copied(path, log) if log.exists() and log.stat().st_size else None
    return connect_again(path, copy), copy


def connect_again(path: Path, copy: ScratchFolder | None) -> sqlite3.Connection:
    """Return another connection to what `connect_for_reading` has found."""
    if copy is None:
        return _connect(f"{path.as_uri()}?mode=ro&immutable=1")
    return _connect((copy.path / path.name).as_uri())


def connect_beside(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection that only reads, beside one that writes."""
    uri = f"{path.as_uri()}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )


def _copied(*files: Path) -> ScratchFolder:
    """Return a folder with a copy of the files."""
    try:
        return _copied_to(None, files)
    except OSError:
        if not IN_MEMORY.is_dir():
            raise
        return _copied_to(IN_MEMORY, files)


def _copied_to(parent: Path | None, files: tuple[Path, ...]) -> ScratchFolder:
    folder = ScratchFolder(parent)
    try:
        for file in files:
            shutil.copyfile(file, folder.path / file.name)
    except OSError:
        folder.close()
        raise
    return folder


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
