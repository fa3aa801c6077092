"""The rules of `tests/conftest.py` catch what they are for: each case is a small test run of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LEFTOVERS = {
    "a thread": (
        """
        import threading
        def test_it():
            threading.Thread(target=threading.Event().wait, daemon=True, name="forgotten").start()
        """,
        "the thread 'forgotten' is alive",
    ),
    "an actor": (
        """
        import pykka
        class Forgotten(pykka.ThreadingActor):
            pass
        def test_it():
            Forgotten.start()
        def test_tidy_up():
            pykka.ActorRegistry.stop_all()
        """,
        "the actor Forgotten",
    ),
    "a child process": (
        """
        import subprocess
        kept = []
        def test_it():
            kept.append(subprocess.Popen(["sleep", "20"]))
        def test_tidy_up():
            kept[0].kill()
            kept[0].wait()
        """,
        "sleep 20",
    ),
    "an orphan in a session of its own": (
        """
        import os, subprocess
        def test_it():
            subprocess.run(["sh", "-c", "setsid sleep 8 >&- 2>&- & echo $! > pid"], check=True)
        def test_tidy_up():
            os.kill(int(open("pid").read()), 9)
        """,
        "sleep 8",
    ),
    "a file": (
        """
        kept = []
        def test_it():
            kept.append(open(__file__))
        """,
        "is open: ",
    ),
    "a call outside": (
        """
        import contextlib, socket
        def test_it():
            with contextlib.suppress(OSError), socket.socket() as outside:
                outside.connect(("192.0.2.1", 80))
        """,
        "a connection to 192.0.2.1",
    ),
    "a look-up outside": (
        """
        import contextlib, socket
        def test_it():
            with contextlib.suppress(OSError):
                socket.getaddrinfo("example.org", 80)
        """,
        "a connection to example.org",
    ),
}

TIDY = """
import socket, subprocess, threading, pytest

@pytest.fixture(scope="module")
def standing():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield
    done.set()
    thread.join()

def test_tidy(standing):
    thread = threading.Thread(target=threading.Event().wait, args=(0.1,))
    thread.start()
    subprocess.run(["true"], check=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()

def test_tidy_too(standing):
    pass
"""

SKIPPED = """
import pytest

@pytest.mark.desktop
def test_marked():
    pytest.skip("no bus")

def test_unmarked():
    pytest.skip("fine")
"""


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A folder whose tests live under this project's rules."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\npythonpath = {ROOT}\ntimeout = 30\nmarkers =\n  desktop: d\n  panel: p\n",
        encoding="utf-8",
    )
    return tmp_path


def run_tests(folder: Path, source: str, ci: str = "") -> subprocess.CompletedProcess[str]:
    """Return how pytest ends on one file with this source."""
    lines = source.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    (folder / "test_small.py").write_text("\n".join(line[margin:] for line in lines), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "CI": ci, "ATOMITON_TEST_GRACE_S": "0.5"},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@pytest.mark.parametrize("case", LEFTOVERS)
def test_leftovers_fail_the_test(case: str, small_project: Path) -> None:
    """Whatever a test leaves behind fails it, and the message names it."""
    source, message = LEFTOVERS[case]

    outcome = run_tests(small_project, source)

    assert message in outcome.stdout
    assert outcome.returncode == 1


def test_tidy_tests_pass(small_project: Path) -> None:
    """What ends by itself soon, and what a wider fixture holds, is nobody's leftover."""
    outcome = run_tests(small_project, TIDY)

    assert "2 passed" in outcome.stdout


@pytest.mark.parametrize(("ci", "summary"), [("", "2 skipped"), ("true", "1 failed, 1 skipped")])
def test_marked_tests_may_not_skip_in_ci(ci: str, summary: str, small_project: Path) -> None:
    """A desktop test that skips itself fails where CI is set, and nowhere else."""
    outcome = run_tests(small_project, SKIPPED, ci)

    assert summary in outcome.stdout


def test_a_module_may_not_skip_itself_in_ci(small_project: Path) -> None:
    """A module that skips itself whole fails where CI is set."""
    outcome = run_tests(small_project, 'import pytest\npytest.skip("why", allow_module_level=True)', "true")

    assert "skipped whole where it must run: why" in outcome.stdout
    assert outcome.returncode != 0
