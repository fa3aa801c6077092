"""Is `atomiton run`: runs a flow, with flags made from its variables."""

import contextlib
import sys
from collections.abc import Sequence

import click
import msgspec

from atomiton_runtime.cli import flags
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.following import Display, execute
from atomiton_runtime.cli.handing_over import execute_there
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.progress import LiveProgress, Silence
from atomiton_runtime.cli.results import print_json, print_results
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.requests import Chosen, RunFlow, RunRequest
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.runtime import Runtime

_FLOW = "atomiton.flow"
_RUNTIME = "atomiton.runtime"
_WITH_VALUE = ("--var", "--from", "--only")
_WITHOUT_VALUE = ("--json", "--fresh", "--help", "-h")


class _RunCommand(click.Command):
    """A command whose flags depend on its first argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Load the flow first, so that its variables are flags and part of the help."""
        reference = _flow_argument(args)
        if reference is not None and not ctx.resilient_parsing:
            installation = ctx.ensure_object(Installation)
            # The root's: click leaves a context open whose arguments are wrong.
            runtime = ctx.find_root().with_resource(installation.runtime())
            ctx.meta[_RUNTIME] = runtime
            ctx.meta[_FLOW] = runtime.flow(reference)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the flags of the command, then those of the flow."""
        own = super().get_params(ctx)
        flow: Flow | None = ctx.meta.get(_FLOW)
        return own if flow is None else [*own, *flags.options(flow.variables, _names(own)).values()]

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words after the command's name in the order in which they are written."""
        del ctx
        return ["FLOW", "[--NAME VALUE ...]", "[OPTIONS]"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flow's variables in a section of their own."""
        own = super().get_params(ctx)
        flow: Flow | None = ctx.meta.get(_FLOW)
        if flow is not None and flow.variables:
            with formatter.section("Variables"):
                formatter.write_dl(flags.help_records(ctx, flow.variables, _names(own)))
        options = [parameter for parameter in own if isinstance(parameter, click.Option)]
        with formatter.section("Options"):
            formatter.write_dl([record for each in options if (record := each.get_help_record(ctx))])

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Describe the flow, if one was named, instead of the command."""
        flow: Flow | None = ctx.meta.get(_FLOW)
        if flow is None:
            super().format_help_text(ctx, formatter)
            return
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(f"{flow.name}: {flow.description}" if flow.description else flow.name)


def _names(parameters: Sequence[click.Parameter]) -> list[str]:
    return [name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)]


@click.command(cls=_RunCommand)
@click.argument("flow")
@click.option("--var", multiple=True, metavar="NAME=VALUE", help="Set a variable, whatever its name is.")
@click.option("--json", "as_json", is_flag=True, help="Print the run as a JSON document.")
@click.option("--fresh", is_flag=True, help='Execute every node, also those with reuse = "always".')
@click.option(
    "--from", "from_node", metavar="NODE", help="Execute NODE and what depends on it; reuse the rest."
)
@click.option(
    "--only", "only_node", metavar="NODE", help="Execute NODE, and of what it needs only what has changed."
)
@pass_installation
@click.pass_context
def command(
    ctx: click.Context,
    _installation: Installation,
    flow: str,
    var: Sequence[str],
    as_json: bool,
    fresh: bool,
    from_node: str | None,
    only_node: str | None,
) -> int:
    """Run FLOW, the id of a flow or the path of its file, and print its results.

    The variables of the flow are flags: `atomiton run FLOW --help` lists them. Results go to stdout,
    everything else to stderr. Ctrl-C cancels the run.

    Exit codes: 0 succeeded, 1 failed, 2 wrong usage or an invalid flow, 3 cancelled, 4 timed out, 5 the
    store or the runtime is unusable, 130 interrupted.
    """
    runtime: Runtime = ctx.meta[_RUNTIME]
    loaded: Flow = ctx.meta[_FLOW]
    variables = flags.given_values(ctx, loaded.variables, var)
    display = display_of(loaded, as_json=as_json)
    request = RunFlow(
        flow=flow,
        variables=variables,
        trigger="cli",
        chosen=Chosen(fresh=fresh, from_node=from_node, only_node=only_node)
        if fresh or from_node or only_node
        else msgspec.UNSET,
    )
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


def _flow_argument(args: Sequence[str]) -> str | None:
    """Return the flow's place in the command line: the first word that is no option of the command itself."""
    words = iter(args)
    for word in words:
        if word == "--":
            return next(words, None)
        if word in _WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word
        elif word not in _WITHOUT_VALUE and word.partition("=")[0] not in _WITH_VALUE:
            # A flag of a flow that is not named yet: its value cannot be told from the flow.
            return None
    return None
