"""Keeps the flows: answers them by id or path, and judges what the watcher finds in their files."""

import contextlib
import errno
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import assert_never

import msgspec

from atomiton_runtime.actors.base import Address, GuardedActor
from atomiton_runtime.actors.flow_files import (
    SUFFIX,
    Changing,
    Content,
    Look,
    Missing,
    Signature,
    Unreadable,
    file_signature,
    folder_identity,
    is_flow_file,
    list_flow_files,
    look_at,
)
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
from atomiton_runtime.actors.shelved import (
    Loaded,
    Shelved,
    entry,
    settle,
    unreadable_problem,
    with_content,
    without_content,
)
from atomiton_runtime.actors.subflows import linked
from atomiton_runtime.actors.types_beside import ChangingCatalogue, type_notices
from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable, StorageError, UsageError
from atomiton_runtime.flow.entry import FlowEntry
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.ids import FlowId
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.trust import CODE as TRUST_CODE
from atomiton_runtime.trust import Judge

log = logging.getLogger(__name__)

_LOOKS_AT_A_CHANGING_FILE = 5
_SHORTAGE = (errno.EMFILE, errno.ENFILE)
_REFUSAL = (errno.EACCES, errno.EPERM, errno.ENOTDIR)


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
        self._folder = Path(os.path.abspath(folder))  # noqa: PTH100  # one spelling, and links stay links
        self._catalogue = catalogue
        self._conductor = conductor
        self._bus = bus
        self._watcher = watcher
        self._book = book
        self._shelved = book.shelved
        self._sources = sources
        """Keeps the text of each version of a flow that is asked for; None: nobody does."""
        self._trust = Judge()
        """Of the message that is being handled: its folders are looked at once, and not for each of their files."""

    def begin(self) -> None:
        """Where somebody watches: look at the node types, before the first of them is needed."""
        if self._watcher is not None:
            self.address.tell(TypesChanged())

    def receive(self, message: ShelfMessage) -> Flow | tuple[FlowEntry, ...] | None:
        """Handle one message."""
        self._trust = Judge()
        match message:
            case GetFlow(ref=ref):
                self._catalogue.refresh()
                return self._flow(ref)
            case LoadFlow():
                self._catalogue.refresh()
                return self._version(message)
            case ListFlows(only=only):
                self._catalogue.refresh()
                return self._entries(self._names() if only is None else self._names_of(only))
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
        path = os.path.abspath(os.path.expanduser(ref)) if is_path else self._path_of(ref)  # noqa: PTH100, PTH111  # as said
        shelved = self._refreshed(path) if path else None
        if shelved is None:
            raise self._no_such_flow(ref, is_path=is_path)
        if shelved.flow is None:
            raise FlowInvalid(shelved.problems)
        return self._linked(self._with_source(shelved, shelved.flow))

    def _with_source(self, shelved: Shelved, flow: Flow) -> Flow:
        """Return a flow with its text kept, so that what has changed since can be told later on."""
        sources = self._sources
        if sources is None or (flow.source is not None and sources.renew(flow.source)):
            return flow
        look = look_at(flow.path)
        if not isinstance(look, Content) or look.hash != flow.hash:
            return flow  # a newer version is there already
        try:
            flow = msgspec.structs.replace(flow, source=sources.keep(look.data))
        except StorageError as error:
            log.warning("the text of %s cannot be kept: %s", flow.path, error.message)
            return flow
        self._shelved[shelved.path] = msgspec.structs.replace(shelved, flow=flow)
        return flow

    def _version(self, wanted: LoadFlow) -> Flow:
        """Return a flow as it is wanted, which nobody else gets to see."""
        path, content = wanted.path, wanted.content
        if content is None:
            match _patient_look(path):
                case Content(data=content):
                    pass
                case Unreadable(error=error):
                    raise FlowInvalid((unreadable_problem(path, error),))
                case Changing():
                    raise FlowInvalid((unreadable_problem(path, _changing(path)),))
                case Missing():
                    raise self._no_such_flow(path, is_path=True)
            refusal = self._trust.distrust(path)
            if refusal is not None:
                raise FlowInvalid((unreadable_problem(path, refusal),))
        loaded = self._load(content, Shelved(path=path), wanted.changes)
        if not isinstance(loaded, Flow):
            raise FlowInvalid(loaded)
        if self._sources is not None and not wanted.changes:
            with contextlib.suppress(StorageError):  # a full disk is told of where results cannot be kept
                loaded = msgspec.structs.replace(loaded, source=self._sources.keep(content))
        return self._linked(loaded)

    def _linked(self, flow: Flow) -> Flow:
        return linked(flow, self._refreshed, self._folder)

    def _path_of(self, flow_id: str) -> str | None:
        """Return the path of a flow of the folder.

        The name must be exactly one of the folder's: where file names ignore case, `Sum` and `sum` would otherwise be
        two flows in one file.
        """
        path = str(self._folder / f"{flow_id}{SUFFIX}")
        return path if path in self._shelved or f"{flow_id}{SUFFIX}" in self._names() else None

    def _entries(self, names: Iterable[str]) -> tuple[FlowEntry, ...]:
        shelved = (self._refreshed(os.path.join(self._folder, name)) for name in set(names))  # noqa: PTH118  # of many
        return tuple(sorted((entry(each) for each in shelved if each), key=lambda each: each.id))

    def _names_of(self, flows: Iterable[FlowId]) -> tuple[str, ...]:
        """Return the file names of those flows that the folder holds; it is listed if one of them is not known yet."""
        names = {f"{flow}{SUFFIX}" for flow in flows}
        if all(self._is_known(name) for name in names):
            return tuple(names)
        return tuple(names.intersection(self._names()))

    def _is_known(self, name: str) -> bool:
        path = str(self._folder / name)
        return path in self._shelved and self._is_in_folder(path)

    def _names(self) -> tuple[str, ...]:
        """Return the names of the folder's flow files; also those that are about to be declared gone."""
        known = tuple(Path(path).name for path in self._shelved if self._is_in_folder(path))
        try:
            found = list_flow_files(self._folder).names
        except OSError as error:  # an unmounted disk takes no flow away
            if error.errno in _SHORTAGE or (error.errno in _REFUSAL and not self._watcher):
                raise _folder_refused(self._folder, error) from error
            return known
        return (*found, *known) if self._watcher else found

    def _no_such_flow(self, ref: str, *, is_path: bool) -> UsageError:
        ids = sorted({name.removesuffix(SUFFIX) for name in self._names()})
        hint = did_you_mean(Path(ref).stem if is_path else ref, ids)
        if is_path:
            return UsageError(
                "FLOW-404",
                f"there is no flow file {ref}",
                hint=hint or "`atomiton list` shows the flows there are",
            )
        return UsageError(
            "FLOW-404",
            f"there is no flow `{ref}`",
            hint=hint or f"a flow is a file NAME{SUFFIX} in {self._folder}, or the path of one",
        )

    # -- from the disk -------------------------------------------------------------------------------------

    def _refreshed(self, path: str) -> Shelved | None:
        """Return what is known of a file, after reading it if it has changed; None if there is none."""
        known = self._shelved.get(path)
        signature = file_signature(path)
        unchanged = signature is not None and known is not None and known.signature == signature
        if known is not None and unchanged and not self._is_outdated(known):
            return known
        match _patient_look(path):
            case Content() as look:
                fresh = self._loaded(known or Shelved(path=path), look)
            case Unreadable(error=error, signature=signature):
                fresh = without_content(known or Shelved(path=path), error, signature)
            case Changing():
                fresh = known or without_content(Shelved(path=path), _changing(path), None)
            case Missing():
                return self._known_though_missing(path)
        self._shelved[path] = fresh
        return fresh

    def _known_though_missing(self, path: str) -> Shelved | None:
        # An editor may be about to put the file back: that it is gone is for the watcher to say.
        watched = self._watcher is not None or folder_identity(self._folder) is None
        if watched and self._is_in_folder(path):
            return self._shelved.get(path)
        self._shelved.pop(path, None)
        return None

    def _loaded(self, shelved: Shelved, content: Content) -> Shelved:
        if shelved.hash == content.hash and not self._is_outdated(shelved):
            return msgspec.structs.replace(shelved, signature=content.signature)
        types = self._catalogue.generation
        refusal = self._trust.distrust(shelved.path)
        if refusal is not None:
            problems = (unreadable_problem(shelved.path, refusal),)
            return with_content(shelved, problems, content.hash, content.signature, types=types)
        loaded = self._load(content.data, shelved)
        return with_content(shelved, loaded, content.hash, content.signature, types=types)

    def _is_outdated(self, shelved: Shelved) -> bool:
        """Return whether who can write the file, or node types that it uses or lacks, may have changed since then."""
        refused = any(problem.code == TRUST_CODE for problem in shelved.problems)
        if refused != (self._trust.distrust(shelved.path) is not None):
            return True
        if shelved.types == self._catalogue.generation:
            return False
        flow = shelved.flow
        return bool(shelved.problems) or flow is None or not _uses_only(flow, self._catalogue.is_fixed)

    def _load(self, data: bytes, shelved: Shelved, changes: Mapping[KeyPath, object] | None = None) -> Loaded:
        path = shelved.path
        try:
            return load_flow(data, Path(path), self._catalogue, shelved.flow, changes)
        except Exception as error:  # a border: one file must not take the other flows along
            log.error("the loader failed on %s", path, exc_info=error)
            message = f"the runtime itself failed on this file: {error!r}"
            hint = "please report this, with the file"
            return (Problem(code="WATCH-009", message=message, file=path, line=1, column=1, hint=hint),)

    def _is_in_folder(self, path: str) -> bool:
        return Path(path).parent == self._folder and is_flow_file(Path(path).name)

    # -- told by the watcher -------------------------------------------------------------------------------

    def _settle(self, message: FileSettled) -> None:
        before = self._shelved.get(message.path) or Shelved(path=message.path)
        content_hash = hashlib.sha256(message.content).hexdigest()
        # What the file was like when the shelf itself read this very content still stands for it.
        signature = before.signature if before.hash == content_hash else None
        content = Content(message.content, content_hash, signature or _UNKNOWN)
        saving, now = settle(
            self._loaded(before, content),
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
            self._conductor.tell(FlowSaved(flow=self._linked(self._with_source(shelved, flow))))
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
            now = self._refreshed(path)
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


def _folder_refused(folder: Path, error: OSError) -> RuntimeUnusable:
    hints = {errno.EACCES: "allow yourself to read it", errno.ENOTDIR: "name a folder with --flows"}
    return RuntimeUnusable(
        "WATCH-001",
        f"the flows folder {folder} cannot be read: {error.strerror}",
        hint=hints.get(error.errno or 0, "raise the limit (`ulimit -n`)"),
    )


def _changing(path: str) -> ErrorInfo:
    return ErrorInfo("WATCH-001", f"{Path(path).name} is being written to all the time")


def _patient_look(path: str) -> Look:
    for _ in range(_LOOKS_AT_A_CHANGING_FILE):
        look = look_at(path)
        if not isinstance(look, Changing):
            return look
    return Changing()


def _uses_only(flow: Flow, is_fixed: Callable[[str], bool]) -> bool:
    return all(is_fixed(node.type) for node in flow.nodes)


def _loaded(shelved: Shelved) -> FlowLoaded:
    return FlowLoaded(flow=shelved.id, path=shelved.path, hash=shelved.hash or "")


def _broken(shelved: Shelved) -> FlowBroken:
    return FlowBroken(
        flow=shelved.id,
        path=shelved.path,
        problems=shelved.problems,
        runnable=shelved.flow is not None,
    )
