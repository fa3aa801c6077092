"""Prepares the run that executes one node of an earlier run once more, on the inputs that it had there."""

from collections.abc import Mapping

import msgspec

from atomiton_runtime.actors.messages import Excerpt, StartRun
from atomiton_runtime.altering import changed
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Body, Node
from atomiton_runtime.ids import NodeId, RunId, new_run_id
from atomiton_runtime.recalling import Known, Level, Past
from atomiton_runtime.run.decide import has_value
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.scope import Scope
from atomiton_runtime.values import Value


def replay(run_id: RunId, node: str, known: Known, *, changes: Mapping[str, Value] | None = None) -> StartRun:
    """Return the order for the run that executes a node of the run `run_id` once more, and nothing else.

    Its definition is that of the flow's file as it is now. Where the file or the node is gone, it is that of the run.

    Args:
        run_id: any run but a replay.
        node: its whole id, also of a child: `each/3/resize`.
        known: where to look things up.
        changes: parameter -> value instead of the one that is written; `values.limit` names a key within one.

    Raises:
        UsageError: there is no such run (RUN-001); it has no such node (RUN-027), or nothing that the node could be
            executed with (RUN-028), or is a replay itself (RUN-029); a change is of no parameter (RUN-030), or gives a
            definition with problems (their codes).
        FlowInvalid: the flow's file has problems.
    """
    past = Past(run_id, known.journal(run_id), known)
    if past.first.trigger == "replay":
        hint = "replay the run that it is a replay of; `atomiton history` lists them"
        raise UsageError("RUN-029", f"run {run_id} is a replay itself", hint=hint)
    level, written = past.find(node)
    whole_id = NodeId(node)
    if changes:
        level, written = changed(level, written, changes, past)
    kept = _kept(level, written, past)
    # A replay waits its turn, whatever the flow does when it is busy with runs of itself.
    settings = msgspec.structs.replace(past.flow.settings, on_busy="queue")
    return StartRun(
        run_id=new_run_id(),
        flow=msgspec.structs.replace(past.flow, settings=settings),
        variables=past.first.variables,
        trigger="replay",
        kept=kept,
        excerpt=Excerpt(
            wanted=whole_id,
            graph=_alone(level.graph, written),
            prefix=level.prefix,
            frame=level.frame,
        ),
    )


def _kept(level: Level, wanted: Node, past: Past) -> dict[NodeId, Kept]:
    """Return what stands of all other nodes.

    Raises:
        UsageError: none of the inputs of the node has a value (RUN-028).
    """
    scope = past.scope(level)
    _refuse_without_input(level, wanted, scope, past)
    parents = {level.graph.nodes[index].id for index in level.graph.parents[wanted.index]}
    skipped = Kept(source=past.run_id, skipped=f"only {level.id_of(wanted)} is replayed")
    return {
        level.id_of(node): (past.recorded.kept.get(level.id_of(node)) if node.id in parents else None)
        or skipped
        for node in level.graph.nodes
        if node.id != wanted.id
    }


def _refuse_without_input(level: Level, wanted: Node, scope: Scope, past: Past) -> None:
    refs = wanted.refs
    if not refs or wanted.always or any(has_value(scope, ref) for ref in refs):
        return
    parent = NodeId(level.prefix + refs[0].node)
    status = scope.nodes[scope.graph.index_of[refs[0].node]].status
    became = "had not ended" if status == "pending" else "did not fail" if refs[0].port == "error" else status
    verb = "" if became.startswith(("had", "did")) or became == "failed" else "was "
    raise UsageError(
        "RUN-028",
        f"{level.id_of(wanted)} takes what {parent} gives, which {verb}{became} in the run {past.run_id}",
        hint=f"replay {parent}, or run the flow: `atomiton run {past.first.flow} --only {parent.partition('/')[0]}`",
    )


def _alone(graph: Body, wanted: Node) -> Body:
    """Return the nodes in such a way that a failure of the wanted one is one of the run, and no other one is."""
    nodes = tuple(
        msgspec.structs.replace(node, continue_on_error=False) if node.id == wanted.id else node
        for node in graph.nodes
    )
    handled = frozenset(range(len(nodes))) - {wanted.index}
    return msgspec.structs.replace(graph, nodes=nodes, handled=handled)
