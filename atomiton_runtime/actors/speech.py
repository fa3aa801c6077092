"""Is what an attempt says while it runs, on its way to the run's log."""

import threading
from collections.abc import Callable

MAX_ATTEMPT_CHARS = 262_144
"""Of one attempt, in the log; whatever it prints."""
MAX_RUN_CHARS = 4_194_304
"""Of all attempts of a run together."""
CUT = "... (cut: more than the log keeps)\n"


class Speech:
    """Gathers what is said until somebody takes it: a flood of lines is one message, and of a bounded length.

    `say` may be called from every thread.
    """

    __slots__ = ("_chars", "_said", "_tell", "_told")

    def __init__(self, tell: Callable[["Speech"], None]) -> None:
        self._tell = tell
        """Called when there is something to take, and nobody has been told yet."""
        self._said: list[str] = []
        self._chars = 0
        self._told = False

    def say(self, text: str) -> None:
        """Add whole lines; what is beyond the limit is dropped, and its place is marked."""
        with _lock:
            if not text or self._chars > MAX_ATTEMPT_CHARS:
                return
            room = MAX_ATTEMPT_CHARS - self._chars
            self._chars += len(text)
            # File names and what programs print may hold halves of characters, which no journal can keep.
            whole = text if len(text) <= room else f"{text[:room]}\n{CUT}"
            self._said.append(whole.encode("utf-8", "replace").decode())
            told, self._told = self._told, True
        if not told:
            self._tell(self)

    def take(self) -> str:
        """Return what has been said since the last time."""
        with _lock:
            said, self._said, self._told = self._said, [], False
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in said)


_lock = threading.Lock()
"""Of all speeches together: there is one for each attempt, most say nothing, and it is held for a moment."""
