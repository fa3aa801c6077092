"""Is the `atomiton` command: its options, the table of its commands, and the border where errors end."""

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import click

from atomiton_runtime.cli.failures import exit_code, lead_nowhere, show_error, show_fault, show_usage_error
from atomiton_runtime.cli.installation import Installation
from atomiton_runtime.errors import AtomitonError, RuntimeUnusable

COMMANDS = {
    "run": "Run a flow and show its results.",
    "check": "Show all problems of flow files.",
    "test": "Execute the tests of flow files.",
    "plan": "Say what a save of a flow would execute, and why.",
    "why": "Say why a node was executed in the last run, or was not.",
    "list": "List the flows of the flows folder.",
    "history": "List the latest runs.",
    "show": "Show a run: its nodes, outputs and error.",
    "logs": "Show what happened in a run, line by line.",
    "diff": "Show what differs between two runs.",
    "cancel": "End a run, whichever process executes it.",
    "resume": "Continue a run that did not come to its end.",
    "replay": "Execute one node of a run once more.",
    "watch": "Run flows when their files are saved.",
    "tray": "Put the flows into the tray of the desktop.",
    "autostart": "Start the tray with the desktop, or not.",
    "doctor": "Say what is there and what is wrong.",
    "new": "Write a flow file to start from.",
    "import": "Turn a flow of the original Atomiton into a file of ours.",
    "nodes": "List the node types, or describe one.",
    "secrets": "Keep the secrets that flows use.",
    "schema": "Print the JSON Schema of flow files.",
}
"""Command -> its line in the help. The module of a command is loaded when it is called, so the line is here."""

_MODULES = {"import": "import_flow"}
"""Command -> its module, where a module cannot have the command's name."""
_COMPLETION_VARIABLE = "_ATOMITON_COMPLETE"
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_OUTPUT_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class _LazyGroup(click.Group):
    """A group whose commands are modules of this package, loaded one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__package__}.{_MODULES.get(cmd_name, cmd_name)}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is an error with "did you mean"."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without loading a command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"atomiton {version('atomiton-runtime')}")
        except PackageNotFoundError:
            click.echo("atomiton (not installed as a package)")
        ctx.exit()


@click.group(cls=_LazyGroup, invoke_without_command=True, context_settings={"max_content_width": 100})
@click.option("--flows", metavar="DIR", help="The folder of the flow files  [also: ATOMITON_FLOWS].")
@click.option("--data", metavar="DIR", help="The folder of the runs' store  [also: ATOMITON_DATA].")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.help_option("-h", "--help", help="Show this message and exit.")
@click.pass_context
def atomiton(ctx: click.Context, flows: str | None, data: str | None) -> None:
    """Flows are TOML files: save one, see the result.

    `atomiton new hello` writes a first one, `atomiton run hello` runs it.
    """
    ctx.obj = Installation(flows, data)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run_command(arguments: Sequence[str]) -> int:
    """Execute a command line and return its exit code; whatever goes wrong is shown here, without a traceback.

    0 done, 1 the run failed, 2 wrong usage or an invalid flow, 3 cancelled, 4 timed out, 5 the store or the
    runtime is unusable, 130 interrupted; 141 as any program whose reader left (`atomiton list | head -1`).
    """
    _open_standard_streams()
    _make_streams_safe()
    if _COMPLETION_VARIABLE in os.environ:
        atomiton.main(prog_name="atomiton")
    try:
        return _guarded(list(arguments))
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt:
        return _INTERRUPTED


def _guarded(arguments: list[str]) -> int:
    installation: Installation | None = None
    try:
        with atomiton.make_context("atomiton", arguments) as ctx:
            installation = Installation(ctx.params["flows"], ctx.params["data"])
            result: object = atomiton.invoke(ctx)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.Abort:
        return _INTERRUPTED
    except click.UsageError as exc:
        show_usage_error(exc)
        return 2
    except AtomitonError as exc:
        show_error(exc)
        return exit_code(exc)
    except BrokenPipeError:
        raise
    except OSError as exc:
        if exc.filename is not None or exc.errno not in _OUTPUT_REFUSED:
            show_fault(exc, _data_folder(installation))
        else:
            lead_nowhere(sys.stdout)
            show_error(_output_refused(exc))
        return 5
    except (MemoryError, RuntimeError) as exc:
        if isinstance(exc, MemoryError) or "start new thread" in str(exc):
            show_error(_nothing_free(exc))
        else:
            show_fault(exc, _data_folder(installation))
        return 5
    except Exception as exc:  # noqa: BLE001  # the border of the program: a fault becomes a line and a file
        show_fault(exc, _data_folder(installation))
        return 5


def _data_folder(installation: Installation | None) -> Path | None:
    try:
        return installation.places.data if installation else None
    except AtomitonError:
        return None


def _reader_left() -> int:
    # The interpreter flushes its streams at the end; with nobody to read them, it would complain.
    lead_nowhere(sys.stdout)
    lead_nowhere(sys.stderr)
    return _BROKEN_PIPE


def _nothing_free(refusal: Exception) -> RuntimeUnusable:
    return RuntimeUnusable(
        "CLI-018",
        f"the system gives this process no more memory or threads: {refusal or 'out of memory'}",
        hint="end other programs, or raise the limits (`ulimit -v`, `ulimit -u`)",
    )


def _output_refused(refusal: OSError) -> RuntimeUnusable:
    return RuntimeUnusable(
        "CLI-016",
        f"the output cannot be written: {refusal.strerror or refusal}",
        hint="a run that was executed is kept: `atomiton show last --json` prints it again",
    )


def _open_standard_streams() -> None:
    """Give a process that was started with closed streams (`>&-`) streams that lead nowhere.

    Else the next file that is opened becomes its standard output, and `sys.stdout` is None.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
        if getattr(sys, name) is None:
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # a number is no path, and it stays open
            setattr(sys, name, stream)


def _make_streams_safe() -> None:
    """Let a terminal that cannot show a character show its code instead of failing the command."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore  # a TextIO of a test may not have it
