"""Is `atomiton cancel`: ends a run, whichever process executes it."""

import time

import click

from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.cli.wording import duration, nodes_left, one_line, status
from atomiton_runtime.control.conversation import request
from atomiton_runtime.errors import RuntimeUnusable, UsageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.requests import CancelRun, Refused
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.runtime import Runtime

_WAIT_S = 30.0
_LOOK_S = 0.05
_OPEN = ("queued", "running")


@click.command()
@click.argument("run")
@json_option
@pass_installation
def command(installation: Installation, run: str, as_json: bool) -> int:
    """End RUN, the id of a run, the beginning of one, or `last`, and wait until nothing of it is alive.

    The run may belong to the tray, a `watch` or a `run` in another terminal.
    """
    with installation.runtime() as runtime:
        run_id = runtime.find_run(run)
        run_now = runtime.summary(run_id)
        if run_now.status not in _OPEN:
            ended = run_now.status.replace("_", " ")
            raise UsageError("RUN-002", f"run {run_id} has ended already: {ended}")
        response = request(runtime.places.data, run_now.process, CancelRun(run_id=run_id))
        if isinstance(response, Refused):
            for error in response.errors:
                click.echo(error_text(error), err=True)
            return 2
        ended = _await_end(runtime, run_id)
        told = runtime.show(run_id) if as_json else None
    if told is not None:
        print_json(told)
    else:
        click.echo(f"{one_line(ended.flow)} {status(ended.status)} after {duration(ended.duration_s)}")
    return 0


def _await_end(runtime: Runtime, run_id: RunId) -> RunSummary:
    deadline = time.monotonic() + _WAIT_S
    while True:
        summary = runtime.summary(run_id)
        if summary.status not in _OPEN:
            return summary
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_S)
    left = nodes_left(runtime.left(run_id) or ())
    raise RuntimeUnusable(
        "CLI-015",
        f"run {run_id} was told to end but has not ended within {_WAIT_S:.0f} s"
        + (f"; left of it: {left}" if left else ""),
        hint="`atomiton logs RUN --follow` shows what it still does",
    )
