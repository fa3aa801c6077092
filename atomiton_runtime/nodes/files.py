"""Writes, copies, moves and removes files so that nothing half-done is ever seen."""

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

_CHUNK_BYTES = 1024 * 1024
_NAME_BYTES = 100
_LEFT_BEHIND = re.compile(r"\..+\.[0-9a-f]{12}\.tmp", re.DOTALL)
_DEAD_AFTER_S = 60.0
_FOLDERS_REMEMBERED = 10_000

Pulse = Callable[[], None]
"""Called between pieces of long work; raises to end it."""


def write_whole(path: Path, content: bytes, *, overwrite: bool) -> None:
    """Make `content` the whole content of a file: afterwards it is there, or everything is as it was.

    A file that is replaced keeps its permissions, a link stays and its target is replaced.

    Raises:
        FileExistsError: it exists and `overwrite` is false.
        OSError: as the system says.
    """
    with replacing(path, overwrite=overwrite) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool) -> Generator[BinaryIO]:
    """Give a file to write to, which takes the place of `path` when the block ends without an error."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    before = _status(target)
    if before is not None:
        require_file(before, path)
        if not overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        if not os.access(target, os.W_OK):  # A rename would not ask.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    temporary = _beside(target)
    try:
        _sweep(target.parent)
        with temporary.open("xb") as file:
            _hold(file)
            yield file
        if before is not None:
            _take_after(temporary, before)
        _put(temporary, target, overwrite=overwrite)
    except OSError as error:
        # A write that the system refuses names no file at all.
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def append(path: Path, content: bytes) -> None:
    """Add `content` to the end of a file, all of it or nothing; a file that is not there is created."""
    before = _status(path)
    if before is not None:
        require_file(before, path)
    with path.open("ab", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        unwritten = memoryview(content)
        try:
            while unwritten:
                unwritten = unwritten[file.write(unwritten) :]
        except OSError as error:
            os.ftruncate(file.fileno(), end)
            error.filename = str(path)
            raise


def copy(source: Path, target: Path, *, overwrite: bool, pulse: Pulse) -> None:
    """Copy a file, a link as a link, or a folder with all that is in it; each file appears whole or not at all.

    A folder is copied into one that is there already: what is only there stays.
    """
    status = source.lstat()
    if stat.S_ISDIR(status.st_mode):
        _copy_folder(source, target, overwrite=overwrite, pulse=pulse)
    elif stat.S_ISLNK(status.st_mode):
        _copy_link(source, target, overwrite=overwrite)
    else:
        require_file(status, source)
        _copy_file(source, target, overwrite=overwrite, pulse=pulse)


def move(source: Path, target: Path, *, overwrite: bool, pulse: Pulse) -> None:
    """Give a file, link or folder another path; between devices, it is copied whole before it is removed."""
    _require_place(source, target, overwrite=overwrite)
    try:
        if overwrite or source.is_dir():
            source.replace(target)
        else:
            _put(source, target, overwrite=False)
            source.unlink(missing_ok=True)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_between_devices(source, target, overwrite=overwrite, pulse=pulse)


def remove(path: Path, *, recursive: bool, pulse: Pulse) -> int:
    """Remove a file, a link (never what it leads to) or a folder; return the bytes of the files removed.

    Raises:
        OSError: ENOTEMPTY for a folder with something in it, unless `recursive`.
    """
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        path.unlink()
        return status.st_size if stat.S_ISREG(status.st_mode) else 0
    if not recursive:
        path.rmdir()
        return 0
    size_bytes = 0
    with os.scandir(path) as entries:
        children = list(entries)
    for child in children:
        pulse()
        size_bytes += tree_size(Path(child.path), pulse)
        if child.is_dir(follow_symlinks=False):
            # rmtree works with open folders, so nobody can put a link in its way meanwhile.
            shutil.rmtree(child.path)
        else:
            Path(child.path).unlink()
    path.rmdir()
    return size_bytes


def tree_size(path: Path, pulse: Pulse) -> int:
    """Return the bytes of all files at and below `path`; links are not followed."""
    total = 0
    pending = [path]
    while pending:
        pulse()
        current = pending.pop()
        status = current.lstat()
        if stat.S_ISDIR(status.st_mode):
            pending.extend(Path(entry.path) for entry in os.scandir(current))
        elif stat.S_ISREG(status.st_mode):
            total += status.st_size
    return total


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def require_file(status: os.stat_result, path: Path) -> None:
    """Raise the system's own error for a folder, and one (ENXIO) for a pipe, a device or a socket."""
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), str(path))


def _beside(target: Path) -> Path:
    # In the same folder, because only there a rename is one indivisible act.
    short = os.fsdecode(os.fsencode(target.name)[:_NAME_BYTES])
    return target.with_name(f".{short}.{os.urandom(6).hex()}.tmp")


_swept: set[Path] = set()
"""The folders that were looked through since the process began."""


def _hold(file: BinaryIO) -> None:
    """Let others see that somebody still writes this file: the system lets go of the lock when the process dies."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed had begun to write here; once for each folder, before the first write."""
    if sys.platform == "win32" or folder in _swept:
        return
    if len(_swept) >= _FOLDERS_REMEMBERED:
        _swept.clear()
    _swept.add(folder)
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if _LEFT_BEHIND.fullmatch(entry.name):
                _remove_dead(Path(entry.path))


def _remove_dead(path: Path) -> None:
    with contextlib.suppress(OSError):
        status = path.lstat()
        # A young one may not be locked yet, or not any more.
        if time.time() - status.st_ctime <= _DEAD_AFTER_S:
            return
        if stat.S_ISLNK(status.st_mode):
            path.unlink()  # It is renamed as soon as it is there: so old, nobody has it in hand.
        elif stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path, recursive=True, pulse=_unhurried)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def _held_folder(path: Path) -> Generator[None]:
    """Make a folder, and let others see for so long that somebody still writes it."""
    path.mkdir()
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _take_after(temporary: Path, before: os.stat_result) -> None:
    if sys.platform != "win32" and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, before.st_uid, before.st_gid)
    temporary.chmod(stat.S_IMODE(before.st_mode))


def _put(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(target)
        return
    try:
        # A hard link, unlike a rename, fails when somebody else was quicker.
        os.link(temporary, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            error.filename = str(target)
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        temporary.replace(target)


def _copy_file(source: Path, target: Path, *, overwrite: bool, pulse: Pulse) -> None:
    with source.open("rb") as reader, replacing(target, overwrite=overwrite) as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            pulse()
            writer.write(chunk)
        writer.flush()
        shutil.copystat(source, writer.name)


def _copy_link(source: Path, target: Path, *, overwrite: bool) -> None:
    if target.is_dir() and not target.is_symlink():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    temporary = _beside(target)
    temporary.symlink_to(source.readlink())
    try:
        if not overwrite and os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _copy_folder(source: Path, target: Path, *, overwrite: bool, pulse: Pulse) -> None:
    if target.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    target.mkdir(exist_ok=True)
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        pulse()
        copy(Path(entry.path), target / entry.name, overwrite=overwrite, pulse=pulse)
    shutil.copystat(source, target)


def _require_place(source: Path, target: Path, *, overwrite: bool) -> None:
    """Raise unless `source` may take the place of `target`; a folder may only replace an empty one."""
    status = source.lstat()
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    onto_folder = target.is_dir() and not target.is_symlink()
    if stat.S_ISDIR(status.st_mode) and not onto_folder:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
    if not stat.S_ISDIR(status.st_mode):
        if onto_folder:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if not target.is_symlink():
            require_file(target.stat(), target)


def _move_between_devices(source: Path, target: Path, *, overwrite: bool, pulse: Pulse) -> None:
    temporary = _beside(target)
    is_folder = stat.S_ISDIR(source.lstat().st_mode)
    try:
        with _held_folder(temporary) if is_folder else contextlib.nullcontext():
            copy(source, temporary, overwrite=is_folder, pulse=pulse)
        if is_folder:
            temporary.replace(target)
        else:
            _put(temporary, target, overwrite=overwrite)
    except OSError as error:
        if error.filename == str(temporary):
            error.filename = str(target)
        raise
    finally:
        if os.path.lexists(temporary):
            remove(temporary, recursive=True, pulse=_unhurried)
    remove(source, recursive=True, pulse=_unhurried)


def _unhurried() -> None:
    """Let work that must not stop in the middle go on."""
