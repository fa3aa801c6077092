"""Every flow that ships loads and does what its description says, writing only below out/."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.run.document import RunDocument

FLOWS = Path(__file__).parents[1] / "flows"
NAMES = sorted(path.stem for path in FLOWS.glob("*.toml"))
LIMIT_S = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a copy of the flows and their data; afterwards, nothing but out/ may have changed."""
    folder = tmp_path / "flows"
    shutil.copytree(FLOWS, folder, ignore=shutil.ignore_patterns("out"))
    before = contents(folder)
    yield folder
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Return path -> content of all files that are not below out/."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != "out"
    }


def run(flows: Path, flow: str, /, **variables: object) -> RunDocument:
    """Run a flow to its end."""
    with Runtime(flows=flows, storage="memory:", data=flows.parent / "data") as runtime:
        return runtime.run(flow, **variables).result(timeout_s=LIMIT_S)


def test_the_examples_are_there_and_explained() -> None:
    """There are at least four, and each has a description."""
    with Runtime(flows=FLOWS, storage="memory:") as runtime:
        entries = {entry.id: entry for entry in runtime.flows()}

    assert [name for name in NAMES if not entries[name].runnable or entries[name].problems] == []
    assert [name for name in NAMES if not entries[name].description] == []
    assert len(NAMES) >= 4


def test_hello(folder: Path) -> None:
    """Greets whom the variable names."""
    document = run(folder, "hello", who="you")

    assert document.status == "succeeded", document.error
    assert json.loads((folder / "out/hello.json").read_text()) == {"text": "hello you", "letters": 3}


def test_customers(folder: Path) -> None:
    """Lists the active customers above the minimum, largest first."""
    document = run(folder, "customers", minimum=60)

    assert document.status == "succeeded", document.error
    report = json.loads((folder / "out/customers.json").read_text())
    assert [customer["name"] for customer in report["customers"]] == ["Margaret", "Ada", "Grace"]
    assert report["total"] == 510.75


def test_git_summary(folder: Path, tmp_path: Path) -> None:
    """Counts the changed files of a repository."""
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", repository], check=True)
    (repository / "new.txt").write_text("x")
    document = run(folder, "git-summary", folder=str(repository))

    assert document.status == "succeeded", document.error
    summary = document.outputs["summary"]["result"]
    assert summary == {
        "branch": "No commits yet on main",
        "changed": 1,
        "states": [{"state": "??", "files": 1}],
    }


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "fetched at try 2\n"),
        ({"failures": 9}, "gave up after 3 attempts"),
        ({"report": False}, None),
    ],
)
def test_careful(folder: Path, variables: dict[str, object], text: str | None) -> None:
    """Tries again, goes the other way when that is no use, and tidies up either way."""
    document = run(folder, "careful", **variables)

    assert document.status == "succeeded", document.error
    report = folder / "out/careful.txt"
    assert (report.read_text() if report.exists() else "").startswith(text or "")
    assert report.exists() == (text is not None)
    assert not (folder / "out/tries").exists()


def test_disk_report(folder: Path) -> None:
    """Names the largest files and sums up their kinds."""
    document = run(folder, "disk-report", limit=1)

    assert document.status == "succeeded", document.error
    report = json.loads((folder / "out/disk-report.json").read_text())
    assert [file["name"] for file in report["largest"]] == ["customers.csv"]
    assert {kind["kind"]: kind["files"] for kind in report["kinds"]} == {"csv": 1, "md": 2}


def test_backup_notes(folder: Path) -> None:
    """Copies the notes and logs a line for each time."""
    for _ in range(2):
        document = run(folder, "backup-notes")
        assert document.status == "succeeded", document.error

    log = (folder / "out/backups/log.txt").read_text().splitlines()
    assert [line.partition(": ")[2].partition(",")[0] for line in log] == ["2 notes", "2 notes"]
