"""Is where nodes are executed: the flow itself, or one execution of a body. Immutable, like all of a run's state."""

from typing import TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Body, Flow, Node
from atomiton_runtime.ids import NodeId, ScopeId
from atomiton_runtime.run.events import NodeStatus, StopReason
from atomiton_runtime.run.pages import Pages
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.reuse import Digest

_OUTPUTS = msgspec.json.Encoder()
_FROM_OUTPUTS: msgspec.json.Decoder[dict[NodeId, dict[str, msgspec.Raw]]] = msgspec.json.Decoder(
    dict[NodeId, dict[str, msgspec.Raw]]
)
UNDER_WAY: frozenset[NodeStatus] = frozenset({"pending", "running"})
"""A node with any other status is settled."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one execution of a body."""

    index: int
    outputs: dict[NodeId, dict[str, msgspec.Raw]] = {}
    """Of those children that the plan takes and that gave some; port -> encoded value."""
    errors: dict[NodeId, ErrorInfo] = {}
    """Of those children that the plan takes and that failed."""
    error: ErrorInfo | None = None
    """The first failure within that nothing handled."""


EndedLink: TypeAlias = "tuple[int, Ended | bytes, EndedLink | None]"
EndedChain: TypeAlias = "EndedLink | None"
"""Index and end of each, newest first: a linked list, to which adding costs the same however many there are.

There may be hundreds of thousands, nearly all without a failure: of those the outputs alone are kept, encoded, which
takes a quarter of the memory. `unpacked` gives what it was.
"""


class BodyState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the executions of a node's body."""

    plan: Plan
    prototype: "Scope"
    """An execution before its first event; all begin as copies of it."""
    began_s: float
    """When the attempt began, in seconds since the run left the queue."""
    started: int = 0
    open: int = 0
    """Executions that have begun and are not settled."""
    ended: EndedChain = None
    failure: ErrorInfo | None = None
    """The first failure of an execution that is not to be collected: no other one begins."""
    stop: StopReason | None = None


class NodeState(msgspec.Struct, frozen=True):
    """What is known of one node."""

    status: NodeStatus = "pending"
    attempt: int = 0
    """The last attempt that began, counted from 1."""
    outputs: dict[str, msgspec.Raw] | None = None
    error: ErrorInfo | None = None
    body: BodyState | None = None
    """While the attempt executes a body."""
    hashes: dict[str, Digest] = {}
    """Port -> the hash of its value; without those whose hash is not known."""


class Owner(msgspec.Struct, frozen=True):
    """Names the node whose body is executed."""

    scope: ScopeId
    node: int


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes of a flow, or of one execution of a body, as of the last event."""

    graph: Body
    flow: Flow
    """The flow in whose file the nodes are written."""
    prefix: str = ""
    """What the ids of the nodes begin with: nothing, or `each/3/`."""
    owner: Owner | None = None
    """None: this is the flow that runs."""
    index: int = 0
    """Which execution of the body it is."""
    always: bool = False
    """Whether a node around it is an `always` node: then all within are."""
    nodes: Pages[NodeState]
    waiting: Pages[int]
    """Node index -> parents that are not settled yet."""
    unsettled: int
    """Nodes that have no final status yet."""
    held: int | None = None
    """The next of the nodes that wait for nothing but a place; None: none is kept waiting."""
    failure: ErrorInfo | None = None
    """The first failure that nothing handled. Of the flow itself: see `RunState.failure`."""

    def id_of(self, node: Node) -> NodeId:
        """Return the whole id of one of the nodes."""
        return NodeId(f"{self.prefix}{node.id}") if self.prefix else node.id


def new_scope(graph: Body, flow: Flow, *, always: bool = False, prefix: str = "") -> Scope:
    """Return the nodes of a flow or body before anything has happened to them."""
    return Scope(
        graph=graph,
        flow=flow,
        always=always,
        prefix=prefix,
        nodes=Pages([NodeState()] * len(graph.nodes)),
        waiting=Pages([len(parents) for parents in graph.parents]),
        unsettled=len(graph.nodes),
    )


def packed(ended: Ended) -> Ended | bytes:
    """Return what became of an execution as it is kept."""
    if ended.error is not None or ended.errors:
        return ended
    return _OUTPUTS.encode(ended.outputs)


def unpacked(index: int, kept: Ended | bytes) -> Ended:
    """Return what became of the execution `index`."""
    return kept if isinstance(kept, Ended) else Ended(index=index, outputs=_FROM_OUTPUTS.decode(kept))


def ended(scope: Scope, plan: Plan) -> Ended:
    """Return what became of an execution whose nodes are all settled."""
    outputs: dict[NodeId, dict[str, msgspec.Raw]] = {}
    errors: dict[NodeId, ErrorInfo] = {}
    for index in plan.takes:
        node = scope.nodes[index]
        if node.outputs is not None:
            outputs[scope.graph.nodes[index].id] = node.outputs
        if node.error is not None and node.status == "failed":
            errors[scope.graph.nodes[index].id] = node.error
    return Ended(index=scope.index, outputs=outputs, errors=errors, error=scope.failure)
