"""Reads flow files when they have changed since they were read last."""

import logging
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

import msgspec

from atomiton_runtime.actors.flow_files import (
    Changing,
    Content,
    Look,
    Missing,
    Unreadable,
    file_signature,
    folder_identity,
    look_at,
)
from atomiton_runtime.actors.flow_names import FlowNames
from atomiton_runtime.actors.shelved import (
    Loaded,
    Shelved,
    unreadable_problem,
    with_content,
    without_content,
)
from atomiton_runtime.actors.types_beside import ChangingCatalogue
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.findings import KeyPath
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import FlowInvalid, Problem
from atomiton_runtime.trust import CODE as TRUST_CODE
from atomiton_runtime.trust import Judge

log = logging.getLogger(__name__)

_LOOKS_AT_A_CHANGING_FILE = 5


class FlowReading:
    """What each flow file is now. The shelf's alone."""

    def __init__(
        self,
        names: FlowNames,
        catalogue: ChangingCatalogue,
        shelved: MutableMapping[str, Shelved],
        *,
        watched: bool,
    ) -> None:
        """Read files.

        Args:
            names: says what is a flow of the folder.
            catalogue: the node types that flows are checked with.
            shelved: absolute path -> what is known of that file; brought up to date.
            watched: somebody says when a file is gone.
        """
        self._names = names
        self._catalogue = catalogue
        self._shelved = shelved
        self._watched = watched
        self._trust = Judge()

    def begin(self) -> None:
        """Begin with a message: its folders are looked at once, and not for each of their files."""
        self._trust = Judge()

    def refreshed(self, path: str) -> Shelved | None:
        """Return what is known of a file, after reading it if it has changed; None if there is none."""
        known = self._shelved.get(path)
        signature = file_signature(path)
        unchanged = signature is not None and known is not None and known.signature == signature
        if known is not None and unchanged and not self._is_outdated(known):
            return known
        match _patient_look(path):
            case Content() as look:
                fresh = self.loaded(known or Shelved(path=path), look)
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
        watched = self._watched or folder_identity(self._names.folder) is None
        if watched and self._names.is_in_folder(path):
            return self._shelved.get(path)
        self._shelved.pop(path, None)
        return None

    def loaded(self, shelved: Shelved, content: Content) -> Shelved:
        """Return what is known of a file once it is found to have this content."""
        if shelved.hash == content.hash and not self._is_outdated(shelved):
            return msgspec.structs.replace(shelved, signature=content.signature)
        types = self._catalogue.generation
        refusal = self._trust.distrust(shelved.path)
        if refusal is not None:
            problems = (unreadable_problem(shelved.path, refusal),)
            return with_content(shelved, problems, content.hash, content.signature, types=types)
        loaded = self.load(content.data, shelved)
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

    def load(self, data: bytes, shelved: Shelved, changes: Mapping[KeyPath, object] | None = None) -> Loaded:
        """Return the flow of a text, with changes, or what is wrong with it; whatever the loader does."""
        path = shelved.path
        try:
            return load_flow(data, Path(path), self._catalogue, shelved.flow, changes)
        except Exception as error:  # a border: one file must not take the other flows along
            log.error("the loader failed on %s", path, exc_info=error)
            message = f"the runtime itself failed on this file: {error!r}"
            hint = "please report this, with the file"
            return (Problem(code="WATCH-009", message=message, file=path, line=1, column=1, hint=hint),)

    def content_of(self, path: str) -> bytes | None:
        """Return what a file contains now; None: there is none.

        Raises:
            FlowInvalid: it cannot be read, or others than its owner can write it.
        """
        match _patient_look(path):
            case Content(data=content):
                pass
            case Unreadable(error=error):
                raise FlowInvalid((unreadable_problem(path, error),))
            case Changing():
                raise FlowInvalid((unreadable_problem(path, _changing(path)),))
            case Missing():
                return None
        refusal = self._trust.distrust(path)
        if refusal is not None:
            raise FlowInvalid((unreadable_problem(path, refusal),))
        return content


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
