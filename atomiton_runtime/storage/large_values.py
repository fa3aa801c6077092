"""Keeps large values as files named by their hash.

The value of an output port travels as its JSON. What is larger than `values.LARGE_VALUE_BYTES` becomes a file, and in
its place travels the marker `{"$file": "<absolute path>", "size_bytes": n}`.

A user's value that merely looks like a marker never reads a file. Two rules make that hold: only a name that
is a hash, inside this folder, is ever opened; and `pack` puts a value that begins like a marker into a file of its
own, whatever its size - so a marker at the top of a packed value is always ours.
"""

import contextlib
import hashlib
import itertools
import os
import re
import tempfile
import threading
import time
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from atomiton_runtime.errors import StorageError
from atomiton_runtime.scratch import ScratchFolder
from atomiton_runtime.storage.failures import disk_error, reported
from atomiton_runtime.values import (
    FILE_KEY,
    LARGE_VALUE_BYTES,
    Encoded,
    LargeValue,
    Value,
    decode,
    encoded_pieces,
)

ORPHAN_AGE_S = 3600.0
"""A file that no journal mentions is kept this long: the event that mentions it may be on its way.

Its age is that of its last change: `put` makes a file young, and `settle` makes it old, when that event is kept. So
what a deleted run leaves behind goes at once, and what another process has just put stays.
"""

_MARKER_START = b'{"' + FILE_KEY.encode() + b'":'
_MARKER_START_LENGTH = len(_MARKER_START)
_UNFINISHED = ".new-"
_HASH_NAME = re.compile(r"[0-9a-f]{64}")


class _Unsettled(msgspec.Struct):
    """What this process has put and no kept event mentions yet."""

    puts: int = 0
    changed_ns: int = 0
    """When the file was last changed, by us."""


_MARKERS = msgspec.json.Decoder(LargeValue)


def large_value(raw: msgspec.Raw) -> LargeValue | None:
    """Return the marker that `pack` put in a value's place; None when the value travels itself."""
    if memoryview(raw)[:_MARKER_START_LENGTH].tobytes() != _MARKER_START:
        return None
    return _MARKERS.decode(raw)


class LargeValues:
    """A folder of large values. Every method may be called from every thread, and by several processes."""

    def __init__(self, folder: Path | None = None, *, sync: bool = False) -> None:
        """Use `folder` (created with the first value), or without one a temporary folder that `close` removes.

        Args:
            folder: where the files live.
            sync: whether a file must survive a power cut before its marker is returned.
        """
        self._folder = folder.absolute() if folder else None
        self._scratch: ScratchFolder | None = None
        self._sync = sync
        self._lock = threading.Lock()
        self._unsettled: dict[str, _Unsettled] = {}
        """Name of a file -> what is on its way."""
        self.written_bytes = 0
        """Of all files that were written and not there already."""

    def pack(self, outputs: Mapping[str, object]) -> dict[str, msgspec.Raw]:
        """Return each port's value as the journal keeps it: its JSON, or the marker of its file.

        Raises:
            UnsupportedValue: a value has no JSON form (VALUE-001).
            StorageError: a file cannot be written (STORE-002).
        """
        packed: dict[str, msgspec.Raw] = {}
        for port, value in outputs.items():
            pieces = encoded_pieces(value)
            raw = _up_to(pieces, LARGE_VALUE_BYTES)
            if len(raw) > LARGE_VALUE_BYTES:
                packed[port] = _marker(self._keep_pieces(itertools.chain((raw,), pieces)))
            else:
                packed[port] = self.put(raw) if raw.startswith(_MARKER_START) else msgspec.Raw(raw)
        return packed

    def renew(self, value: LargeValue) -> bool:
        """Return whether the file of a marker is there whole; it then counts as new (see `ORPHAN_AGE_S`)."""
        return self._folder is not None and _refreshed(self._folder / value.name, value.size_bytes)

    def read(self, value: LargeValue) -> bytes:
        """Return what was kept.

        Raises:
            StorageError: the file is gone or damaged (STORE-008), or cannot be read (STORE-011).
        """
        return self._read(value)

    def has(self, marker: LargeValue) -> bool:
        """Return whether the file of a marker is there, at least by its name."""
        return self._folder is not None and (self._folder / marker.name).exists()

    def unpack(self, raw: msgspec.Raw) -> Value:
        """Return a fresh copy of a packed value; the content of its file where it is a marker.

        Raises:
            StorageError: the file is gone or damaged (STORE-008), or cannot be read (STORE-011).
        """
        marker = large_value(raw)
        if marker is None:
            return decode(raw)
        return decode(self._read(marker))

    def encoded(self, raw: msgspec.Raw) -> Encoded:
        """Return a packed value as one that is read where it is written."""
        marker = large_value(raw)
        return Encoded(lambda: bytes(raw) if marker is None else self._read(marker))

    def put(self, raw: bytes) -> msgspec.Raw:
        """Write an encoded value as a file, unless it is there already, and return its marker.

        Raises:
            StorageError: the file cannot be written (STORE-002).
        """
        return _marker(self.keep(raw))

    def keep(self, raw: bytes) -> LargeValue:
        """Write some bytes as a file, unless it is there already. Raises as `put` does."""
        path = self._made_folder() / hashlib.sha256(raw).hexdigest()
        with self._put(path, len(raw)) as is_new:
            if is_new:
                self._write(path, raw)
        return LargeValue(str(path), len(raw))

    def _keep_pieces(self, pieces: Iterable[bytes]) -> LargeValue:
        """Do what `keep` does with a value of which the whole need not be in memory: it is written to be hashed."""
        folder = self._made_folder()
        with reported("STORE-002", "write", folder), _unfinished(folder) as (file, temporary):
            hashed, size_bytes = hashlib.sha256(), 0
            for piece in pieces:
                hashed.update(piece)
                size_bytes += file.write(piece)
            path = folder / hashed.hexdigest()
            with self._put(path, size_bytes) as is_new:
                if is_new:
                    self._finish(file, temporary, path)
        return LargeValue(str(path), size_bytes)

    @contextlib.contextmanager
    def _put(self, path: Path, size_bytes: int) -> Generator[bool]:
        """Count a file as on its way; tell the body whether it has to be written."""
        with self._lock:
            self._unsettled.setdefault(path.name, _Unsettled()).puts += 1
        try:
            is_new = not _refreshed(path, size_bytes)
            yield is_new
            changed_ns = path.stat().st_mtime_ns
        except OSError as exc:
            raise disk_error("STORE-002", "write", path, exc.errno) from exc
        with self._lock:
            self._unsettled.setdefault(path.name, _Unsettled()).changed_ns = changed_ns
            self.written_bytes += is_new * size_bytes

    def settle(self, names: Iterable[str]) -> None:
        """Take notice that an event is kept which mentions these files: from now on that alone keeps them.

        A file that another process has put since, or that is on its way once more, stays young.
        """
        with self._lock:
            for name in names:
                unsettled = self._unsettled.get(name)
                if unsettled is not None:
                    unsettled.puts -= 1
                    if unsettled.puts <= 0:
                        del self._unsettled[name]
                        assert self._folder is not None  # else nothing was put
                        _make_old(self._folder / name, unsettled.changed_ns)

    def resolve(self, value: Value) -> Value:
        """Return what a value of a run document stands for: a marker's content, anything else untouched.

        Raises:
            StorageError: the file is gone or damaged (STORE-008), or cannot be read (STORE-011).
        """
        match value:
            case {"$file": str(path), "size_bytes": int(size), **rest} if not rest:
                marker = LargeValue(path, size)
                return decode(self._read(marker)) if self._is_ours(marker) else value
            case _:
                return value

    def sweep(self, keep: Collection[str], *, older_than_s: float = ORPHAN_AGE_S) -> int:
        """Remove the files that no journal mentions; return the freed bytes.

        Args:
            keep: names of files that some journal mentions.
            older_than_s: files put or asked for again within these seconds stay as well.
        """
        if self._folder is None or not self._folder.is_dir():
            return 0
        with self._lock:
            return sum(
                _removed(path, older_than_s) for path in list(_files(self._folder)) if path.name not in keep
            )

    def stored_bytes(self) -> int:
        """Return the size of all files together."""
        if self._folder is None or not self._folder.is_dir():
            return 0
        return sum(_size(path) for path in _files(self._folder))

    def close(self) -> None:
        """Remove the temporary folder, if there is one."""
        with self._lock:
            if self._scratch is not None:
                self._scratch.close()
                self._scratch = self._folder = None

    def _made_folder(self) -> Path:
        with self._lock:
            try:
                if self._folder is None:
                    self._scratch = ScratchFolder()
                    self._folder = self._scratch.path
                elif not self._folder.is_dir():
                    self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise disk_error(
                    "STORE-002", "create", self._folder or tempfile.gettempdir(), exc.errno
                ) from exc
            return self._folder

    def _write(self, path: Path, raw: bytes) -> None:
        with _unfinished(path.parent) as (file, temporary):
            file.write(raw)
            self._finish(file, temporary, path)

    def _finish(self, file: BinaryIO, temporary: Path, path: Path) -> None:
        """Give a file that is written its name."""
        file.flush()
        if self._sync:
            os.fsync(file.fileno())
        temporary.replace(path)
        if self._sync:
            sync_folder(path.parent)

    def _is_ours(self, marker: LargeValue) -> bool:
        path = Path(marker.path)
        return path.parent == self._folder and _HASH_NAME.fullmatch(path.name) is not None

    def _read(self, marker: LargeValue) -> bytes:
        # The name alone counts: a data folder that was moved as a whole still finds its values.
        name = Path(marker.path).name
        if self._folder is None or not _HASH_NAME.fullmatch(name):
            raise _gone(marker.path, "is not there")
        path = self._folder / name
        try:
            raw = path.read_bytes()
        except FileNotFoundError as exc:
            raise _gone(path, "is not there") from exc
        except OSError as exc:
            raise disk_error("STORE-011", "read", path, exc.errno) from exc
        if hashlib.sha256(raw).hexdigest() != name:
            raise _gone(path, "was changed")
        return raw


def _up_to(pieces: Iterator[bytes], limit_bytes: int) -> bytes:
    """Return pieces together, until they are more than `limit_bytes`; the rest is left."""
    taken: list[bytes] = []
    size_bytes = 0
    for piece in pieces:
        taken.append(piece)
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            break
    return b"".join(taken)


def _marker(value: LargeValue) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


@contextlib.contextmanager
def _unfinished(folder: Path) -> Generator[tuple[BinaryIO, Path]]:
    """Open a new file without a name of its own yet; it is removed if it has none in the end."""
    handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=folder)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, temporary
    finally:
        temporary.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if _HASH_NAME.fullmatch(path.name) or path.name.startswith(_UNFINISHED):
            yield path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # another process swept it at this moment


def _refreshed(path: Path, size_bytes: int) -> bool:
    """Return whether the file is there whole; it then counts as new (see `ORPHAN_AGE_S`)."""
    try:
        os.utime(path)
        return path.stat().st_size == size_bytes
    except FileNotFoundError:
        return False


def _make_old(path: Path, changed_ns: int) -> None:
    """Let a file be one that nobody waits for, unless somebody has changed it since `changed_ns`."""
    old_s = time.time() - 2 * ORPHAN_AGE_S
    with contextlib.suppress(OSError):  # it then goes later
        if path.stat().st_mtime_ns == changed_ns:
            os.utime(path, (old_s, old_s))


def _removed(path: Path, older_than_s: float) -> int:
    """Remove a file that is old enough; return its bytes, 0 when it stays or is not there.

    A young one is not touched: somebody may be writing it. Another process may ask for the value of an old one at this
    moment; so that is first taken aside: who comes later writes it anew, and who came a moment earlier has made it
    young, and it goes back.
    """
    aside = path.with_name(f"{_UNFINISHED}{path.name}-{os.getpid()}")
    try:
        if time.time() - path.stat().st_mtime < older_than_s:
            return 0
        path.replace(aside)
        found = aside.stat()
        if time.time() - found.st_mtime < older_than_s:
            aside.replace(path)
            return 0
        aside.unlink()
    except OSError:
        return 0  # what cannot be removed now is found again by the next sweep
    return found.st_size


def _gone(path: Path | str, what: str) -> StorageError:
    return StorageError(
        "STORE-008",
        f"the file of a large value {what}: {path}",
        hint="execute the flow again to have the value again",
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut (where the system can do that)."""
    if os.name == "nt":
        return  # Windows cannot open a folder, and journals its names itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
