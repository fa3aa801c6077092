"""Lets pytest collect the tests of flow files: a test for each `[[test]]` of a TOML file that is a flow.

Loaded by pytest in every project where the package is installed. So nothing else of the package is loaded before
there is a flow with tests, and files that are none are left alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from atomiton_runtime.flow_tests.execution import TestOutcome

_MAX_BYTES = 1024 * 1024
"""No flow is larger."""
_TEST = re.compile(rb"^[ \t]*\[\[[ \t]*test[ \t]*\]\]", re.MULTILINE)
_NODES = re.compile(rb"^[ \t]*\[[ \t]*nodes[ \t]*[.\]]", re.MULTILINE)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "FlowFile | None":
    """Take a file that is a flow with tests."""
    if file_path.suffix != ".toml" or file_path.name.startswith(".") or not _has_tests(file_path):
        return None
    return FlowFile.from_parent(parent, path=file_path)  # pyright: ignore[reportUnknownMemberType]  # pytest's own gap


def _has_tests(path: Path) -> bool:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return False
        content = path.read_bytes()
    except OSError:
        return False
    return _TEST.search(content) is not None and _NODES.search(content) is not None


class FlowFile(pytest.File):
    """A flow file."""

    def collect(self) -> Iterator["FlowItem"]:
        """Yield its tests; a file with problems is an error that shows them."""
        from atomiton_runtime.flow.loader import load_flow
        from atomiton_runtime.flow.model import Flow
        from atomiton_runtime.flow.problems import render_problems
        from atomiton_runtime.nodes.registry import NodeCatalogue

        flow = load_flow(self.path.read_bytes(), self.path, NodeCatalogue(self.path.parent))
        if not isinstance(flow, Flow):
            raise self.CollectError(render_problems(flow))
        for test in flow.tests:
            yield FlowItem.from_parent(self, name=test.name, index=test.index)  # pyright: ignore[reportUnknownMemberType]


class FlowTestFailed(Exception):
    """A test of a flow has failed."""


class FlowItem(pytest.Item):
    """A test of a flow."""

    def __init__(self, *, index: int, **others: Any) -> None:
        super().__init__(**others)  # pyright: ignore[reportUnknownMemberType]
        self._index = index
        self._line = 0

    def runtest(self) -> None:
        """Execute the test, in a runtime that keeps nothing."""
        from atomiton_runtime.errors import AtomitonError

        try:
            outcome = self._outcome()
        except AtomitonError as error:
            hint = f"\n  hint: {error.hint}" if error.hint else ""
            raise FlowTestFailed(f"{error.message} ({error.code}){hint}") from error
        self._line = outcome.line - 1
        if outcome.mismatches:
            raise FlowTestFailed("\n".join(_told(outcome)))

    def _outcome(self) -> "TestOutcome":
        from atomiton_runtime.flow_tests.execution import run_tests
        from atomiton_runtime.runtime import Runtime

        with Runtime(self.path.parent, "memory:") as runtime:
            flow = runtime.flow(str(self.path))
            return next(run_tests(runtime, [(flow, flow.tests[self._index])]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what was expected and what came, without a traceback."""
        if isinstance(excinfo.value, FlowTestFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the test is."""
        return self.path, self._line or None, f"{self.path.stem}: {self.name}"


def _told(outcome: "TestOutcome") -> Iterator[str]:
    from atomiton_runtime.flow_tests.difference import difference

    for mismatch in outcome.mismatches:
        where = mismatch.where
        yield f"{where.file}:{where.line}: {mismatch.message}" if where else mismatch.message
        yield from (f"    {line}" for line in difference(mismatch))
        if mismatch.hint:
            yield f"  hint: {mismatch.hint}"
