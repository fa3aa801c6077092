"""Looks at flow files without ever waiting for one: what is there, and what is in it."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo

SUFFIX = ".toml"
FILE_LIMIT_BYTES = 1024 * 1024
"""A flow file may have this size. Of a larger one a single byte more is read, so that the loader says so."""
FILES_LIMIT = 10_000
"""Of more flow files in the folder, those first by name are taken."""

# Without O_NONBLOCK, opening a FIFO waits for a writer. Windows knows neither flag, and no FIFO in a folder.
_OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Signature(msgspec.Struct, frozen=True):
    """What a file's metadata says; while it is the same, its content is taken to be the same."""

    device: int
    inode: int
    mode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class Identity(msgspec.Struct, frozen=True):
    """Tells a folder from another one of the same name."""

    device: int
    inode: int


class Missing(msgspec.Struct, frozen=True):
    """There is no such file."""


class Unreadable(msgspec.Struct, frozen=True):
    """There is something, but not a flow file that can be read."""

    error: ErrorInfo
    signature: Signature | None


class Changing(msgspec.Struct, frozen=True):
    """It was written to while it was read."""


class Content(msgspec.Struct, frozen=True):
    """It was read, and did not change meanwhile."""

    data: bytes
    hash: str
    """SHA-256 of `data`, in hex."""
    signature: Signature


Look: TypeAlias = Missing | Unreadable | Changing | Content


class Listing(msgspec.Struct, frozen=True):
    """The flow files of a folder."""

    names: tuple[str, ...]
    """Sorted; at most `FILES_LIMIT`."""
    left_out: int = 0
    """How many more there are (count)."""
    undecodable: tuple[str, ...] = ()
    """Names that are not valid Unicode, in a form that can be shown."""


def is_flow_file(name: str) -> bool:
    """Return whether a file of this name, directly in the flows folder, is a flow.

    Hidden files are not; and with them, and with whatever does not end in `.toml`, go the temporary files of all
    editors and tools of the table in the tests. Conflict copies (`a (conflicted copy).toml`) are flows: they hold
    what somebody wrote, and a new file is loaded without being run.
    """
    return (
        name.endswith(SUFFIX) and not name.startswith(".") and len(name) > len(SUFFIX) and _is_unicode(name)
    )


def list_flow_files(folder: Path) -> Listing:
    """Return the names of the flow files of `folder`.

    Raises:
        OSError: the folder is not there, is none, or may not be read.
    """
    candidates = [name for name in os.listdir(folder) if name.endswith(SUFFIX)]  # noqa: PTH208  # names are all it needs
    names = sorted(name for name in candidates if is_flow_file(name))
    undecodable = tuple(_shown(name) for name in candidates if not _is_unicode(name))
    return Listing(tuple(names[:FILES_LIMIT]), max(len(names) - FILES_LIMIT, 0), undecodable)


def folder_identity(folder: Path) -> Identity | None:
    """Return which folder `folder` is at present; None if there is none, or it may not be read."""
    try:
        status = folder.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(status.st_mode) or not os.access(folder, os.R_OK | os.X_OK):
        return None
    return Identity(status.st_dev, status.st_ino)


def file_signature(path: str) -> Signature | None:
    """Return the signature of the file that `path` leads to; None if it leads nowhere."""
    try:
        return _signature(os.stat(path))  # noqa: PTH116  # of ten thousand files, a Path costs more than its look
    except (OSError, ValueError):
        return None


def look_at(path: str) -> Look:
    """Return what is at `path`, following links; it reads regular files only, and never waits for one."""
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            return _no_regular_file(path, status)
        return _read(path)
    except ValueError:  # a NUL in the path
        return Missing()
    except OSError as error:
        return _failed_look(path, error)


def _read(path: str) -> Look:
    descriptor = os.open(path, _OPEN_FLAGS)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  # a Path cannot be opened without waiting
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return Changing()
        data = _read_up_to(file.read, FILE_LIMIT_BYTES + 1)
        after = _signature(os.fstat(descriptor))
    # The name must still lead to what was read, or a rename came in between.
    if after != _signature(before) or file_signature(path) != after:
        return Changing()
    return Content(data, hashlib.sha256(data).hexdigest(), after)


def _read_up_to(read: Callable[[int], bytes | None], limit_bytes: int) -> bytes:
    pieces = list[bytes]()
    left_bytes = limit_bytes
    while left_bytes > 0 and (piece := read(left_bytes)):
        pieces.append(piece)
        left_bytes -= len(piece)
    return b"".join(pieces)


def _failed_look(path: str, error: OSError) -> Look:
    if error.errno == errno.ELOOP:
        return _dangling(path, "is a link that leads in a circle")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if Path(path).is_symlink():
            return _dangling(path, "is a link that leads nowhere")
        return Missing()
    reason = error.strerror or repr(error)
    hint = "allow yourself to read it" if error.errno in (errno.EACCES, errno.EPERM) else None
    info = ErrorInfo("WATCH-001", f"{Path(path).name} cannot be read: {reason}", hint=hint)
    return Unreadable(info, file_signature(path))


def _dangling(path: str, what: str) -> Unreadable:
    hint = "make the link lead to a flow file, or remove it"
    return Unreadable(ErrorInfo("WATCH-003", f"{Path(path).name} {what}", hint=hint), None)


def _no_regular_file(path: str, status: os.stat_result) -> Unreadable:
    kind = next((words for is_kind, words in _KINDS if is_kind(status.st_mode)), "no regular file")
    message = f"{Path(path).name or path} is {kind}, not a flow file"
    hint = f"a flow is a text file; nothing else in the flows folder may end in {SUFFIX}"
    return Unreadable(ErrorInfo("WATCH-002", message, hint=hint), _signature(status))


def _signature(status: os.stat_result) -> Signature:
    return Signature(
        status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of the name that are no UTF-8 are lone surrogates in it
        return False
    return True


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
