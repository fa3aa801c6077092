"""Removes runs from a SQLite store in portions: one of a million events takes seconds, in which nobody else can write.

A deleted run leaves the lists at once. While some of its rows are still there, it has a row without a name among its
files, which a process that ends in between leaves to the next one.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from atomiton_runtime.ids import RunId

REMAINS = "SELECT run_id FROM files WHERE name = ''"
"""The deleted runs of which something is still there."""
IS_DELETED = f"{REMAINS} AND run_id = ?"
_MARK = (
    "INSERT OR IGNORE INTO files (run_id, name, size_bytes) "
    "SELECT ?1, '', 0 WHERE EXISTS (SELECT 1 FROM events WHERE run_id = ?1)"
)
_WITHOUT_RUN = "run_id NOT IN (SELECT run_id FROM runs)"
_OF_NODES = {
    "results": "place, key",
    "executions": "place",
}
"""Tables of what is known of executions, each with its key: rows of runs that are gone go with them."""
_ROW_BYTES = 250
"""What counts for a row besides its text: an event and what it is found by take about as much."""


def delete(connection: sqlite3.Connection, run_ids: Sequence[RunId], limit_bytes: int | None) -> bool:
    """Delete runs within a transaction; return whether some of their rows are still there.

    Args:
        connection: in a transaction.
        run_ids: those that are not there are passed over.
        limit_bytes: how much is removed, about; None: all.
    """
    ids = [(run_id,) for run_id in run_ids]
    for table in ("files", "runs"):
        connection.executemany(f"DELETE FROM {table} WHERE run_id = ?", ids)
    connection.executemany(_MARK, ids)
    return remove_remains(connection, limit_bytes)


def remove_remains(connection: sqlite3.Connection, limit_bytes: int | None) -> bool:
    """Remove rows of deleted runs within a transaction; return whether some are still there.

    Args:
        connection: in a transaction.
        limit_bytes: how much is removed, about; None: all.
    """
    # First what points at events, so that the mark is there while there is anything.
    if _remove_of_nodes(connection, limit_bytes):
        return True
    for (run_id,) in connection.execute(REMAINS).fetchall():
        place, left_bytes = _end_of_portion(connection, run_id, limit_bytes)
        if place is not None:
            connection.execute("DELETE FROM events WHERE run_id = ? AND seq <= ?", (run_id, place))
            return True
        connection.execute("DELETE FROM events WHERE run_id = ?", (run_id,))
        connection.execute("DELETE FROM files WHERE run_id = ?", (run_id,))
        limit_bytes = left_bytes
    return False


def _remove_of_nodes(connection: sqlite3.Connection, limit_bytes: int | None) -> bool:
    """Remove what is known of executions of runs that are gone; return whether there may be more."""
    limit = -1 if limit_bytes is None else max(limit_bytes // _ROW_BYTES, 1)
    removed = [
        connection.execute(
            f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {_WITHOUT_RUN} LIMIT ?)",
            (limit,),
        ).rowcount
        for table, key in _OF_NODES.items()
    ]
    return limit in removed


def _end_of_portion(
    connection: sqlite3.Connection, run_id: RunId, limit_bytes: int | None
) -> tuple[int | None, int | None]:
    """Return the last event of a run to be removed now, or None: all, and how much may then be removed of others."""
    if limit_bytes is None:
        return None, None
    left_bytes = limit_bytes
    sizes: Iterable[tuple[int, int]] = connection.execute(
        "SELECT seq, length(body) FROM events WHERE run_id = ? ORDER BY seq", (run_id,)
    )
    for seq, size_bytes in sizes:
        left_bytes -= size_bytes + _ROW_BYTES
        if left_bytes <= 0:
            return seq, 0
    return None, left_bytes
