"""Creates the storage engine that an address names."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from atomiton_runtime.errors import UsageError
from atomiton_runtime.storage.engine import Durability, StorageEngine

DURABILITY_VARIABLE = "ATOMITON_DURABILITY"
_DRIVE = re.compile(r"/[A-Za-z]:([\\/]|$)")


def create_memory_engine() -> StorageEngine:
    """Return an engine that keeps everything in memory until it is closed."""
    from atomiton_runtime.storage.memory import MemoryEngine

    return MemoryEngine()


def create_sqlite_engine(path: str | Path, *, durability: Durability = "process") -> StorageEngine:
    """Return an engine that keeps everything in the SQLite file `path` (and the folder `<path>.values`)."""
    # sqlite3 is loaded only where it is used: it costs a start of the CLI some milliseconds.
    from atomiton_runtime.storage.sqlite import SqliteEngine

    return SqliteEngine(Path(path).expanduser(), durability=durability)


def create_filesystem_engine(path: str | Path, *, durability: Durability = "process") -> StorageEngine:
    """Return an engine that keeps each run in a folder of its own below the folder `path`."""
    from atomiton_runtime.storage.filesystem import FilesystemEngine

    return FilesystemEngine(Path(path).expanduser(), durability=durability)


ENGINES: dict[str, Callable[[str, Durability], StorageEngine]] = {
    "memory": lambda _path, _durability: create_memory_engine(),
    "sqlite": lambda path, durability: create_sqlite_engine(path, durability=durability),
    "files": lambda path, durability: create_filesystem_engine(path, durability=durability),
}
"""Scheme -> what makes its engine of a path; the contract suite runs over this table."""


def create_storage(url: str, *, durability: Durability = "process") -> StorageEngine:
    """Return the engine for `memory:`, `sqlite:///PATH` or `files:///PATH`, not yet open.

    The path is what follows the third slash, as it is: `sqlite:///runs.sqlite3` is relative to the working
    folder, `sqlite:////home/me/runs.sqlite3` and `sqlite:///C:/me/runs.sqlite3` are absolute.

    Args:
        url: the store's address.
        durability: what an appended event survives, where the engine keeps anything at all.

    Raises:
        UsageError: STORE-009, the address is not understood.
    """
    scheme, _, rest = url.partition(":")
    if scheme not in ENGINES:
        raise _not_understood(url, f"there is no engine {scheme!r}")
    if scheme == "memory":
        if rest:
            raise _not_understood(url, "a store in memory has no path")
        return ENGINES[scheme]("", durability)
    if not rest.startswith("///") or not rest[3:]:
        raise _not_understood(url, "the path is missing")
    return ENGINES[scheme](local_path(rest[3:], windows=os.name == "nt"), durability)


def wanted_durability(environ: Mapping[str, str]) -> Durability:
    """Return what the environment wants an event to survive: `ATOMITON_DURABILITY`, by default "process".

    Raises:
        UsageError: STORE-016, it is neither "process" nor "power".
    """
    wanted = environ.get(DURABILITY_VARIABLE) or "process"
    if wanted not in ("process", "power"):
        raise UsageError(
            "STORE-016",
            f"{DURABILITY_VARIABLE} is {wanted!r}",
            hint='"process": what is kept survives `kill -9`; "power": a power cut as well, and each run takes longer',
        )
    return wanted


def local_path(path: str, *, windows: bool) -> str:
    """Return the path of an address as the system knows it: `/C:/data` is `C:/data` on Windows."""
    return path[1:] if windows and _DRIVE.match(path) else path


def _not_understood(url: str, reason: str) -> UsageError:
    return UsageError(
        "STORE-009",
        f"the storage address {url!r} is not understood: {reason}",
        hint="use memory:, sqlite:///PATH or files:///PATH",
    )
