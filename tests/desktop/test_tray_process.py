"""The tray as a process: signals, and a second one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.desktop.private_bus import PrivateBus
from tests.desktop.tray_host import TrayHost
from tests.desktop.waiting import eventually

pytestmark = pytest.mark.desktop

ROOT = Path(__file__).parents[2]
UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
"""Measuring coverage would need what is measured here."""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, bus: PrivateBus) -> Iterator[Start]:
    """Start trays as processes; end them afterwards by their ids."""
    processes: list[subprocess.Popen[str]] = []

    def begin(flows: int = 3) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, ROOT / "tests/doubles/tray_process.py", tmp_path, str(flows)],
            env={**os.environ, **UNMEASURED, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait(5)
        assert process.stderr is not None
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_cleanly(number: signal.Signals, host: TrayHost, start: Start) -> None:
    """The signals that end a desktop program end the tray with 0, fast and without a word."""
    process = start()
    host.wait_for("Flow 000")
    process.send_signal(number)
    assert process.wait(5) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_signal_without_a_bus(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tray that still looks for a bus ends as fast."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    process = start()
    assert process.stderr is not None
    assert "TRAY-001" in process.stderr.readline()
    process.terminate()
    assert process.wait(5) == 0


def test_click_runs_the_flow(host: TrayHost, start: Start, tmp_path: Path) -> None:
    """A click has its effect."""
    start()
    host.click("Flow 002")
    eventually((tmp_path / "data/flow-002.ran").exists, "the flow's effect")


def test_killed_tray_is_no_obstacle(host: TrayHost, start: Start) -> None:
    """After `kill -9` the next tray starts; a living one lets no other start."""
    first = start()
    host.wait_for("Flow 000")
    first.kill()
    first.wait(5)
    start()
    host.wait_for_item(2)
    third = start()
    assert third.wait(8) == 0
    assert third.stderr is not None
    assert "already runs" in third.stderr.read()
