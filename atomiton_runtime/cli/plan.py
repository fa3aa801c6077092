"""Is `atomiton plan`: what a save of a flow would execute, and why. Nothing is executed."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from atomiton_runtime.cli import flags, table, wording
from atomiton_runtime.cli.failures import error_text, nearby
from atomiton_runtime.cli.flow_command import ReadingFlowCommand, chosen_options, flow_of, runtime_of
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.requests import Chosen
from atomiton_runtime.run.reason import FlowPlan, NodePlan, Reason, Verdict

_COLORS: dict[Verdict, str] = {"run": "green", "perhaps": "yellow", "reuse": "cyan", "skip": "bright_black"}
_OFF = 'on_save = "off": a save executes nothing, so this is about a run by hand'
_ORDER: tuple[Verdict, ...] = ("run", "perhaps", "reuse", "skip")


@click.command(cls=ReadingFlowCommand)
@click.argument("flow")
@click.option("--var", multiple=True, metavar="NAME=VALUE", help="Set a variable, whatever its name is.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
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
) -> None:
    """Say what a save of FLOW would execute, and why; nothing is executed.

    run: it would be executed. perhaps: only if the result of a node before it is another one than it was. reuse: its
    result still holds. skip: it would not run.
    """
    variables = flags.given_values(ctx, flow_of(ctx).variables, var)
    told = runtime_of(ctx).plan(flow, variables, chosen)
    if as_json:
        print_json(told)
        return
    for line in plan_lines(told):
        click.echo(line)


def plan_lines(told: FlowPlan) -> list[str]:
    """Return a plan as lines for people, possibly coloured."""
    counts = Counter(each.verdict for each in told.nodes.values())
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _ORDER if counts[verdict])
    rows = [
        (
            wording.one_line(node),
            click.style(each.verdict, fg=_COLORS[each.verdict]),
            _why(each, told.path),
        )
        for node, each in told.nodes.items()
    ]
    lines = [
        f"{click.style(wording.one_line(told.flow), bold=True)} {summary}",
        *([_OFF] if told.on_save == "off" else []),
        "",
        *table.lines(rows, heads=("NODE", "WOULD", "WHY")),
    ]
    effects = [
        (wording.one_line(node), wording.one_line(each.does))
        for node, each in told.nodes.items()
        if each.does and each.verdict in ("run", "perhaps")
    ]
    if effects:
        lines += ["", *table.lines(effects, heads=("NODE", "DOES OUTSIDE"))]
    for each in told.nodes.values():
        if each.problem is not None:
            lines += ["", error_text(each.problem)]
    return lines


def _why(each: NodePlan, path: str) -> str:
    words = [reason_words(reason, path) for reason in each.reasons]
    if each.source is not None:
        return wording.dim(", ".join([f"its result of run {each.source} holds", *words]))
    if each.problem is not None:
        return f"it would fail: {each.problem.code} {wording.one_line(each.problem.message)}"
    return "; ".join(words)


def reason_words(reason: Reason, path: str) -> str:
    """Return a reason with its place in the flow's file; paths as the user would type them."""
    message = _nearer(wording.one_line(reason.message))
    return message if reason.line is None else f"{message}, {wording.one_line(nearby(path))}:{reason.line}"


def _nearer(message: str) -> str:
    """Return a message in which paths below the current folder are relative to it."""
    here = f"{Path.cwd()}{os.sep}"
    return message.replace(here, "") if len(here) > 1 else message
