"""States what a node type is: a declaration that loader, docs, JSON Schema and tests read, and `execute`."""

import abc
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.catalogue import BodyKind, Complaint
from atomiton_runtime.flow.expressions import Scope
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.values import Value

Effect: TypeAlias = Literal["pure", "reads", "writes"]
"""`pure`: the result depends on parameters and input alone. `reads`: also on the outside. `writes`: it changes
the outside."""


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution has to do with the outside, as far as that can be said before it."""

    reads: tuple[Path, ...] = ()
    """Absolute paths of files and folders on whose content the result depends."""
    leaves: tuple[Path, ...] = ()
    """Absolute paths that are, after it, as the execution has left them: written, or gone."""
    looks: bool = False
    """True: only looking again tells whether the result still holds (what is in a folder, whether a file is there);
    it is cheap, and so executed every time."""
    does: str = ""
    """What it does, in words that begin with a verb: `writes out/a.json`, `GET https://...`, `deletes old`; empty:
    nothing outside is touched."""


class NodeError(AtomitonError):
    """A node cannot do what it was asked to do: the failure of an attempt, not of the runtime."""

    def __init__(
        self, code: str, message: str, *, hint: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.retry_after_s = retry_after_s
        """The least pause before another attempt, where the outside asked for one."""


class NodeCancelledError(Exception):
    """Raised inside `execute` when the attempt was told to stop and everything it started is gone."""


class CancelToken:
    """Tells one attempt to stop. Set by any thread, observed by the node's own.

    There is one for each attempt, so it is made of two plain fields; only who waits on it pays for an event.
    """

    __slots__ = ("_callbacks", "cancelled", "timed_out")

    def __init__(self) -> None:
        self.cancelled = False
        """Whether the attempt was told to stop; never False again. Set by `cancel` only."""
        self.timed_out = False
        """True: it was told to stop because its time is over, not because somebody cancelled the run."""
        self._callbacks: list[Callable[[], None]] | None = None

    def cancel(self) -> None:
        """Tell the attempt to stop; returns at once, a second call changes nothing."""
        with _token_lock:
            if self.cancelled:
                return
            self.cancelled = True
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the cancelling thread (or now, if it is too late): it only wakes, never works."""
        with _token_lock:
            if not self.cancelled:
                self._callbacks = [*(self._callbacks or ()), callback]
                return
        callback()

    def wait(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` seconds; return whether the attempt was told to stop."""
        if not self.cancelled:
            told = threading.Event()
            self.on_cancel(told.set)
            told.wait(timeout_s)
        return self.cancelled

    def raise_if_cancelled(self) -> None:
        """Raise `NodeCancelledError` if the attempt was told to stop."""
        if self.cancelled:
            raise NodeCancelledError


_token_lock = threading.Lock()
"""Of all tokens together: it is held for a few instructions, and seldom."""


def _nowhere(text: str) -> None:
    del text


class NodeContext(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt may know besides its parameters."""

    input: Value
    scope: Scope
    """The names of expressions; `scope.child(item=..., index=..., acc=...)` adds some."""
    folder: Path
    """The flow file's folder: relative paths start here."""
    cancel: CancelToken
    has_input: bool = False
    """Whether the node has an `input` key; without one `input` is None."""
    timeout_s: float | None = None
    """The node's `timeout`, which the runtime keeps by `cancel`; with one, a node type sets no limits of its own."""
    flow_path: str = ""
    """The flow's file; empty: there is none."""
    code_lines: Mapping[str, Sequence[int]] = {}
    """Parameter that is taken verbatim -> the line of the flow's file of each line of its text, counted from 1."""
    calls: Flow | None = None
    """The flow that the node's parameter of the kind `flow` names."""
    log: Callable[[str], None] = _nowhere
    """Says something to who watches the run: one or more whole lines of text, kept in the run's log up to a limit.
    Returns at once; may be called from every thread while `execute` runs."""


class Port(msgspec.Struct, frozen=True):
    """An output of a node type."""

    name: str
    description: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a web server answers in an example."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: str = ""
    to: str | None = None
    """What the body of the request must be; None: it is not looked at."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A use of a node type: a test and a piece of its documentation at once.

    It is executed in a fresh folder that holds `files` (relative path -> content).
    """

    title: str
    toml: str
    """The lines of the node's table below its `type`, as in a flow file; may use `vars`-free templates."""
    input: Any = None
    files: Mapping[str, str] = {}
    outputs: Mapping[str, Any] | None = None
    """Port -> expected value; ports left out are not compared. None: see `error`."""
    files_after: Mapping[str, str] = {}
    """Relative path -> expected content after the execution."""
    replies: Mapping[str, Reply] = {}
    """`METHOD URL` (http only) -> what is answered to it, by a server that the test puts in the web's place."""
    error: str | None = None
    """The code the execution (or the check of the parameters) must fail with."""


class NodeType(abc.ABC):
    """A node type. Its docstring's first line is its summary in the documentation.

    Instances hold no state of attempts: one instance serves all of them, in many threads at once. What makes later
    ones faster (connections, processes) they may keep until `close`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised when the same parameters and input may give another result than before."""
    ports: ClassVar[tuple[Port, ...]]
    """The outputs, primary first."""
    body: ClassVar[BodyKind | None] = None
    """How child nodes are executed; not None: see `nodes.body.BodyType`."""
    repeatable: ClassVar[bool] = True
    """Whether an attempt that a crash cut in two may simply be executed again."""
    uses: ClassVar[frozenset[str]] = frozenset()
    """Names of expressions whose values `execute` takes from `context.scope` by itself, beyond those in its
    parameters."""
    examples: ClassVar[tuple[Example, ...]]
    Parameters: ClassVar[type[msgspec.Struct]]
    """A frozen, keyword-only Struct; each field annotated with `msgspec.Meta(description=...)`."""

    def effect(self, parameters: Any) -> Effect:
        """Return what an execution with these parameters (an instance of `Parameters`) does to the outside."""
        del parameters
        return "pure"

    def outside(self, parameters: Any, context: NodeContext) -> Outside:
        """Return what an execution with these parameters would read and leave.

        It is asked before executions, and to find out whether a result still holds: so it must not touch anything,
        but may resolve paths.

        Args:
            parameters: an instance of `Parameters`, templates rendered.
            context: as `execute` would get it.

        Raises:
            NodeError: the execution would fail, for a reason that is known already, such as a path that is none.
        """
        del parameters, context
        return Outside()

    def may_repeat(self, parameters: Any) -> bool:
        """Return whether an attempt with these parameters that a crash cut in two may be executed again."""
        del parameters
        return self.repeatable

    def complaints(self, parameters: Mapping[str, Any]) -> Sequence[Complaint]:
        """Return what is wrong with the parameters together; what is wrong with one alone is its type's matter.

        Args:
            parameters: name -> value, each of its declared type or known later (`scalars.known_later`); asked
                when a flow is loaded and, with everything rendered, before each execution.
        """
        del parameters
        return ()

    def close(self) -> None:  # noqa: B027  # most types keep nothing
        """Let go of what is kept between attempts; called once no attempt is going on, when the runtime stops."""

    @abc.abstractmethod
    def execute(self, parameters: Any, context: NodeContext) -> "dict[str, Value] | object":
        """Execute one attempt and return port -> value, for every port.

        Args:
            parameters: an instance of `Parameters`, templates rendered.
            context: the input and the surroundings.

        Raises:
            NodeError: the attempt failed, for a reason its user can understand.
            NodeCancelledError: `context.cancel` was set and everything the attempt started is gone.
        """
