"""The flows that ship run as they are, and describe themselves."""

import shutil
from pathlib import Path

import pytest

from atomiton_runtime import Runtime

FLOWS = Path(__file__).parents[1] / "flows"
NAMES = sorted(path.stem for path in FLOWS.glob("*.toml"))
OF_THE_WEB = {"api-to-spreadsheet", "link-checker", "mirror-race", "paged-api"}
"""By their defaults these ask servers elsewhere; `test_example_flows` runs them against one on this machine."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the flows, so that what they write is not left in the project."""
    return Path(shutil.copytree(FLOWS, tmp_path / "flows", ignore=shutil.ignore_patterns("out")))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_THE_WEB])
def test_a_flow_that_ships_succeeds(name: str, folder: Path) -> None:
    """Each one that needs nothing but this machine runs to its end with its defaults."""
    with Runtime(flows=folder, storage="memory:") as runtime:
        document = runtime.run(name).result(timeout_s=30)

    assert (document.status, document.error) == ("succeeded", None)


def test_every_flow_that_ships_describes_itself(folder: Path) -> None:
    """Each one has a name and a description of its own, and no problem."""
    with Runtime(flows=folder, storage="memory:") as runtime:
        entries = runtime.flows()

    assert [entry.id for entry in entries] == NAMES
    assert [entry.id for entry in entries if entry.problems or not entry.description] == []
