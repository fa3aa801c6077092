"""Finds results of earlier executions in a store of folders: what was read of a journal once is remembered."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.run.events import RunEvent, RunQueued
from atomiton_runtime.run.reuse import Digest
from atomiton_runtime.storage import run_folder
from atomiton_runtime.storage.failures import reported
from atomiton_runtime.storage.results import Execution, Found, ResultIndex, Results


class FolderResults(Results):
    """Reads the journals of a flow when it is first asked about it, and those that are new with each `newest_runs`."""

    def __init__(self, root: Path, run_folders: Callable[[FlowId], Sequence[Path]]) -> None:
        """Use the runs in a store.

        Args:
            root: the store, as messages name it.
            run_folders: gives the folders of the runs of a flow, newest first; from every thread.
        """
        self._root = root
        self._run_folders = run_folders
        self._index = ResultIndex(self._events)
        self._sizes: dict[Path, int] = {}
        """Folder of a run -> how much of its journal is known (bytes)."""
        self._folders: dict[RunId, Path] = {}
        self._known: set[str] = set()
        """The paths of the flows that were asked about."""
        self._lock = threading.RLock()

    def add(self, flow_path: str, events: Sequence[RunEvent]) -> None:
        """Take in what was kept just now, where anybody asks about the flow."""
        with self._lock:
            if flow_path in self._known:
                self._index.add(flow_path, events)

    def forget(self, run_ids: Sequence[RunId]) -> None:
        """Forget what runs have added."""
        with self._lock:
            self._index.forget(run_ids)
            for run_id in run_ids:
                self._sizes.pop(self._folders.pop(run_id, self._root), None)

    def find(self, flow_path: str, node: NodeId, key: Digest) -> Found | None:
        """Return the newest result with this key."""
        self._look_at(flow_path)
        return self._index.find(flow_path, node, key)

    def latest(self, flow_path: str, node: NodeId, *, besides: Execution | None = None) -> Execution | None:
        """Return the last execution that may have changed the outside."""
        self._look_at(flow_path)
        return self._index.latest(flow_path, node, besides=besides)

    def newest_runs(self, flow_path: str, *, limit: int) -> tuple[RunId, ...]:
        """Return the newest runs of a flow's file, after a look at what other processes have kept."""
        self._look_at(flow_path, again=True)
        return self._index.newest_runs(flow_path, limit=limit)

    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run."""
        return tuple(self._events(run_id))

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._index.clear()
            self._sizes.clear()
            self._folders.clear()
            self._known.clear()

    def _look_at(self, flow_path: str, *, again: bool = False) -> None:
        with self._lock, reported("STORE-011", "read", self._root):
            if flow_path in self._known and not again:
                return
            self._known.add(flow_path)
            folders = self._run_folders(FlowId(Path(flow_path).stem))
            for folder in reversed(folders):  # the newest last: its results count
                self._take(folder)
            gone = [run_id for run_id, folder in self._folders.items() if not folder.is_dir()]
            if gone:
                self.forget(gone)

    def _take(self, folder: Path) -> None:
        events_file = folder / run_folder.EVENTS
        size = events_file.stat().st_size if events_file.exists() else 0
        if self._sizes.get(folder) == size:
            return
        self._sizes[folder] = size
        events = run_folder.events_of(folder)
        if events and isinstance(first := events[0], RunQueued):
            self._folders[first.run_id] = folder
            self._known.add(first.flow_path)
            self._index.add(first.flow_path, events)

    def _events(self, run_id: RunId) -> Sequence[RunEvent]:
        folder = self._folders.get(run_id)
        if folder is None:
            return ()
        with reported("STORE-011", "read", folder):
            return run_folder.events_of(folder)
