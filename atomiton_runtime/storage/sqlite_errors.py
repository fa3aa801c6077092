"""Says what SQLite's refusals mean to a user."""

import errno
import shutil
import sqlite3
from pathlib import Path

from atomiton_runtime.errors import StorageError
from atomiton_runtime.storage.failures import damaged, disk_error

_ERRNO = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
}
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def explained(error: Exception, code: str, verb: str, path: Path) -> StorageError:
    """Return the `StorageError` for what went wrong with the database `path`.

    Args:
        error: what SQLite or the system raised; a `StorageError` is returned as it is.
        code: the STORE-... code where the reason has none of its own.
        verb: what was tried, e.g. "write".
        path: the database.
    """
    if isinstance(error, StorageError):
        return error
    if isinstance(error, OSError):
        return disk_error(code, verb, path, error.errno)
    if isinstance(error, UnicodeDecodeError):
        return damaged(path, f"it holds what is no text: {error}")  # in a name of a table, say
    # The lowest byte is the kind of the error, what is above it the detail (https://sqlite.org/rescode.html).
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # Our statements are right, so what they cannot be executed on is damage: a table that is gone, a text that is none.
    if kind in _DAMAGED or kind == sqlite3.SQLITE_ERROR or "Could not decode" in str(error):
        return damaged(path, str(error))
    if kind in _BUSY:
        return StorageError(
            "STORE-007",
            f"cannot {verb} {path}: another process has kept it locked for too long",
            hint="another program may have the store open; end it, or wait",
        )
    if kind == sqlite3.SQLITE_CANTOPEN:
        return _cannot_open(code, path)
    if kind == sqlite3.SQLITE_IOERR and _is_full(path):
        # What SQLite says when the shared memory beside the database cannot grow.
        return disk_error(code, verb, path, errno.ENOSPC)
    if kind in _ERRNO:
        return disk_error(code, verb, path, _ERRNO[kind])
    return StorageError(code, f"cannot {verb} {path}: {error}", hint="see whether its disk is in order")


def is_read_only(error: Exception) -> bool:
    """Return whether SQLite takes the database for one that may not be written."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free == 0
    except OSError:
        return False


def _cannot_open(code: str, path: Path) -> StorageError:
    # SQLite keeps the system's reason to itself; opening the file as such brings it out.
    try:
        # Whether it is there or would have to be made: each is refused for another reason.
        existed = path.exists()
        with path.open("r+b" if existed else "xb"):
            if not existed:
                path.unlink()
            return StorageError(
                code, f"cannot open {path}", hint="see whether the folder can be read and written"
            )
    except OSError as exc:
        return disk_error(code, "open", path, exc.errno)
