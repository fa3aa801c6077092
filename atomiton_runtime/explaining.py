"""Says why a node of a flow's last run was executed, or was not."""

import msgspec

from atomiton_runtime.errors import ErrorInfo, UsageError
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Flow, Node
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import NodeStatus, RunEvent, Trigger
from atomiton_runtime.run.kept import Kept, kept_of
from atomiton_runtime.run.reasons import LOOKS, NEVER, UNKNOWN, Reason, reasons
from atomiton_runtime.storage.results import Results
from atomiton_runtime.versions import Places

_LOOKED_AT_RUNS = 100
_SETTLING = (ev.NodeSucceeded, ev.NodeReused, ev.NodeFailed, ev.NodeSkipped, ev.NodeCancelled)


class Why(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a node in a run, and why."""

    flow: FlowId
    path: str
    """Of the flow's file."""
    node: NodeId
    run_id: RunId
    trigger: Trigger
    status: NodeStatus
    reasons: tuple[Reason, ...] = ()
    source: RunId | None = None
    """The run that executed it, where it was reused."""
    before: RunId | None = None
    """The run that it is compared with: the one before in which it had a result."""
    error: ErrorInfo | None = None


def explain(node_id: NodeId, flow: Flow, results: Results) -> Why:
    """Return why a node was executed in the newest run that speaks of it, or was not.

    Args:
        node_id: the whole id: `read`, or `each/3/resize`.
        flow: in its present version; its node may be gone.
        results: of earlier runs.

    Raises:
        UsageError: no run of the flow speaks of such a node (RUN-025).
    """
    events: list[RunEvent] = []
    known: dict[NodeId, None] = {}
    queued: ev.RunQueued | None = None
    for run_id in results.newest_runs(flow.path, limit=_LOOKED_AT_RUNS):
        journal = results.journal(run_id)
        found = [event for event in journal if getattr(event, "node", None) == node_id]
        known |= {node: None for event in journal if (node := getattr(event, "node", None))}
        settled = next((event for event in reversed(found) if isinstance(event, _SETTLING)), None)
        first = journal[0] if journal else None
        if settled is None or not isinstance(first, ev.RunQueued):
            continue
        if queued is None:
            queued, events = first, [settled]
        elif isinstance(settled, ev.NodeSucceeded | ev.NodeReused):
            return _why(queued, events[0], node_id, flow, kept_of(settled), first.run_id)
    if queued is None:
        hint = did_you_mean(node_id, list(known))
        raise UsageError(
            "RUN-025", f"no run of {flow.id} that is kept speaks of a node `{node_id}`", hint=hint
        )
    return _why(queued, events[0], node_id, flow, None, None)


def _why(
    queued: ev.RunQueued,
    settled: RunEvent,
    node_id: NodeId,
    flow: Flow,
    before: Kept | None,
    before_run: RunId | None,
) -> Why:
    told = Why(
        flow=queued.flow,
        path=queued.flow_path,
        node=node_id,
        run_id=queued.run_id,
        trigger=queued.trigger,
        status="succeeded",
        before=before_run,
    )
    match settled:
        case ev.NodeReused():
            words = "nothing that its result depends on has changed"
            return msgspec.structs.replace(
                told,
                status="reused",
                source=settled.source,
                reasons=(Reason(message=words),),
                error=settled.error,
            )
        case ev.NodeSucceeded():
            found = _reasons(queued, settled, _written(node_id, flow), before)
            return msgspec.structs.replace(told, reasons=Places(flow).of(found, node_id))
        case ev.NodeFailed():
            return msgspec.structs.replace(told, status="failed", error=settled.error)
        case ev.NodeSkipped():
            return msgspec.structs.replace(
                told, status="skipped", reasons=(Reason(message=settled.reason),), before=None
            )
        case _:
            return msgspec.structs.replace(told, status="cancelled", before=None)


def _reasons(
    queued: ev.RunQueued, settled: ev.NodeSucceeded, node: Node, before: Kept | None
) -> tuple[Reason, ...]:
    found: list[Reason] = []
    if queued.trigger != "save":
        found.append(
            Reason(message=f"a run by {queued.trigger} executes everything, unless it is told otherwise")
        )
    elif node.reuse == "never":
        found.append(Reason(message=NEVER))
    if settled.stale:
        return (*found, Reason(message=settled.stale))
    if settled.key is None or (before is not None and before.key is None):
        return (*found, Reason(message=UNKNOWN))
    changed = reasons(
        None if before is None or before.key is None else before.key.parts, settled.key.parts, node
    )
    if not changed and "looks" in settled.key.parts:
        return (*found, Reason(message=LOOKS))
    return (*found, *changed)


def _written(node_id: NodeId, flow: Flow) -> Node:
    """Return the node as it is written now; one that is not there any more by its id alone."""
    graph, found = flow, None
    for name in node_id.split("/"):
        if name.isdecimal() and found is not None and NodeId(name) not in graph.index_of:
            continue
        index = graph.index_of.get(NodeId(name))
        if index is None:
            break
        found = graph.nodes[index]
        graph = found.body or (flow.subflows.get(found.calls) if found.calls else None) or flow
    return found or Node(id=node_id, index=0, type="", parameters={})
