"""Keeps journals in one SQLite file: the default, fast, shared by several processes.

Durability. In WAL mode a commit is in the operating system's hands when it returns, so `kill -9` loses nothing.
`synchronous=NORMAL` ("process") leaves it there: a power cut may take the newest commits, but never damages the file.
`synchronous=FULL` ("power") also waits for the disk at each commit. `OFF` was left out: a commit costs the same,
only the checkpoint now and then (every 1000 pages) would not wait for the disk some milliseconds - and a power cut
could then damage the whole file.
"""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from atomiton_runtime.errors import ErrorInfo, StorageError
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus, decode_event
from atomiton_runtime.scratch import ScratchFolder
from atomiton_runtime.storage.additions import Tail, plan_additions, within
from atomiton_runtime.storage.engine import Durability, StorageEngine, StoredRun
from atomiton_runtime.storage.failures import damaged, not_open, not_there, only_readable, reported
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.salvage import is_sound, is_whole, readable_journals, set_aside
from atomiton_runtime.storage.sqlite_deleting import IS_DELETED, REMAINS, delete, remove_remains
from atomiton_runtime.storage.sqlite_errors import explained, is_read_only
from atomiton_runtime.storage.sqlite_reading import connect_again, connect_beside, connect_for_reading
from atomiton_runtime.storage.sqlite_results import SqliteResults
from atomiton_runtime.storage.sqlite_schema import check_file, check_version, prepare
from atomiton_runtime.storage.sqlite_writing import insert, take_over

_ACTIVE_TAILS = 10_000
"""Tails remembered at most; what is forgotten is read again."""

_MOVED_PAGES = 2000
"""So many pages at once are cut off the file: as much as the log holds of them for a moment."""

_EVENTS_FROM = "SELECT body FROM events WHERE run_id = ? AND seq >= ? ORDER BY seq"
_SUMMARY: msgspec.json.Decoder[RunSummary] = msgspec.json.Decoder(RunSummary)


class SqliteEngine(StorageEngine):
    """Holds events and summaries in the tables of `sqlite_schema`; one connection, one writer at a time."""

    def __init__(
        self, path: Path, *, durability: Durability = "process", busy_timeout_s: float = 10.0
    ) -> None:
        """Use the file `path`, created by `open` when it is missing.

        Args:
            path: the database; large values live in the folder `<path>.values` beside it.
            durability: "process" or "power".
            busy_timeout_s: how long to wait for another process that is writing.
        """
        super().__init__()
        self._path = path.absolute()
        self.url = f"sqlite:///{self._path}"
        self.durability = durability
        self.large_values = LargeValues(
            self._path.with_name(f"{self._path.name}.values"), sync=durability == "power"
        )
        self.results = self._reader = SqliteResults(self._path, self._connected_to_read)
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None
        self._only_reads = False
        self._is_refused = False
        """Whether SQLite has said last that the database is read-only.

        Where a file could not be opened to write at that moment, it goes on with what it can read, for ever.
        """
        self._copy: ScratchFolder | None = None
        """Holds what is read, where the store itself can only be copied."""
        self._tails: dict[RunId, Tail] = {}
        self._data_version = -1
        self._file: tuple[int, int] | None = None
        """What identifies the file that is open; None: nothing does."""
        self._suspicion = self._path.with_name(f"{self._path.name}.suspect")
        """Is there from the moment when damage is met to the next opening."""

    def open(self) -> None:
        """Open the file, create its tables where it is new, and remove large values nobody mentions."""
        with reported("STORE-001", "create the folder", self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection: sqlite3.Connection | None = None
        try:
            check_file(self._path)
            connection = sqlite3.connect(
                self._path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
            )
            prepare(connection, self._path, self.durability)
            self._look_again(connection)
            self._file = _identity(self._path)
        except (sqlite3.Error, UnicodeDecodeError, StorageError, OSError) as exc:
            if connection is not None:
                connection.close()
            raise explained(exc, "STORE-001", "open", self._path) from exc
        self._connection = connection
        self._sweep()

    def open_for_reading(self) -> None:
        """Open the file without its lock, or a copy of it where a killed process left a write-ahead log beside it."""
        if not self._path.exists():
            raise not_there(self._path)
        try:
            check_file(self._path)
            self._connection, self._copy = connect_for_reading(self._path)
            check_version(self._connection, self._path)
        except (sqlite3.Error, UnicodeDecodeError, StorageError, OSError) as exc:
            self.close()
            raise explained(exc, "STORE-011", "read", self._path) from exc
        self._only_reads = True

    def rebuild(self) -> ErrorInfo:
        """Move the damaged file aside and save the journals that can be read of it."""
        with reported("STORE-001", "move the damaged store", self._path):
            copy = set_aside(self._path, datetime.now(UTC))
            self._suspicion.unlink(missing_ok=True)
        self.open()
        saved = 0
        for journal in readable_journals(copy):
            self.append(journal)
            saved += 1
        return ErrorInfo(
            "STORE-013",
            f"the store of runs was damaged; a new one has been made with what could be read of it: {saved} runs",
            hint=f"the damaged one is {copy}; delete it when you do not want to look into it",
        )

    def _look_again(self, connection: sqlite3.Connection) -> None:
        """Read all of a store in which damage was met before, for opening it alone does not show it."""
        if not self._suspicion.exists():
            return
        if not is_sound(connection):
            raise damaged(self._path, "what it holds cannot be read")
        self._suspicion.unlink(missing_ok=True)

    def _note(self, error: StorageError) -> StorageError:
        """Remember that damage was met, for whoever opens the store next; return the error."""
        if error.code == "STORE-005":
            with suppress(OSError):
                self._suspicion.touch()
        return error

    def append(self, events: Sequence[RunEvent]) -> None:
        """Add events of any number of runs in one transaction."""
        if not self._only_reads and _identity(self._path) != self._file:
            self._write_again()
        try:
            self._append(events)
        except StorageError:
            if not (self._is_refused and self._has_connected_again()):
                raise
            self._append(events)

    def _append(self, events: Sequence[RunEvent]) -> None:
        with self._transaction() as connection:
            self._forget_what_others_changed(connection)
            additions = plan_additions(events, self._tail, self._stored_line)
            insert(connection, additions)
        # Only what is committed is remembered.
        for run_id, addition in additions.items():
            if addition.ended:
                self._tails.pop(run_id, None)
            else:
                self._tails[run_id] = addition.after
        if len(self._tails) > _ACTIVE_TAILS:
            self._tails.clear()
        self._count(additions)

    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run in the order of `seq`."""
        with self._snapshot():
            if self._is_deleted(run_id):
                return ()
            rows = self._rows("SELECT body FROM events WHERE run_id = ? ORDER BY seq", (run_id,))
            summary = self.summary(run_id)
        try:
            journal = tuple(decode_event(body) for (body,) in rows)
        except msgspec.DecodeError as exc:
            unreadable = damaged(self._path, f"the journal of the run {run_id} cannot be understood ({exc})")
            raise self._note(unreadable) from exc
        if not is_whole(run_id, journal, summary):
            raise self._note(damaged(self._path, f"the journal of the run {run_id} is not whole"))
        return journal

    def part(self, run_id: RunId, place: int, *, limit_bytes: int) -> tuple[RunEvent, ...]:
        """Return the events of a run from `place` on that weigh so much."""
        if self._is_deleted(run_id):
            return ()
        rows: list[bytes] = []
        try:
            found = self._opened().execute(_EVENTS_FROM, (run_id, place))
            rows.extend(within((body for (body,) in found), limit_bytes))
            found.close()  # else the rest of what it would find keeps the log from being folded into the file
            events = tuple(map(decode_event, rows))
        except (sqlite3.Error, UnicodeDecodeError) as exc:
            self._is_refused = is_read_only(exc)
            raise self._note(explained(exc, "STORE-011", "read", self._path)) from exc
        except (msgspec.DecodeError, TypeError) as exc:
            unreadable = damaged(self._path, f"the journal of the run {run_id} cannot be understood ({exc})")
            raise self._note(unreadable) from exc
        if any(event.seq != seq or event.run_id != run_id for seq, event in enumerate(events, place)):
            raise self._note(damaged(self._path, f"the journal of the run {run_id} is not whole"))
        return events

    def summaries(
        self,
        *,
        flow: FlowId | None = None,
        statuses: Sequence[RunStatus] = (),
        limit: int = 50,
    ) -> tuple[RunSummary, ...]:
        """Return the newest runs first, at most `limit`."""
        conditions: list[str] = []
        values: list[str | int] = []
        if flow is not None:
            conditions.append("flow = ?")
            values.append(flow)
        if statuses:
            conditions.append(f"status IN ({', '.join('?' * len(statuses))})")
            values.extend(statuses)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = self._rows(f"SELECT body FROM runs {where} ORDER BY run_id DESC LIMIT ?", (*values, limit))
        return tuple(self._summary_of(body) for (body,) in rows)

    def summary(self, run_id: RunId) -> RunSummary | None:
        """Return the summary of a run, or None."""
        rows = self._rows("SELECT body FROM runs WHERE run_id = ?", (run_id,))
        return self._summary_of(rows[0][0]) if rows else None

    def find_runs(self, prefix: str, *, limit: int = 10) -> tuple[RunId, ...]:
        """Return the ids that begin with `prefix`, newest first."""
        pattern = prefix.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        rows = self._rows(
            r"SELECT run_id FROM runs WHERE run_id LIKE ? ESCAPE '\' ORDER BY run_id DESC LIMIT ?",
            (pattern, limit),
        )
        return tuple(RunId(run_id) for (run_id,) in rows)

    def delete_runs(self, run_ids: Sequence[RunId], *, limit_bytes: int | None = None) -> bool:
        """Remove runs from every list, and of their events so much; shrink the file."""
        with self._transaction() as connection:
            more = delete(connection, run_ids, limit_bytes)
        for run_id in run_ids:
            self._tails.pop(run_id, None)
        self._shrink()
        self._sweep()
        return more

    def reclaim(self, *, limit_bytes: int) -> bool:
        """Remove some more events of deleted runs, and shrink the file."""
        if not self._rows(REMAINS):
            return False
        with self._transaction() as connection:
            more = remove_remains(connection, limit_bytes)
        self._shrink()
        return more

    def stored_runs(self) -> tuple[StoredRun, ...]:
        """Return every run with its size, oldest first."""
        rows = self._rows("SELECT body, size_bytes FROM runs ORDER BY run_id")
        return tuple(StoredRun(summary=self._summary_of(body), size_bytes=size) for body, size in rows)

    def stored_bytes(self) -> int:
        """Return the size of the database's used pages and of all large values."""
        ((pages, free, page_bytes),) = self._rows(
            "SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, "
            "pragma_page_size"
        )
        return (pages - free) * page_bytes + self.large_values.stored_bytes()

    def close(self) -> None:
        """Close the connection; SQLite then folds the write-ahead log into the file."""
        self._reader.close()
        connection, self._connection = self._connection, None
        self._tails = {}
        if connection is not None:
            connection.close()
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.close()
        self._only_reads = False
        self.large_values.close()

    def _shrink(self) -> None:
        """Cut the free pages off the file, as far as no other process is reading older ones."""
        ((free,),) = self._rows("PRAGMA freelist_count")
        try:
            # Pages become free in the middle of the file: this moves them to its end. In portions, for what is moved
            # goes through the log. Not by `execute`: that takes one step, and a step of this statement is one page.
            for _ in range(0, free, _MOVED_PAGES):
                self._opened().executescript(f"PRAGMA incremental_vacuum({_MOVED_PAGES})")
        except sqlite3.Error as exc:
            # The runs are gone all the same: free pages are used before the file grows, and cut off another time.
            self._note(explained(exc, "STORE-002", "write", self._path))
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def _write_again(self) -> None:
        """Put what the open, deleted file holds into the one that is there now, or into a new one."""
        old = self._opened()
        self._connection = None
        self._reader.close()
        try:
            self.open()
            with self._transaction() as connection:
                take_over(connection, old)
        except (sqlite3.Error, StorageError) as exc:
            self.close()
            self._connection = old
            raise explained(exc, "STORE-002", "write", self._path) from exc
        old.close()
        self.tell(
            ErrorInfo(
                "STORE-014",
                f"the store {self._path} was deleted or replaced while it was in use; it has been written again",
                hint="large values that lay beside it are lost if they were deleted with it",
            )
        )

    def _has_connected_again(self) -> bool:
        """Open the file anew; return whether that was possible."""
        old = self._opened()
        self._connection = None
        self._reader.close()
        try:
            self.open()
        except StorageError:
            self.close()
            self._connection = old
            return False
        old.close()
        self._is_refused = False
        return True

    def _connected_to_read(self) -> sqlite3.Connection:
        self._opened()
        if self._only_reads:
            return connect_again(self._path, self._copy)
        return connect_beside(self._path, self._busy_timeout_s)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise not_open(self.url)
        return self._connection

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        connection = self._opened()
        if self._only_reads:
            raise only_readable(self.url)
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.rollback()
        except (sqlite3.Error, UnicodeDecodeError) as exc:
            self._is_refused = is_read_only(exc)
            raise self._note(explained(exc, "STORE-002", "write", self._path)) from exc

    @contextmanager
    def _snapshot(self) -> Generator[None]:
        """Let several reads see the same store: another process may write between them."""
        connection = self._opened()
        self._rows("BEGIN")
        try:
            yield
        finally:
            connection.rollback()

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._opened().execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as exc:
            self._is_refused = is_read_only(exc)  # where a log has to be recovered, a read is refused as well
            raise self._note(explained(exc, "STORE-011", "read", self._path)) from exc

    def _is_deleted(self, run_id: RunId) -> bool:
        return bool(self._rows(IS_DELETED, (run_id,)))

    def _summary_of(self, body: bytes) -> RunSummary:
        try:
            return _SUMMARY.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as exc:
            raise self._note(
                damaged(self._path, f"the summary of a run cannot be understood ({exc})")
            ) from exc

    def _forget_what_others_changed(self, connection: sqlite3.Connection) -> None:
        # The number changes with every commit of another connection: the remembered tails may then be old.
        ((version,),) = connection.execute("PRAGMA data_version")
        if version != self._data_version:
            self._data_version = version
            self._tails.clear()

    def _tail(self, run_id: RunId) -> Tail:
        known = self._tails.get(run_id)
        if known is not None:
            return known
        ((last, events_bytes, files_bytes),) = self._rows(
            "SELECT max(seq), sum(length(body)), (SELECT total(size_bytes) FROM files WHERE run_id = ?1) "
            "FROM events WHERE run_id = ?1",
            (run_id,),
        )
        if last is None:
            return Tail()
        return Tail(
            next_seq=last + 1, size_bytes=events_bytes + int(files_bytes), summary=self.summary(run_id)
        )

    def _stored_line(self, run_id: RunId, seq: int) -> bytes:
        ((body,),) = self._rows("SELECT body FROM events WHERE run_id = ? AND seq = ?", (run_id, seq))
        return body

    def _sweep(self) -> None:
        if self.large_values.stored_bytes():
            self.large_values.sweep({name for (name,) in self._rows("SELECT DISTINCT name FROM files")})


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
