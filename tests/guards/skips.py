"""Turns a skip into a failure where the machine must have all that the tests need."""

from collections.abc import Generator, Sequence

import pytest


class NoSilentSkips:
    """A plugin: a test with one of `marks`, or a whole module, that skips itself fails instead."""

    def __init__(self, marks: Sequence[str]) -> None:
        self._marks = marks

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail a marked test that was skipped."""
        report = yield
        if report.skipped and not hasattr(report, "wasxfail") and self._is_marked(item):
            report.outcome = "failed"
            report.longrepr = f"skipped where it must run: {_reason(report.longrepr)}"
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Fail a module that was skipped whole: nobody can see which marks it would have had."""
        report = yield
        if report.skipped:
            report.outcome = "failed"
            report.longrepr = f"skipped whole where it must run: {_reason(report.longrepr)}"
        return report

    def _is_marked(self, item: pytest.Item) -> bool:
        return any(item.get_closest_marker(mark) for mark in self._marks)


def _reason(longrepr: object) -> str:
    match longrepr:
        case (_, _, str(reason)):
            return reason.removeprefix("Skipped: ")
        case _:
            return str(longrepr)
