"""Says why a node of a flow's last run was executed, or was not."""

import msgspec

from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Flow, Node
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.kept import Kept, kept_of
from atomiton_runtime.run.reason import (
    ANEW,
    ASKED,
    EVERYTHING,
    FIRST_THEN,
    LOOKS,
    NEVER,
    UNKNOWN,
    Reason,
    Why,
)
from atomiton_runtime.run.reasons import reasons
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.results import Results
from atomiton_runtime.versions import Versions, written_at

_LOOKED_AT_RUNS = 100
_Settled = ev.NodeSucceeded | ev.NodeReused | ev.NodeFailed | ev.NodeSkipped | ev.NodeCancelled
_SAME = "nothing that its result depends on has changed"


class _Told(msgspec.Struct, frozen=True):
    """What a run says of a node."""

    queued: ev.RunQueued
    settled: _Settled


def explain(node_id: NodeId, flow: Flow, results: Results, large_values: LargeValues) -> Why:
    """Return why a node was executed in the newest run that says what became of it, or was not.

    Args:
        node_id: the whole id: `read`, or `each/3/resize`.
        flow: in its present version; its node may be gone.
        results: of earlier runs.
        large_values: has the texts of earlier versions.

    Raises:
        UsageError: no run of the flow says what became of such a node (RUN-025).
    """
    last: _Told | None = None
    known: dict[NodeId, None] = {}
    for run_id in results.newest_runs(flow.path, limit=_LOOKED_AT_RUNS):
        told = _of_run(node_id, run_id, results, known)
        if told is None:
            continue
        if last is None:
            last = told
        elif isinstance(told.settled, ev.NodeSucceeded | ev.NodeReused):
            return _why(last, node_id, flow, told, Versions(flow, results, large_values))
    if last is None:
        raise _unknown(node_id, flow, list(known))
    return _why(last, node_id, flow, None, Versions(flow, results, large_values))


def _of_run(node_id: NodeId, run_id: RunId, results: Results, known: dict[NodeId, None]) -> _Told | None:
    """Return what became of a node in a run; None: nothing yet. What nodes there are goes to `known`."""
    journal = results.journal(run_id)
    settled: _Settled | None = None
    for event in journal:
        node = getattr(event, "node", None)
        if node is not None:
            known[node] = None
        if node == node_id and isinstance(event, _Settled):
            settled = event
    first = journal[0] if journal else None
    return _Told(first, settled) if settled is not None and isinstance(first, ev.RunQueued) else None


def _unknown(node_id: NodeId, flow: Flow, known: list[NodeId]) -> UsageError:
    if not known:
        hint = f"`atomiton plan {flow.id}` says what a save would execute"
        return UsageError("RUN-025", f"{flow.id} has not run yet, as far as runs are kept", hint=hint)
    message = f"no run of {flow.id} that is kept says what became of a node `{node_id}`"
    return UsageError("RUN-025", message, hint=did_you_mean(node_id, known))


def _why(last: _Told, node_id: NodeId, flow: Flow, before: _Told | None, versions: Versions) -> Why:
    queued, settled = last.queued, last.settled
    told = Why(
        flow=queued.flow,
        path=queued.flow_path,
        node=node_id,
        run_id=queued.run_id,
        trigger=queued.trigger,
        status="succeeded",
    )
    node = _written(node_id, flow)
    match settled:
        case ev.NodeReused():
            return msgspec.structs.replace(
                told,
                status="reused",
                source=settled.source,
                reasons=(Reason(message=_SAME),),
                error=settled.error,
            )
        case ev.NodeSucceeded():
            found = (*_told_to(queued, node, node_id), *_changed(last, settled, node, before, versions))
            at = None if before is None else before.queued.run_id
            return msgspec.structs.replace(told, reasons=versions.placed(found), before=at)
        case ev.NodeFailed():
            found = _told_to(queued, node, node_id)
            return msgspec.structs.replace(told, status="failed", reasons=found, error=settled.error)
        case ev.NodeSkipped():
            return msgspec.structs.replace(told, status="skipped", reasons=(Reason(message=settled.reason),))
        case _:
            return msgspec.structs.replace(told, status="cancelled")


def _told_to(queued: ev.RunQueued, node: Node, node_id: NodeId) -> tuple[Reason, ...]:
    """Return why a node would have been executed whatever its key was; empty: it need not have been."""
    if queued.reuse == "none":
        return (Reason(message=ANEW),)
    if queued.forced is not msgspec.UNSET and node_id.partition("/")[0] in queued.forced:
        return (Reason(message=ASKED),)
    if node.reuse == "never":
        return (Reason(message=NEVER),)
    if queued.reuse is msgspec.UNSET and node.reuse != "always":
        words = f"a run by {queued.trigger} executes everything, unless it is told otherwise"
        return (Reason(message=EVERYTHING if queued.trigger == "save" else words),)
    return ()


def _changed(
    last: _Told, settled: ev.NodeSucceeded, node: Node, before: _Told | None, versions: Versions
) -> tuple[Reason, ...]:
    if settled.stale:
        return (Reason(message=settled.stale),)
    if before is None:
        return (Reason(message=FIRST_THEN),)
    kept = _kept(before)
    if settled.key is None or kept is None or kept.key is None:
        return (Reason(message=UNKNOWN),)
    edits = versions.edits(before.queued.run_id, last.queued.run_id)
    found = reasons(kept.key.parts, settled.key.parts, node, written_at=written_at(settled.node), edits=edits)
    return found or ((Reason(message=LOOKS),) if "looks" in settled.key.parts else ())


def _kept(told: _Told) -> Kept | None:
    settled = told.settled
    return kept_of(settled) if isinstance(settled, ev.NodeSucceeded | ev.NodeReused) else None


def _written(node_id: NodeId, flow: Flow) -> Node:
    """Return the node as it is written now; one that is not there any more by its id alone."""
    graph, found = flow, None
    for name in node_id.split("/"):
        if name.isdecimal() and found is not None and NodeId(name) not in graph.index_of:
            continue
        index = graph.index_of.get(NodeId(name))
        if index is None:
            return Node(id=node_id, index=0, type="", parameters={})
        found = graph.nodes[index]
        graph = found.body or (flow.subflows.get(found.calls) if found.calls else None) or flow
    return found or Node(id=node_id, index=0, type="", parameters={})
