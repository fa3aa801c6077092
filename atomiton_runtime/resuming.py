"""Prepares the run that continues one which did not come to its end, or says why there can be none."""

from collections.abc import Callable, Sequence

import msgspec

from atomiton_runtime.actors.messages import StartRun
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.linking import called_flows
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import NodeId, RunId, new_run_id
from atomiton_runtime.nodes.effects import may_be_repeated
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary, summarize
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.resume import Cut, plan_resume

_SHOWN_NODES = 5
_SKIPPED = "it was passed over on resume: whether it had done its work was not known"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look up what a resume needs to know."""

    journal: Callable[[RunId], Sequence[RunEvent]]
    """Raises `UsageError` RUN-001 where there is no such run."""
    flow: Callable[[str], Flow]
    """Gives the flow of a path, as it is now."""
    continued_by: Callable[[RunSummary], RunId | None]
    """Gives the run that continues another one already."""
    catalogue: NodeCatalogue


def continuation(
    run_id: RunId, known: Known, *, rerun: Sequence[str] = (), skip: Sequence[str] = ()
) -> StartRun:
    """Return the order for the run that continues `run_id`.

    Args:
        run_id: a run that was interrupted, cancelled, timed out or has failed.
        known: where to look things up.
        rerun: whole ids of nodes that were cut, and are to be executed again although that may do their work twice.
        skip: whole ids of nodes that were cut and are to be passed over.

    Raises:
        UsageError: there is no such run (RUN-001); it goes on or has succeeded (RUN-016), nodes are in doubt
            (RUN-017), the flow has changed (RUN-018), it has been continued (RUN-019), or a node that is named is
            not in doubt (RUN-020).
    """
    journals = _chain(run_id, known)
    first = _first(journals[-1])
    if first.trigger == "replay":
        hint = "`atomiton replay` executes a node once more"
        raise UsageError("RUN-016", f"run {run_id} is a replay: there is nothing to continue", hint=hint)
    _refuse_ended(run_id, journals[-1], known)
    flow = known.flow(first.flow_path)
    if (flow.hash, called_flows(flow)) != (first.flow_hash, first.subflows):
        raise UsageError(
            "RUN-018",
            f"{flow.path}, or a flow that it calls, has changed since the run {run_id}",
            hint=f"`atomiton run {flow.id}` runs it as it is now",
        )
    resumption = plan_resume(flow, journals)
    doubtful = [each.node for each in resumption.cut if not _is_safe(each, known.catalogue)]
    _refuse_doubts(run_id, doubtful, rerun, skip)
    skipped = {NodeId(node): Kept(source=run_id, skipped=_SKIPPED) for node in skip}
    return StartRun(
        run_id=new_run_id(),
        flow=flow,
        variables=first.variables,
        trigger="resume",
        resumes=run_id,
        kept={**resumption.kept, **skipped},
    )


def _chain(run_id: RunId, known: Known) -> list[Sequence[RunEvent]]:
    """Return the journals of the run and of those that it continues, oldest first."""
    journals: list[Sequence[RunEvent]] = []
    wanted: RunId | None = run_id
    while wanted is not None:
        try:
            journals.append(known.journal(wanted))
        except UsageError:
            if not journals:
                raise
            break  # retention has taken it; what it had to say of settled nodes stands in the later ones
        wanted = _first(journals[-1]).resumes
    return journals[::-1]


def _first(journal: Sequence[RunEvent]) -> ev.RunQueued:
    first = journal[0]
    assert isinstance(first, ev.RunQueued)
    return first


def _refuse_ended(run_id: RunId, journal: Sequence[RunEvent], known: Known) -> None:
    summary: RunSummary | None = None
    for event in journal:
        summary = summarize(summary, event)
    assert summary is not None
    if summary.status in ("queued", "running"):
        hint = f"`atomiton cancel {run_id}` ends it"
        raise UsageError(
            "RUN-016", f"run {run_id} is {summary.status}: there is nothing to continue", hint=hint
        )
    if summary.status == "succeeded":
        hint = f"`atomiton run {summary.flow}` runs the flow again"
        raise UsageError("RUN-016", f"run {run_id} has succeeded: there is nothing left to do", hint=hint)
    later = known.continued_by(summary)
    if later is not None:
        raise UsageError(
            "RUN-019",
            f"run {run_id} was continued by {later} already",
            hint=f"`atomiton show {later}` tells more",
        )


def _refuse_doubts(
    run_id: RunId, doubtful: Sequence[NodeId], rerun: Sequence[str], skip: Sequence[str]
) -> None:
    for node in (*rerun, *skip):
        if node not in doubtful:
            there = ", ".join(doubtful[:_SHOWN_NODES])
            raise UsageError(
                "RUN-020",
                f"the node {node} of the run {run_id} is not in doubt",
                hint=f"in doubt: {there}" if there else "no node of it is: leave `--rerun` and `--skip` out",
            )
    decided = {*rerun, *skip}
    if open_doubts := [node for node in doubtful if node not in decided]:
        raise UsageError("RUN-017", _doubt(run_id, open_doubts), hint=_ways_out(open_doubts))


def _is_safe(cut: Cut, catalogue: NodeCatalogue) -> bool:
    if cut.written.repeatable is not None:
        return cut.written.repeatable
    found = catalogue.find(cut.written.type)
    return found is not None and may_be_repeated(found, cut.written.parameters)


def _doubt(run_id: RunId, nodes: Sequence[str]) -> str:
    named = ", ".join(nodes[:_SHOWN_NODES])
    more = f" and {len(nodes) - _SHOWN_NODES} more" if len(nodes) > _SHOWN_NODES else ""
    was = "was" if len(nodes) == 1 else "were"
    return (
        f"{named}{more} {was} under way when the run {run_id} was cut: whether the work was done is not known"
    )


def _ways_out(nodes: Sequence[str]) -> str:
    each = "`--rerun {0}` executes it again, `--skip {0}` goes on without it".format(nodes[0])
    more = "; say so for each of them" if len(nodes) > 1 else ""
    return f"{each}{more}. With `repeatable = true` in its table, a node is never in doubt"
