"""Brings a SQLite file into the shape the engine expects, or says why it cannot be used."""

import sqlite3
from pathlib import Path

from atomiton_runtime.errors import StorageError
from atomiton_runtime.storage.engine import Durability
from atomiton_runtime.storage.failures import damaged

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_WAL_LIMIT_BYTES = 16 * 1024 * 1024
_SYNCHRONOUS: dict[Durability, str] = {"process": "NORMAL", "power": "FULL"}
_STEPS = (
    """
CREATE TABLE events (
    run_id TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, flow TEXT NOT NULL, status TEXT NOT NULL, size_bytes INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_flow ON runs (flow, run_id);
CREATE TABLE files (
    run_id TEXT NOT NULL, name TEXT NOT NULL, size_bytes INTEGER NOT NULL, PRIMARY KEY (run_id, name)
) WITHOUT ROWID;
""",
    """
CREATE TABLE results (
    place TEXT NOT NULL, key TEXT NOT NULL, run_id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (place, key)
) WITHOUT ROWID;
CREATE TABLE executions (
    place TEXT PRIMARY KEY, run_id TEXT NOT NULL, attempt INTEGER NOT NULL, node TEXT NOT NULL,
    before_run_id TEXT, before_attempt INTEGER, before_node TEXT
) WITHOUT ROWID;
""",
)
"""From each version of the tables to the next, the first from an empty file. One that was released never changes: a
store of each version is kept in tests/storage/kept (`scripts/keep-store`)."""

SCHEMA_VERSION = len(_STEPS)
"""Kept in the file's `user_version`; a file with a higher one is refused, one with a lower one is brought up to it."""


def check_file(path: Path) -> None:
    """Refuse a file that SQLite would overwrite: it takes one shorter than its header for a new database.

    Raises:
        StorageError: STORE-005, the file is no database.
        OSError: the file cannot be read.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header and (len(header) < _HEADER_BYTES or not header.startswith(_MAGIC)):
        raise damaged(path, "it is not a database, or was cut short")


def prepare(connection: sqlite3.Connection, path: Path, durability: Durability) -> None:
    """Check the file, create the tables where it is new, change them where it is old, and set the connection up.

    Raises:
        StorageError: STORE-004 newer, STORE-005 no store, STORE-006 no locking; the file is then unchanged.
        sqlite3.Error: SQLite cannot read or write the file.
    """
    if not check_version(connection, path):
        # Must come before the first table; later it would have no effect but to write to the file.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
    if mode != "wal":
        raise StorageError(
            "STORE-006",
            f"the file system of {path} cannot share a store between processes (SQLite's WAL mode is refused)",
            hint="choose a folder on a local disk with --data",
        )
    connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    _change_tables(connection, path)
    # Touches each table once: a file that was cut short is found out now.
    connection.execute("SELECT (SELECT max(run_id) FROM runs), (SELECT max(run_id) FROM events)").fetchall()


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file's tables; 0: it has none yet.

    Raises:
        StorageError: STORE-004 newer, STORE-005 no store.
    """
    # In one statement, and so of one moment: another process may be making the tables.
    ((version, tables),) = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
    ).fetchall()
    if version > SCHEMA_VERSION:
        raise StorageError(
            "STORE-004",
            f"the store {path} has schema version {version}; this atomiton knows {SCHEMA_VERSION}",
            hint="upgrade atomiton, or choose another place with --data",
        )
    if version == 0 and tables:
        raise damaged(path, "it is a database of another program")
    return int(version)


def _change_tables(connection: sqlite3.Connection, path: Path) -> None:
    # Two processes may meet here: the second waits for the first, and then finds the tables.
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = check_version(connection, path)
        if version < SCHEMA_VERSION:
            for step in _STEPS[version:]:
                for statement in step.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
