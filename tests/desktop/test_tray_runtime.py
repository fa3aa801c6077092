"""The whole program: `atomiton tray` with its own runtime, real flow files and a panel."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.desktop.tray_host import TrayHost
from tests.desktop.waiting import eventually

pytestmark = pytest.mark.desktop

RSS_LIMIT_MIB = 50
UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
"""Measuring coverage would need what is measured here."""
TOUCH = """name = "Touch a file"
[settings]
on_save = "off"
notify = "always"
[nodes.touch]
type = "file-system"
operation = "write"
path = "touched"
content = "done"
"""
SLEEP = """name = "Sleep"
[settings]
on_save = "off"
[nodes.wait]
type = "shell-command"
program = "sleep"
args = ["77"]
"""
FAIL = """name = "Fail"
[settings]
on_save = "off"
[nodes.look]
type = "file-system"
operation = "read"
path = "nowhere"
"""
IDLE = """name = "Idle {number}"
[settings]
on_save = "off"
[nodes.a]
type = "edit-fields"
values = {{ a = 1 }}
"""

Start = Callable[..., "subprocess.Popen[str]"]


def command(tmp_path: Path, *words: str) -> list[str]:
    """Return the command line of this installation."""
    folders = ["--flows", str(tmp_path / "flows"), "--data", str(tmp_path / "data")]
    return [sys.executable, "-m", "atomiton_runtime", *folders, *words]


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """The flows folder, with three flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    for name, text in {"touch": TOUCH, "sleep": SLEEP, "fail": FAIL}.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def start(tmp_path: Path, flows: Path, host: TrayHost) -> Iterator[Start]:
    """Start trays; end them afterwards by their ids."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(tmp_path, "tray", *words),
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait(5)
            assert process.stderr is not None
            process.stderr.close()


def test_click_runs_the_flow(start: Start, host: TrayHost, flows: Path) -> None:
    """A click runs the flow; its effect, the menu and the notification are there."""
    start()
    host.click("Touch a file")
    eventually(lambda: (flows / "touched").read_text() == "done", "the flow's effect")
    host.wait_for("Touch a file", "✓ just now")
    host.wait_for_bubble("Touch a file succeeded")


def test_failure(start: Start, host: TrayHost) -> None:
    """A run that fails is announced with its node and code."""
    start()
    host.click("Fail")
    assert host.wait_for_bubble("Fail failed").text.startswith("look: ")
    host.wait_for("Fail", "✗ failed just now")


def test_cancel(start: Start, host: TrayHost) -> None:
    """The cancel entry ends the run and its process."""
    process = start()
    host.click("Sleep")
    asleep = eventually(lambda: sleepers(process.pid), "the command runs")
    host.click("Cancel Sleep")
    host.wait_for("Sleep", "cancelled just now")
    assert not any(one.is_running() for one in asleep)


def test_signal_ends_running_flows(start: Start, host: TrayHost) -> None:
    """SIGTERM with a running flow ends flow and tray, soon and with 0."""
    process = start()
    host.click("Sleep")
    asleep = eventually(lambda: sleepers(process.pid), "the command runs")
    before = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - before < 4
    eventually(lambda: not any(one.is_running() for one in asleep), "the command is gone")


def test_saving(start: Start, host: TrayHost, flows: Path) -> None:
    """A save that breaks a flow is in the menu and announced; a repair is in the menu; a new file appears."""
    start()
    host.wait_for("Touch a file")
    (flows / "touch.toml").write_text(TOUCH.replace("file-system", "file-sistem"), encoding="utf-8")
    host.wait_for_bubble("Touch a file has 1 problem", "touch.toml:6")
    host.wait_for("Touch a file", "1 problem")
    (flows / "touch.toml").write_text(TOUCH.replace('"Touch a file"', '"Touch it"'), encoding="utf-8")
    host.wait_for("Touch it")
    (flows / "new.toml").write_text(IDLE.format(number=1), encoding="utf-8")
    host.wait_for("Idle 1")
    (flows / "new.toml").unlink()
    host.wait_until(lambda labels: "Idle 1" not in labels)


def test_a_broken_node_type_is_seen(start: Start, host: TrayHost, flows: Path) -> None:
    """A node type that is broken from the start is in the menu and announced, and gone from it when mended."""
    (flows / "nodes").mkdir()
    (flows / "nodes" / "own.py").write_text("x = 1\nx /= 0\n", encoding="utf-8")
    start()
    host.wait_for_bubble("Atomiton", "nodes/own.py, line 2: it cannot be executed: ZeroDivisionError")
    host.wait_for("a node type cannot be used: nodes/own.py")
    (flows / "nodes" / "own.py").unlink()
    host.wait_until(lambda labels: not any("own.py" in label for label in labels))


def test_second_tray_hands_over(start: Start, host: TrayHost, flows: Path, tmp_path: Path) -> None:
    """`atomiton tray --run` beside a running tray lets that one run the flow."""
    start()
    host.wait_for("Touch a file")
    second = subprocess.run(
        command(tmp_path, "tray", "--run", "touch"), capture_output=True, text=True, timeout=15, check=False
    )
    assert (second.returncode, "already runs" in second.stderr) == (0, True)
    eventually((flows / "touched").exists, "the flow's effect")
    assert len(host.registrations) == 1


def test_runs_of_the_terminal_show(start: Start, host: TrayHost, tmp_path: Path) -> None:
    """A run made in a terminal is in the menu when it is opened."""
    start()
    host.wait_for("Touch a file")
    subprocess.run(command(tmp_path, "run", "touch"), capture_output=True, timeout=15, check=True)
    host.open()
    host.wait_for("Touch a file", "✓ just now")


def test_little_memory_is_enough(start: Start, host: TrayHost, flows: Path) -> None:
    """With 20 flows the tray needs less than 50 MiB."""
    for number in range(17):
        (flows / f"idle-{number}.toml").write_text(IDLE.format(number=number), encoding="utf-8")
    process = start(**UNMEASURED)
    host.wait_for("20 flows")
    assert psutil.Process(process.pid).memory_info().rss / 2**20 < RSS_LIMIT_MIB


def sleepers(pid: int) -> list[psutil.Process]:
    """Return the `sleep` commands below a process."""
    return [one for one in psutil.Process(pid).children(recursive=True) if one.name() == "sleep"]
