"""Addresses of stores become engines, or a message that says what an address looks like."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atomiton_runtime.errors import UsageError
from atomiton_runtime.storage.create import (
    create_filesystem_engine,
    create_memory_engine,
    create_sqlite_engine,
    create_storage,
    local_path,
    wanted_durability,
)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("memory:", "memory:"),
        ("sqlite:////data/runs.sqlite3", "sqlite:////data/runs.sqlite3"),
        ("sqlite:///runs here/50%.sqlite3", "sqlite:///{cwd}/runs here/50%.sqlite3"),
        ("sqlite:///~/runs.sqlite3", "sqlite:///{home}/runs.sqlite3"),
        ("files:///runs", "files:///{cwd}/runs"),
        ("files:////data/runs", "files:////data/runs"),
    ],
)
def test_an_address_names_an_engine(
    address: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is what follows the third slash; the engine's own address is absolute and opens the same store."""
    monkeypatch.chdir(tmp_path)
    expected = url.format(cwd=tmp_path, home=Path.home())

    assert expected == create_storage(address).url
    assert expected == create_storage(create_storage(address).url).url


@pytest.mark.parametrize(
    "address", ["", "runs.sqlite3", "redis://x", "sqlite:", "sqlite://", "sqlite:///", "memory:x"]
)
def test_an_address_that_is_not_understood(address: str) -> None:
    """The message lists what there is."""
    with pytest.raises(UsageError) as caught:
        create_storage(address)

    assert caught.value.code == "STORE-009"
    assert caught.value.hint == "use memory:, sqlite:///PATH or files:///PATH"


@pytest.mark.parametrize(
    ("path", "windows", "expected"),
    [
        ("/C:/data", True, "C:/data"),
        ("C:\\data", True, "C:\\data"),
        ("/C:/data", False, "/C:/data"),
        ("/d", True, "/d"),
    ],
)
def test_drives_of_windows(path: str, windows: bool, expected: str) -> None:
    """A slash before a drive's letter belongs to the address, on Windows only."""
    assert expected == local_path(path, windows=windows)


def test_factories_give_engines(tmp_path: Path) -> None:
    """Each public factory makes its engine, with the durability asked for."""
    assert create_memory_engine().durability == "none"
    assert create_sqlite_engine(tmp_path / "a").durability == "process"
    assert create_filesystem_engine(str(tmp_path / "a"), durability="power").durability == "power"


def test_sqlite_is_loaded_only_where_it_is_used() -> None:
    """A store in memory costs no import of sqlite3."""
    program = (
        "import sys; from atomiton_runtime.storage.create import create_storage; create_storage('memory:'); "
    )
    # Coverage measures child processes with sqlite3, so this one goes unmeasured.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    loaded = subprocess.run(
        [sys.executable, "-c", program + "print('sqlite3' in sys.modules, 'filelock' in sys.modules)"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert loaded.stdout == "False False\n"


@pytest.mark.parametrize(
    ("environ", "expected"), [({}, "process"), ({"ATOMITON_DURABILITY": "power"}, "power")]
)
def test_the_environment_says_what_is_survived(environ: dict[str, str], expected: str) -> None:
    """`ATOMITON_DURABILITY` is `process`, unless it is said to be `power`."""
    assert wanted_durability(environ) == expected


def test_another_durability_is_refused() -> None:
    """A word that is neither is named, with those there are."""
    with pytest.raises(UsageError) as raised:
        wanted_durability({"ATOMITON_DURABILITY": "none"})
    assert raised.value.code == "STORE-016"
