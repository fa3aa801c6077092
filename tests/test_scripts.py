"""`scripts/run` starts the right thing, quickly, and says what is missing when it cannot."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("sh", "basename", "cat", "cksum", "dirname", "env", "flock", "grep", "id", "readlink", "uname")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is set up, whose `atomiton` only says with what it was called."""
    folder = tmp_path / "a project"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    atomiton = programs / "atomiton"
    atomiton.write_text('#!/bin/sh\necho "$PWD: $*"\n', encoding="utf-8")
    atomiton.chmod(0o755)
    stamp = 'cd "$0" && . scripts/prepare.sh && fingerprint >.venv/.prepared-run'
    subprocess.run(["sh", "-c", stamp, folder], check=True, timeout=20)
    return folder


def start(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Return how `scripts/run` ends."""
    return subprocess.run(
        [project / "scripts" / "run", *arguments],
        cwd=project.parent,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_arguments_are_passed_on_where_the_caller_stands(project: Path) -> None:
    """`scripts/run check x.toml` is `atomiton check x.toml`, in the caller's folder."""
    outcome = start(project, "check", "a file.toml")

    assert outcome.stdout == f"{project.parent}: check a file.toml\n"


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"])
def test_a_desktop_gets_the_tray(variable: str, project: Path) -> None:
    """Where there is a desktop the tray is started."""
    assert start(project, **{variable: ":7"}).stdout == f"{project}: tray\n"


def test_a_terminal_gets_a_run_and_then_watches(project: Path) -> None:
    """Where there is no desktop a newcomer sees a result first, then the flows are watched."""
    outcome = start(project)

    assert outcome.stdout == f"{project}: run {project}/flows/hello.toml\n{project}: watch\n"


def test_a_second_start_is_quick(project: Path) -> None:
    """What the script adds to a start is well below a second."""
    began = time.monotonic()
    start(project, "list")

    assert time.monotonic() - began < 1


def test_an_old_python_is_named(project: Path, tmp_path: Path) -> None:
    """Without a Python that is new enough, and without apt, it says what to install."""
    shutil.rmtree(project / ".venv")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} here"))
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)

    outcome = start(project, PATH=str(tools))

    assert "please install python3 python3-venv" in outcome.stderr
    assert outcome.returncode == 1
