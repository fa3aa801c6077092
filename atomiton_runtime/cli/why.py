"""Is `atomiton why`: why a node of a flow's last run was executed, or was not."""

import click

from atomiton_runtime.cli import wording
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.plan import reason_words
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.run.reason import Why

_BECAME = {
    "succeeded": "was executed",
    "reused": "was reused",
    "failed": "was executed, and failed",
    "skipped": "was skipped",
    "cancelled": "was cancelled",
}


@click.command()
@click.argument("flow")
@click.argument("node")
@json_option
@pass_installation
def command(installation: Installation, flow: str, node: str, as_json: bool) -> None:
    """Say why NODE was executed in the last run of FLOW, or was not.

    FLOW is the id of a flow or the path of its file, NODE the whole id of a node: `read`, or `each/3/resize`.
    """
    with installation.runtime(only_read=True) as runtime:
        told = runtime.why(flow, node)
    if as_json:
        print_json(told)
        return
    for line in why_lines(told):
        click.echo(line)


def why_lines(told: Why) -> list[str]:
    """Return an explanation as lines for people, possibly coloured."""
    became = _BECAME.get(told.status, told.status)
    title = f"{click.style(wording.one_line(told.node), bold=True)} {became} in run {told.run_id} by {told.trigger}"
    if told.source is not None:
        title += f", from run {told.source}"
    lines = [title]
    lines += [f"  {reason_words(each, told.path)}" for each in told.reasons]
    if told.before is not None and told.status == "succeeded":
        lines.append(wording.dim(f"  compared with its result in run {told.before}"))
    if told.error is not None:
        lines += ["", error_text(told.error)]
    return lines
