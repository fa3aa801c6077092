"""Is `atomiton watch`: runs flows when their files are saved, in the foreground."""

import os
import signal
from datetime import UTC, datetime

import click

from atomiton_runtime.cli.following import signals_into
from atomiton_runtime.cli.happenings import Happenings
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.journal import RunLines, notice_lines
from atomiton_runtime.cli.wording import counted, dim
from atomiton_runtime.ownership import Owner, Ownership, announce, refuse_other_flows, retire
from atomiton_runtime.run.events import Event
from atomiton_runtime.runtime import Runtime

_INTERRUPTED = 130
_LOOK_S = 0.5


@click.command()
@click.argument("flow", required=False)
@click.option("--run", "run_now", is_flag=True, help="Run FLOW at once as well.")
@pass_installation
def command(installation: Installation, flow: str | None, run_now: bool) -> int:
    """Run the flows of the flows folder when their files are saved, until Ctrl-C or SIGTERM.

    What happens goes to stdout, a line each. SIGTERM is the normal end and exits 0; Ctrl-C exits 130. Where the tray
    or another watch does the same for this data folder already, that is said, and the command ends with 0.

    With FLOW, the id of a flow or the path of its file, a terminal shows this flow as a tree: the state of each node,
    how long it took and what came out, drawn anew when something happens. `r` runs the flow, `q` quits. A path
    outside of the flows folder watches the folder that it is in. Runs that the tray or another watch makes are shown
    as well. What is not a terminal gets lines, of this flow alone.
    """
    if flow is not None:
        from atomiton_runtime.cli.live.loop import watch_flow
        from atomiton_runtime.cli.live.source import target

        return watch_flow(target(installation.places, flow), run_now=run_now)
    if run_now:
        raise click.UsageError("`--run` needs the name of a flow")
    runtime = installation.runtime(watch=True)
    ownership = Ownership(runtime.places.data)
    try:
        other = ownership.take()
        if other is not None:
            places = runtime.places
            refuse_other_flows(places.data, other, places.flows)
            click.echo(f"{other.words} (process {other.pid}) already does this for {places.data}", err=True)
            return 0
        return _watch(runtime)
    finally:
        ownership.release()


def _watch(runtime: Runtime) -> int:
    happened = Happenings()
    unsubscribe = None
    with signals_into(happened):
        try:
            # Before the start, so that no flow is loaded before anybody listens.
            unsubscribe = runtime.subscribe(happened.bring)
            runtime.start()
            places = runtime.places
            me = Owner(process=runtime.process, kind="watch", pid=os.getpid(), flows=str(places.flows))
            announce(places.data, me)
            _greet(runtime)
            number = _tell(happened)
        finally:
            if unsubscribe is not None:
                unsubscribe()
            happened.close()
            retire(runtime.places.data)
            runtime.stop()
    return _INTERRUPTED if number is signal.SIGINT else 0


def _greet(runtime: Runtime) -> None:
    entries = runtime.flows()
    broken = [entry for entry in entries if entry.problems]
    problems = f", {len(broken)} of them with problems" if broken else ""
    click.echo(f"watching {runtime.places.flows}: {counted(len(entries), 'flow')}{problems}")
    click.echo(dim("save a flow's file to run it; Ctrl-C ends the watch"))


def _tell(happened: Happenings) -> signal.Signals:
    """Print what happens until a signal comes; return it."""
    runs = RunLines()
    while True:
        fact = happened.get(_LOOK_S)
        if fact is None:
            continue
        if isinstance(fact, signal.Signals):
            return fact
        is_of_run = isinstance(fact, Event)
        for line in runs.lines(fact) if is_of_run else notice_lines(fact, datetime.now(UTC)):
            click.echo(line)
