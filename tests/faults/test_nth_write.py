"""The Nth write of the store fails, for every N until no write is left: runs end cleanly, and life goes on."""

import functools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.run.notices import NoticeRaised
from atomiton_runtime.storage import sqlite as sqlite_engine
from tests.doubles.addresses import Collected
from tests.guards.campaign import note

FLOW = """
[nodes.a]
type = "edit-fields"
values = { n = 1 }
[nodes.b]
input = "a"
type = "edit-fields"
values = {}
"""
KINDS = {
    "ENOSPC": sqlite3.SQLITE_FULL,
    "EIO": sqlite3.SQLITE_IOERR,
    "EROFS": sqlite3.SQLITE_READONLY,
    "EMFILE": sqlite3.SQLITE_CANTOPEN,
}


class Failing(sqlite3.Connection):
    """A connection of which, once it is armed, one statement fails: reads, writes and commits count alike."""

    left = -1
    """Statements until the one that fails; negative: none does."""
    kind = sqlite3.SQLITE_FULL

    def _count(self) -> None:
        if Failing.left == 0:
            Failing.left = -1
            error = sqlite3.OperationalError("the disk said no")
            error.sqlite_errorcode = Failing.kind
            raise error
        if Failing.left > 0:
            Failing.left -= 1

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        """Execute, or fail."""
        if sql != "ROLLBACK":  # SQLite rolls back by itself where that cannot be written
            self._count()
        return super().execute(sql, *more)

    def executemany(self, sql: str, *more: Any) -> sqlite3.Cursor:
        """Execute, or fail."""
        self._count()
        return super().executemany(sql, *more)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A runtime whose store can be told to fail."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "it.toml").write_text(FLOW)
    Failing.left = -1
    monkeypatch.setattr(sqlite_engine.sqlite3, "connect", functools.partial(sqlite3.connect, factory=Failing))
    with Runtime(flows=tmp_path / "flows", data=tmp_path / "data") as started:
        yield started
    Failing.left = -1


@pytest.mark.parametrize("kind", KINDS)
def test_every_write_fails_once(runtime: Runtime, kind: str) -> None:
    """A run succeeds or is told as failed, with the reason; what was kept can be read, and the next run succeeds."""
    Failing.kind = KINDS[kind]
    notices = Collected("notices")
    runtime.subscribe(notices.tell, kinds=("NoticeRaised",))
    points, failed = 0, 0
    while True:
        Failing.left = points
        document = runtime.run("it").result(timeout_s=30)
        reached = Failing.left < 0
        Failing.left = -1
        if document.status != "succeeded":
            failed += 1
            assert document.error is not None
            assert document.error.code.startswith("STORE-"), document.error
            said = notices.next()
            assert isinstance(said, NoticeRaised)
            assert said.error.code.startswith("STORE-")
            notices.all_so_far()
        after = runtime.run("it").result(timeout_s=30)
        assert after.status == "succeeded"
        assert runtime.show(after.run_id) == after
        for summary in runtime.history(limit=1000):
            journal = runtime.journal(summary.run_id)
            assert [event.seq for event in journal] == list(range(len(journal)))
        if not reached:
            break
        points += 1
    assert points > 5
    # A database that SQLite takes for read-only is opened anew, and that it was so once disturbs nobody.
    assert failed > 1 if kind != "EROFS" else failed == 0
    note(f"disk: {kind}", statements_failed=points, runs_that_failed_cleanly=failed)


def test_a_store_that_may_not_grow(runtime: Runtime) -> None:
    """A real limit of SQLite's own: at each size runs fail with the reason, and succeed once there is room."""
    runtime.run("it").result(timeout_s=30)
    connection = runtime._engine._connection  # pyright: ignore
    statuses: list[str] = []
    for _ in range(40):
        ((pages,),) = connection.execute("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {pages}")
        statuses.append(runtime.run("it").result(timeout_s=30).status)
        connection.execute("PRAGMA max_page_count = 1000000")
        assert runtime.run("it").result(timeout_s=30).status == "succeeded"
    assert "failed" in statuses
