"""Lists what may happen to a run: everything that `decide` is asked about."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import ROOT, ScopeId
from atomiton_runtime.run.events import CancelReason
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.reuse import Digest, Key


class Now(msgspec.Struct, frozen=True):
    """The moment of a decision."""

    wall: datetime
    elapsed_s: float
    """Since the run left the queue, by the monotonic clock."""


class Begin(msgspec.Struct, frozen=True):
    """The run leaves the queue."""


class Succeeded(msgspec.Struct, frozen=True):
    """An attempt gave outputs, encoded."""

    outputs: dict[str, msgspec.Raw]
    hashes: dict[str, Digest] = {}
    key: Key | None = None
    left: dict[str, str] = {}
    wrote: bool = False
    stale: str = ""
    """These five: see `NodeSucceeded`."""


class Reused(msgspec.Struct, frozen=True):
    """An earlier execution had the same key, and its result still holds."""

    kept: Kept


class Failed(msgspec.Struct, frozen=True):
    """An attempt failed."""

    error: ErrorInfo
    retry_after_s: float = 0.0
    """The least pause before the next attempt."""
    final: bool = False
    """True: another attempt would not help (the node's own definition is wrong)."""


class Skipped(msgspec.Struct, frozen=True):
    """The node's `when` was false."""

    reason: str


class Cancelled(msgspec.Struct, frozen=True):
    """The attempt was told to stop, and nothing of it is left."""


class Opened(msgspec.Struct, frozen=True):
    """The node has a body, and this is how it is to be executed."""

    plan: Plan
    items: Sequence[msgspec.Raw] = ()
    """The item of each execution, encoded; not for `decide`, but for who carries out what it says."""
    items_hash: str = ""
    """Of all items together; empty: there are none."""


class Again(msgspec.Struct, frozen=True):
    """Whether there is another execution of the body."""

    more: bool


Outcome: TypeAlias = Succeeded | Reused | Failed | Skipped | Cancelled | Opened | Again


class Answer(msgspec.Struct, frozen=True):
    """What became of an attempt. Late and double answers are passed over."""

    node: int
    attempt: int
    outcome: Outcome
    duration_s: float
    scope: ScopeId = ROOT
    """Where `node` is an index: the flow itself, or an execution of a body."""


class Spoken(msgspec.Struct, frozen=True):
    """An attempt said something."""

    node: int
    attempt: int
    text: str
    scope: ScopeId = ROOT


class RetryDue(msgspec.Struct, frozen=True):
    """The pause before the attempt after `attempt` is over."""

    node: int
    attempt: int
    scope: ScopeId = ROOT


class AttemptTimeout(msgspec.Struct, frozen=True):
    """An attempt has taken as long as it may."""

    node: int
    attempt: int
    scope: ScopeId = ROOT


class RunTimeout(msgspec.Struct, frozen=True):
    """The run has taken as long as it may."""

    clean_up: bool = False
    """True: it is the `always` nodes, after a cancel, that have taken as long as the whole run might."""


class Cancel(msgspec.Struct, frozen=True):
    """Somebody wants the run to end; a second time it ends `always` nodes as well."""

    reason: CancelReason
    error: ErrorInfo | None = None
    """Why, where a person should read it: for a run that never left the queue."""


class Abort(msgspec.Struct, frozen=True):
    """The runtime cannot go on with this run: everything of it ends, `always` nodes included."""

    error: ErrorInfo


Given: TypeAlias = Begin | Answer | Spoken | RetryDue | AttemptTimeout | RunTimeout | Cancel | Abort
