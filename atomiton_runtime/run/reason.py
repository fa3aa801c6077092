"""States what is told of why a node is executed: before a run, and after one."""

from typing import Literal

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import OnSave
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run.events import NodeStatus, Trigger

ASKED = "it was asked for"
ANEW = "everything was asked for"
EVERYTHING = 'the flow has `on_save = "all"`'
NEVER = 'it has `reuse = "never"`'
LOOKS = "only looking again tells whether its result still holds"
FIRST = "it has no result yet"
FIRST_THEN = "it had no result before"
UNKNOWN = "what its earlier result depends on is not known"

Verdict = Literal["run", "perhaps", "reuse", "skip"]
"""`run`: unless a node before it fails. `perhaps`: only if what a node before it gives is not what it was."""


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reason why a node is executed."""

    message: str
    part: str = ""
    """The part of its key that changed; empty: none did."""
    key: tuple[str, ...] = ()
    """Where that is written in the flow's file, table by table; empty: nowhere."""
    line: int | None = None
    """The line of `key`, counted from 1."""


class NodePlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What would become of a node."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    source: RunId | None = None
    """The run whose result would be reused."""
    does: str = ""
    """What it would do outside: `writes out/a.json`; empty: nothing, as far as that can be said."""
    problem: ErrorInfo | None = None
    """Why it would fail before it does anything."""


class FlowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of the nodes of a flow."""

    flow: FlowId
    path: str
    on_save: OnSave
    """Of the flow; with `off`, a save executes nothing, and the plan is that of a run by hand."""
    nodes: dict[NodeId, NodePlan]
    """In the order of the file."""


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
