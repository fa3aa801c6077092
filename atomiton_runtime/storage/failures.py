"""Says in a user's words why a disk refused: the errors that every engine raises alike."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from atomiton_runtime.errors import ErrorInfo, StorageError

_HINTS = {
    errno.ENOSPC: "free some disk space; nothing that was stored before is lost",
    errno.EDQUOT: "your disk quota is used up: free some space; nothing that was stored before is lost",
    errno.EFBIG: "the file reached the allowed size (see `ulimit -f`): delete old runs",
    errno.EACCES: "give yourself the right to write there, or choose another place with --data",
    errno.EPERM: "give yourself the right to write there, or choose another place with --data",
    errno.EROFS: "the file system is read-only: choose another place with --data",
    errno.EIO: "the disk reports an input/output error: check it, and save a copy of the store",
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`)",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another place with --data",
    errno.EEXIST: "a file has the folder's name: choose another place with --data",
    errno.EISDIR: "a folder has the file's name: choose another place with --data",
}
_DEFAULT_HINT = "check that the place exists and that you may write there"


def disk_error(code: str, verb: str, path: Path | str, number: int | None) -> StorageError:
    """Return the error for a disk that refused with `errno` value `number`.

    Args:
        code: the STORE-... code to raise it under.
        verb: what was tried, e.g. "write".
        path: the file or folder.
        number: an `errno` value; None when the system gave none.
    """
    words = os.strerror(number) if number else "the system gave no reason"
    return StorageError(code, f"cannot {verb} {path}: {words}", hint=_HINTS.get(number or 0, _DEFAULT_HINT))


@contextmanager
def reported(code: str, verb: str, path: Path | str) -> Generator[None]:
    """Turn an `OSError` of the body into a `StorageError`: `cannot <verb> <path>: <errno's words>`."""
    try:
        yield
    except OSError as exc:
        raise disk_error(code, verb, exc.filename or path, exc.errno) from exc


def damaged(path: Path | str, detail: str) -> StorageError:
    """Return the error for a store whose content cannot be true (STORE-005)."""
    return StorageError(
        "STORE-005",
        f"the store {path} is damaged: {detail}",
        hint="nothing was changed; move it away to start with an empty store, or restore a copy",
    )


def not_there(path: Path | str) -> StorageError:
    """Return the error for a store that is to be read and does not exist (STORE-001)."""
    return StorageError("STORE-001", f"there is no store {path}", hint="nothing has been run with it yet")


def only_readable(url: str) -> StorageError:
    """Return the error for a store that was opened for reading and is to be changed (STORE-002)."""
    return StorageError("STORE-002", f"the store {url} is open for reading only", hint=_DEFAULT_HINT)


def shown_all_the_same(refused: StorageError) -> ErrorInfo:
    """Return the warning about a store that could not be opened to write, and is read (STORE-015)."""
    return ErrorInfo("STORE-015", f"only what is kept is shown: {refused.message}", hint=refused.hint)


def not_open(url: str) -> StorageError:
    """Return the error for a store that is used before `open` or after `close` (STORE-010)."""
    return StorageError("STORE-010", f"the store {url} is not open")
