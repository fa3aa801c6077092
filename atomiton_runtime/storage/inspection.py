"""Says what is in a store on disk without opening it as a store: nothing is created, repaired or removed."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

import msgspec

from atomiton_runtime.errors import StorageError
from atomiton_runtime.storage.failures import damaged
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.sqlite_errors import explained
from atomiton_runtime.storage.sqlite_schema import check_file, check_version

_BUSY_TIMEOUT_S = 2.0
_CHECKED_BYTES = 64 * 1024 * 1024
"""A larger file is not read whole."""


class StoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds."""

    engine: str
    schema: int
    """The version of its tables."""
    runs: int
    size_bytes: int
    """Of the database, its write-ahead log and the large values together."""
    unfinished: bool = False
    """True: its last process ended without closing it, and none has opened it since."""


def inspect_sqlite(path: Path, *, in_use: bool) -> StoreReport | None:
    """Return what the SQLite store `path` holds; None when there is no such file.

    Args:
        path: the database.
        in_use: whether a process has the store open. Its newest runs are then read through the write-ahead log;
            else the log of a process that died, if there is one, is left alone and its runs are not counted.

    Raises:
        StorageError: it cannot be read (STORE-001), is newer (STORE-004), damaged (STORE-005) or busy (STORE-007).
    """
    log = path.with_name(f"{path.name}-wal")
    try:
        if not path.exists():
            return None
        check_file(path)
        if path.stat().st_size == 0:
            return StoreReport(engine="sqlite", schema=0, runs=0, size_bytes=0)
        # Without `immutable` SQLite would create files beside the database. With it, it passes over the log.
        mode = "mode=ro" if in_use and log.exists() else "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?{mode}", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None
        )
        try:
            schema, runs = _content(connection, path)
        finally:
            connection.close()
        values = LargeValues(path.with_name(f"{path.name}.values"))
        size = path.stat().st_size + _size(log) + values.stored_bytes()
    except (sqlite3.Error, StorageError, OSError) as error:
        raise explained(error, "STORE-001", "read", path) from error
    return StoreReport(
        engine="sqlite",
        schema=schema,
        runs=runs,
        size_bytes=size,
        unfinished=not in_use and _size(log) > 0,
    )


def _content(connection: sqlite3.Connection, path: Path) -> tuple[int, int]:
    check_version(connection, path)
    ((schema,),) = connection.execute("PRAGMA user_version").fetchall()
    if path.stat().st_size <= _CHECKED_BYTES:
        ((verdict,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise damaged(path, str(verdict))
    ((runs,),) = connection.execute("SELECT count(*) FROM runs").fetchall() if schema else ((0,),)
    return schema, runs


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
