"""Announces what has happened, of a failure with what has changed since the last success."""

import logging
import threading
from collections.abc import Callable

import msgspec

from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.tray import announce
from atomiton_runtime.tray.announce import Announcement

log = logging.getLogger(__name__)


class _Failure(msgspec.Struct, frozen=True):
    """A run failed: it is to be looked up what has changed since the last success."""

    run_id: RunId
    flow: FlowId
    said: Announcement | None
    """What is announced then."""


class Announcing:
    """What is to be announced, in this order, once the menu shows what has happened. The worker's, but for `now`."""

    def __init__(
        self,
        show: Callable[[Announcement], object],
        since_success: Callable[[RunId], str | None],
        stopping: threading.Event,
    ) -> None:
        """Announce with `show`, until `stopping` is set; `since_success` reads what is different with a failed run."""
        self._show, self._read_since, self._stopping = show, since_success, stopping
        self._unsaid: list[Announcement | _Failure] = []

    def now(self, announcement: Announcement) -> None:
        """Announce something at once; may be called in any thread."""
        if not self._stopping.is_set():
            self._show(announcement)

    def add(self, said: Announcement) -> None:
        """Have something announced."""
        self._unsaid.append(said)

    def add_failure(self, run_id: RunId, flow: FlowId, said: Announcement | None) -> None:
        """Have it looked up what has changed before a run failed, and announced with `said`; None: not announced."""
        self._unsaid.append(_Failure(run_id, flow, said))

    def speak(self, explained_at_most: int, explain: Callable[[RunId, FlowId, str], object]) -> bool:
        """Announce what there is; return whether runs that failed are among it.

        Args:
            explained_at_most: for so many failures it is looked up what has changed (count).
            explain: takes what has changed before a run failed, right before it is announced.
        """
        unsaid, self._unsaid = self._unsaid, []
        explained = 0
        for each in unsaid:
            if not isinstance(each, _Failure):
                self.now(each)
                continue
            since = self._since_success(each.run_id) if explained < explained_at_most else ""
            explained += 1
            if since:
                explain(each.run_id, each.flow, since)
            if each.said is not None:
                self.now(announce.with_since(each.said, since))
        return explained > 0

    def _since_success(self, run_id: RunId) -> str:
        """Return what has changed since the last success; nothing where that cannot be told, and say so in the log."""
        if self._stopping.is_set():
            return ""
        try:
            return self._read_since(run_id) or ""
        except Exception as error:  # noqa: BLE001  # a line that is not there is better than a failure that is not told
            log.warning("run %s cannot be compared with the last success: %r", run_id, error)
            return ""
