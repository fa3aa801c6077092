"""Makes a group of changes to several files all-or-none: a note of how they were, removed when all is done.

Before a file is changed, a note says how long it was (or that it was not there). The removal of the note is the
moment of the commit. Whoever finds a note - this process after a failed write, or the next one after `kill -9` -
cuts the files back. Cutting needs no space, so it also works on a full disk.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from atomiton_runtime.storage.large_values import sync_folder

_NOTE = ".undo"
_NEW_NOTE = ".undo.new"


class _Before(msgspec.Struct, frozen=True):
    path: str
    """Relative to the store's folder."""
    size_bytes: int
    """0: the file was not there, or empty."""


_NOTES = msgspec.json.Decoder(list[_Before])


class UndoNote:
    """The note of one store's folder. Used under the store's lock."""

    def __init__(self, root: Path, *, sync: bool) -> None:
        self._root = root
        self._path = root / _NOTE
        self._sync = sync

    def write(self, files: Sequence[tuple[Path, int]]) -> None:
        """Note the size in bytes of each file, before the first of them is changed.

        Raises:
            OSError: it cannot be written; there is no note then.
        """
        before = [_Before(path.relative_to(self._root).as_posix(), size) for path, size in files]
        temporary = self._root / _NEW_NOTE
        try:
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(before))
                if self._sync:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if self._sync:
            sync_folder(self._root)

    def discard(self) -> None:
        """Commit: from here on the changes stay."""
        self._path.unlink()
        if self._sync:
            sync_folder(self._root)

    def take_back(self) -> list[Path] | None:
        """Cut the noted files to what they were; return their folders, or None when there is no note.

        The note stays until `discard`, so that a fault in the middle is repeated, not forgotten.
        """
        try:
            before = _NOTES.decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            return []  # a power cut took the note itself: then it was never followed by an acknowledgement
        for entry in before:
            path = self._root / entry.path
            with contextlib.suppress(FileNotFoundError):
                if entry.size_bytes:
                    os.truncate(path, entry.size_bytes)
                else:
                    path.unlink()
        return [(self._root / entry.path).parent for entry in before]
