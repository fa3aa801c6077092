"""Is `atomiton diff`: what differs between two runs."""

from typing import TYPE_CHECKING

import click

from atomiton_runtime.cli.difference import difference_lines
from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.options import json_option
from atomiton_runtime.cli.results import print_json
from atomiton_runtime.errors import UsageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.document import document
from atomiton_runtime.run.events import RunEvent, RunQueued, RunStatus
from atomiton_runtime.run.run_difference import RunDifference, compare_runs

if TYPE_CHECKING:
    from atomiton_runtime.runtime import Runtime

_LAST = "last"
_ENDED: tuple[RunStatus, ...] = ("succeeded", "failed", "cancelled", "timed_out", "interrupted")
_LOOKED_THROUGH = 10_000


@click.command()
@click.argument("run", metavar="RUN|FLOW")
@click.argument("other", metavar="[RUN]", required=False)
@json_option
@pass_installation
def command(installation: Installation, run: str, other: str | None, as_json: bool) -> None:
    """Show what differs between two runs: definition, variables, results of the nodes, timing.

    A RUN is the id of a run, the beginning of one, or `last`; the first one is the old one. A RUN alone is compared
    with the last run of its flow before it that succeeded, and FLOW stands for its last run that has ended.
    """
    with installation.runtime(only_read=True) as runtime:
        if other is not None:
            old, new = runtime.find_run(run), runtime.find_run(other)
        else:
            new = _run_or_last_of(runtime, run)
            old = _last_success_before(runtime, new)
        told = _compared(runtime.journal(old), runtime.journal(new))
    if as_json:
        print_json(told)
        return
    for line in difference_lines(told):
        click.echo(line)


def _run_or_last_of(runtime: "Runtime", name: str) -> RunId:
    """Return the last run of the flow that has ended; where no run is of such a flow, the run of this name."""
    if name == _LAST or not runtime.history(name, limit=1):
        return runtime.find_run(name)
    ended = runtime.history(name, statuses=_ENDED, limit=1)
    if not ended:
        raise UsageError(
            "CLI-026",
            f"no run of {name} has ended yet",
            hint=f"`atomiton logs last --follow` shows it; `atomiton history {name}` lists its runs",
        )
    return ended[0].run_id


def _last_success_before(runtime: "Runtime", new: RunId) -> RunId:
    flow = runtime.show(new).flow
    succeeded = runtime.history(flow, statuses=("succeeded",), limit=_LOOKED_THROUGH)
    # The ids of runs sort by time.
    before = next((each.run_id for each in succeeded if each.run_id < new and each.trigger != "replay"), None)
    if before is None:
        raise UsageError(
            "CLI-026",
            f"no run of {flow} has succeeded before {new}",
            hint=f"name two runs, `atomiton diff RUN RUN`; `atomiton history {flow}` lists them",
        )
    return before


def _compared(old: tuple[RunEvent, ...], new: tuple[RunEvent, ...]) -> RunDifference:
    return compare_runs(document(old), document(new), old_called=_called(old), new_called=_called(new))


def _called(journal: tuple[RunEvent, ...]) -> dict[str, str]:
    return journal[0].subflows if isinstance(journal[0], RunQueued) else {}
