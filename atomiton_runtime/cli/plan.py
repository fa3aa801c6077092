"""Is `atomiton plan`: what a save of a flow would execute, and why. Nothing is executed."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from atomiton_runtime.cli import flags, table, wording
from atomiton_runtime.cli.failures import error_text
from atomiton_runtime.cli.flow_command import ReadingFlowCommand, chosen_options, flow_of, runtime_of
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.planning import FlowPlan, NodePlan, Verdict
from atomiton_runtime.requests import Chosen

_COLORS: dict[Verdict, str] = {"run": "green", "perhaps": "yellow", "reuse": "cyan", "skip": "bright_black"}
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
            _why(each, Path(told.path).name),
        )
        for node, each in told.nodes.items()
    ]
    lines = [
        f"{click.style(wording.one_line(told.flow), bold=True)} {summary}",
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


def _why(each: NodePlan, file: str) -> str:
    if each.source is not None:
        return wording.dim(f"its result of run {each.source} holds")
    if each.problem is not None:
        return f"it would fail: {each.problem.code} {wording.one_line(each.problem.message)}"
    return "; ".join(reason_words(reason.message, file, reason.line) for reason in each.reasons)


def reason_words(message: str, file: str, line: int | None) -> str:
    """Return a reason with its place."""
    place = "" if line is None else f", {wording.one_line(file)}:{line}"
    return f"{wording.one_line(message)}{place}"
