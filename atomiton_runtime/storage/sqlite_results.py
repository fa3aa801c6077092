"""Finds results of earlier executions in a SQLite store, by a connection of its own that only reads."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import NodeReused, NodeSucceeded, RunEvent, decode_event
from atomiton_runtime.run.reuse import Digest
from atomiton_runtime.storage.failures import damaged
from atomiton_runtime.storage.results import (
    Execution,
    Found,
    Place,
    Results,
    place_before,
    place_of,
    result_place,
)
from atomiton_runtime.storage.sqlite_errors import explained

_LOOKED_AT = 4
"""So many times the runs that are wanted are looked at: other files may hold a flow of the same id."""
_FIND = (
    "SELECT events.body FROM results JOIN events ON events.run_id = results.run_id AND events.seq = results.seq "
    "WHERE results.place = ? AND results.key = ?"
)
_SUMMARY: msgspec.json.Decoder[RunSummary] = msgspec.json.Decoder(RunSummary)


class SqliteResults(Results):
    """Reads the tables of `sqlite_schema`."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        """Use the database `path`.

        Args:
            path: as messages name it.
            connect: opens a connection to it; called with the first question, and with the first after `close`.
        """
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def find(self, flow_path: str, node: NodeId, key: Digest) -> Found | None:
        """Return the newest result with this key."""
        for event in self._events(_FIND, (result_place(flow_path, node), key)):
            if isinstance(event, NodeSucceeded | NodeReused):
                return event
        return None

    def latest(self, flow_path: str, node: NodeId, *, besides: Execution | None = None) -> Execution | None:
        """Return the last execution that may have changed the outside."""
        place = place_of(flow_path, node)
        found = self._execution(place)
        return self._execution(place_before(place)) if found is not None and found == besides else found

    def _execution(self, place: Place) -> Execution | None:
        rows = self._rows("SELECT run_id, attempt, node FROM executions WHERE place = ?", (place,))
        return Execution(*rows[0]) if rows else None

    def newest_runs(self, flow_path: str, *, limit: int) -> tuple[RunId, ...]:
        """Return the newest runs of a flow's file."""
        rows = self._rows(
            "SELECT body FROM runs WHERE flow = ? ORDER BY run_id DESC LIMIT ?",
            (FlowId(Path(flow_path).stem), limit * _LOOKED_AT),
        )
        try:
            runs = [_SUMMARY.decode(body) for (body,) in rows]
        except msgspec.DecodeError as exc:
            raise damaged(self._path, f"the summary of a run cannot be understood ({exc})") from exc
        return tuple(run.run_id for run in runs if run.flow_path == flow_path)[:limit]

    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run."""
        return self._events("SELECT body FROM events WHERE run_id = ? ORDER BY seq", (run_id,))

    def close(self) -> None:
        """Let go of the connection; the next question opens another one."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _events(self, statement: str, values: Sequence[object]) -> tuple[RunEvent, ...]:
        try:
            return tuple(decode_event(body) for (body,) in self._rows(statement, values))
        except msgspec.DecodeError as exc:
            raise damaged(self._path, f"an event cannot be understood ({exc})") from exc

    def _rows(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = self._connect()
                return self._connection.execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError, StorageError) as exc:
            raise explained(exc, "STORE-011", "read", self._path) from exc
