"""Saves what can be read of a damaged SQLite store: whole journals, and the beginnings of others."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from atomiton_runtime.ids import RunId
from atomiton_runtime.run.document import SUMMARISED, RunSummary, summarize
from atomiton_runtime.run.events import RunEvent, RunQueued, decode_event

_SUMMARY = msgspec.json.Decoder(RunSummary)
_COLUMNS = {
    "events": "run_id, seq, body",
    "runs": "run_id, flow, status, size_bytes, body",
    "files": "run_id, name, size_bytes",
}
SIDES = ("", "-wal", "-shm")
"""What SQLite's files of one database end with."""


def set_aside(path: Path, at: datetime) -> Path:
    """Move the files of a database to a name that says what they are, and return it.

    Raises:
        OSError: they cannot be moved.
    """
    name = f"{path.name}.damaged-{at:%Y%m%dT%H%M%S}"
    copy = path.with_name(name)
    number = 1
    while copy.exists():
        number += 1
        copy = path.with_name(f"{name}-{number}")
    for side in SIDES:
        part = path.with_name(path.name + side)
        if part.exists():
            part.rename(copy.with_name(copy.name + side))
    return copy


def readable_journals(path: Path) -> Iterator[tuple[RunEvent, ...]]:
    """Yield the journals of a damaged database, oldest first, each as far as it can be read without a gap.

    What is yielded last of a run need not be its end. A run of which not even the beginning can be read is left out.
    """
    for address in (f"file:{quote(str(path))}?mode=rw", f"file:{quote(str(path))}?mode=ro&immutable=1"):
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            run_ids = _run_ids(connection)
            yield from filter(None, (_journal(connection, run_id) for run_id in run_ids))
        if run_ids:
            return


def is_sound(connection: sqlite3.Connection) -> bool:
    """Return whether all of a database can be read and understood; reads all of it."""
    try:
        if connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
            return False
        for table, columns in _COLUMNS.items():  # their names are read from the file as well
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 1")
        for run_id, status, body in connection.execute("SELECT run_id, status, body FROM runs").fetchall():
            summary = _SUMMARY.decode(body)
            (count,) = connection.execute(
                "SELECT count(*) FROM events WHERE run_id = ?", (run_id,)
            ).fetchone()
            journal = _journal(connection, run_id)
            if len(journal) != count or summary.status != status or not is_whole(run_id, journal, summary):
                return False
    except (sqlite3.Error, msgspec.DecodeError, UnicodeDecodeError, TypeError):
        return False
    return True


def is_whole(run_id: RunId, journal: Sequence[RunEvent], summary: RunSummary | None) -> bool:
    """Return whether a journal is without a gap, of this run, and says of the run what its summary says."""
    if not journal or summary is None:
        return not journal and summary is None
    if any(event.seq != seq or event.run_id != run_id for seq, event in enumerate(journal)):
        return False
    told: RunSummary | None = None
    for event in journal:
        if type(event) in SUMMARISED:
            told = summarize(told, event)
    return told is not None and told.status == summary.status


def _run_ids(connection: sqlite3.Connection) -> list[RunId]:
    """Return the ids that can be read, sorted, from whichever table still has them."""
    found: set[RunId] = set()
    for statement in ("SELECT run_id FROM runs", "SELECT run_id FROM events WHERE seq = 0"):
        try:
            for (run_id,) in connection.execute(statement):
                found.add(RunId(str(run_id)))  # a flipped bit may have changed its type as well
        except (sqlite3.Error, UnicodeDecodeError):
            continue  # what came before the damage is kept
    return sorted(found)


def _journal(connection: sqlite3.Connection, run_id: RunId) -> tuple[RunEvent, ...]:
    journal: list[RunEvent] = []
    try:
        for seq, body in connection.execute(
            "SELECT seq, body FROM events WHERE run_id = ? ORDER BY seq", (run_id,)
        ):
            event = decode_event(body)
            first = isinstance(event, RunQueued) == (seq == 0)
            if seq != len(journal) or event.seq != seq or event.run_id != run_id or not first:
                break
            journal.append(event)
    except (sqlite3.Error, msgspec.DecodeError, UnicodeDecodeError, TypeError):
        pass  # what comes after the damage would leave a gap
    return tuple(journal)
