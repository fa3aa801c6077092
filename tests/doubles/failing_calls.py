"""System calls that fail when a test says so: those of Python and, through its own testing interface, those of SQLite.

Source: `sqlite3_vfs.xSetSystemCall` (https://sqlite.org/c3ref/vfs.html) replaces a call of SQLite's by name.
"""

import _sqlite3
import contextlib
import ctypes
import io
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

_POINTER = ctypes.c_void_p


class FailingCalls:
    """Counts the calls that change something below a folder, and lets one of them fail. Usable from every thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left = -1
        self._number = 0
        self.refused = ""
        """The call that has failed; empty: none has."""

    def fail_at(self, place: int, number: int) -> None:
        """Let the call with this place (0: the next one) fail with the `errno` value `number`."""
        self._number, self.refused, self._left = number, "", place

    def let_all_pass(self) -> None:
        """End that."""
        self._left = -1

    def may(self, name: str, path: object = None) -> int:
        """Count a call; return the `errno` value it is to fail with, or 0."""
        if self._left < 0 or (path is not None and not self._is_below(path)):
            return 0
        self._left -= 1
        if self._left >= 0:
            return 0
        self.refused = name
        return self._number

    def must(self, name: str, path: object = None) -> None:
        """Count a call, and raise if it is to fail."""
        if number := self.may(name, path):
            raise OSError(number, os.strerror(number), str(path or ""))

    def _is_below(self, path: object) -> bool:
        if isinstance(path, int):
            return True  # a descriptor: of which file, is not worth asking
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        return (self._folder / text).is_relative_to(self._folder)


class _File(io.FileIO):
    """A file that asks before it writes."""

    calls: FailingCalls

    def write(self, data: Any, /) -> int:
        self.calls.must("write")
        return super().write(data) or 0

    def truncate(self, size: int | None = None, /) -> int:
        self.calls.must("ftruncate")
        return super().truncate(size)


@contextlib.contextmanager
def python_calls(calls: FailingCalls, patch: pytest.MonkeyPatch) -> Generator[None]:
    """Let Python's calls be counted."""
    with patch.context() as patched:
        for name in (
            "truncate",
            "rename",
            "replace",
            "unlink",
            "remove",
            "mkdir",
            "rmdir",
            "link",
            "fsync",
            "utime",
        ):
            patched.setattr(os, name, _asking(calls, name, getattr(os, name)))
        patched.setattr(os, "open", _opening(calls, os.open))
        patched.setattr(io, "open", _streaming(calls, io.open))
        yield


def _asking(calls: FailingCalls, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any, *more: Any, **named: Any) -> Any:
        # What is named relative to an open folder (shutil.rmtree) is below it.
        calls.must(name, None if "dir_fd" in named else path)
        return real(path, *more, **named)

    return call


def _opening(calls: FailingCalls, real: Callable[..., int]) -> Callable[..., int]:
    def call(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            calls.must("open", path)
        return real(path, flags, *more, **named)

    return call


def _streaming(calls: FailingCalls, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any) -> Any:
        if not set(mode) & set("wax+") or not calls._is_below(file):  # pyright: ignore[reportPrivateUsage]
            return real(file, mode, buffering, *more, **named)
        if not isinstance(file, int):
            calls.must("open", file)
        raw = _File(file, mode.replace("b", "").replace("t", ""))
        raw.calls = calls
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *more, **named)

    return call


class _Vfs(ctypes.Structure):
    """The beginning of `sqlite3_vfs`, version 3."""


_SET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Vfs), ctypes.c_char_p, _POINTER)
_GET = ctypes.CFUNCTYPE(_POINTER, ctypes.POINTER(_Vfs), ctypes.c_char_p)
_METHODS = (
    "xOpen xDelete xAccess xFullPathname xDlOpen xDlError xDlSym xDlClose xRandomness xSleep xCurrentTime "
    "xGetLastError xCurrentTimeInt64"
)
_Vfs._fields_ = [  # pyright: ignore[reportAttributeAccessIssue]
    *((name, ctypes.c_int) for name in ("iVersion", "szOsFile", "mxPathname")),
    *((name, _POINTER) for name in ("pNext", "zName", "pAppData", *_METHODS.split())),
    ("xSetSystemCall", _SET),
    ("xGetSystemCall", _GET),
]

_INT, _TEXT, _SIZE = ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
_LENGTH, _OFFSET = ctypes.c_ssize_t, ctypes.c_int64
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "open": (_INT, _TEXT, _INT, _INT),
    "write": (_LENGTH, _INT, _POINTER, _SIZE),
    "pwrite": (_LENGTH, _INT, _POINTER, _SIZE, _OFFSET),
    "pwrite64": (_LENGTH, _INT, _POINTER, _SIZE, _OFFSET),
    "ftruncate": (_INT, _INT, _OFFSET),
    "fallocate": (_INT, _INT, _OFFSET, _OFFSET),
    "unlink": (_INT, _TEXT),
}
"""Call of SQLite's unix VFS -> what it returns, then its arguments."""


@contextlib.contextmanager
def sqlite_calls(calls: FailingCalls) -> Generator[None]:
    """Let SQLite's calls be counted; what it opens must be closed within."""
    library = ctypes.CDLL(_library())
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs: Any = library.sqlite3_vfs_find(None)
    assert vfs.contents.iVersion >= 3
    kept: list[object] = []
    replaced: list[str] = []
    for name, signature in _SIGNATURES.items():
        address = vfs.contents.xGetSystemCall(vfs, name.encode())
        if address is None:
            continue  # not a call of this build
        kind = ctypes.CFUNCTYPE(*signature, use_errno=True)
        kept.append(wrapped := kind(_counted(calls, name, kind(address))))
        vfs.contents.xSetSystemCall(vfs, name.encode(), ctypes.cast(wrapped, _POINTER))
        replaced.append(name)
    assert {"open", "write", "ftruncate"} <= set(replaced)
    try:
        yield
    finally:
        for name in replaced:
            vfs.contents.xSetSystemCall(vfs, name.encode(), None)


def _counted(calls: FailingCalls, name: str, real: Callable[..., int]) -> Callable[..., int]:
    def call(*arguments: Any) -> int:
        changes = name != "open" or arguments[1] & os.O_CREAT
        path = arguments[0] if name in ("open", "unlink") else None
        number = calls.may(f"sqlite's {name}", path) if changes else 0
        if number:
            ctypes.set_errno(number)
            return -1
        return real(*arguments)

    return call


def _library() -> str:
    """Return the file that holds the SQLite of this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "libsqlite3" in line:
            return line.split()[-1]
    return _sqlite3.__file__
