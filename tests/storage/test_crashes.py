"""What a disk engine acknowledged survives `kill -9` at any moment."""

import subprocess
import sys
from pathlib import Path

import pytest

from atomiton_runtime.ids import RunId
from atomiton_runtime.storage.create import ENGINES, create_storage
from tests.storage.test_engine import address

ROOT = Path(__file__).parents[2]
DISK_ENGINES = [scheme for scheme in ENGINES if scheme != "memory"]
KILLS = 20


def start_appending(url: str, prefix: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.doubles.appending_process", url, prefix],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )


def acknowledged(lines: list[bytes]) -> dict[str, int]:
    """Return run -> the highest acknowledged seq; a line without its end was never finished."""
    whole = [line.split() for line in lines if line.endswith(b"\n")]
    return {run.decode(): int(seq) for run, seq in whole}


def kill_after(process: subprocess.Popen[bytes], lines: int) -> dict[str, int]:
    """Read `lines` acknowledgements, kill the process, and return all that it acknowledged."""
    assert process.stdout is not None
    with process.stdout:
        read = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        read += process.stdout.readlines()
    process.wait()
    return acknowledged(read)


@pytest.mark.parametrize("scheme", DISK_ENGINES)
def test_no_acknowledged_event_is_lost(scheme: str, tmp_path: Path) -> None:
    """After each of many kills the store opens, every acknowledged event is there, and no journal has a gap."""
    url = address(scheme, tmp_path)
    promised: dict[str, int] = {}
    for kill in range(KILLS):
        promised |= kill_after(start_appending(url, f"K{kill:02d}"), 1 + kill * 7)
        engine = create_storage(url)
        engine.open()
        for run, seq in promised.items():
            journal = engine.journal(RunId(run))
            assert list(range(len(journal))) == [event.seq for event in journal]
            assert len(journal) > seq, f"{run} lost events after {len(journal)}; {seq} was acknowledged"
            assert engine.summary(RunId(run)) is not None
        for summary in engine.summaries(limit=100_000):
            assert (summary.status == "succeeded") == (len(engine.journal(summary.run_id)) == 9)
        engine.close()
    assert len(promised) > KILLS


@pytest.mark.parametrize("scheme", DISK_ENGINES)
def test_two_processes_append_to_one_store(scheme: str, tmp_path: Path) -> None:
    """Processes that write at the same time wait for each other, and neither loses an event."""
    url = address(scheme, tmp_path)
    processes = [start_appending(url, prefix) for prefix in ("A", "B")]
    promised = kill_after(processes[0], 200) | kill_after(processes[1], 200)
    engine = create_storage(url)
    engine.open()

    for run, seq in promised.items():
        assert len(engine.journal(RunId(run))) > seq
    assert {"A", "B"} == {run[0] for run in promised}
    engine.close()
