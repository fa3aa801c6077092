"""Lists what is in a folder, without following links."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from atomiton_runtime.nodes.files import Pulse
from atomiton_runtime.values import Value

EntryType = Literal["file", "folder", "link", "other"]

_TYPES: dict[int, EntryType] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a folder."""

    name: str
    path: str
    type: EntryType
    size_bytes: int | None
    """Of a file; None for everything else."""
    modified_at: str
    """ISO 8601 in UTC, to the millisecond."""

    def value(self) -> Value:
        """Return the entry as an object that travels between nodes."""
        return msgspec.structs.asdict(self)


def listed(folder: Path, pattern: str, *, recursive: bool, pulse: Pulse) -> list[Entry]:
    """Return what fits the pattern, sorted by path.

    Args:
        folder: where to look.
        pattern: what the name must be like; with a `/` in it, the path below the folder.
        recursive: whether to look into the folders below as well.
        pulse: called for each folder.

    Raises:
        OSError: a folder cannot be read.
    """
    found: list[Entry] = []
    for entry in _entries(folder, recursive, pulse):
        below = Path(entry.path).relative_to(folder).as_posix() if "/" in pattern else entry.name
        if fnmatch.fnmatchcase(below, pattern) and (described := _described(entry)):
            found.append(described)
    return sorted(found, key=lambda each: each.path)


def printable(name: str) -> str:
    """Return a name with U+FFFD for the bytes that are no UTF-8: those reach Python as lone surrogates."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _entries(folder: Path, recursive: bool, pulse: Pulse) -> Iterator[os.DirEntry[str]]:
    pending = [folder]
    while pending:
        pulse()
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                yield entry
                if recursive and entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))


def _described(entry: os.DirEntry[str]) -> Entry | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # It went away between listing and looking.
        return None
    kind = _TYPES.get(stat.S_IFMT(status.st_mode), "other")
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="milliseconds")
    return Entry(
        name=printable(entry.name),
        path=printable(entry.path),
        type=kind,
        size_bytes=status.st_size if kind == "file" else None,
        modified_at=modified.replace("+00:00", "Z"),
    )
