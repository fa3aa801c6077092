"""Tells whether files and folders still hold what they held, by a short text that stands for their content."""

import contextlib
import hashlib
import itertools
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from atomiton_runtime.nodes.file_errors import explained
from atomiton_runtime.nodes.files import Pulse

ABSENT = "absent"
"""The fingerprint where there is nothing."""

MOST_ENTRIES = 10_000
"""Of a folder with more in it, the contents are not read."""

MOST_REMEMBERED = 10_000
"""Hashes of so many files are kept: some 5 MB."""

ReadChunk: TypeAlias = Callable[[int], bytes]
"""Returns the next bytes of a descriptor; none: it is at its end."""

_Signature: TypeAlias = tuple[int, int, int, int, int]

_CHUNK_BYTES = 1024 * 1024
_DIGEST_BYTES = 16
_RACY_NS = 100_000_000
"""Kernels stamp changes with a clock that ticks every few milliseconds: within one tick, nothing tells two apart."""

_RACY_COARSE_NS = 2_100_000_000
"""Where a file system keeps whole seconds only; FAT keeps every second one."""

_SECOND_NS = 1_000_000_000


def _read_chunk(descriptor: int) -> bytes:
    return os.read(descriptor, _CHUNK_BYTES)


def _go_on() -> None:
    """Is the pulse of who cannot be told to stop."""


class Fingerprints:
    """Takes fingerprints, and remembers those of files that have not changed since. Usable from every thread.

    A file is known again by its device, inode, size and times, so that a second look reads nothing. It is read each
    time as long as these may hide a change: when it was changed within a moment before it was read, or while it was,
    or when it is none that lies on a disk (such as one of /proc). What a program writes through a memory map is
    noticed when the system notes the time of it, at the latest when the map is closed.
    """

    def __init__(
        self,
        *,
        most_remembered: int = MOST_REMEMBERED,
        most_entries: int = MOST_ENTRIES,
        read_chunk: ReadChunk = _read_chunk,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Make one that remembers nothing; `read_chunk` and `now_ns` (since the epoch) are the system's."""
        self._most_remembered = most_remembered
        self._most_entries = most_entries
        self._read_chunk = read_chunk
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._remembered: OrderedDict[_Signature, bytes] = OrderedDict()

    def of(self, path: Path, pulse: Pulse = _go_on) -> str:
        """Return what stands for the content of `path` now; a link counts as what it leads to.

        Of a folder, everything below it counts: relative paths, kinds, sizes and the contents of files. Links in it
        are not followed to folders: they count by the path they hold and, leading to a file, by its content. Of a
        folder with more than 10 000 entries no file is read, and sizes and modification times count instead of
        contents: then a change that keeps both is missed, and a file that was only touched counts as changed.

        Args:
            path: absolute.
            pulse: called for every MiB and every entry of a folder; what it raises ends the work.

        Returns:
            `absent`; `file` or `folder` and 32 hexadecimal digits (BLAKE2b); `other` for pipes, sockets and devices,
            which are never opened.

        Raises:
            NodeError: something of it cannot be read (FILE-0xx).
        """
        try:
            return self._of(path, pulse)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        except OSError as error:
            raise explained(error, path) from error

    def _of(self, path: Path, pulse: Pulse) -> str:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            digest = self._digest(path, status, pulse)
            return f"file {digest.hex()}" if digest else "other"
        if stat.S_ISDIR(status.st_mode):
            return f"folder {self._folder_digest(path, pulse).hex()}"
        return "other"

    def _folder_digest(self, folder: Path, pulse: Pulse) -> bytes:
        entries = _entries(folder, pulse)
        first = list(itertools.islice(entries, self._most_entries + 1))
        reading = len(first) <= self._most_entries
        told = hashlib.blake2b(b"contents" if reading else b"times", digest_size=_DIGEST_BYTES)
        for entry in itertools.chain(first, entries):
            pulse()
            with contextlib.suppress(FileNotFoundError):  # It went away between listing and looking.
                words = self._words(entry, pulse, reading=reading)
                name = os.fsencode(os.path.relpath(entry.path, folder))
                # No name holds a NUL, so that no two folders give the same bytes.
                told.update(b"\0".join((name, *words, b"")))
        return told.digest()

    def _words(self, entry: os.DirEntry[str], pulse: Pulse, *, reading: bool) -> Iterable[bytes]:
        if entry.is_symlink():
            return (b"link", os.fsencode(Path(entry.path).readlink()), *self._led_to(entry, pulse, reading))
        if entry.is_dir():
            return (b"folder",)
        if not entry.is_file():
            return (b"other",)
        return (b"file", *self._file_words(entry, pulse, reading))

    def _led_to(self, link: os.DirEntry[str], pulse: Pulse, reading: bool) -> Iterable[bytes]:
        leads_to_file = False
        with contextlib.suppress(OSError):  # It leads round in a circle, or to where nobody may look.
            leads_to_file = link.is_file()
        return self._file_words(link, pulse, reading) if leads_to_file else ()

    def _file_words(self, entry: os.DirEntry[str], pulse: Pulse, reading: bool) -> Iterable[bytes]:
        path = Path(entry.path)
        status = path.stat()  # That of the entry may be old, and on Windows it is not whole.
        if not reading:
            return (b"%d" % status.st_size, b"%d" % status.st_mtime_ns)
        try:
            digest = self._digest(path, status, pulse)
        except OSError as error:
            error.filename = error.filename or entry.path
            raise
        return (b"%d" % status.st_size, digest.hex().encode())

    def _digest(self, path: Path, status: os.stat_result, pulse: Pulse) -> bytes:
        """Return the hash of a file; nothing if there is no file any more, but something else."""
        known = self._recalled(_signature(status))
        if known is not None:
            return known
        # O_NONBLOCK for the pipe that may have taken its place meanwhile.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
        try:
            return self._hashed(descriptor, pulse)
        finally:
            os.close(descriptor)

    def _hashed(self, descriptor: int, pulse: Pulse) -> bytes:
        before, begun_ns = os.fstat(descriptor), self._now_ns()
        if not stat.S_ISREG(before.st_mode):
            return b""
        told, size_bytes = hashlib.blake2b(digest_size=_DIGEST_BYTES), 0
        pulse()
        while chunk := self._read_chunk(descriptor):
            told.update(chunk)
            size_bytes += len(chunk)
            pulse()
        unchanged = _signature(before) == _signature(os.fstat(descriptor))
        racy = may_hide_a_change(
            modified_ns=before.st_mtime_ns, changed_ns=before.st_ctime_ns, read_ns=begun_ns
        )
        # One of /proc has content, but says that it has none, and keeps its times whatever it says.
        if unchanged and size_bytes == before.st_size and not racy:
            self._remember(_signature(before), told.digest())
        return told.digest()

    def _recalled(self, signature: _Signature) -> bytes | None:
        with self._lock:
            known = self._remembered.get(signature)
            if known is not None:
                self._remembered.move_to_end(signature)
            return known

    def _remember(self, signature: _Signature, digest: bytes) -> None:
        with self._lock:
            self._remembered[signature] = digest
            self._remembered.move_to_end(signature)
            if len(self._remembered) > self._most_remembered:
                self._remembered.popitem(last=False)


def _signature(status: os.stat_result) -> _Signature:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def may_hide_a_change(*, modified_ns: int, changed_ns: int, read_ns: int) -> bool:
    """Return whether a change that comes after `read_ns` could leave a file with the times that it has now.

    Args:
        modified_ns: when its content changed, as the file system says (mtime).
        changed_ns: when anything of it changed (ctime; on Windows when it was made).
        read_ns: when reading it began.
    """
    coarse = modified_ns % _SECOND_NS == changed_ns % _SECOND_NS == 0
    return read_ns - max(modified_ns, changed_ns) < (_RACY_COARSE_NS if coarse else _RACY_NS)


def _entries(folder: Path, pulse: Pulse) -> Iterator[os.DirEntry[str]]:
    """Yield all that is below a folder, in the same order whenever it is the same; links are not followed."""
    pending = [os.fspath(folder)]
    while pending:
        pulse()
        current = pending.pop()
        try:
            with os.scandir(current) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except FileNotFoundError:
            if current == os.fspath(folder):
                raise
            continue  # It went away between listing and looking.
        yield from entries
        pending += [entry.path for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
