"""Connects to a SQLite store on a disk that is full or read-only.

In WAL mode even a reader needs an index in shared memory, a file beside the database that cannot be made there. Who is
alone with a whole file needs none; what a killed process left in a write-ahead log is read in a copy, for which another
disk, or memory, has room.
"""

import shutil
import sqlite3
import tempfile
from pathlib import Path
from tempfile import TemporaryDirectory

_IN_MEMORY = Path("/dev/shm")  # Linux: a file system that is there when every disk is full
_LOG = "-wal"


def connect_for_reading(path: Path) -> tuple[sqlite3.Connection, TemporaryDirectory[str] | None]:
    """Return a connection that only reads, and the folder of the copy that it reads, to be removed after it.

    Raises:
        sqlite3.Error: the file cannot be read.
        OSError: a copy is needed, and no disk has room for it.
    """
    log = path.with_name(path.name + _LOG)
    if not log.exists() or not log.stat().st_size:
        return _connect(f"{path.as_uri()}?mode=ro&immutable=1"), None
    copy = _copied(path, log)
    return _connect((Path(copy.name) / path.name).as_uri()), copy


def _copied(*files: Path) -> TemporaryDirectory[str]:
    """Return a folder with a copy of the files."""
    try:
        return _copied_to(Path(tempfile.gettempdir()), files)
    except OSError:
        if not _IN_MEMORY.is_dir():
            raise
        return _copied_to(_IN_MEMORY, files)


def _copied_to(parent: Path, files: tuple[Path, ...]) -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="atomiton-", dir=parent)
    try:
        for file in files:
            shutil.copyfile(file, Path(folder.name) / file.name)
    except OSError:
        folder.cleanup()
        raise
    return folder


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
