"""Is `atomiton logs`: what happened in a run, line by line."""

import time
from datetime import UTC, datetime

import click

from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.journal import event_lines
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import RunEvent, encode_event, is_final
from atomiton_runtime.runtime import Runtime

_LOOK_S = 0.2


@click.command()
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON, one a line.")
@pass_installation
def command(installation: Installation, run: str, follow: bool, as_json: bool) -> None:
    """Show what happened in RUN, the id of a run, the beginning of one, or `last`.

    What programs printed is shown whole: their stdout after `|`, their stderr after `!`.
    """
    with installation.runtime(only_read=True) as runtime:
        run_id = runtime.find_run(run)
        place = 0
        while True:
            ended = False
            while events := runtime.part(run_id, place):
                for event in events:
                    _print(event, as_json=as_json)
                place = events[-1].seq + 1
                ended = is_final(events[-1])
            if not follow or ended or _is_orphan(runtime, run_id):
                return
            time.sleep(_LOOK_S)


def _print(event: RunEvent, *, as_json: bool) -> None:
    if as_json:
        click.echo(encode_event(event))
        return
    for line in event_lines(event, datetime.now(UTC)):
        click.echo(line)


def _is_orphan(runtime: Runtime, run_id: RunId) -> bool:
    """Return whether the process that executed the run is gone, so that no further event will come."""
    from atomiton_runtime.control.presence import live_processes

    executing = next((run.process for run in runtime.history(limit=1000) if run.run_id == run_id), "")
    if executing in live_processes(runtime.places.data):
        return False
    click.echo("the process that executed the run is gone", err=True)
    return True
