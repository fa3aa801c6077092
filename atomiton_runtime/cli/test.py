"""Is `atomiton test`: executes the tests of flow files."""

from collections.abc import Iterator, Sequence

import click
import msgspec

from atomiton_runtime.cli.check import references
from atomiton_runtime.cli.failures import nearby, problem_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.wording import counted, dim, duration, harmless, one_line
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Flow, FlowTest
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.flow_tests.difference import difference
from atomiton_runtime.flow_tests.execution import TestOutcome, run_tests
from atomiton_runtime.flow_tests.updating import Update, update
from atomiton_runtime.run.verdict import Mismatch
from atomiton_runtime.runtime import Runtime

_FAILED, _INVALID = 1, 2
_WORDS = {"passed": click.style("passed", fg="green"), "failed": click.style("failed", fg="red")}


class TestsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `test --json` prints."""

    passed: int
    failed: int
    tests: tuple[TestOutcome, ...]
    problems: tuple[Problem, ...]
    """Of flows that are invalid: their tests are not executed."""
    updated: tuple[Update, ...]


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH ...]")
@click.option("-k", "wanted", metavar="TEXT", help="Only tests with TEXT in their flow's id or their name.")
@click.option(
    "--update", "updates", is_flag=True, help="Expect from now on what came; changes the flow files."
)
@json_option
@pass_installation
def command(
    installation: Installation, paths: Sequence[str], wanted: str | None, updates: bool, as_json: bool
) -> int:
    """Execute the tests of flow files: of PATHs (files, folders or ids of flows), or of the flows folder.

    A test is a [[test]] table in a flow file. Only the nodes that it expects something of, and what these need,
    are executed; nodes that write only if the test allows it. Nothing of it is kept.

    --update replaces the values that failed tests expect by those that came, in the flow files; expressions are
    left alone. Exits 1 if a test failed, 2 if a flow is invalid.
    """
    with installation.runtime(storage="memory:") as runtime:
        flows, problems = _load(runtime, list(references(paths, installation.places.flows)))
        for problem in problems if not as_json else ():
            click.echo(problem_text(problem))
        outcomes = list(_executed(runtime, _chosen(flows, wanted), as_json=as_json))
    updated = tuple(each for flow in flows for each in _update(flow, outcomes)) if updates else ()
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    document = TestsDocument(
        passed=len(outcomes) - failed,
        failed=failed,
        tests=tuple(outcomes),
        problems=tuple(problems),
        updated=updated,
    )
    _end(document, as_json=as_json)
    return _INVALID if problems else _FAILED if failed else 0


def _load(runtime: Runtime, names: Sequence[str]) -> tuple[list[Flow], list[Problem]]:
    flows: dict[str, Flow] = {}
    problems: dict[Problem, None] = {}
    for name in names:
        try:
            flow = runtime.flow(name)
            flows[flow.path] = flow
        except FlowInvalid as invalid:
            problems |= dict.fromkeys(invalid.problems)
    return list(flows.values()), list(problems)


def _chosen(flows: Sequence[Flow], wanted: str | None) -> list[tuple[Flow, FlowTest]]:
    """Return the tests that are wanted.

    Raises:
        UsageError: none of those that there are (TEST-003).
    """
    every = [(flow, test) for flow in flows for test in flow.tests]
    if wanted is None:
        return every
    text = wanted.casefold()
    chosen = [(flow, test) for flow, test in every if text in f"{flow.id}: {test.name}".casefold()]
    if not chosen:
        hint = f"there are {counted(len(every), 'test')}; without `-k` all of them are executed"
        raise UsageError("TEST-003", f"no test has {wanted!r} in its name", hint=hint)
    return chosen


def _executed(
    runtime: Runtime, tests: Sequence[tuple[Flow, FlowTest]], *, as_json: bool
) -> Iterator[TestOutcome]:
    for outcome in run_tests(runtime, tests):
        if not as_json:
            _show(outcome)
        yield outcome


def _show(outcome: TestOutcome) -> None:
    took = dim(f"({duration(outcome.duration_s)})")
    click.echo(f"{_WORDS[outcome.status]}  {one_line(f'{outcome.flow}: {outcome.name}')} {took}")
    for mismatch in outcome.mismatches:
        for line in _told(mismatch):
            click.echo(f"  {line}")


def _told(mismatch: Mismatch) -> Iterator[str]:
    where = mismatch.where
    place = click.style(f"{nearby(where.file)}:{where.line}: ", bold=True) if where else ""
    yield f"{place}{one_line(mismatch.message)}"
    colors = {"-": "green", "+": "red"}
    for line in difference(mismatch):
        yield f"  {click.style(harmless(line), fg=colors.get(line[:1]))}"
    if mismatch.hint:
        yield f"  {dim('hint:')} {one_line(mismatch.hint)}"


def _update(flow: Flow, outcomes: Sequence[TestOutcome]) -> tuple[Update, ...]:
    return update(flow, [outcome for outcome in outcomes if outcome.file == flow.path])


def _end(document: TestsDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    for each in document.updated:
        place = f"{nearby(each.where.file)}:{each.where.line}"
        kept = f"not updated: {each.refused}" if each.refused else "updated"
        click.echo(f"{place}: {one_line(each.expected)} of {one_line(each.name)}: {kept}")
    if not document.tests:
        click.echo("no tests found", err=True)
        return
    summary = f"{document.passed} passed, {document.failed} failed"
    click.echo(click.style(summary, fg="red" if document.failed else "green"), err=True)
