"""Finds the texts of a flow's versions: what its file says now, and what an earlier run has executed."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from atomiton_runtime.actors.flow_files import Content, look_at
from atomiton_runtime.errors import StorageError
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run.definition_difference import changes
from atomiton_runtime.run.events import RunEvent, RunQueued
from atomiton_runtime.run.reason import Reason
from atomiton_runtime.run.reasons import Edits
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.results import Results
from atomiton_runtime.values import LargeValue

if TYPE_CHECKING:
    from atomiton_runtime.flow.positions import Positions


class Versions:
    """The texts of the versions of one flow, each read once, and only when it is asked for."""

    def __init__(self, flow: Flow, results: Results, large_values: LargeValues) -> None:
        self._flow = flow
        self._results = results
        self._large_values = large_values
        self._texts: dict[RunId, str | None] = {}
        self._edits: dict[tuple[RunId, RunId | None], Edits] = {}

    @cached_property
    def now(self) -> str | None:
        """The text of the flow's present version; None: its file has a newer one."""
        look = look_at(self._flow.path)
        if not isinstance(look, Content) or look.hash != self._flow.hash:
            return None
        return _text(look.data)

    def of(self, run_id: RunId) -> str | None:
        """Return the text that a run has executed; None: it is not kept, or not any more."""
        if run_id not in self._texts:
            self._texts[run_id] = self._read(run_id)
        return self._texts[run_id]

    def edits(self, old: RunId, new: RunId | None = None) -> Edits:
        """Return what was edited since a run, up to another one or up to now; none: that is not known."""
        if (old, new) not in self._edits:
            before = self.of(old)
            after = self.now if new is None else self.of(new)
            found = None if before is None or after is None else changes(before, after)
            self._edits[old, new] = found or ()
        return self._edits[old, new]

    def placed(self, found: Sequence[Reason]) -> tuple[Reason, ...]:
        """Return reasons, each with the line that it has in the present version, where it has one."""
        return tuple(msgspec.structs.replace(reason, line=self._line(reason.key)) for reason in found)

    def _line(self, key: tuple[str, ...]) -> int | None:
        if not key or self.now is None:
            return None
        place = self._positions.find(key)
        return None if place is None else self.now.count("\n", 0, place.key.start) + 1

    @cached_property
    def _positions(self) -> "Positions":
        # The second parser is loaded only when there is a place to be shown.
        from atomiton_runtime.flow.positions import Positions

        return Positions(self.now or "")

    def _read(self, run_id: RunId) -> str | None:
        first = next(iter(self._results.journal(run_id)), None)
        return None if first is None else text_of(first, self._large_values.read)


def content_of(first: RunEvent, read: Callable[[LargeValue], bytes]) -> bytes | None:
    """Return the content of the flow's file that a run's first event mentions; None: it is not kept, or no longer."""
    if not isinstance(first, RunQueued) or not isinstance(first.source, LargeValue):
        return None
    try:
        return read(first.source)
    except StorageError:
        return None


def text_of(first: RunEvent, read: Callable[[LargeValue], bytes]) -> str | None:
    """Return the same as a text."""
    content = content_of(first, read)
    try:
        return None if content is None else _text(content)
    except UnicodeDecodeError:
        return None


def written_at(node: NodeId) -> tuple[str, ...]:
    """Return the keys that lead to a node in the flow's file: `nodes.each.nodes.resize` for `each/3/resize`."""
    names = [name for name in node.split("/") if not name.isdecimal()]
    return tuple(key for name in names for key in ("nodes", name))


def _text(content: bytes) -> str:
    """Return the text of a file, each line of it ending with LF."""
    return content.decode("utf-8-sig").replace("\r\n", "\n")
