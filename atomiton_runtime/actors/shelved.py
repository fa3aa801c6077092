"""Decides what new content of a flow file means for the flows that are known. Pure: values in, values out."""

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from atomiton_runtime.actors.flow_files import Signature
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.entry import FlowEntry
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import Problem
from atomiton_runtime.ids import FlowId

Loaded: TypeAlias = Flow | tuple[Problem, ...]
"""A valid flow, or all that is wrong with it."""


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one flow file."""

    path: str
    """Absolute."""
    signature: Signature | None = None
    """Of the file when it was last read by the shelf itself; None: never."""
    hash: str | None = None
    """Of the content that `problems` is about; None: the file cannot be read, or was not."""
    flow: Flow | None = None
    """The last valid version."""
    problems: tuple[Problem, ...] = ()
    types: int = 0
    """The generation of the node types that it was checked with."""
    settled: str | None = None
    """Hash of the content that the watcher told last; None: it told none yet, so a saving is not known."""
    saved: str | None = None
    """Hash of the last valid content that the watcher told: the one that ran, or need not run."""

    lost: bool = False
    """True: the last that the watcher told is that the file cannot be read, whatever was read since."""

    @property
    def id(self) -> FlowId:
        """The flow's id."""
        return flow_id(self.path)


Saving = Literal["nothing", "look-again", "broken", "loaded", "saved"]
"""What settled content amounts to: no news; perhaps half written; problems; a valid flow; a valid flow to be run."""


def flow_id(path: str) -> FlowId:
    """Return the id of the flow whose file is `path`: the file's stem."""
    return FlowId(Path(path).stem)


def with_content(
    shelved: Shelved, loaded: Loaded, content_hash: str, signature: Signature | None, *, types: int = 0
) -> Shelved:
    """Return what is known of a file once its present content has been loaded; the last valid flow stays."""
    seen = msgspec.structs.replace(shelved, signature=signature, hash=content_hash, types=types)
    if isinstance(loaded, Flow):
        return msgspec.structs.replace(seen, flow=loaded, problems=())
    return msgspec.structs.replace(seen, problems=loaded)


def without_content(shelved: Shelved, error: ErrorInfo, signature: Signature | None) -> Shelved:
    """Return what is known of a file that cannot be read; the last valid flow stays."""
    problem = unreadable_problem(shelved.path, error)
    return msgspec.structs.replace(shelved, signature=signature, hash=None, problems=(problem,))


def unreadable_problem(path: str, error: ErrorInfo) -> Problem:
    """Return the problem of a file that cannot be read."""
    return Problem(code=error.code, message=error.message, file=path, line=1, column=1, hint=error.hint)


def settle(
    shelved: Shelved, content_hash: str, *, first_scan: bool, second_look: bool
) -> tuple[Saving, Shelved]:
    """Return what settled content amounts to, and what is known of the file from now on.

    Args:
        shelved: what is known of the file, with the content loaded.
        content_hash: of the content.
        first_scan: it was there when watching began.
        second_look: it had problems before, and has had another quiet time to become whole.
    """
    told = shelved.settled == content_hash
    if told and not shelved.lost and not second_look:
        return "nothing", shelved
    if shelved.problems:
        if not second_look:
            # Not settled yet: if it is half written, the whole of it is the first that was told.
            return "look-again", shelved
        return "broken", msgspec.structs.replace(shelved, settled=content_hash, lost=False)
    new = shelved.settled is None
    now = msgspec.structs.replace(shelved, settled=content_hash, saved=content_hash, lost=False)
    if new or first_scan or told or shelved.saved == content_hash or _wants_no_run(shelved.flow):
        return "loaded", now
    return "saved", now


def entry(shelved: Shelved) -> FlowEntry:
    """Return a flow file as a list shows it."""
    flow = shelved.flow
    if flow is None:
        return FlowEntry(
            id=shelved.id, name=shelved.id, path=shelved.path, problems=shelved.problems, runnable=False
        )
    return FlowEntry(
        id=flow.id,
        name=flow.name,
        description=flow.description,
        path=shelved.path,
        tray=flow.settings.tray,
        notify=flow.settings.notify,
        problems=shelved.problems,
        runnable=True,
        variables=flow.variables,
    )


def _wants_no_run(flow: Flow | None) -> bool:
    return flow is not None and flow.settings.on_save == "off"
