"""Is what commands share whose first argument is a flow: its variables are flags, its nodes can be chosen."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from atomiton_runtime.cli import flags
from atomiton_runtime.cli.installation import Installation
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.requests import Chosen

if TYPE_CHECKING:
    from atomiton_runtime.runtime import Runtime

T = TypeVar("T")

_FLOW = "atomiton.flow"
_RUNTIME = "atomiton.runtime"
_WITH_VALUE = ("--var", "--from", "--only")
_WITHOUT_VALUE = ("--json", "--fresh", "--help", "-h")


class FlowCommand(click.Command):
    """A command whose flags depend on its first argument, a flow."""

    only_reads = False
    """Whether it executes nothing, so that a store that cannot be written is no obstacle."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Load the flow first, so that its variables are flags and part of the help."""
        reference = _flow_argument(args)
        if reference is not None and not ctx.resilient_parsing:
            installation = ctx.ensure_object(Installation)
            # The root's: click leaves a context open whose arguments are wrong.
            opened = installation.runtime(only_read=self.only_reads)
            runtime = ctx.find_root().with_resource(opened)
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


class ReadingFlowCommand(FlowCommand):
    """A `FlowCommand` that executes nothing."""

    only_reads = True


def flow_of(ctx: click.Context) -> Flow:
    """Return the flow of a `FlowCommand`."""
    flow: Flow = ctx.meta[_FLOW]
    return flow


def runtime_of(ctx: click.Context) -> "Runtime":
    """Return the runtime that a `FlowCommand` has opened."""
    runtime: Runtime = ctx.meta[_RUNTIME]
    return runtime


def chosen_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add the options that choose nodes; the command is called with `chosen`, None: nothing was chosen."""

    @click.option("--fresh", is_flag=True, help='Execute every node, also those with reuse = "always".')
    @click.option(
        "--from", "from_node", metavar="NODE", help="Execute NODE and what depends on it; reuse the rest."
    )
    @click.option(
        "--only", "only_node", metavar="NODE", help="Execute NODE, and of what it needs only what changed."
    )
    @wraps(command)
    def with_choice(
        *args: Any, fresh: bool, from_node: str | None, only_node: str | None, **others: Any
    ) -> T:
        chosen = Chosen(fresh=fresh, from_node=from_node, only_node=only_node)
        return command(*args, chosen=chosen if fresh or from_node or only_node else None, **others)

    return with_choice


def _names(parameters: Sequence[click.Parameter]) -> list[str]:
    return [name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)]


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
