"""Sets the rules every test lives under: alone, on this machine, leaving nothing behind.

The rules themselves are in `tests/guards/`; here they are tied to pytest's hooks.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.guards import floors, leftovers, machine, skips

collect_ignore_glob = ["flow/bad/*.toml"]
"""Flows that are wrong; the plug-in that collects the tests of flows would report them."""
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "desk")


def pytest_configure(config: pytest.Config) -> None:
    """Take the tests off the developer's desktop before anything is imported by them."""
    config.stash[machine.KEY] = machine.isolate()
    machine.watch()
    if config.getoption("--floors"):
        config.pluginmanager.register(floors.CoverageFloors(config.rootpath), "coverage-floors")
    if IN_CI:
        config.pluginmanager.register(skips.NoSilentSkips(("desktop", "panel")), "no-silent-skips")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what `pytest_configure` made."""
    machine.restore(config.stash[machine.KEY])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--floors`: fail the session when a part of the package is covered less than agreed."""
    parser.addoption("--floors", action="store_true", help="enforce scripts/check-coverage (with --cov)")


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, an actor, a process or an open file, or that called outside.

    What fixtures of a wider scope hold was there before the test and is not counted.
    """
    before = leftovers.take_stock()
    machine.forget_calls()
    yield
    problems = leftovers.wait_until_gone(before) + machine.calls_outside()
    if problems:
        pytest.fail("the test left something behind:\n  " + "\n  ".join(problems), pytrace=False)
