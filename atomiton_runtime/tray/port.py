"""States what the tray needs of a runtime: a part of `Runtime`, so that small doubles can stand in for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from atomiton_runtime.flow.model import Notify, Variable
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.requests import Request, Response
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.run.notices import Notice
from atomiton_runtime.settings import Places


class FlowFile(Protocol):
    """What the tray needs of `runtime.FlowEntry`."""

    @property
    def id(self) -> FlowId:
        """The file's stem."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def path(self) -> str:
        """Where the file is."""
        ...

    @property
    def tray(self) -> bool:
        """Whether the menu lists it."""
        ...

    @property
    def notify(self) -> Notify:
        """Which ends of its runs are announced."""
        ...

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the file as it is now."""
        ...

    @property
    def runnable(self) -> bool:
        """Whether some valid version of it is loaded."""
        ...

    @property
    def variables(self) -> Mapping[str, Variable]:
        """Name -> what a run may be given."""
        ...


class TrayRuntime(Protocol):
    """What the tray needs of `runtime.Runtime`; every method as described there."""

    @property
    def places(self) -> Places:
        """The folders."""
        ...

    @property
    def process(self) -> str:
        """The name by which other processes reach this runtime (see `control`)."""
        ...

    def start(self) -> object:
        """Start everything."""
        ...

    def stop(self) -> None:
        """Cancel what runs and stop everything."""
        ...

    def submit(self, request: Request) -> Response:
        """Answer a request; never raises for a user's mistake."""
        ...

    def subscribe(
        self, callback: Callable[[RunEvent | Notice], object], *, kinds: Sequence[str] = ()
    ) -> Callable[[], None]:
        """Call `callback` with each fact of these kinds; return what ends that."""
        ...

    def flows(self, only: Iterable[str] | None = None) -> Sequence[FlowFile]:
        """Return all flow files of the folder, or those of these ids alone."""
        ...

    def history(
        self, flow: str | None = None, *, limit: int = 50, statuses: Sequence[RunStatus] = ()
    ) -> Sequence[RunSummary]:
        """Return the newest runs first."""
        ...

    def since_success(self, run_id: RunId) -> str | None:
        """Return what has changed since the last success before a run that failed; None: that is not known."""
        ...

    def left(self, run_id: RunId) -> tuple[str, ...] | None:
        """Return the nodes that keep a run from being cancelled; None: it is not."""
        ...

    def active(self) -> Sequence[RunSummary]:
        """Return the runs that have not ended."""
        ...
