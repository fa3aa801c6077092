"""Keeps the flows: answers them by id or path, and judges what the watcher finds in their files."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import assert_never

import msgspec

from atomiton_runtime.actors.base import Address, GuardedActor
from atomiton_runtime.actors.flow_files import SUFFIX, Content, Signature
from atomiton_runtime.actors.flow_names import FlowNames
from atomiton_runtime.actors.flow_reading import FlowReading
from atomiton_runtime.actors.flow_sources import FlowSources
from atomiton_runtime.actors.messages import (
    FileGone,
    FileSettled,
    FileUnreadable,
    FlowSaved,
    GetFlow,
    ListFlows,
    LoadFlow,
    LookAgain,
    Publish,
    ShelfMessage,
    TypesChanged,
)
from atomiton_runtime.actors.shelved import Shelved, entry, settle, without_content
from atomiton_runtime.actors.subflows import linked
from atomiton_runtime.actors.types_beside import ChangingCatalogue, type_notices
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.entry import FlowEntry
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice
from atomiton_runtime.storage.large_values import LargeValues


class ShelfBook:
    """The flows that are known: the state that outlives an incarnation of the shelf."""

    def __init__(self) -> None:
        self.shelved: dict[str, Shelved] = {}
        """Absolute path -> what is known of that file."""
        self.announced: dict[str, tuple[Problem, ...]] = {}
        """Path of a flow file -> the problems that were published last; empty: that it is loaded."""
        self.types = 0
        """The generation of the node types that the flows were checked with last."""
        self.type_problems: tuple[Problem, ...] = ()
        """What was wrong with node types when that was published last."""


class FlowShelf(GuardedActor[ShelfMessage]):
    """Holds the last valid version of each flow.

    Owns: what is known of each flow file. Receives: `GetFlow`, `LoadFlow` and `ListFlows` (asked by clients),
    `FileSettled`, `FileUnreadable`, `FileGone` and `TypesChanged` (from the watcher). Sends: `FlowSaved` to the
    conductor, `LookAgain` to the watcher, notices to the bus. Rank: SHELF. When it dies its successor has the same
    book and mailbox.

    Files are read when they are asked for and have changed since, so that without a watcher nothing is stale.
    That a file was *saved* is the watcher's word alone: what was loaded because somebody asked is told all the
    same once it has settled.
    """

    def __init__(
        self,
        address: Address,
        supervisor: Callable[[object], None],
        *,
        folder: Path,
        catalogue: ChangingCatalogue,
        conductor: Address,
        bus: Address,
        watcher: Address | None,
        book: ShelfBook,
        sources: LargeValues | None = None,
    ) -> None:
        super().__init__(address, supervisor)
        self._catalogue = catalogue
        self._conductor = conductor
        self._bus = bus
        self._watcher = watcher
        self._book = book
        self._shelved = book.shelved
        watched = watcher is not None
        self._names = FlowNames(folder, book.shelved, watched=watched)
        self._reading = FlowReading(self._names, catalogue, book.shelved, watched=watched)
        self._sources = FlowSources(sources, book.shelved)

    def begin(self) -> None:
        """Where somebody watches: look at the node types, before the first of them is needed."""
        if self._watcher is not None:
            self.address.tell(TypesChanged())

    def receive(self, message: ShelfMessage) -> Flow | tuple[FlowEntry, ...] | None:
        """Handle one message."""
        self._reading.begin()
        match message:
            case GetFlow(ref=ref):
                self._catalogue.refresh()
                return self._flow(ref)
            case LoadFlow():
                self._catalogue.refresh()
                return self._version(message)
            case ListFlows(only=only):
                self._catalogue.refresh()
                return self._entries(
                    self._names.file_names() if only is None else self._names.file_names_of(only)
                )
            case FileSettled():
                self._settle(message)
            case FileUnreadable(path=path, error=error):
                self._shelve_unreadable(path, error)
            case FileGone(path=path):
                self._remove(path)
            case TypesChanged():
                self._check_types()
            case _:
                assert_never(message)
        return None

    # -- asked by clients ----------------------------------------------------------------------------------

    def _flow(self, ref: str) -> Flow:
        is_path = os.sep in ref or "/" in ref or ref.endswith(SUFFIX)
        # A link to a flow file is a flow of its own, with its own id and folder: a Path would follow it, or keep `..`.
        path = os.path.abspath(os.path.expanduser(ref)) if is_path else self._names.path_of(ref)  # noqa: PTH100, PTH111  # as said
        shelved = self._reading.refreshed(path) if path else None
        if shelved is None:
            raise self._names.no_such_flow(ref, is_path=is_path)
        if shelved.flow is None:
            raise FlowInvalid(shelved.problems)
        return self._linked(self._sources.with_source(shelved, shelved.flow))

    def _version(self, wanted: LoadFlow) -> Flow:
        """Return a flow as it is wanted, which nobody else gets to see."""
        path, content = wanted.path, wanted.content
        if content is None:
            content = self._reading.content_of(path)
        if content is None:
            raise self._names.no_such_flow(path, is_path=True)
        loaded = self._reading.load(content, Shelved(path=path), wanted.changes)
        if not isinstance(loaded, Flow):
            raise FlowInvalid(loaded)
        return self._linked(loaded if wanted.changes else self._sources.with_text(loaded, content))

    def _linked(self, flow: Flow) -> Flow:
        return linked(flow, self._reading.refreshed, self._names.folder)

    def _entries(self, names: Iterable[str]) -> tuple[FlowEntry, ...]:
        shelved = (self._reading.refreshed(os.path.join(self._names.folder, name)) for name in set(names))  # noqa: PTH118  # of many
        return tuple(sorted((entry(each) for each in shelved if each), key=lambda each: each.id))

    # -- told by the watcher -------------------------------------------------------------------------------

    def _settle(self, message: FileSettled) -> None:
        before = self._shelved.get(message.path) or Shelved(path=message.path)
        content_hash = hashlib.sha256(message.content).hexdigest()
        # What the file was like when the shelf itself read this very content still stands for it.
        signature = before.signature if before.hash == content_hash else None
        content = Content(message.content, content_hash, signature or _UNKNOWN)
        saving, now = settle(
            self._reading.loaded(before, content),
            content_hash,
            first_scan=message.first_scan,
            second_look=message.second_look,
        )
        self._shelved[message.path] = now
        match saving:
            case "nothing":
                return
            case "look-again":
                if self._watcher is not None:
                    self._watcher.tell(LookAgain(path=message.path))
            case "broken":
                self._publish(_broken(now))
            case "loaded" | "saved":
                assert now.flow is not None
                self._publish(_loaded(now))
                if saving == "saved":
                    self._run_saved(now, now.flow)
            case _:
                assert_never(saving)

    def _run_saved(self, shelved: Shelved, flow: Flow) -> None:
        try:
            self._conductor.tell(FlowSaved(flow=self._linked(self._sources.with_source(shelved, flow))))
        except FlowInvalid as error:
            self._publish(_broken(msgspec.structs.replace(shelved, problems=error.problems, flow=None)))

    def _shelve_unreadable(self, path: str, error: ErrorInfo) -> None:
        before = self._shelved.get(path) or Shelved(path=path)
        now = msgspec.structs.replace(without_content(before, error, None), lost=True)
        self._shelved[path] = now
        self._publish(_broken(now))

    def _remove(self, path: str) -> None:
        known = self._shelved.pop(path, None)
        if known is not None:
            self._publish(FlowRemoved(flow=known.id, path=path))

    def _check_types(self) -> None:
        """Say what is wrong with node types now, and check again the flows that use them."""
        self._catalogue.names()  # also those that no flow uses: what is wrong with one is said before it is needed
        generation, problems = self._catalogue.generation, self._catalogue.problems
        if generation == self._book.types and problems == self._book.type_problems:
            return
        for notice in type_notices(self._book.type_problems, problems):
            self._publish(notice)
        self._book.type_problems = problems
        for path, announced in tuple(self._book.announced.items()):
            now = self._reading.refreshed(path)
            if now is not None and now.problems != announced:
                self._publish(_broken(now) if now.problems else _loaded(now))
        self._book.types = generation

    def _publish(self, notice: Notice) -> None:
        match notice:
            case FlowLoaded(path=path):
                self._book.announced[path] = ()
            case FlowBroken(path=path, problems=problems):
                self._book.announced[path] = problems
            case FlowRemoved(path=path):
                self._book.announced.pop(path, None)
            case _:
                pass
        self._bus.tell(Publish(facts=(notice,)))


_UNKNOWN = Signature(0, 0, 0, -1, 0, 0)
"""Of content that only the watcher has read: unlike that of any file, so the file is read when it is asked for."""


def _loaded(shelved: Shelved) -> FlowLoaded:
    return FlowLoaded(flow=shelved.id, path=shelved.path, hash=shelved.hash or "")


def _broken(shelved: Shelved) -> FlowBroken:
    return FlowBroken(
        flow=shelved.id,
        path=shelved.path,
        problems=shelved.problems,
        runnable=shelved.flow is not None,
    )
