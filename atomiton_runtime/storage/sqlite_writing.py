"""Writes into the tables of `sqlite_schema`: what a group of events adds, or all that another database holds."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from atomiton_runtime.ids import RunId
from atomiton_runtime.storage.additions import Addition, changed_summaries
from atomiton_runtime.storage.results import recorded

_ROWS = (64, 8, 1)
"""Rows that one statement inserts. Each statement lets other threads in and has to wait for its turn again: beside
threads that compute, a row at a time takes ten times as long as the work itself."""
_FILES = ("INSERT OR IGNORE INTO files (run_id, name, size_bytes) VALUES ", "")
_EVENTS = ("INSERT INTO events (run_id, seq, body) VALUES ", "")
_RESULTS = (
    "INSERT INTO results (place, key, run_id, seq) VALUES ",
    " ON CONFLICT (place, key) DO UPDATE SET run_id = excluded.run_id, seq = excluded.seq",
)
_WRITE_SUMMARY = (
    "INSERT INTO runs (run_id, flow, status, size_bytes, body) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (run_id) DO UPDATE SET status = excluded.status, size_bytes = excluded.size_bytes, "
    "body = excluded.body"
)
_WRITE_EXECUTION = (
    "INSERT INTO executions (place, run_id, attempt, node) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (place) DO UPDATE SET before_run_id = run_id, before_attempt = attempt, before_node = node, "
    "run_id = excluded.run_id, attempt = excluded.attempt, node = excluded.node"
)
_UNDO_EXECUTION = (
    "DELETE FROM executions WHERE place = ? AND run_id = ? AND before_run_id IS NULL",
    "UPDATE executions SET run_id = before_run_id, attempt = before_attempt, node = before_node, "
    "before_run_id = NULL, before_attempt = NULL, before_node = NULL WHERE place = ? AND run_id = ?",
)
_TABLES = ("events", "files", "runs", "results", "executions")
_NEWER = {
    "results": "ON CONFLICT (place, key) DO UPDATE SET run_id = excluded.run_id, seq = excluded.seq "
    "WHERE excluded.run_id > run_id",
    "executions": "ON CONFLICT (place) DO UPDATE SET run_id = excluded.run_id, attempt = excluded.attempt, "
    "node = excluded.node, before_run_id = excluded.before_run_id, before_attempt = excluded.before_attempt, "
    "before_node = excluded.before_node WHERE excluded.run_id > run_id",
}
"""Of two stores that become one, such as a backup that was put back, what the newest run has done counts."""


def insert(connection: sqlite3.Connection, additions: Mapping[RunId, Addition]) -> None:
    """Write what a group of events adds, within the caller's transaction.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    for run_id, addition in additions.items():
        lines = enumerate(addition.lines, addition.before.next_seq)
        _in_rows(connection, _EVENTS, [(run_id, seq, line) for seq, line in lines])
        _in_rows(connection, _FILES, [(run_id, file.name, file.size_bytes) for file in addition.files])
    changed = changed_summaries(additions.values())
    if changed:
        connection.executemany(
            _WRITE_SUMMARY,
            [
                (summary.run_id, summary.flow, summary.status, size_bytes, msgspec.json.encode(summary))
                for summary, size_bytes in changed
            ],
        )
    _insert_executions(connection, additions)


def take_over(connection: sqlite3.Connection, old: sqlite3.Connection) -> None:
    """Write what another database holds and this one does not, within the caller's transaction.

    Raises:
        sqlite3.Error: it cannot be read, or not be written.
    """
    for table in _TABLES:
        rows = old.execute(f"SELECT * FROM {table}")
        places = ", ".join("?" * len(rows.description))
        newer = _NEWER.get(table, "")
        connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places}) {newer}", rows)


def _in_rows(
    connection: sqlite3.Connection, statement: tuple[str, str], values: Sequence[tuple[object, ...]]
) -> None:
    """Execute a statement for each tuple of values, many at once."""
    done = 0
    for rows in _ROWS:
        if len(values) - done < rows:
            continue
        row = f"({', '.join('?' * len(values[0]))})"
        many = f"{statement[0]}{', '.join([row] * rows)}{statement[1]}"
        while len(values) - done >= rows:
            connection.execute(many, _flat(values[done : done + rows]))
            done += rows


def _flat(rows: Iterable[tuple[object, ...]]) -> list[object]:
    return [value for row in rows for value in row]


def _insert_executions(connection: sqlite3.Connection, additions: Mapping[RunId, Addition]) -> None:
    results: dict[tuple[str, str], tuple[str, str, str, int]] = {}
    executions: list[tuple[str, str, int, str]] = []
    undone: list[tuple[str, str]] = []
    for run_id, addition in additions.items():
        path = addition.summary.flow_path if addition.summary is not None else ""
        for event in addition.events:
            found = recorded(path, event)
            if found is None:
                continue
            if found.result is not None:
                results[found.result] = (*found.result, run_id, event.seq)
            if found.execution is not None:
                place, execution = found.execution
                executions.append((place, execution.run_id, execution.attempt, execution.node))
            if found.undone is not None:
                undone.append((found.undone, run_id))
    _in_rows(connection, _RESULTS, list(results.values()))
    # None begins in the same run after it came to nothing, so the order among these does not matter.
    connection.executemany(_WRITE_EXECUTION, executions)
    for statement in _UNDO_EXECUTION:
        connection.executemany(statement, undone)
