"""Executes the tests of flow files, and tells what became of each."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from atomiton_runtime.errors import UsageError, Where
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.model import Flow, FlowTest
from atomiton_runtime.flow.positions import Positions
from atomiton_runtime.flow.source import read_source
from atomiton_runtime.flow_tests.content import content_of, whole
from atomiton_runtime.ids import FlowId
from atomiton_runtime.run.verdict import Mismatch, judge
from atomiton_runtime.running import Run
from atomiton_runtime.runtime import Runtime

_AT_ONCE = 16
"""So many tests are handed to the runtime before the first of them has ended."""


class TestOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test."""

    __test__ = False  # for pytest, which takes the name for that of a test of its own

    flow: FlowId
    file: str
    line: int
    """Of the test's header, counted from 1."""
    name: str
    status: Literal["passed", "failed"]
    duration_s: float = 0.0
    mismatches: tuple[Mismatch, ...] = ()


def run_tests(runtime: Runtime, tests: Sequence[tuple[Flow, FlowTest]]) -> Iterator[TestOutcome]:
    """Execute tests, several at once; yield what became of each, in their order.

    Tests of one flow wait for each other.

    Args:
        runtime: one that keeps nothing: what a test does is no run that anybody wants to see again.
        tests: each with the flow it is of.
    """
    waiting = deque(tests)
    going_on: deque[tuple[Flow, FlowTest, Run | UsageError]] = deque()
    places: dict[str, _Places] = {}
    while waiting or going_on:
        while waiting and len(going_on) < _AT_ONCE:
            flow, test = waiting.popleft()
            going_on.append((flow, test, _begin(runtime, flow, test)))
        flow, test, run = going_on.popleft()
        if flow.path not in places:
            places[flow.path] = _Places(flow)
        yield _outcome(flow, test, run, places[flow.path])


def _begin(runtime: Runtime, flow: Flow, test: FlowTest) -> Run | UsageError:
    try:
        return runtime.run_test(flow, test)
    except UsageError as refused:
        return refused


def _outcome(flow: Flow, test: FlowTest, run: Run | UsageError, places: "_Places") -> TestOutcome:
    path: KeyPath = ("test", test.index)
    duration_s = 0.0
    if isinstance(run, UsageError):
        found = (Mismatch(message=f"{run.message} ({run.code})", path=path, hint=run.hint),)
    else:
        document = whole(run.result())
        duration_s, found = document.duration_s or 0.0, judge(test, document)
    return TestOutcome(
        flow=flow.id,
        file=flow.path,
        line=places.of(path).line,
        name=test.name,
        status="failed" if found else "passed",
        duration_s=duration_s,
        mismatches=tuple(msgspec.structs.replace(each, where=places.of(each.path)) for each in found),
    )


class _Places:
    """The places of a flow's file; all at its beginning where the file is another one by now."""

    def __init__(self, flow: Flow) -> None:
        self._file = flow.path
        content = content_of(flow)
        source = None if content is None else read_source(content, flow.path)
        self._text = getattr(source, "text", "")
        self._positions = Positions(self._text)

    def of(self, path: KeyPath) -> Where:
        """Return the place of a key."""
        found = self._positions.find(path)
        start = 0 if found is None else found.key.start
        line = self._text.count("\n", 0, start) + 1
        return Where(self._file, line, start - self._text.rfind("\n", 0, start))
