"""Knows which run of each flow is going on, and which ones wait for it."""

from atomiton_runtime.actors.queueing import Waiting
from atomiton_runtime.ids import RunId


class FlowQueues:
    """The runs of each flow, by the path of its file. Only the conductor touches it."""

    def __init__(self) -> None:
        self._busy: dict[str, RunId] = {}
        """Path of a flow -> the run of it that is going on."""
        self._waiting: dict[str, dict[RunId, Waiting]] = {}
        """Path of a flow -> the runs that wait for it, oldest first."""

    def going_on(self, path: str) -> RunId | None:
        """Return the run of a flow that is going on; None: the next one may begin."""
        return self._busy.get(path)

    def begin(self, path: str, run_id: RunId) -> None:
        """Let a run go on, of a flow of which none does."""
        self._busy[path] = run_id

    def waiting(self, path: str) -> tuple[Waiting, ...]:
        """Return the runs that wait for a flow, oldest first."""
        return tuple(self._waiting.get(path, {}).values())

    def wait(self, path: str, run: Waiting) -> None:
        """Let a run wait until all before it have ended."""
        self._waiting.setdefault(path, {})[run.run_id] = run

    def leave(self, path: str, run_id: RunId) -> RunId | None:
        """Forget a run that has ended; return the one that goes on instead, None: there is none, or nothing changes."""
        waiting = self._waiting.get(path, {})
        waiting.pop(run_id, None)
        if self._busy.get(path) != run_id:
            return None
        following = next(iter(waiting), None)
        if following is None:
            del self._busy[path]
            self._waiting.pop(path, None)
        else:
            del waiting[following]
            self._busy[path] = following
        return following
