"""Is the flow as the rest of the package knows it: checked, immutable, ready to run."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, assert_never

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.expressions import Expression, Templated
from atomiton_runtime.ids import FlowId, NodeId
from atomiton_runtime.values import LargeValue, Value

OnSave = Literal["changed", "all", "off"]
OnBusy = Literal["queue-latest", "queue", "skip", "restart"]
Notify = Literal["always", "failure", "never"]
Resume = Literal["manual", "auto"]
VariableType = Literal["string", "integer", "number", "boolean", "array", "object"]
ExpectedStatus = Literal["succeeded", "failed", "cancelled", "timed_out"]


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a flow: `vars.NAME`, a CLI flag, a field of the tray's prompt."""

    name: str
    type: VariableType
    default: Value = None
    required: bool = False
    """True when the long form gives no default: a run must then set it."""
    description: str = ""
    min: float | None = None
    """Least number, or least length of a text or list (characters, elements)."""
    max: float | None = None
    choices: tuple[Value, ...] = ()
    """The allowed values; empty: any."""
    pattern: str | None = None
    """A regular expression that a text must match whole."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[settings]` of a flow, with their defaults."""

    on_save: OnSave = "changed"
    on_busy: OnBusy = "queue-latest"
    timeout_s: float = 3600.0
    max_parallel: int = 8
    notify: Notify = "failure"
    tray: bool = True
    max_runs_per_minute: int = 60
    """Of runs that nobody asked for, because of saves; beyond, the flow is paused."""
    resume: Resume = "manual"
    """auto: the resident runtime continues a run that a crash has cut, when it starts."""


class PortRef(msgspec.Struct, frozen=True):
    """Names an output of another node."""

    node: NodeId
    port: str
    """Always filled in: a bare `"read"` became the primary port of `read`. `"error"` is the error port."""


class SingleInput(msgspec.Struct, frozen=True, tag="single"):
    """The input is the value of one port."""

    ref: PortRef


class ListInput(msgspec.Struct, frozen=True, tag="list"):
    """The input is a list of the ports' values, in order."""

    refs: tuple[PortRef, ...]


class TableInput(msgspec.Struct, frozen=True, tag="table"):
    """The input is an object: name -> the port's value."""

    refs: tuple[tuple[str, PortRef], ...]


Input: TypeAlias = SingleInput | ListInput | TableInput


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often and after which pauses a failed attempt is repeated."""

    attempts: int = 1
    """Executions in all, 1 or more: `retry = 3` in a file means 3 attempts."""
    delay_s: float = 1.0
    backoff: float = 2.0
    """Each further pause is the last one times this, 1 or more."""
    max_delay_s: float = 60.0
    jitter: bool = True
    """True: a pause is drawn between half and the whole of its length."""


class Reading(msgspec.Struct, frozen=True):
    """What the parameters of a node were read as."""

    parameters: dict[str, Templated]
    names: frozenset[str]
    """What they depend on; see `Node.names`."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One box of a flow. `index` is its place in `Flow.nodes` (file order)."""

    id: NodeId
    index: int
    type: str
    name: str = ""
    description: str = ""
    parameters: dict[str, Templated]
    """As written, with texts compiled to templates and bare expressions to expressions."""
    input: Input | None = None
    after: tuple[NodeId, ...] = ()
    when: Expression | None = None
    retry: Retry = Retry()
    timeout_s: float | None = None
    continue_on_error: bool = False
    always: bool = False
    reuse: Literal["auto", "always", "never"] = "auto"
    repeatable: bool | None = None
    """None: as the node type declares."""
    run_on: str = "local"
    body: "Body | None" = None
    """The child nodes; None: it has none of its own."""
    calls: str | None = None
    """The flow whose nodes are its body, as written: an id or a path."""
    definition: str = ""
    """32 hex digits of what the file tells the node to do: type, condition, parameters and body, however written.

    What it takes, waits for, is called, and how it is tried, timed and reused is no part of it; of its children it is.
    """
    names: frozenset[str] = frozenset()
    """What its templates and expressions, and those of its children, depend on: `vars.limit`, `secrets.TOKEN`, `input`;
    and what their types take by themselves.

    `vars` alone: where they are used as a whole, or by a key that is computed. So for env, secrets, run and flow.
    """
    may_write: bool = False
    """Whether its type says anything of its effect: whether an execution may change the outside."""
    line: int = 1
    """The line of the node's table header, counted from 1 (found by a cheap text scan)."""
    code_lines: dict[str, Sequence[int]] = {}
    """Parameter that is taken verbatim -> the line of the file of each line of its text, counted from 1."""

    @property
    def children(self) -> tuple["Node", ...]:
        """The nodes of its body."""
        return () if self.body is None else self.body.nodes

    @property
    def refs(self) -> tuple[PortRef, ...]:
        """The ports this node reads, in the order of its input."""
        match self.input:
            case SingleInput() as only:  # nearly every node, so first
                return (only.ref,)
            case None:
                return ()
            case ListInput(refs):
                return refs
            case TableInput(named):
                return tuple(ref for _, ref in named)
            case _:
                assert_never(self.input)


class GivenNode(msgspec.Struct, frozen=True, kw_only=True):
    """What a test puts in the place of an execution: outputs, or a failure."""

    outputs: dict[str, Value] = {}
    """Port -> value in document form, for every port; empty for a failure."""
    error: ErrorInfo | None = None


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What a test expects of a node."""

    primary: str
    """The node's primary port: `output` in `when`."""
    values: dict[str, Value] = {}
    """Port -> what its value must be, in document form."""
    when: Expression | None = None
    """What must be true of the node."""
    plain: bool = False
    """Whether the value of the primary port is written without `ports`."""


class FlowTest(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[test]]` of a flow. It says how the flow is tried, and changes nothing of its runs."""

    index: int
    """Its place in `Flow.tests`, in the order of the file."""
    name: str
    variables: dict[str, Value]
    """The value of every variable of the flow."""
    given: dict[NodeId, GivenNode]
    """The nodes that are not executed."""
    expect: dict[NodeId, Expectation]
    status: ExpectedStatus = "succeeded"
    """What must become of the run."""
    allow: frozenset[NodeId] | Literal["all"] = frozenset()
    """The nodes that may be executed although they write."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes and who of them waits for whom. What a run needs of it is computed once, at loading."""

    nodes: tuple[Node, ...]
    parents: tuple[tuple[int, ...], ...]
    """Node index -> indexes it waits for (input and after, no doubles), ascending."""
    dependents: tuple[tuple[int, ...], ...]
    """Node index -> indexes that wait for it, ascending."""
    sinks: tuple[int, ...]
    """Indexes of the nodes whose outputs nobody reads or waits for, ascending."""
    handled: frozenset[int]
    """Indexes of the nodes whose `error` port some node takes: their failure counts as handled."""
    index_of: dict[NodeId, int] = {}
    """Node id -> its index; made here, whatever is given."""

    def __post_init__(self) -> None:
        """Index the nodes."""
        msgspec.structs.force_setattr(self, "index_of", {node.id: node.index for node in self.nodes})


class Flow(Body, frozen=True, kw_only=True):
    """A whole, valid flow."""

    id: FlowId
    """The file's stem."""
    name: str
    description: str = ""
    path: str
    """Absolute path of the file."""
    folder: str
    """Absolute path of the file's folder: relative paths in parameters start here."""
    hash: str
    """SHA-256 of the file's bytes, in hex."""
    source: LargeValue | None = None
    """Where the text of the file is kept; None: it is not (yet)."""
    variables: dict[str, Variable]
    settings: Settings
    tests: tuple[FlowTest, ...] = ()
    readings: dict[object, Reading] = {}
    """What the parameters of its nodes were read as, by all that this depends on: for loading the next version."""
    subflows: "dict[str, Flow]" = {}
    """What its nodes call, at any depth: the reference as written -> that flow, whole itself. Filled when the flow
    is asked for, not when it is loaded: these are other files."""
