"""The flows and data folders come from the arguments, then the environment, then the platform."""

import subprocess
import sys
from pathlib import Path

import pytest

from atomiton_runtime.settings import find_places


@pytest.mark.parametrize(
    ("environ", "arguments", "flows", "data"),
    [
        ({}, {"flows": "f", "data": "d"}, "{cwd}/f", "{cwd}/d"),
        ({"ATOMITON_FLOWS": "e", "ATOMITON_DATA": "/e"}, {"flows": "f"}, "{cwd}/f", "/e"),
        ({"ATOMITON_FLOWS": "~/f", "ATOMITON_DATA": "x"}, {"data": Path("/d")}, "{home}/f", "/d"),
        ({"ATOMITON_FLOWS": ""}, {"flows": "/f", "data": "/d"}, "/f", "/d"),
    ],
)
def test_who_says_it_first_is_heard(
    environ: dict[str, str],
    arguments: dict[str, str | Path],
    flows: str,
    data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arguments win over the environment; `~` expands; the folders are absolute."""
    monkeypatch.chdir(tmp_path)
    places = find_places(environ, **arguments)

    assert Path(flows.format(cwd=tmp_path, home=Path.home())) == places.flows
    assert Path(data.format(cwd=tmp_path, home=Path.home())) == places.data


def test_otherwise_the_platform_says_it() -> None:
    """Without a word from anyone the folders are the platform's, and the store lies in the data folder."""
    places = find_places({})

    assert places.flows.name == "flows"
    assert places.flows.parent.name == "atomiton"
    assert places.data.is_absolute()
    assert places.storage_url == f"sqlite:///{places.data / 'runs.sqlite3'}"


def test_platformdirs_is_loaded_only_when_asked() -> None:
    """Whoever says where things are does not pay for finding out."""
    program = (
        "import sys; from atomiton_runtime.settings import find_places; find_places({}, flows='f', data='d'); "
        "print('platformdirs' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "False\n"
