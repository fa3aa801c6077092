"""Clocks that jump, machines that sleep: timers are monotonic, go on after a suspend, and really end a node."""

import itertools
import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.clock import SystemClock
from tests.desktop.waiting import eventually
from tests.doubles.terminal import atomiton, command, environment

FLOW = """\
[nodes.flaky]
type = "shell-command"
program = "sh"
args = ["-c", "echo x >> tries; test $(wc -l < tries) -ge 3"]
retry = { attempts = 3, delay = "100ms", backoff = 1.0, jitter = false }

[nodes.late]
type = "shell-command"
program = "sleep"
args = ["61.7"]
timeout = "300ms"
on_error = "continue"

[nodes.after]
type = "edit-fields"
after = ["flaky"]
values = { a = 1 }
"""
JUMPS = (timedelta(days=-400), timedelta(), timedelta(days=36_500), timedelta(hours=-1), timedelta(seconds=1))


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder with the flow."""
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "timed.toml").write_text(FLOW)
    return folder


def sleepers(seconds: str) -> list[psutil.Process]:
    """Return the `sleep` processes of this duration."""
    return [one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[1:] == [seconds]]


def test_a_clock_that_jumps_disturbs_nothing(
    tmp_path: Path, flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every look the wall clock is years away: retries, timeouts, durations and the history stay right."""
    jumps = itertools.cycle(JUMPS)
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + next(jumps))
    with Runtime(flows, data=tmp_path / "data") as runtime:
        began = time.monotonic()
        runs = []
        for _ in range(5):
            (flows / "tries").unlink(missing_ok=True)
            runs.append(runtime.run("timed").result(timeout_s=60))
        lasted_s = time.monotonic() - began
        kept = [summary.run_id for summary in runtime.history()]
    assert [run.status for run in runs] == ["succeeded"] * 5
    for run in runs:
        assert run.nodes["flaky"].attempts == 3
        late = run.nodes["late"]
        assert late.error is not None
        assert late.error.code == "NODE-010"
        durations = [run.duration_s, *(node.duration_s for node in run.nodes.values())]
        assert all(duration is not None and 0 <= duration <= lasted_s for duration in durations)
        assert late.duration_s is not None
        assert late.duration_s >= 0.3
    assert kept == [run.run_id for run in reversed(runs)]
    assert sleepers("61.7") == []


@pytest.mark.parametrize(
    "limit", ['[nodes.long]\ntimeout = "1s"', '[settings]\ntimeout = "1s"\n[nodes.long]']
)
def test_a_timer_that_passes_while_the_machine_sleeps(tmp_path: Path, limit: str) -> None:
    """The whole runtime is stopped beyond the limit of a node or run; when it wakes, the node is really ended."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "long.toml").write_text(
        f'{limit}\ntype = "shell-command"\nprogram = "sleep"\nargs = ["62.3"]\n'
    )
    with subprocess.Popen(
        command("run", "long"), env=environment(tmp_path), stderr=subprocess.PIPE
    ) as process:
        eventually(lambda: bool(sleepers("62.3")), "the node's process")
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGCONT)
        said = process.communicate(timeout=20)[1].decode()
    assert process.returncode in (1, 4), said
    assert sleepers("62.3") == []
    run = json.loads(atomiton(tmp_path, "show", "last", "--json").stdout)
    assert run["status"] in ("failed", "timed_out")
    assert run["nodes"]["long"]["status"] in ("failed", "timed_out", "cancelled")


def test_a_retry_that_was_due_while_the_machine_slept(tmp_path: Path) -> None:
    """It happens once when the runtime wakes, not once for each pause that has passed."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "again.toml").write_text(
        '[nodes.a]\ntype = "shell-command"\nprogram = "sh"\n'
        'args = ["-c", "echo x >> tries; test $(wc -l < tries) -ge 3"]\n'
        'retry = { attempts = 5, delay = "700ms", backoff = 1.0, jitter = false }\n'
    )
    tries = tmp_path / "flows" / "tries"
    with subprocess.Popen(
        command("run", "again"), env=environment(tmp_path), stderr=subprocess.PIPE
    ) as process:
        eventually(tries.exists, "the first attempt")
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(process.pid, signal.SIGCONT)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert tries.read_text() == "x\n" * 3
