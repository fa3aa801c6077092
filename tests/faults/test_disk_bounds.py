"""The disk of a store that is used stays bounded: its files are measured while runs with large outputs and logs end."""

import threading
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.storage.create import ENGINES
from atomiton_runtime.storage.retention import Retention

MEBIBYTE = 1024 * 1024
LIMIT_BYTES = 12 * MEBIBYTE
LOG_BYTES = {"sqlite": 6 * MEBIBYTE, "files": 0}
"""What SQLite's log may take beside the store: it is folded into the file at 4 MiB, and holds a group more."""
WRITTEN_BYTES = 4 * MEBIBYTE
"""More than what is written between two looks at the limit."""
MAKER = """
[settings]
on_busy = "queue"
[variables]
size = 900000
mark = ""
[nodes.inline]
type = "edit-fields"
values = { text = "{{ vars.mark ~ 'x' * vars.size }}" }
[nodes.file]
type = "edit-fields"
values = { text = "{{ vars.mark ~ 'y' * (vars.size * 2) }}" }
[nodes.log]
type = "shell-command"
shell = true
program = "yes | head -c 200000"
"""
HOG = """
[nodes.each]
type = "loop"
mode = "times"
count = 10000
[nodes.each.nodes.make]
type = "edit-fields"
keep_only_set = true
values = { text = "{{ index ~ 'x' * 900000 }}" }
"""
SLEEPER = """
[nodes.wait]
type = "shell-command"
program = "sleep"
args = ["3600"]
"""


@pytest.fixture(params=["sqlite", "files"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store in a folder of its own, beside the flows."""
    (tmp_path / "flows").mkdir()
    for name, text in (("maker", MAKER), ("hog", HOG), ("sleeper", SLEEPER)):
        (tmp_path / "flows" / f"{name}.toml").write_text(text)
    return f"{request.param}:///{tmp_path / 'store' / 'runs'}"


def files_bytes(folder: Path) -> int:
    """Return what the files of a store take now; they come and go meanwhile."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            continue
    return found


def bound_bytes(address: str) -> int:
    """Return what the files of a store may take."""
    return LIMIT_BYTES * 17 // 16 + LOG_BYTES[address.partition(":")[0]] + WRITTEN_BYTES


def made(runtime: Runtime, mark: int, size: int = 900_000) -> RunDocument:
    """Execute the flow whose outputs and log are large."""
    return runtime.run("maker", mark=str(mark), size=size).result(timeout_s=60)


def test_there_is_a_case_for_each_engine_with_a_disk() -> None:
    """A new engine cannot escape this."""
    assert {"memory", *LOG_BYTES} == set(ENGINES)


def test_many_large_runs(tmp_path: Path, address: str) -> None:
    """The files stay below what is stated; the oldest runs are gone, the newest and the open one are there."""
    retention = Retention(keep_runs=None, keep_days=None, max_bytes=LIMIT_BYTES)
    most = 0
    with Runtime(tmp_path / "flows", address, retention=retention) as runtime:
        begun = threading.Event()
        runtime.subscribe(lambda _: begun.set(), kinds=("NodeStarted",))
        sleeper = runtime.run("sleeper")
        assert begun.wait(20)
        documents: list[RunDocument] = []
        for number in range(30):
            documents.append(made(runtime, number))
            most = max(most, files_bytes(tmp_path / "store"))
        newest_first = [run.run_id for run in runtime.history("maker", limit=100)]
        newest = runtime.show(newest_first[0])
        open_runs = [run.run_id for run in runtime.active()]

    assert {"succeeded"} == {document.status for document in documents}
    assert LIMIT_BYTES // 2 < most < bound_bytes(address)
    assert 2 <= len(newest_first) < 8
    assert [document.run_id for document in reversed(documents)][: len(newest_first)] == newest_first
    assert newest.outputs["inline"] == documents[-1].outputs["inline"]
    assert [sleeper.id] == open_runs
    assert files_bytes(tmp_path / "store") < LIMIT_BYTES * 17 // 16 + WRITTEN_BYTES


def test_a_lower_limit_gives_space_back(tmp_path: Path, address: str) -> None:
    """With the next run that ends, of whatever process; the files are as small as a store that never was larger."""
    with Runtime(tmp_path / "flows", address, retention=Retention()) as runtime:
        for number in range(8):
            made(runtime, number)
        before = files_bytes(tmp_path / "store")
    with Runtime(tmp_path / "flows", address, retention=Retention(keep_runs=1)) as runtime:
        for number in range(8, 12):
            made(runtime, number, size=100)
        left = runtime.history("maker")

    assert before > 8 * 2_700_000
    assert len(left) <= 4
    assert files_bytes(tmp_path / "store") < 2 * MEBIBYTE


def test_a_run_that_alone_is_too_large(tmp_path: Path, address: str) -> None:
    """It fails, and says why; older runs made room for it first, others go on, and it can be looked at."""
    retention = Retention(max_bytes=LIMIT_BYTES)
    with Runtime(tmp_path / "flows", address, retention=retention) as runtime:
        made(runtime, 0)
        document = runtime.run("hog").result(timeout_s=120)
        most = files_bytes(tmp_path / "store")
        told = runtime.show(document.run_id)
        left = runtime.history("maker")
        after = made(runtime, 1, size=100)

    assert ("failed", "STORE-018") == (document.status, document.error and document.error.code)
    assert "STORE-018" == (told.error and told.error.code)
    assert () == left
    assert "succeeded" == after.status
    assert most < bound_bytes(address)
