"""Temporary folders end with their process, however it ends, and never before it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from atomiton_runtime import Runtime, scratch
from atomiton_runtime.scratch import ScratchFolder, sweep

DEADLINE_S = 20.0
_LIVING = """
from atomiton_runtime.scratch import ScratchFolder
folder = ScratchFolder()
(folder.path / "half").write_text("half")
print(folder.path, flush=True)
input()
folder.close()
"""
_WORKBOOK = """
import os, signal, sys
from pathlib import Path
from atomiton_runtime.nodes.tables import table_to_write
from atomiton_runtime.nodes.workbook_writing import write_workbook
with Path(os.devnull).open("wb") as file:
    write_workbook(
        table_to_write([{"a": n} for n in range(1000)]), file, sheet="a", has_headers=True,
        pulse=lambda: os.kill(os.getpid(), signal.SIGKILL),
    )
"""
_VALUES = """
import os, signal
from atomiton_runtime.storage.large_values import LargeValues
LargeValues().pack({"a": "x" * 2_000_000})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which temporary ones are made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def started(code: str) -> "subprocess.Popen[str]":
    """Start Python with this code."""
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )


def test_a_folder_is_there_until_it_is_closed(place: Path) -> None:
    """With everything in it, and twice is as good as once."""
    folder = ScratchFolder()
    (folder.path / "deep").mkdir()
    (folder.path / "deep" / "file").touch()
    assert [folder.path] == list(place.iterdir())
    folder.close()
    folder.close()
    assert [] == list(place.iterdir())


def test_the_folder_of_a_living_process_stays_and_that_of_a_dead_one_goes(place: Path) -> None:
    """Whatever ended it: with its life ends its lock, and the next use or start of a runtime removes the folder."""
    with started(_LIVING) as living, started(_LIVING) as dying:
        assert living.stdout is not None
        assert dying.stdout is not None
        kept, left = (Path(each.stdout.readline().strip()) for each in (living, dying) if each.stdout)
        dying.kill()
        dying.wait(DEADLINE_S)
        assert (left / "half").exists()
        with ScratchFolder() as mine:
            assert {kept, mine.path} == set(place.iterdir())
            sweep()
            assert {kept, mine.path} == set(place.iterdir())
        living.communicate("\n", timeout=DEADLINE_S)
    assert [] == list(place.iterdir())


@pytest.mark.parametrize("code", [_WORKBOOK, _VALUES])
def test_what_kill_9_leaves_is_gone_after_the_next_start(place: Path, tmp_path: Path, code: str) -> None:
    """The rows of a workbook that was being written, the large values of a store in memory."""
    with started(code) as process:
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGKILL
    (left,) = place.iterdir()
    assert any(left.iterdir())
    with Runtime(tmp_path, "memory:", data=tmp_path / "data"):
        assert [] == list(place.iterdir())


def test_what_is_not_ours_stays(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other names, links with our name, files with our name, and folders of another user."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    (place / "atomiton-scratch-12345678").symlink_to(tmp_path / "elsewhere")
    (place / "atomiton-scratch-1234567").mkdir()
    (place / "atomiton-scratch-123456789").mkdir()
    (place / "atomiton-scratch-abcdefgh").touch()
    sweep()
    assert 4 == len(list(place.iterdir()))
    assert (tmp_path / "elsewhere" / "precious").exists()
    (place / "atomiton-scratch-theirs__").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        sweep()
    assert (place / "atomiton-scratch-theirs__").exists()


def test_memory_is_swept_as_well(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was put there because no disk had room would take memory until the next start of the machine."""
    monkeypatch.setattr(scratch, "IN_MEMORY", tmp_path / "memory")
    (tmp_path / "memory" / "atomiton-scratch-12345678").mkdir(parents=True)
    with ScratchFolder(tmp_path / "memory") as mine:
        assert [mine.path] == list((tmp_path / "memory").iterdir())
    assert [] == list(place.iterdir())


def test_who_is_swept_away_while_he_begins_begins_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep between the making of a folder and its lock, before or after the opening, costs another name."""
    opened, lock = scratch._opened, scratch.fcntl.flock
    moments = iter(("before it is opened", "while it is locked", "before it is locked"))

    def opening(path: Path) -> int:
        moment = next(moments, "")
        if moment == "before it is opened":
            path.rmdir()
        descriptor = opened(path)
        if moment == "while it is locked":
            other = opened(path)
            lock(other, scratch.fcntl.LOCK_EX)
            path.rmdir()
            others.append(other)
        if moment == "before it is locked":
            path.rmdir()
        return descriptor

    others: list[int] = []
    monkeypatch.setattr(scratch, "_opened", opening)
    with ScratchFolder() as folder:
        assert [folder.path] == list(place.iterdir())
    os.close(others[0])
    assert next(moments, None) is None


def test_no_locks_and_no_files_to_be_had(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without locks a folder is used all the same; where nothing can be opened, nothing is left."""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    with monkeypatch.context() as patch:
        patch.setattr(scratch.fcntl, "flock", refuse)
        with ScratchFolder() as folder:
            sweep()
            assert folder.path.exists()
    with monkeypatch.context() as patch:
        patch.setattr(scratch, "_opened", refuse)
        with pytest.raises(OSError, match="not supported"):
            ScratchFolder()
    assert [] == list(place.iterdir())
