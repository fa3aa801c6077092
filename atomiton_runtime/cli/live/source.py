"""Is where facts about one flow come from: a runtime of our own that owns the folder, or the owner's, by the store."""

import contextlib
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import msgspec

from atomiton_runtime.control.conversation import request
from atomiton_runtime.errors import RuntimeUnusable, UsageError
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.flow.variables import VariablesInvalid
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.ownership import Owner, Ownership, announce, owner_of, refuse_other_flows, retire
from atomiton_runtime.requests import Refused, RunFlow
from atomiton_runtime.run.events import RunEvent, RunQueued, is_final
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice
from atomiton_runtime.runtime import Runtime
from atomiton_runtime.settings import Places

Fact: TypeAlias = RunEvent | Notice
_LOOK_S, _CLOSE_LOOK_S = 0.5, 0.2
"""So often the store is read where another process executes the runs; the latter while one goes on."""
_ASK_TIMEOUT_S = 2.0
_SUFFIX = ".toml"
_NEWEST = 5
"""So many of the newest runs of a name are looked through for one of this file."""


class Target(msgspec.Struct, frozen=True):
    """Names the flow that is watched."""

    path: Path
    """Absolute path of its file."""
    data: Path
    """The data folder."""

    @property
    def folder(self) -> Path:
        """The folder that is watched."""
        return self.path.parent


def target(places: Places, reference: str) -> Target:
    """Return the flow with this id in the flows folder, or in the file with this path."""
    is_path = os.sep in reference or "/" in reference or reference.endswith(_SUFFIX)
    if not is_path:
        return Target(places.flows / f"{reference}{_SUFFIX}", places.data)
    # A link to a flow file is a flow of its own, with its own id and folder: a Path would follow it, or keep `..`.
    return Target(Path(os.path.abspath(os.path.expanduser(reference))), places.data)  # noqa: PTH100, PTH111  # as said


class Source(Protocol):
    """Tells facts to whoever opened it, and runs the flow when it is asked to."""

    look_s: float | None
    """`look` wants to be called so often; None: never."""

    @property
    def owner(self) -> Owner | None:
        """Who runs the flow when it is saved; None: this process."""
        ...

    def flow(self) -> tuple[Flow | None, tuple[Problem, ...]]:
        """Return the last valid version of the flow, and what is wrong with its file now."""
        ...

    def last_run(self) -> tuple[RunEvent, ...]:
        """Return the events of the flow's newest run; none: there was no run yet."""
        ...

    def run(self) -> None:
        """Begin a run; return when it is asked for.

        Raises:
            AtomitonError: that is refused.
        """
        ...

    def look(self) -> Literal["same", "owner gone"]:
        """Tell what has happened since; return whether the owner is still there."""
        ...


class _OfRuntime:
    """What is asked of a runtime, whoever executes the runs."""

    def __init__(self, runtime: Runtime, target: Target) -> None:
        self._runtime, self._target = runtime, target

    def flow(self) -> tuple[Flow | None, tuple[Problem, ...]]:
        """Return the last valid version of the flow, and what is wrong with its file now."""
        path = str(self._target.path)
        entry = next((entry for entry in self._runtime.flows() if entry.path == path), None)
        problems = () if entry is None else entry.problems
        try:
            return self._runtime.flow(path), problems
        except FlowInvalid as invalid:
            return None, problems or tuple(invalid.problems)

    def last_run(self) -> tuple[RunEvent, ...]:
        """Return the events of the flow's newest run; none: there was no run yet."""
        for summary in self._runtime.history(self._target.path.stem, limit=_NEWEST):
            with contextlib.suppress(UsageError):  # it was cleared away just now
                journal = self._runtime.journal(summary.run_id)
                first = journal[0]
                if isinstance(first, RunQueued) and first.flow_path == str(self._target.path):
                    return journal
        return ()

    @property
    def _wish(self) -> RunFlow:
        return RunFlow(flow=str(self._target.path), trigger="cli")


class Own(_OfRuntime):
    """A runtime in this process, which owns the data folder."""

    look_s: float | None = None
    owner: Owner | None = None

    def run(self) -> None:
        """Begin a run; return at once."""
        self._runtime.start_run(self._wish)

    def look(self) -> Literal["same", "owner gone"]:
        """Do nothing: everything is told by itself."""
        return "same"


class Followed(_OfRuntime):
    """The runtime of another process: its runs are read from the store, and asked for at its door."""

    def __init__(
        self,
        runtime: Runtime,
        target: Target,
        owner: Owner,
        ownership: Ownership,
        tell: Callable[[Fact], object],
    ) -> None:
        super().__init__(runtime, target)
        self.owner: Owner | None = owner
        self._named, self._ownership, self._tell = owner, ownership, tell
        self.look_s: float | None = _LOOK_S
        self._file = _signature(target.path)
        self._run: RunId | None = None
        self._told = 0

    def last_run(self) -> tuple[RunEvent, ...]:
        """Return the events of the flow's newest run, which are not told any more."""
        journal = super().last_run()
        if journal:
            self._run, self._told = journal[0].run_id, len(journal)
            self.look_s = _LOOK_S if is_final(journal[-1]) else _CLOSE_LOOK_S
        return journal

    def run(self) -> None:
        """Let the owner begin a run; return when it has accepted it."""
        asked = request(self._target.data, self._named.process, self._wish, timeout_s=_ASK_TIMEOUT_S)
        if isinstance(asked, Refused):
            raise VariablesInvalid(asked.errors)

    def look(self) -> Literal["same", "owner gone"]:
        """Tell what the owner has done since."""
        if owner_of(self._target.data) != self._named and self._takes_its_place():
            return "owner gone"
        self._look_at_file()
        self._look_at_runs()
        return "same"

    def _takes_its_place(self) -> bool:
        try:
            other = self._ownership.take(patience_s=0.0)
        except RuntimeUnusable:  # it is just ending, or another one just starting
            return False
        if other is not None:
            self.owner = self._named = other
        return other is None

    def _look_at_file(self) -> None:
        now = _signature(self._target.path)
        if now == self._file:
            return
        self._file = now
        path, flow_id = str(self._target.path), FlowId(self._target.path.stem)
        if now is None:
            self._tell(FlowRemoved(flow=flow_id, path=path))
            return
        with contextlib.suppress(UsageError):  # it is gone again
            flow, problems = self.flow()
            if problems:
                self._tell(FlowBroken(flow=flow_id, path=path, problems=problems, runnable=flow is not None))
            elif flow is not None:
                self._tell(FlowLoaded(flow=flow.id, path=path, hash=flow.hash))

    def _look_at_runs(self) -> None:
        newest = self._runtime.history(self._target.path.stem, limit=1)
        if self.look_s == _LOOK_S and newest and newest[0].run_id == self._run:
            return
        before, told = self._run, self._told
        journal = self.last_run()
        for event in journal[told if self._run == before else 0 :]:
            self._tell(event)


@contextlib.contextmanager
def open_source(target: Target, ownership: Ownership, tell: Callable[[Fact], object]) -> Generator[Source]:
    """Own the data folder or follow its owner, and tell what happens.

    Args:
        target: which flow, and which data folder.
        ownership: the wish to own that folder; it may be taken already.
        tell: is called with every fact, in whatever thread.

    Raises:
        RuntimeUnusable: the owner runs the flows of another folder (CLI-025), or the runtime cannot start.
        UsageError: there is no such flow (FLOW-404).
    """
    other = ownership.take()
    if other is None:
        with _owning(target, tell) as own:
            yield own
        return
    refuse_other_flows(target.data, other, target.folder)
    with Runtime(target.folder, data=target.data, only_read=True) as runtime:
        yield Followed(runtime, target, other, ownership, tell)


@contextlib.contextmanager
def _owning(target: Target, tell: Callable[[Fact], object]) -> Generator[Source]:
    runtime = Runtime(target.folder, data=target.data, watch=True)
    # Before the start, so that no flow is loaded before anybody listens.
    unsubscribe = runtime.subscribe(tell)
    try:
        runtime.start()
        me = Owner(process=runtime.process, kind="watch", pid=os.getpid(), flows=str(target.folder))
        announce(target.data, me)
        yield Own(runtime, target)
    finally:
        unsubscribe()
        retire(target.data)
        runtime.stop()


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
