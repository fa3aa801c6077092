"""Finds what differs between two runs: outcome, definition, variables, what became of each node, timing."""

from collections.abc import Iterator, Mapping
from heapq import nlargest
from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.compare import compare_objects
from atomiton_runtime.run.definition_difference import DefinitionChanged, compare_definitions
from atomiton_runtime.run.difference import ObjectChanged
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.run.events import NodeStatus, RunStatus, Trigger

MOST_NODES = 200
"""So many nodes are listed, in the order of the flow; and so many durations, those that differ most."""

Aspect: TypeAlias = Literal["flow", "status", "error", "trigger", "definition", "variables", "nodes"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs."""

    run_id: RunId
    flow: FlowId
    status: RunStatus
    trigger: Trigger
    started_at: str
    """ISO 8601 in UTC, to the millisecond."""
    duration_s: float | None
    flow_hash: str
    error: ErrorInfo | None


class StatusChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A node came to another end."""

    old: NodeStatus
    new: NodeStatus


class ErrorChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A node failed otherwise, or in one run only."""

    old: ErrorInfo | None
    new: ErrorInfo | None


class NodeDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between what became of a node; what is left out is the same."""

    node: str
    only_in: Literal["old", "new"] | None = None
    """The run that has the node, if only one has it; `status` then tells what became of it there."""
    status: NodeStatus | StatusChanged
    error: ErrorChanged | None = None
    outputs: ObjectChanged | None = None
    """By port; None also where a run has none, which its status explains."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long the last attempt of a node took in both runs, in seconds."""

    node: str
    old_s: float
    new_s: float


class RunDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two runs, as `diff --json` prints it."""

    old: Side
    new: Side
    differs: tuple[Aspect, ...]
    """What differs, but for timing, which always does."""
    definition: DefinitionChanged | None
    """None: the file of the flow was the same."""
    called_flows: tuple[str, ...]
    """The files of the flows it calls that were other ones, or are called by one run only."""
    variables: ObjectChanged | None
    nodes: tuple[NodeDifference, ...]
    """The nodes that differ, in the order of the flow; those of only the old run last."""
    nodes_left_out: int
    """So many more differ and are not listed."""
    timing: tuple[Timing, ...]
    """Nodes whose durations differ, those that differ most first."""

    @property
    def same(self) -> bool:
        """Whether nothing differs but the trigger and the timing."""
        return not set(self.differs) - {"trigger"}


def compare_runs(
    old: RunDocument,
    new: RunDocument,
    *,
    old_source: str | None = None,
    new_source: str | None = None,
    old_called: Mapping[str, str] | None = None,
    new_called: Mapping[str, str] | None = None,
) -> RunDifference:
    """Return what differs between two runs, usually of the same flow.

    Args:
        old: the run that is compared with.
        new: the run in question.
        old_source: the text of the flow's file, as the old run had it; None: it was not kept.
        new_source: the same of the new run.
        old_called: the flows that the old run's nodes call: path of the file -> hash, as `RunQueued.subflows`.
        new_called: the same of the new run.
    """
    definition = None if old.flow_hash == new.flow_hash else compare_definitions(old_source, new_source)
    called = _other_keys(old_called or {}, new_called or {})
    variables = compare_objects(old.variables, new.variables)
    nodes = list(_nodes(old.nodes, new.nodes))
    differing: dict[Aspect, bool] = {
        "flow": old.flow != new.flow,
        "status": old.status != new.status,
        "error": old.error != new.error,
        "trigger": old.trigger != new.trigger,
        "definition": definition is not None or bool(called),
        "variables": variables is not None,
        "nodes": bool(nodes),
    }
    return RunDifference(
        old=_side(old),
        new=_side(new),
        differs=tuple(aspect for aspect, differs in differing.items() if differs),
        definition=definition,
        called_flows=called,
        variables=variables,
        nodes=tuple(nodes[:MOST_NODES]),
        nodes_left_out=len(nodes[MOST_NODES:]),
        timing=_timing(old.nodes, new.nodes),
    )


def _side(run: RunDocument) -> Side:
    return Side(
        run_id=run.run_id,
        flow=run.flow,
        status=run.status,
        trigger=run.trigger,
        started_at=run.started_at,
        duration_s=run.duration_s,
        flow_hash=run.flow_hash,
        error=run.error,
    )


def _other_keys(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(path for path in {**old, **new} if old.get(path) != new.get(path))


def _nodes(old: Mapping[str, NodeDocument], new: Mapping[str, NodeDocument]) -> Iterator[NodeDifference]:
    for node, state in new.items():
        if node not in old:
            yield NodeDifference(node=node, only_in="new", status=state.status)
        elif (told := compare_nodes(node, old[node], state)) is not None:
            yield told
    for node, state in old.items():
        if node not in new:
            yield NodeDifference(node=node, only_in="old", status=state.status)


def compare_nodes(node: str, old: NodeDocument, new: NodeDocument) -> NodeDifference | None:
    """Return what differs between what became of a node in two runs; None: nothing."""
    outputs = None
    if old.outputs is not None and new.outputs is not None:
        outputs = compare_objects(old.outputs, new.outputs)
    error = ErrorChanged(old=old.error, new=new.error) if old.error != new.error else None
    same_status = _end(old) == _end(new)
    if outputs is None and error is None and same_status:
        return None
    return NodeDifference(
        node=node,
        status=new.status if same_status else StatusChanged(old=old.status, new=new.status),
        error=error,
        outputs=outputs,
    )


def _end(node: NodeDocument) -> NodeStatus:
    """Return how a node ended: one that is reused is what it was in the run that executed it."""
    return "succeeded" if node.status == "reused" else node.status


def _timing(old: Mapping[str, NodeDocument], new: Mapping[str, NodeDocument]) -> tuple[Timing, ...]:
    both = (
        Timing(node=node, old_s=before.duration_s, new_s=after.duration_s)
        for node, after in new.items()
        if (before := old.get(node)) is not None
        and before.duration_s is not None
        and after.duration_s is not None
    )
    differing = (timing for timing in both if timing.old_s != timing.new_s)
    return tuple(nlargest(MOST_NODES, differing, key=lambda timing: abs(timing.new_s - timing.old_s)))
