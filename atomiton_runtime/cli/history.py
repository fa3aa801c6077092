"""Is `atomiton history`: the latest runs."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from atomiton_runtime.cli import table, wording
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option, limit_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.run.document import RunSummary


@click.command()
@click.argument("flow", required=False)
@limit_option
@json_option
@pass_installation
def command(installation: Installation, flow: str | None, limit: int, as_json: bool) -> None:
    """List the latest runs, newest first; with FLOW, those of this flow."""
    with installation.runtime(only_read=True) as runtime:
        runs = runtime.history(flow, limit=limit)
        going_on = [run.run_id for run in runs if run.status == "running" and not as_json]
        left = {run_id: runtime.left(run_id) for run_id in going_on}
    if as_json:
        print_json(runs)
        return
    if not runs:
        click.echo(f"no runs of {flow}" if flow else "no runs", err=True)
        return
    now = datetime.now(UTC)
    heads = ("RUN", "FLOW", "STATUS", "STARTED", "TOOK", "BY", "ERROR")
    for line in table.lines([_row(run, left.get(run.run_id), now) for run in runs], heads=heads):
        click.echo(line)


def _row(run: RunSummary, left: Sequence[str] | None, now: datetime) -> tuple[str, ...]:
    said = f"{run.error.code} {wording.one_line(run.error.message)}" if run.error else ""
    if left:
        said = f"waits for {wording.nodes_left(left)}"
    return (
        run.run_id,
        wording.one_line(run.flow),
        wording.status(run.status if left is None else "cancelling"),
        wording.time_ago(run.started_at, now),
        wording.duration(run.duration_s),
        run.trigger,
        said,
    )
