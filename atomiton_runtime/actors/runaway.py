"""Stops flows that run away: one that writes its own file, say, and so is saved, and runs, for ever."""

from collections import deque

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import Flow

WINDOW_S = 60.0


class Pace:
    """How often each flow has run by itself of late. Only the conductor touches it."""

    def __init__(self) -> None:
        self._begun: dict[str, deque[float]] = {}
        """Path of a flow -> when it ran by itself, by the monotonic clock; no more than the flow may in a minute."""
        self._paused: set[str] = set()

    def may_run(self, path: str, limit: int, now: float) -> bool:
        """Return whether a flow may run by itself now, and count that it does; once it may not, it is paused.

        Args:
            path: of the flow's file.
            limit: so many runs within a minute are allowed.
            now: by the monotonic clock.
        """
        if path in self._paused:
            return False
        begun = self._begun.setdefault(path, deque())
        while begun and now - begun[0] >= WINDOW_S:
            begun.popleft()
        if len(begun) >= limit:
            self._paused.add(path)
            return False
        begun.append(now)
        return True

    def is_paused(self, path: str) -> bool:
        """Return whether the flow does not run by itself any more."""
        return path in self._paused

    def resume(self, path: str) -> None:
        """Let a flow run by itself again, as if it never had: a person has asked for a run of it."""
        self._paused.discard(path)
        self._begun.pop(path, None)


def paused(flow: Flow) -> ErrorInfo:
    """Return what is said of a flow that does not run by itself any more."""
    limit = flow.settings.max_runs_per_minute
    return ErrorInfo(
        "RUN-021",
        f"{flow.id} ran {limit} times within a minute by itself and is paused: saving it runs it no more",
        hint="does it write its own file? A click on it, or `atomiton run`, lets it run on save again; "
        "`max_runs_per_minute` in [settings] allows more",
    )
