"""Finds out which flow files have new content: events are hints, settled content hashes are facts (ADR-0008)."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never

from atomiton_runtime.actors.base import Address, GuardedActor
from atomiton_runtime.actors.flow_files import (
    FILES_LIMIT,
    Identity,
    Listing,
    Look,
    Missing,
    file_signature,
    folder_identity,
    list_flow_files,
    look_at,
)
from atomiton_runtime.actors.messages import (
    Hint,
    LookAgain,
    Raise,
    TimeIsUp,
    TypesChanged,
    WatcherMessage,
)
from atomiton_runtime.actors.settling import (
    Patience,
    Restless,
    Seen,
    changed_paths,
    hinted,
    is_lost,
    judge,
    next_look,
    settled,
)
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.nodes.registry import FOLDER_NAME as TYPES_FOLDER
from atomiton_runtime.run.notices import NoticeRaised
from atomiton_runtime.trust import distrust

if TYPE_CHECKING:
    from atomiton_runtime.actors.observing import FolderObserver

_LOST_RESCAN_S = 1.0
_POLLING_RESCAN_S = 2.0
_AFTERMATH_S = 2.0
"""So long after the last look the folder is scanned: the system drops events when they come in floods."""


class WatcherBook:
    """What is known of the folder: the state that outlives an incarnation of the watcher."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        """Path -> the last look."""
        self.restless: Restless = {}
        self.asked_again: set[str] = set()
        """The paths of which the shelf waits for a second look."""
        self.watched: Identity | None = None
        """The folder as it was there last."""
        self.lost = False
        """True: the folder is not there, and its user knows."""
        self.types = False
        """True: there was a folder of node types at the last rescan."""
        self.scanned = False
        """True: the first scan is done; from here on, what changes was changed by somebody."""
        self.noticed: frozenset[str] = frozenset()
        """The codes of the lasting conditions that its user knows of."""


class FlowWatcher(GuardedActor[WatcherMessage]):
    """Tells the shelf what the flow files hold, once they have rested, and when node types beside them change.

    Owns: what was seen of each file, the observer and its threads. Receives: `Hint` (from the observer's thread),
    `LookAgain`, `TimeIsUp`. Sends: `FileSettled`, `FileUnreadable`, `FileGone` and `TypesChanged` to the shelf,
    `Raise` to the supervisor. Rank: WATCHER. When it dies its successor has the same book, arms a new observer, and
    its rescan finds what happened meanwhile.
    """

    def __init__(
        self,
        address: Address,
        supervisor: Callable[[object], None],
        *,
        folder: Path,
        shelf: Address,
        quiet_s: float = 0.15,
        rescan_s: float = 30.0,
        book: WatcherBook,
    ) -> None:
        super().__init__(address, supervisor)
        # Imported as late as this: whoever does not watch does not wait for watchdog.
        from atomiton_runtime.actors.observing import Hints

        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100  # one spelling, and links stay links
        self._types_folder = self._folder / TYPES_FOLDER
        self._shelf = shelf
        self._patience = Patience(quiet_s)
        self._rescan_s = rescan_s
        self._book = book
        self._hints = Hints(self._folder, address.tell)
        self._observer: FolderObserver | None = None
        self._next_rescan = 0.0
        self._next_arming = 0.0

    def begin(self) -> None:
        """Arm the observer, then scan: what changes in between is found by one of the two."""
        try:
            self._rescan()
        finally:
            self._set_deadline()

    def end(self) -> None:
        """Stop the observer; none of its threads is left."""
        self._disarm()

    def receive(self, message: WatcherMessage) -> None:
        """Handle one message."""
        try:
            match message:
                case Hint(paths=paths):
                    self._hint(paths)
                case LookAgain(path=path):
                    self._book.asked_again.add(path)
                    self._hint((path,))
                case TimeIsUp():
                    self._look_or_rescan()
                case _:
                    assert_never(message)
        finally:
            self._set_deadline()

    # -- time ----------------------------------------------------------------------------------------------

    def _set_deadline(self) -> None:
        look = next_look(self._book.restless, self._patience)
        self.address.mailbox.deadline = self._next_rescan if look is None else min(look, self._next_rescan)

    def _hint(self, paths: tuple[str, ...]) -> None:
        self._book.restless = hinted(self._book.restless, paths, time.monotonic())

    def _look_or_rescan(self) -> None:
        for path, at in self._hints.take().items():
            self._book.restless = hinted(self._book.restless, (path,), at)
        now = time.monotonic()
        due, waiting = settled(self._book.restless, now, self._patience)
        self._book.restless = waiting
        due = self._without_types(due)
        if str(self._folder) in due:
            # It was deleted. Another one in its place may have the very same inode, but it is not watched.
            self._disarm()
        if now >= self._next_rescan or (due and self._is_another_folder()) or str(self._folder) in due:
            self._rescan(tuple(path for path in due if path != str(self._folder)))
        else:
            self._look_at_all(due)
            if due:
                self._next_rescan = min(self._next_rescan, now + _AFTERMATH_S)

    def _without_types(self, due: tuple[str, ...]) -> tuple[str, ...]:
        """Say that node types changed if any of `due` is one, or their folder; return the others."""
        others = tuple(path for path in due if self._types_folder not in (Path(path), Path(path).parent))
        if len(others) < len(due):
            self._shelf.tell(TypesChanged())
            if self._observer is not None and self._observer.types != folder_identity(self._types_folder):
                self._disarm()
                self._next_rescan = 0.0
        return others

    # -- the folder ----------------------------------------------------------------------------------------

    def _rescan(self, due: tuple[str, ...] = ()) -> None:
        """Compare the whole folder with what was seen; `due` are the files that have rested and are looked at now."""
        self._next_rescan = time.monotonic() + self._rescan_s
        found = folder_identity(self._folder)
        listing = self._list() if found else Listing(())
        known = len(self._book.seen)
        if is_lost(self._book.watched, found, known=known, present=len(listing.names)):
            self._lose()
            return
        if found != self._book.watched or self._observer is None or not self._observer.alive:
            self._arm(found)
            listing = self._list()
        has_types = os.path.exists(self._types_folder)  # noqa: PTH110  # a Path raises where it may not look
        if has_types or self._book.types:
            self._book.types = has_types
            self._shelf.tell(TypesChanged())
        self._notice_conditions(listing)
        if self._observer is None:
            self._next_rescan = time.monotonic() + self._polling_s
        self._compare(listing, due)

    def _list(self) -> Listing:
        try:
            return list_flow_files(self._folder)
        except OSError:  # it went away since it was identified; the next rescan finds it lost
            return Listing(tuple(Path(path).name for path in self._book.seen))

    def _compare(self, listing: Listing, due: tuple[str, ...]) -> None:
        paths = [str(self._folder / name) for name in listing.names]
        changed = changed_paths(self._book.seen, {path: file_signature(path) for path in paths})
        if not self._book.scanned:
            self._look_at_all(changed, first_scan=True)
            self._book.scanned = True
            return
        unsettled = {*changed, *self._book.asked_again} - {*due, *self._book.restless}
        self._hint(tuple(sorted(unsettled)))
        self._look_at_all(due)

    def _lose(self) -> None:
        self._disarm()
        self._next_rescan = time.monotonic() + min(_LOST_RESCAN_S, self._rescan_s)
        if self._book.lost:
            return
        self._book.lost = True
        self._raise(
            "warning",
            "WATCH-004",
            f"the flows folder {self._folder} is not there",
            hint="flows that were loaded stay runnable; create the folder, or mount its disk",
        )

    def _arm(self, found: Identity | None) -> None:
        """Watch the folder that is there now; if that is impossible, look at it often."""
        from atomiton_runtime.actors.observing import FolderObserver

        if self._book.lost:
            self._book.lost = False
            self._raise("info", "WATCH-005", f"the flows folder {self._folder} is back")
        if self._observer is None and found == self._book.watched and time.monotonic() < self._next_arming:
            return
        self._disarm()
        self._book.watched = found
        self._next_arming = time.monotonic() + self._rescan_s
        try:
            self._observer = FolderObserver(self._folder, self._hints)
        except OSError as error:
            self._condition("WATCH-006", present=True, message=self._polling_message(error))
        else:
            self._condition("WATCH-006", present=False)

    @property
    def _polling_s(self) -> float:
        return min(_POLLING_RESCAN_S, self._rescan_s)

    def _polling_message(self, error: OSError) -> str:
        return f"{error.strerror or error}: {self._folder} is looked at every {self._polling_s:g} s instead"

    def _disarm(self) -> None:
        observer, self._observer = self._observer, None
        self._next_arming = 0.0
        if observer is not None:
            observer.stop()

    # -- the files -----------------------------------------------------------------------------------------

    def _look_at_all(self, paths: tuple[str, ...], *, first_scan: bool = False) -> None:
        for path in paths:
            look = look_at(path)
            if isinstance(look, Missing) and self._is_another_folder():
                # The file did not go: the folder did, while it was looked at.
                self._next_rescan = 0.0
                return
            if self._has_room_for(path):
                self._settle(path, look, first_scan=first_scan)

    def _is_another_folder(self) -> bool:
        return folder_identity(self._folder) != self._book.watched

    def _has_room_for(self, path: str) -> bool:
        return path in self._book.seen or len(self._book.seen) < FILES_LIMIT

    def _settle(self, path: str, look: Look, *, first_scan: bool) -> None:
        verdict = judge(
            path,
            self._book.seen.get(path),
            look,
            first_scan=first_scan,
            asked_again=path in self._book.asked_again,
        )
        if verdict.fact is not None:
            self._shelf.tell(verdict.fact)
        if verdict.restless:
            self._hint((path,))
            return
        self._book.asked_again.discard(path)
        self._remember(path, verdict.seen)

    def _remember(self, path: str, seen: Seen | None) -> None:
        if seen is None:
            self._book.seen.pop(path, None)
        else:
            self._book.seen[path] = seen

    # -- notices -------------------------------------------------------------------------------------------

    def _notice_conditions(self, listing: Listing) -> None:
        self._condition(
            "WATCH-007",
            present=listing.left_out > 0,
            message=f"{self._folder} holds {FILES_LIMIT + listing.left_out} flow files",
            hint=f"the first {FILES_LIMIT} by name are taken; move the others elsewhere",
        )
        refusal = distrust(self._folder / "*.toml")
        self._condition(
            "WATCH-008",
            present=refusal is not None,
            message=f"the flows of {self._folder} are not executed: others may write into it",
            hint=refusal.hint if refusal else None,
        )
        self._condition(
            "WATCH-010",
            present=bool(listing.undecodable),
            message=f"these file names are not valid Unicode: {', '.join(listing.undecodable[:10])}",
            hint="rename them",
        )

    def _condition(self, code: str, *, present: bool, message: str = "", hint: str | None = None) -> None:
        """Raise a notice when a lasting condition begins, and only then."""
        if present and code not in self._book.noticed:
            self._raise("warning", code, message, hint=hint)
        self._book.noticed = self._book.noticed | {code} if present else self._book.noticed - {code}

    def _raise(
        self, level: Literal["info", "warning"], code: str, message: str, hint: str | None = None
    ) -> None:
        notice = NoticeRaised(level=level, error=ErrorInfo(code, message, hint=hint))
        self._supervisor(Raise(notice=notice))
