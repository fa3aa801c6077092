"""Is `atomiton doctor`: what is there, and what is wrong."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

import click
import msgspec

from atomiton_runtime.cli import table
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.wording import counted, dim, one_line
from atomiton_runtime.doctor.examination import examine
from atomiton_runtime.doctor.finding import Finding, Level

_COLORS: dict[Level, str] = {"ok": "green", "warning": "yellow", "problem": "red"}


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What `doctor --json` prints."""

    problems: int
    warnings: int
    findings: tuple[Finding, ...]


@click.command()
@json_option
@pass_installation
def command(installation: Installation, as_json: bool) -> int:
    """Say what is there and what is wrong: versions, folders, store, flows, node types, desktop, limits.

    Each line is ok, a warning or a problem with a hint. Nothing is written, and no flow is run. Exits 1 if there
    is a problem.
    """
    findings = examine(lambda: installation.places)
    found = Diagnosis(
        problems=_count(findings, "problem"), warnings=_count(findings, "warning"), findings=findings
    )
    if as_json:
        print_json(found)
    else:
        for line in _lines(findings):
            click.echo(line)
        summary = f"{counted(found.problems, 'problem')}, {counted(found.warnings, 'warning')}"
        worst: Level = "problem" if found.problems else "warning" if found.warnings else "ok"
        sys.stdout.flush()
        click.echo(click.style(summary, fg=_COLORS[worst]), err=True)
    return 1 if found.problems else 0


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(1 for finding in findings if finding.level == level)


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    subject_cells = max(table.width(finding.subject) for finding in findings)
    for area, of_area in groupby(findings, key=lambda finding: finding.area):
        yield click.style(area, bold=True)
        for finding in of_area:
            word = click.style(finding.level.ljust(len("warning")), fg=_COLORS[finding.level])
            yield f"  {word}  {finding.subject.ljust(subject_cells)}  {one_line(finding.message)}"
            if finding.hint:
                yield f"           {' ' * subject_cells}  {dim('hint:')} {one_line(finding.hint)}"
