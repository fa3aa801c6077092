"""Fails a session whose coverage is below what `scripts/check-coverage` demands."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest


class CoverageFloors:
    """A plugin: checks the report that pytest-cov wrote, before pytest's last line and its exit status."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._verdict = ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Count a floor that is not reached as a failure of the session."""
        outcome = yield
        report = self._root / "coverage.json"
        check = subprocess.run(
            [sys.executable, self._root / "scripts" / "check-coverage", report],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self._verdict = check.stdout + check.stderr
        if check.returncode:
            session.testsfailed += 1
        return outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the verdict above the last line."""
        if self._verdict:
            terminalreporter.section("coverage floors")
            terminalreporter.write(self._verdict)
