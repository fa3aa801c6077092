"""Is the state of one run: what folding its events gives (see `fold`), and the tables of what may follow what."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import ROOT, NodeId, RunId, ScopeId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import CancelReason, NodeStatus, RunEvent, RunStatus
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.pages import Pages
from atomiton_runtime.run.scope import NodeState, Scope, new_scope

NODE_STEPS: dict[NodeStatus, dict[type[RunEvent], NodeStatus]] = {
    "pending": {
        ev.NodeStarted: "running",
        ev.NodeReused: "reused",
        ev.NodeSkipped: "skipped",
        ev.NodeCancelled: "cancelled",
    },
    "running": {
        ev.NodeSucceeded: "succeeded",
        ev.NodeReused: "reused",
        ev.NodeRetrying: "pending",
        ev.NodeFailed: "failed",
        ev.NodeSkipped: "skipped",
        ev.NodeCancelled: "cancelled",
    },
    "succeeded": {},
    "failed": {},
    "skipped": {},
    "reused": {},
    "cancelled": {},
}
"""Node status -> event -> next status. A status without a row of its own is settled: nothing follows.

A node that is reused with its failure is failed. One that is running can be found reused, because only then all is
known that its result depends on."""

RUN_STEPS: dict[RunStatus, dict[type[RunEvent], RunStatus]] = {
    "queued": {
        ev.RunStarted: "running",
        ev.RunFailed: "failed",
        ev.RunCancelled: "cancelled",
        ev.RunInterrupted: "interrupted",
    },
    "running": {
        ev.RunCancelRequested: "running",
        ev.RunSucceeded: "succeeded",
        ev.RunFailed: "failed",
        ev.RunCancelled: "cancelled",
        ev.RunTimedOut: "timed_out",
        ev.RunInterrupted: "interrupted",
    },
    "succeeded": {},
    "failed": {},
    "cancelled": {},
    "timed_out": {},
    "interrupted": {},
}
"""Run status -> event -> next status."""

NodeEvent: TypeAlias = (
    ev.NodeStarted
    | ev.NodeSucceeded
    | ev.NodeReused
    | ev.NodeRetrying
    | ev.NodeFailed
    | ev.NodeSkipped
    | ev.NodeCancelled
)
BodyEvent: TypeAlias = ev.BodyOpened | ev.BodyStarted | ev.BodyStopRequested | ev.NodeLogged
"""What happens to a node that is running, and leaves it so."""
RunOnlyEvent: TypeAlias = (
    ev.RunQueued
    | ev.RunStarted
    | ev.RunCancelRequested
    | ev.RunSucceeded
    | ev.RunFailed
    | ev.RunCancelled
    | ev.RunTimedOut
    | ev.RunInterrupted
)
ENDS_OF_ALL = (ev.RunSucceeded, ev.RunFailed, ev.RunCancelled, ev.RunTimedOut)
"""These say of a run that began that nothing of it is alive."""

Place: TypeAlias = tuple[ScopeId, int]
"""Names a node: where it is executed, and its index there."""
Chain: TypeAlias = "tuple[Place, Chain] | None"
"""A linked list of nodes: sharing makes a queue of any length cheap to copy."""


class IllegalEvent(Exception):
    """An event that cannot follow in this state: a bug, never a user's mistake."""


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """A run as of its last event."""

    run_id: RunId
    flow: Flow
    status: RunStatus = "queued"
    next_seq: int = 0
    scopes: dict[ScopeId, Scope]
    """The flow itself (`ROOT`), and every execution of a body that is going on."""
    scope_of: dict[str, ScopeId]
    """What the ids of the nodes begin with -> where these are executed."""
    next_scope: ScopeId = ScopeId(1)
    ready_front: Chain = None
    ready_back: Chain = None
    """Together the queue of nodes that wait for nothing and have not begun. The back one is reversed, and empty
    while the front one is: so each node is moved once, and the next one is always at hand."""
    running: int = 0
    """Nodes under way. A pause between two attempts counts: the node keeps its place among `max_parallel`."""
    cancel: CancelReason | None = None
    cancel_all: bool = False
    """True after a second cancel or a fault: `always` nodes are ended as well."""
    failure: ErrorInfo | None = None
    """The first failure that nothing handled."""
    kept: Mapping[NodeId, Kept] = {}
    """Node -> what became of it in the run that this one continues: it is not executed again."""

    @property
    def nodes(self) -> Pages[NodeState]:
        """The flow's own nodes."""
        return self.scopes[ROOT].nodes


def new_run(
    flow: Flow, run_id: RunId, kept: Mapping[NodeId, Kept] | None = None, *, root: Scope | None = None
) -> RunState:
    """Return the state of a run before its first event.

    Args:
        flow: what is executed.
        run_id: the run.
        kept: what is not to be executed again; see `resume.plan_resume`.
        root: the nodes that the run is about; None: those of the flow.
    """
    root = root or new_scope(flow, flow)
    ready: Chain = None
    for index in range(len(root.graph.nodes) - 1, -1, -1):
        if not root.graph.parents[index]:
            ready = ((ROOT, index), ready)
    return RunState(
        run_id=run_id,
        flow=flow,
        scopes={ROOT: root},
        scope_of={root.prefix: ROOT},
        ready_front=ready,
        kept=kept or {},
    )


def next_ready(state: RunState) -> Place | None:
    """Return the node that has waited longest to begin, or None."""
    return None if state.ready_front is None else state.ready_front[0]
