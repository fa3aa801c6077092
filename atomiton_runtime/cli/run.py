"""Is `atomiton run`: runs a flow, with flags made from its variables."""

import contextlib
import sys
from collections.abc import Sequence

import click
import msgspec

from atomiton_runtime.cli import flags
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.flow_command import FlowCommand, chosen_options, flow_of, runtime_of
from atomiton_runtime.cli.following import Display, execute
from atomiton_runtime.cli.handing_over import execute_there
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.progress import LiveProgress, Silence
from atomiton_runtime.cli.results import print_json, print_results
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.requests import Chosen, RunFlow, RunRequest
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.runtime import Runtime


@click.command(cls=FlowCommand)
@click.argument("flow")
@click.option("--var", multiple=True, metavar="NAME=VALUE", help="Set a variable, whatever its name is.")
@click.option("--json", "as_json", is_flag=True, help="Print the run as a JSON document.")
@chosen_options
@pass_installation
@click.pass_context
def command(
    ctx: click.Context,
    _installation: Installation,
    flow: str,
    var: Sequence[str],
    as_json: bool,
    chosen: Chosen | None,
) -> int:
    """Run FLOW, the id of a flow or the path of its file, and print its results.

    The variables of the flow are flags: `atomiton run FLOW --help` lists them. Results go to stdout,
    everything else to stderr. Ctrl-C cancels the run.

    Exit codes: 0 succeeded, 1 failed, 2 wrong usage or an invalid flow, 3 cancelled, 4 timed out, 5 the
    store or the runtime is unusable, 130 interrupted.
    """
    runtime, loaded = runtime_of(ctx), flow_of(ctx)
    variables = flags.given_values(ctx, loaded.variables, var)
    display = display_of(loaded, as_json=as_json)
    request = RunFlow(flow=flow, variables=variables, trigger="cli", chosen=chosen or msgspec.UNSET)
    document, code = execute_or_hand_over(runtime, request, loaded, display)
    show_end(document, loaded, display, as_json=as_json)
    return code


def execute_or_hand_over(
    runtime: Runtime, request: RunRequest, flow: Flow | None, display: Display
) -> tuple[RunDocument, int]:
    """Let the owner of the data folder execute a run, if there is one; else execute it here.

    Args:
        runtime: of this process.
        request: what is to be executed.
        flow: the one that is asked for; None: a run is.
        display: what shows the run.
    """
    there = request
    if isinstance(request, RunFlow) and flow is not None:
        # What was written here may mean another file in the folders of the other process.
        there = msgspec.structs.replace(request, flow=flow.path)
    return execute_there(runtime, there, display) or execute(runtime, request, display)


def show_end(document: RunDocument, flow: Flow, display: Display, *, as_json: bool) -> None:
    """Show what became of a run: how it ended on stderr, its results on stdout."""
    with contextlib.suppress(OSError):  # a closed terminal must not change the exit code
        if isinstance(display, LiveProgress):
            display.finish(document.status, document.duration_s, document.error)
        elif document.error is not None:
            click.echo(error_text(document.error), err=True)
    if as_json:
        print_json(document)
    elif document.status == "succeeded":
        print_results(document.outputs, len(flow.sinks))


def display_of(flow: Flow, *, as_json: bool) -> Display:
    """Return what shows a run of the flow while it goes on."""
    # A document on the same terminal would be torn apart by the progress.
    if sys.stderr.isatty() and not (as_json and sys.stdout.isatty()):
        return LiveProgress(flow.name)
    return Silence()
