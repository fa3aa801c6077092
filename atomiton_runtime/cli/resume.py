"""Is `atomiton resume`: continues a run that did not come to its end."""

from collections.abc import Sequence

import click

from atomiton_runtime.cli.installation import Installation, pass_installation
from atomiton_runtime.cli.run import display_of, execute_or_hand_over, show_end
from atomiton_runtime.requests import ResumeRun
from atomiton_runtime.run.events import RunQueued


@click.command()
@click.argument("run")
@click.option(
    "--rerun", multiple=True, metavar="NODE", help="Execute this node again, though it is in doubt."
)
@click.option("--skip", multiple=True, metavar="NODE", help="Go on without this node, which is in doubt.")
@click.option("--json", "as_json", is_flag=True, help="Print the new run as a JSON document.")
@pass_installation
def command(
    installation: Installation, run: str, rerun: Sequence[str], skip: Sequence[str], as_json: bool
) -> int:
    """Continue RUN, the id of a run, the beginning of one, or `last`, and print its results.

    What was settled is not executed again; failures are tried again. A node that was under way when the run was
    cut, and that changes the outside, is in doubt, unless its type or the flow says that it may be repeated: then
    nothing is executed before --rerun or --skip says what to do with it.

    Exit codes are those of `run`; 2 also means that the run cannot be continued.
    """
    with installation.runtime() as runtime:
        run_id = runtime.find_run(run)
        first = runtime.first_event(run_id)
        assert isinstance(first, RunQueued)
        flow = runtime.flow(first.flow_path)
        display = display_of(flow, as_json=as_json)
        request = ResumeRun(run_id=run_id, rerun=tuple(rerun), skip=tuple(skip))
        document, code = execute_or_hand_over(runtime, request, flow, display)
        show_end(document, flow, display, as_json=as_json)
    return code
