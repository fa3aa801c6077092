"""Is `atomiton show`: one run, whole."""

from collections.abc import Sequence
from datetime import datetime

import click

from atomiton_runtime.cli import table, wording
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.run.document import NodeDocument, RunDocument, document
from atomiton_runtime.run.left import left_to_end
from atomiton_runtime.values import Value, preview

_PREVIEW_CHARS = 200


@click.command()
@click.argument("run")
@json_option
@pass_installation
def command(installation: Installation, run: str, as_json: bool) -> None:
    """Show RUN, the id of a run, the beginning of one, or `last`: its nodes, outputs and error."""
    with installation.runtime(only_read=True) as runtime:
        journal = runtime.journal(runtime.find_run(run))
    told = document(journal)
    if as_json:
        print_json(told)
        return
    for line in _lines(told, left_to_end(journal)):
        click.echo(line)


def _lines(run: RunDocument, left: Sequence[str] | None) -> list[str]:
    status = wording.status(run.status) if left is None else wording.cancelling(left)
    lines = [
        f"{click.style(wording.one_line(run.flow), bold=True)} {status}"
        + (f" in {wording.duration(run.duration_s)}" if run.duration_s is not None else ""),
        *table.lines(
            [
                (wording.dim("run"), run.run_id),
                (
                    wording.dim("started"),
                    f"{wording.local_time(datetime.fromisoformat(run.started_at))} by {run.trigger}",
                ),
                *((wording.dim(f"vars.{name}"), _value(value)) for name, value in run.variables.items()),
            ],
            indent="  ",
        ),
        "",
        *table.lines(
            [_node(node, state) for node, state in run.nodes.items()],
            heads=("NODE", "STATUS", "TOOK", "ATTEMPTS", "ERROR"),
        ),
    ]
    outputs = [
        (f"{wording.one_line(node)}.{port}", _value(value))
        for node, ports in run.outputs.items()
        for port, value in ports.items()
    ]
    if outputs:
        lines += ["", *table.lines(outputs, heads=("OUTPUT", "VALUE"))]
    if run.error is not None:
        lines += ["", error_text(run.error)]
    return lines


def _node(node: str, state: NodeDocument) -> tuple[str, ...]:
    error = f"{state.error.code} {wording.one_line(state.error.message)}" if state.error else ""
    attempts = str(state.attempts) if state.attempts else ""
    return (
        wording.one_line(node),
        wording.status(state.status),
        wording.duration(state.duration_s),
        attempts,
        error,
    )


def _value(value: Value) -> str:
    return wording.one_line(preview(value, _PREVIEW_CHARS))
