"""Stores that earlier versions wrote are opened by this one, and tell what they told."""

import hashlib
import re
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.document import document
from atomiton_runtime.storage import sqlite_schema
from atomiton_runtime.storage.create import create_sqlite_engine, create_storage
from atomiton_runtime.storage.filesystem import LAYOUT_VERSION
from atomiton_runtime.storage.sqlite_schema import SCHEMA_VERSION
from tests.doubles.journals import journal

KEPT = Path(__file__).parent / "kept"
RELEASED = sorted(folder.name for folder in KEPT.iterdir())
STEPS = ["9a891fa2a128ca73", "e1804d56ef1a283a"]
"""What identifies each step of the tables. A new one is added here, with a store that `scripts/keep-store` writes."""


@pytest.fixture(params=RELEASED)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a copy of a kept store's folder."""
    shutil.copytree(KEPT / request.param, tmp_path / request.param)
    return tmp_path / request.param


def told(text: str) -> object:
    """Return documents without the folders in which flows and large values once lay."""
    return msgspec.json.decode(re.sub(r'"(\$?file)":\s*"[^"]*/', r'"\1": "', text))


def test_a_released_store_tells_what_it_told(released: Path) -> None:
    """Each run's document is the one of then, and the store goes on."""
    scheme = released.name.partition("-")[0]
    engine = create_storage(f"{scheme}:///{released / 'store'}")
    engine.open()
    documents = [document(engine.journal(run.run_id)) for run in engine.summaries()]
    assert told(msgspec.json.encode(documents).decode()) == told((released / "documents.json").read_text())
    engine.append(journal("R1"))
    assert len(engine.journal(RunId("R1"))) == len(journal("R1"))
    engine.close()


def test_every_version_is_kept() -> None:
    """Who changes the tables or the layout keeps a store of the new version; a released step never changes."""
    assert [hashlib.sha256(step.encode()).hexdigest()[:16] for step in sqlite_schema._STEPS] == STEPS  # pyright: ignore
    expected = [f"files-{version}" for version in range(1, LAYOUT_VERSION + 1)]
    expected += [f"sqlite-{version}" for version in range(1, SCHEMA_VERSION + 1)]
    assert expected == RELEASED


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be the version after the next, with one more table and one more column."""
    more = (
        "CREATE TABLE added (a)",
        "ALTER TABLE runs ADD COLUMN note TEXT; CREATE INDEX notes ON runs (note)",
    )
    monkeypatch.setattr(sqlite_schema, "_STEPS", (*sqlite_schema._STEPS, *more))  # pyright: ignore
    monkeypatch.setattr(sqlite_schema, "SCHEMA_VERSION", SCHEMA_VERSION + 2)


def version_of(store: Path) -> int:
    with sqlite3.connect(store) as connection:
        ((version,),) = connection.execute("PRAGMA user_version")
    connection.close()
    return int(version)


def copy_of_first(tmp_path: Path) -> Path:
    shutil.copytree(KEPT / "sqlite-1", tmp_path / "kept")
    return tmp_path / "kept" / "store"


@pytest.mark.usefixtures("next_version")
def test_an_old_store_is_brought_up_to_date(tmp_path: Path) -> None:
    """Through every version between, in one go; a new store has the same tables."""
    old, new = copy_of_first(tmp_path), tmp_path / "new"
    tables: list[object] = []
    for store in (old, new):
        engine = create_sqlite_engine(store)
        engine.open()
        engine.append(journal("R1"))
        engine.close()
        with sqlite3.connect(store) as connection:
            tables.append(connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall())
        connection.close()
    assert version_of(old) == version_of(new) == SCHEMA_VERSION + 2
    assert tables[0] == tables[1]


@pytest.mark.usefixtures("next_version")
def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store stays as it was, for the version that can read it."""
    store = copy_of_first(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "_STEPS", (*sqlite_schema._STEPS[:-1], "CREATE NONSENSE"))  # pyright: ignore
        with pytest.raises(StorageError):
            create_sqlite_engine(store).open()
    assert version_of(store) == 1
    with sqlite3.connect(store) as connection:
        assert not connection.execute("SELECT * FROM sqlite_schema WHERE name = 'added'").fetchall()
    connection.close()
