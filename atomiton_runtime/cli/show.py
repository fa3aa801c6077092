"""Is `atomiton show`: one run, whole."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
import msgspec

from atomiton_runtime.cli import table, wording
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.run.document import NodeDocument, RunDocument, document
from atomiton_runtime.run.events import RunQueued
from atomiton_runtime.run.left import left_to_end
from atomiton_runtime.run.tally import tally_of
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
    continues = isinstance(journal[0], RunQueued) and journal[0].resumes is not None
    nodes = tally_of(told.nodes, continues=continues).words
    for line in _lines(told, left_to_end(journal), nodes, datetime.now(UTC)):
        click.echo(line)


def _lines(run: RunDocument, left: Sequence[str] | None, nodes: str, now: datetime) -> list[str]:
    status = wording.status(run.status) if left is None else wording.cancelling(left)
    lines = [
        f"{click.style(wording.one_line(run.flow), bold=True)} {status}"
        + (f" in {wording.duration(run.duration_s)}" if run.duration_s is not None else "")
        + (f": {nodes}" if nodes else ""),
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
            [_node(node, state, now) for node, state in run.nodes.items()],
            heads=("NODE", "STATUS", "TOOK", "ATTEMPTS", "REMARK"),
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


def _node(node: str, state: NodeDocument, now: datetime) -> tuple[str, ...]:
    told = [f"{state.error.code} {wording.one_line(state.error.message)}"] if state.error else []
    if state.reused_from is not msgspec.UNSET:
        told.append(wording.reused_from(state.reused_from, now))
    attempts = str(state.attempts) if state.attempts else ""
    return (
        wording.one_line(node),
        wording.status(state.status),
        wording.duration(state.duration_s),
        attempts,
        ", ".join(told),
    )


def _value(value: Value) -> str:
    return wording.one_line(preview(value, _PREVIEW_CHARS))
