"""Full, read-only and wrong disks: the exit code says whose fault it is, and nothing is left half-written."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.terminal import atomiton, started, wait_for_file

HELLO = '[nodes.a]\ntype = "edit-fields"\nvalues = { n = 1 }\n'
LARGE = '[nodes.a]\ntype = "edit-fields"\nvalues = { text = "{{ \'x\' * 1000000 }}" }\n'
SIZE = "512k"
"""Of the small disk: enough for a store of some runs, too little for `LARGE`."""
WRITING = """\
[nodes.a]
type = "file-system"
operation = "{operation}"
path = "{path}"
{more}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with the flows `hello` and `large`."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "hello.toml").write_text(HELLO)
    (tmp_path / "flows" / "large.toml").write_text(LARGE)
    return tmp_path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of `SIZE`; only root can make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file until the disk is full; return it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 1024):
            pass
    return filler


def test_a_store_that_fills_up_in_a_run(place: Path, disk: Path) -> None:
    """A result that the store cannot take means 5 and the reason; what was stored stays, and it goes on."""
    before = atomiton(place, "--data", str(disk), "run", "hello")
    full = atomiton(place, "--data", str(disk), "run", "large", "--json")
    after = atomiton(place, "--data", str(disk), "run", "hello")
    history = atomiton(place, "--data", str(disk), "history")

    assert before.returncode == 0, before.stderr
    assert full.returncode == 5
    assert "error[STORE-002]" in full.stderr
    assert "hint: free some disk space" in full.stderr
    assert (after.returncode, after.stdout) == (0, '{"n":1}\n')
    statuses = [line.split()[2] for line in history.stdout.splitlines()[1:4]]
    assert (statuses[0], statuses[2]) == ("succeeded", "succeeded")
    assert statuses[1] in ("failed", "interrupted")


@pytest.mark.parametrize("store_is_new", [True, False])
def test_a_full_disk(place: Path, disk: Path, store_is_new: bool) -> None:
    """On a disk without a free byte the reason is named, with 5; with space again, all is as before."""
    if not store_is_new:
        assert atomiton(place, "--data", str(disk), "run", "hello").returncode == 0
    filler = fill(disk)
    refused = atomiton(place, "--data", str(disk), "run", "hello")
    filler.unlink()
    again = atomiton(place, "--data", str(disk), "run", "hello")

    assert (refused.returncode, refused.stdout) == (5, "")
    assert "error[STORE-00" in refused.stderr
    assert "No space left on device" in refused.stderr
    assert "hint: free some disk space" in refused.stderr
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("command", [("run", "hello"), ("history",), ("watch",), ("tray",)])
def test_a_read_only_data_folder(place: Path, disk: Path, command: tuple[str, ...]) -> None:
    """On a read-only disk every command that needs the store ends with 5, a reason and a hint."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    refused = atomiton(place, "--data", str(disk), *command)
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "Read-only file system" in refused.stderr
    assert "  hint: " in refused.stderr
    assert "Errno" not in refused.stderr


SLEEPING = '[nodes.a]\ntype = "shell-command"\nshell = true\nprogram = "echo y > started; sleep 60"\n'


@contextlib.contextmanager
def watch(place: Path, data: Path) -> Iterator[None]:
    """Let a process use the data folder meanwhile."""
    with started(place, "--data", str(data), "watch") as watching:
        assert watching.stdout is not None
        while "hello loaded" not in watching.stdout.readline():
            pass
        yield
        watching.terminate()


@pytest.mark.parametrize("left", ["closed", "killed", "killed, without shared memory"])
@pytest.mark.parametrize("state", ["full", "full and in use", "read-only"])
def test_what_is_kept_is_read_on_any_disk(place: Path, disk: Path, state: str, left: str) -> None:
    """`history`, `show`, `logs` and `list` need no space: they tell the truth, with 0, also about a killed run."""
    (place / "flows" / "sleeping.toml").write_text(SLEEPING)
    assert atomiton(place, "--data", str(disk), "run", "hello").returncode == 0
    if left != "closed":
        with started(place, "--data", str(disk), "run", "sleeping") as running:
            wait_for_file(place / "flows" / "started")
            running.kill()
    if left == "killed, without shared memory":
        (disk / "runs.sqlite3-shm").unlink()
    with watch(place, disk) if state == "full and in use" else contextlib.nullcontext():
        fill(disk)
        if state == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        expected = [] if left == "closed" else [("sleeping", "interrupted")]
        for _ in range(2):
            history = atomiton(place, "--data", str(disk), "history", "--json")
            assert history.returncode == 0, history.stderr
            told = [(run["flow"], run["status"]) for run in json.loads(history.stdout)]
            assert told == [*expected, ("hello", "succeeded")]
        for command in (("show", "last"), ("logs", "last"), ("list",)):
            shown = atomiton(place, "--data", str(disk), *command)
            assert shown.returncode == 0, shown.stderr
            assert ("interrupted" if expected else "succeeded") in shown.stdout
        if state == "full" and left != "killed":
            assert "warning[STORE-015]: only what is kept is shown: cannot " in shown.stderr


@pytest.mark.parametrize("operation", ["write", "append", "copy", "move"])
def test_files_are_whole_or_as_they_were(place: Path, disk: Path, operation: str) -> None:
    """On a full disk `file-system` leaves the old content, no temporary file, and names the file it could not write."""
    target, source = disk / "out.txt", place / "source.bin"
    target.write_text("old")
    source.write_bytes(b"x" * 1_000_000)
    written = operation in ("write", "append")
    (place / "flows" / "fill.toml").write_text(
        WRITING.format(
            operation=operation,
            path=target if written else source,
            more="content = \"{{ 'x' * 1000000 }}\"" if written else f'target = "{target}"',
        )
    )
    failed = atomiton(place, "run", "fill")

    assert (failed.returncode, failed.stdout) == (1, "")
    assert f"error[FILE-006]: {target} cannot be written: no space is left on the disk" in failed.stderr
    assert [path.name for path in disk.iterdir()] == ["out.txt"]
    assert target.read_text() == "old"
    assert source.stat().st_size == 1_000_000


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_a_store_that_is_none(place: Path, damage: str) -> None:
    """Garbage and a cut database are moved aside, as they are, and the flow runs; a warning tells where they are."""
    store = place / "data" / "runs.sqlite3"
    assert atomiton(place, "run", "hello").returncode == 0
    content = os.urandom(5000) if damage == "garbage" else store.read_bytes()[:3000]
    store.write_bytes(content)
    done = atomiton(place, "run", "hello")

    assert done.returncode == 0, done.stderr
    assert "warning[STORE-013]" in done.stderr
    (copy,) = (path for path in store.parent.glob("runs.sqlite3.damaged-*") if path.suffix != "-wal")
    assert str(copy) in done.stderr
    assert copy.stat().st_size == len(content)


def test_a_file_for_a_data_folder(place: Path) -> None:
    """A data folder that is a file is said to be one, with 5, and stays as it is."""
    (place / "data").write_text("mine")
    refused = atomiton(place, "run", "hello")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "error[STORE-001]" in refused.stderr
    assert "  hint: a file has the folder's name" in refused.stderr
    assert (place / "data").read_text() == "mine"
