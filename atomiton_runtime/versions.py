"""Finds the texts of a flow's versions: what its file says now, and what an earlier run has executed."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from atomiton_runtime.actors.flow_files import Content, look_at
from atomiton_runtime.errors import StorageError
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.positions import Positions
from atomiton_runtime.ids import NodeId
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run.events import RunEvent, RunQueued
from atomiton_runtime.run.reasons import Reason, key_path
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.results import Results
from atomiton_runtime.values import LargeValue


def text_of(flow: Flow) -> str | None:
    """Return the text of a version of a flow, each line of it ending with LF; None: its file has a newer one."""
    look = look_at(flow.path)
    if not isinstance(look, Content) or look.hash != flow.hash:
        return None
    return look.data.decode("utf-8-sig").replace("\r\n", "\n")


def source_of(first: RunEvent | None, large_values: LargeValues) -> bytes | None:
    """Return the content of the flow file that a run has executed; None: it is not kept, or not any more.

    Args:
        first: the first event of the run.
        large_values: of the store.
    """
    if not isinstance(first, RunQueued) or not isinstance(first.source, LargeValue):
        return None
    try:
        return large_values.read(first.source)
    except StorageError:
        return None


def version_before(
    flow: Flow, results: Results, large_values: LargeValues, catalogue: NodeCatalogue
) -> Flow | None:
    """Return the version of a flow that was executed last; None: it is not known, or not valid any more."""
    for run_id in results.newest_runs(flow.path, limit=1):
        content = source_of(next(iter(results.journal(run_id)), None), large_values)
        loaded = None if content is None else load_flow(content, Path(flow.path), catalogue)
        return loaded if isinstance(loaded, Flow) else None
    return None


class Places:
    """Finds reasons in a flow's file; parses that only once it is asked for one."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._text: str | None = None
        self._positions: Positions | None = None

    def of(self, found: Sequence[Reason], node_id: NodeId) -> tuple[Reason, ...]:
        """Return the reasons for what became of a node, each with its line where it has one."""
        names = [name for name in node_id.split("/") if not name.isdecimal()]
        node_path = tuple(part for name in names for part in ("nodes", name))
        return tuple(
            reason
            if (line := self._line(key_path(reason.part, node_path))) is None
            else msgspec.structs.replace(reason, line=line)
            for reason in found
        )

    def _line(self, path: tuple[str, ...] | None) -> int | None:
        if path is None:
            return None
        if self._positions is None:
            self._text = text_of(self._flow) or ""
            self._positions = Positions(self._text)
        place = self._positions.find(path)
        return None if place is None else (self._text or "").count("\n", 0, place.key.start) + 1
