"""Answers the requests of clients, in this process or another, with what a runtime can do."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from atomiton_runtime.control.conversation import request as ask
from atomiton_runtime.control.door import Answer
from atomiton_runtime.errors import AtomitonError, ErrorInfo, RuntimeUnusable
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.flow.variables import VariablesInvalid
from atomiton_runtime.ids import RunId
from atomiton_runtime.requests import (
    CancelAccepted,
    CancelRun,
    FindLeft,
    LeftToEnd,
    Refused,
    ReplayNode,
    Request,
    Response,
    ResumeRun,
    RunAccepted,
    RunFlow,
    RunRequest,
)
from atomiton_runtime.run.events import CancelReason, RunEvent, RunFailed, is_final
from atomiton_runtime.running import Run

_NEWS_TIMEOUT_S = 0.25
"""Of a run that is followed from another process."""
_LEFT_TIMEOUT_S = 0.25
"""A process that is stopped must not make a list of runs wait."""


class Served(Protocol):
    """What a runtime does for its clients; each raises an `AtomitonError` where it cannot."""

    def start_run(self, request: RunRequest) -> Run:
        """Execute what a client asks for; return at once."""
        ...

    def cancel(self, run_id: RunId, reason: CancelReason = "user") -> None:
        """Tell a run to end; return at once."""
        ...

    def left_here(self, run_id: RunId) -> tuple[str, ...] | None:
        """Return what keeps a run from being cancelled; None: it is not."""
        ...

    def is_kept(self, run_id: RunId) -> bool:
        """Return whether anything of a run is in the store."""
        ...


def submit(runtime: Served, request: Request) -> Response:
    """Answer a request; what the client did wrong is `Refused`, never raised."""
    try:
        match request:
            case RunFlow() | ResumeRun() | ReplayNode():
                run = runtime.start_run(request)
                return RunAccepted(run_id=run.id, flow=run.flow)
            case CancelRun(run_id=run_id, reason=reason):
                runtime.cancel(run_id, reason)
                return CancelAccepted(run_id=run_id)
            case FindLeft(run_id=run_id):
                return LeftToEnd(nodes=runtime.left_here(run_id))
    except AtomitonError as error:
        return _refusal(error)


def serve(runtime: Served, request: Request) -> Answer:
    """Answer the request of another process: a run is accepted once that is kept, and may be followed."""
    is_run = isinstance(request, RunFlow | ResumeRun | ReplayNode)
    return _serve_run(runtime, request) if is_run else submit(runtime, request)


def left_there(data: Path, process: str, run_id: RunId) -> tuple[str, ...] | None:
    """Return what keeps a run of another process from being cancelled; None: nothing, or no answer came at once."""
    try:
        answer = ask(data, process, FindLeft(run_id=run_id), timeout_s=_LEFT_TIMEOUT_S)
    except RuntimeUnusable:
        return None
    return answer.nodes if isinstance(answer, LeftToEnd) else None


def _serve_run(runtime: Served, request: RunRequest) -> Iterator[Response | Sequence[RunEvent]]:
    try:
        run = runtime.start_run(request)
    except AtomitonError as error:
        yield _refusal(error)
        return
    # Nothing yet is said as well: whoever speaks to the client looks then whether it is still there.
    while not run.news(0, timeout_s=_NEWS_TIMEOUT_S):
        yield ()
    # Who does not follow the run hears nothing after this: a run that is not kept was not accepted.
    error = None if request.follow else _why_not_kept(runtime, run)
    yield RunAccepted(run_id=run.id, flow=run.flow) if error is None else Refused(errors=(error,))
    place = 0
    while request.follow:
        news = run.news(place, timeout_s=_NEWS_TIMEOUT_S)
        yield news
        if news and is_final(news[-1]):
            return
        place = news[-1].seq + 1 if news else place


def _why_not_kept(runtime: Served, run: Run) -> ErrorInfo | None:
    """Return why nothing of a run could be kept; None: something was."""
    last = run.last
    if isinstance(last, RunFailed) and last.error.code.startswith("STORE-"):
        return None if runtime.is_kept(run.id) else last.error
    return None


def _refusal(error: AtomitonError) -> Refused:
    if isinstance(error, FlowInvalid):
        return Refused(errors=tuple(problem.info() for problem in error.problems))
    if isinstance(error, VariablesInvalid):
        return Refused(errors=tuple(error.errors))
    return Refused(errors=(error.info(),))
