"""Lists every message between actors, grouped by the actor that receives it. All are immutable values."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from atomiton_runtime.actors.speech import Speech
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.model import Body, Flow, Node
from atomiton_runtime.ids import ROOT, FlowId, NodeId, RunId, ScopeId
from atomiton_runtime.nodes.base import CancelToken
from atomiton_runtime.run.effects import Step
from atomiton_runtime.run.events import CancelReason, ReuseMode, RunEvent, RunStatus, Trigger
from atomiton_runtime.run.given import Answer
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.notices import Notice
from atomiton_runtime.run.reuse import Digest
from atomiton_runtime.run.scope import EndedLink
from atomiton_runtime.values import Value

# --- every actor ------------------------------------------------------------------------------------------


class Ping(msgspec.Struct, frozen=True):
    """From the supervisor, asked: answers True. Whoever answers has read all that came before."""


class TimeIsUp(msgspec.Struct, frozen=True):
    """From the actor's own mailbox: the deadline that it set has passed."""


# --- Conductor --------------------------------------------------------------------------------------------


class Reuse(msgspec.Struct, frozen=True, kw_only=True):
    """Which earlier results stand in for executions."""

    mode: ReuseMode = "declared"
    forced: frozenset[NodeId] = frozenset()
    """Nodes of the flow itself that are to be executed in any case, with all that is within them."""


class Iteration(msgspec.Struct, frozen=True):
    """What `item`, `index` and `outer` mean to a node within a body."""

    item: msgspec.Raw
    index: int
    outer: "Iteration | None" = None
    numbered: bool = True
    """False: there is no loop around, so that `item` is the body's input."""


class Frame(msgspec.Struct, frozen=True):
    """What the nodes of the flow, or of one execution of a body, know of their surroundings."""

    flow: Flow
    """The flow in whose file they are written."""
    variables: dict[str, Value]
    input: msgspec.Raw | None = None
    """Of a node without an `input` key."""
    iteration: Iteration | None = None


class Excerpt(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a flow that a replay is about: the flow's own nodes, or those of one execution of a body."""

    wanted: NodeId
    """The whole id of the one node that is executed."""
    graph: Body
    prefix: str
    """What the ids of its nodes begin with: nothing, or `each/3/`."""
    frame: Frame


class StartRun(msgspec.Struct, frozen=True, kw_only=True):
    """From a client or the conductor itself: accept a run. `variables` are checked and complete."""

    run_id: RunId
    flow: Flow
    variables: dict[str, Value]
    trigger: Trigger
    resumes: RunId | None = None
    """The run that this one continues."""
    kept: Mapping[NodeId, Kept] = {}
    """Node -> what became of it there: it is not executed again."""
    reuse: Reuse = Reuse()
    excerpt: Excerpt | None = None
    """What of the flow the run is about; None: all of it."""


class EndRun(msgspec.Struct, frozen=True, kw_only=True):
    """From a client: cancel a run; one that has ended or never was is passed over."""

    run_id: RunId
    reason: CancelReason


class EndAllRuns(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, before the stop: cancel every run. No run is accepted from here on.

    A second one is a second cancel: it ends `always` nodes as well.
    """

    ended: Callable[[], None]
    """Called once no run is left, in the conductor's thread: it only wakes somebody."""


class NodeAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """From a node execution (or the conductor itself, where there is none), once for each attempt: its outcome."""

    run_id: RunId
    worker: int | None
    """The number of the node execution, which is idle again; None: no node execution had the attempt."""
    answer: Answer


class ReusableFound(msgspec.Struct, frozen=True, kw_only=True):
    """From a node execution: the answer to `FindReusable`."""

    run_id: RunId
    worker: int | None
    """The number of the node execution, which is idle again."""
    kept: Mapping[NodeId, Kept]


class NodeSpoke(msgspec.Struct, frozen=True, kw_only=True):
    """From a node execution: an attempt has said something, all of which is in `speech` until it is taken."""

    run_id: RunId
    scope: ScopeId
    node: int
    attempt: int
    speech: Speech


class FlowSaved(msgspec.Struct, frozen=True, kw_only=True):
    """From the flow shelf: a flow's file has new, valid content (never at its first loading)."""

    flow: Flow


class StoreFailed(msgspec.Struct, frozen=True, kw_only=True):
    """From the storage keeper: these runs must end: their events cannot be kept, or are too many for the store."""

    run_ids: tuple[RunId, ...]
    error: ErrorInfo


class GetActiveRuns(msgspec.Struct, frozen=True):
    """From a client, asked: answers the ids of all runs that have not ended, oldest first."""


class GetLeft(msgspec.Struct, frozen=True):
    """From a client, asked: answers a `Left` for each run that is being cancelled, oldest first."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a run from being cancelled."""

    run_id: RunId
    flow: FlowId
    nodes: tuple[NodeId, ...]
    """Those that are executed, by their whole ids."""


ConductorMessage: TypeAlias = (
    StartRun
    | EndRun
    | EndAllRuns
    | NodeAnswered
    | ReusableFound
    | NodeSpoke
    | FlowSaved
    | StoreFailed
    | GetActiveRuns
    | GetLeft
    | TimeIsUp
)

# --- NodeExecution ----------------------------------------------------------------------------------------


class ExecuteNode(msgspec.Struct, frozen=True, kw_only=True):
    """From the conductor (or, for a node that writes, from the keeper once its start is kept)."""

    run_id: RunId
    flow: Flow
    """The flow in whose file the node is written."""
    scope: ScopeId = ROOT
    graph: Body | None = None
    """The body that the node is of; None: the flow."""
    node: int
    """The index in `graph.nodes`."""
    prefix: str = ""
    """What the node's id begins with within the run: nothing, or `each/3/`."""
    attempt: int
    step: Step = "begin"
    variables: dict[str, Value]
    trigger: Trigger
    started_at: str
    """ISO 8601, of the run."""
    inputs: tuple[msgspec.Raw | None, ...]
    """In the order of `Node.refs`: the encoded value of each port; None where there is none."""
    hashes: tuple[Digest | None, ...] = ()
    """The hash of each; None: it is not known, or there is no value."""
    default: msgspec.Raw | None = None
    """The input of a node that has no `input` key; None: it has none."""
    iteration: Iteration | None = None
    executions: tuple[EndedLink, ...] = ()
    """For `gather`: what became of each execution of the body, in order, as it is kept."""
    last: Iteration | None = None
    """For `again`: the last execution's result, and the index of the one that is asked about."""
    cancel: CancelToken
    flow_path: str = ""
    """Of the file of the flow that runs: where earlier results are found."""
    may_reuse: bool = False
    """Whether an earlier result with the same key may stand in for the execution."""

    @property
    def written(self) -> Node:
        """The node."""
        return (self.graph or self.flow).nodes[self.node]

    @property
    def node_id(self) -> NodeId:
        """Its whole id: `each/3/resize`."""
        return NodeId(self.prefix + self.written.id)


class FindReusable(msgspec.Struct, frozen=True, kw_only=True):
    """From the conductor, before a run begins: find the nodes that need not be executed."""

    run_id: RunId
    flow: Flow
    variables: dict[str, Value]
    forced: frozenset[NodeId]


NodeMessage: TypeAlias = ExecuteNode | FindReusable

# --- StorageKeeper ----------------------------------------------------------------------------------------


Order: TypeAlias = Callable[[NodeMessage], None]
"""Where an order goes: the `tell` of a node execution's address."""


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """From the conductor: keep these events, then publish them, then send the orders that waited for that."""

    events: tuple[RunEvent, ...]
    then: tuple[tuple[Order, NodeMessage], ...] = ()


class Flush(msgspec.Struct, frozen=True):
    """From the keeper to itself: keep whatever has come since the last flush, as one group."""


class Tidy(msgspec.Struct, frozen=True):
    """From the keeper to itself: delete the next portion of old runs."""


class ReadJournal(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers the run's events; empty when there is no such run."""

    run_id: RunId


class ReadPart(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers the run's events from `place` on that weigh so much; empty: there are no more."""

    run_id: RunId
    place: int
    """The `seq` of the first one."""
    limit_bytes: int
    """As they are kept; 0: one event."""


class ReadSummary(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers the summary of a run; None when there is no such run."""

    run_id: RunId


class ReadSummaries(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers run summaries, newest first."""

    flow: FlowId | None = None
    statuses: tuple[RunStatus, ...] = ()
    limit: int = 50


class FindRuns(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers the ids that begin with `prefix`, newest first."""

    prefix: str


KeeperMessage: TypeAlias = (
    Append | Flush | Tidy | ReadJournal | ReadPart | ReadSummary | ReadSummaries | FindRuns
)

# --- EventBus ---------------------------------------------------------------------------------------------

Sink: TypeAlias = Callable[[Sequence[RunEvent | Notice]], object]


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """From a client: call `sink`, in the bus's thread, with the facts that match, in order. It must be quick."""

    key: int
    """Names the subscription; chosen by the runtime, never used twice."""
    sink: Sink
    kinds: frozenset[str] = frozenset()
    """Class names; empty: all."""
    run_id: RunId | None = None
    """Only events of this run; the subscription ends with the run."""


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True):
    """From a client: end a subscription; one that is not there is passed over."""

    key: int


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """From the keeper (kept events), the shelf and the supervisor (notices): hand these to the subscribers."""

    facts: tuple[RunEvent | Notice, ...]


BusMessage: TypeAlias = Subscribe | Unsubscribe | Publish

# --- Subscriber -------------------------------------------------------------------------------------------


class TellNews(msgspec.Struct, frozen=True):
    """From the bus to the thread of a subscriber: facts wait in its backlog, where there were none."""


# --- FlowShelf --------------------------------------------------------------------------------------------


class GetFlow(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers the `Flow` of an id or a path, loaded anew if its file has changed.

    Raises in the asker: `UsageError` FLOW-404 (no such flow), `FlowInvalid` (problems, and no valid version).
    """

    ref: str


class LoadFlow(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers the `Flow` of a text, or of a file as it is now; what is shelved stays.

    Raises in the asker: `UsageError` FLOW-404 (no such file), `FlowInvalid` (problems, whatever was valid before).
    """

    path: str
    """Of the flow's file, absolute."""
    content: bytes | None = None
    """The text; None: that of the file."""
    changes: Mapping[KeyPath, Value] = {}
    """What it is to say instead: key path -> value."""


class ListFlows(msgspec.Struct, frozen=True, kw_only=True):
    """From a client, asked: answers a tuple of `FlowEntry`, sorted by id; what is not loaded yet is loaded."""

    only: frozenset[FlowId] | None = None
    """Look at the files of these flows alone; those that are not in the folder are left out. None: all."""


class FileSettled(msgspec.Struct, frozen=True, kw_only=True):
    """From the watcher: a flow file has this content, and has had it for the quiet time."""

    path: str
    content: bytes
    first_scan: bool = False
    """True: it was there when watching began, so nobody has just saved it."""
    second_look: bool = False
    """True: the answer to `LookAgain`; problems are now to be reported."""


class FileUnreadable(msgspec.Struct, frozen=True, kw_only=True):
    """From the watcher: a flow file is there but cannot be read, or is no regular file."""

    path: str
    error: ErrorInfo


class FileGone(msgspec.Struct, frozen=True, kw_only=True):
    """From the watcher: a flow file is there no more."""

    path: str


class TypesChanged(msgspec.Struct, frozen=True):
    """From the watcher, and from a shelf that begins: node types may have changed; what uses them is checked again."""


ShelfMessage: TypeAlias = (
    GetFlow | LoadFlow | ListFlows | FileSettled | FileUnreadable | FileGone | TypesChanged
)

# --- FlowWatcher ------------------------------------------------------------------------------------------


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """From the observer's thread: something may have happened to these paths (both ends of a move)."""

    paths: tuple[str, ...]


class LookAgain(msgspec.Struct, frozen=True, kw_only=True):
    """From the shelf: a file just saved has problems; it may be half written. Look once more after a quiet time."""

    path: str


WatcherMessage: TypeAlias = Hint | LookAgain | TimeIsUp

# --- Supervisor -------------------------------------------------------------------------------------------


class ActorFaulted(msgspec.Struct, frozen=True, kw_only=True):
    """From an actor's door: a handler raised; the actor lives on with the state it had."""

    actor: str
    message: str
    """The class name of the message that was being handled."""
    fault: str
    """The exception, one line."""


class ActorStopped(msgspec.Struct, frozen=True, kw_only=True):
    """From an actor that stops though nobody asked the supervisor for it: it is started anew."""

    actor: str


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """From any actor: something about the runtime that its user must know."""

    notice: Notice


SupervisorMessage: TypeAlias = ActorFaulted | ActorStopped | Raise | TimeIsUp
