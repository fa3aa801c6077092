"""Is `atomiton list`: what the flows folder holds."""

from datetime import UTC, datetime

import click

from atomiton_runtime.cli import table, wording
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.flow.entry import FlowEntry
from atomiton_runtime.run.document import RunSummary

_LATEST_RUNS = 500
"""How far back the last run of a flow is looked for."""


@click.command()
@json_option
@pass_installation
def command(installation: Installation, as_json: bool) -> None:
    """List the flows of the flows folder, with their last runs."""
    with installation.runtime(only_read=True) as runtime:
        entries = runtime.flows()
        if as_json:
            print_json(entries)
            return
        last = {str(run.flow): run for run in reversed(runtime.history(limit=_LATEST_RUNS))}
    if not entries:
        click.echo(f"no flows in {installation.places.flows}", err=True)
        click.echo("`atomiton new hello` writes a first one", err=True)
        return
    now = datetime.now(UTC)
    rows = [_row(entry, last.get(str(entry.id)), now) for entry in entries]
    for line in table.lines(rows, heads=("FLOW", "STATE", "LAST RUN", "DESCRIPTION")):
        click.echo(line)


def _row(entry: FlowEntry, last: RunSummary | None, now: datetime) -> tuple[str, str, str, str]:
    words = entry.description or (entry.name if entry.name != entry.id else "")
    run = (
        f"{wording.status(last.status)} {wording.time_ago(last.started_at, now)}"
        if last
        else wording.dim("never")
    )
    return (wording.one_line(entry.id), _state(entry), run, wording.one_line(words))


def _state(entry: FlowEntry) -> str:
    if not entry.problems:
        return click.style("ready", fg="green")
    return click.style(wording.counted(len(entry.problems), "problem"), fg="red")
