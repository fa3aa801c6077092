"""Keeps each run in a folder of its own, readable with `cat`.

    <root>/store.toml                       the version of this layout
    <root>/<flow>/<run id>/run.toml         status, times, variables, error
    <root>/<flow>/<run id>/events.jsonl     the journal, an event a line
    <root>/.values/<hash>                   large values

One line that changes no summary is appended as it is: what `kill -9` leaves of it has no end of line, was never
acknowledged, and is cut off by the next append. Every other group goes under an undo note (see `undo`).
All access is under one lock of the operating system, which a dead process cannot hold.
"""

import re
import shutil
import tomllib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

import filelock

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.storage import run_folder
from atomiton_runtime.storage.additions import Addition, Tail, plan_additions
from atomiton_runtime.storage.engine import Durability, StorageEngine, StoredRun
from atomiton_runtime.storage.failures import damaged, not_open, not_there, only_readable, reported
from atomiton_runtime.storage.folder_results import FolderResults
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.undo import UndoNote

LAYOUT_VERSION = 1
_STORE = "store.toml"
_ABOUT = f"# A store of atomiton: a folder a flow, in it a folder a run.\nversion = {LAYOUT_VERSION}\n"
_DELETED = ".deleted"
_VALUES = ".values"
_MENTION = re.compile(rb'([0-9a-f]{64})","size_bytes":')
_READERS = 256
"""So many runs may be read part by part at a time; the place of one more is looked for from the beginning."""
_UNSAFE = re.compile(r"^\.|[^\w .@+-]")


class FilesystemEngine(StorageEngine):
    """Holds events as files below one folder; one lock for all who use it."""

    def __init__(
        self, root: Path, *, durability: Durability = "process", busy_timeout_s: float = 10.0
    ) -> None:
        """Use the folder `root`, created by `open` when it is missing.

        Args:
            root: the store's folder; it holds nothing else.
            durability: "process" or "power" (each append then waits for the disk).
            busy_timeout_s: how long to wait for another process that uses the store.
        """
        super().__init__()
        self._root = root.absolute()
        self._sync = durability == "power"
        self.url = f"files:///{self._root}"
        self.durability = durability
        self.large_values = LargeValues(self._root / _VALUES, sync=self._sync)
        self._lock = filelock.FileLock(
            self._root / ".lock", timeout=busy_timeout_s, thread_local=False, is_singleton=False
        )
        self.results = self._index = FolderResults(self._root, self._runs_of)
        self._undo = UndoNote(self._root, sync=self._sync)
        self._is_open = self._only_reads = False
        self._folders: dict[RunId, Path] = {}
        self._tails: dict[RunId, tuple[int, Tail]] = {}
        """Active run -> the size of its events.jsonl (bytes) and its tail at that size."""
        self._read_to: dict[RunId, tuple[int, int]] = {}
        """Run -> the event up to which it was read last, and where in its events.jsonl that is (bytes)."""
        self._listed: dict[Path, tuple[tuple[int, int], StoredRun]] = {}
        """Run folder -> what identifies the version of its run.toml, and what it says."""
        self._mentions: dict[Path, tuple[int, frozenset[str]]] = {}
        """Run folder -> the size of its events.jsonl (bytes), and the large values that are named there."""

    def open(self) -> None:
        """Create the folder or check it, take back what a dead process left unfinished, sweep large values."""
        with reported("STORE-001", "create the folder", self._root):
            self._root.mkdir(parents=True, exist_ok=True)
        self._is_open = True
        try:
            with self._locked("STORE-001", "open"):
                self._check_layout()
                shutil.rmtree(self._root / _DELETED, ignore_errors=True)
                self._sweep()
        except StorageError:
            self._is_open = False
            raise

    def open_for_reading(self) -> None:
        """Check the folder, and use it without the lock, which could not be taken."""
        if not (self._root / _STORE).exists():
            raise not_there(self._root)
        with reported("STORE-001", "open", self._root):
            self._check_layout()
        self._is_open = self._only_reads = True

    def append(self, events: Sequence[RunEvent]) -> None:
        """Add events of any number of runs, all or none."""
        with self._locked("STORE-002", "write"):
            additions = plan_additions(events, self._tail, self._stored_line)
            self._store({run_id: addition for run_id, addition in additions.items() if addition.lines})
        self._count(additions)

    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run in the order of `seq`."""
        with self._locked("STORE-011", "read"):
            folder = self._folder(run_id)
            return run_folder.events_of(folder) if folder else ()

    def part(self, run_id: RunId, place: int, *, limit_bytes: int) -> tuple[RunEvent, ...]:
        """Return the events of a run from `place` on that weigh so much."""
        with self._locked("STORE-011", "read"):
            folder = self._folder(run_id)
            if folder is None:
                return ()
            known = self._read_to.pop(run_id, (0, 0))
            after, events = run_folder.part_of(folder, known, place, limit_bytes)
            self._read_to[run_id] = after
            if len(self._read_to) > _READERS:
                del self._read_to[next(iter(self._read_to))]
            return events

    def summaries(
        self,
        *,
        flow: FlowId | None = None,
        statuses: Sequence[RunStatus] = (),
        limit: int = 50,
    ) -> tuple[RunSummary, ...]:
        """Return the newest runs first, at most `limit`."""
        chosen: list[RunSummary] = []
        with self._locked("STORE-011", "read"):
            for folder in self._run_folders(flow):
                if len(chosen) >= limit:
                    break
                run = self._stored(folder)
                if run is not None and (not statuses or run.summary.status in statuses):
                    chosen.append(run.summary)
        return tuple(chosen)

    def summary(self, run_id: RunId) -> RunSummary | None:
        """Return the summary of a run, or None."""
        with self._locked("STORE-011", "read"):
            folder = self._folder(run_id)
            run = self._stored(folder) if folder else None
        return run.summary if run else None

    def find_runs(self, prefix: str, *, limit: int = 10) -> tuple[RunId, ...]:
        """Return the ids that begin with `prefix`, newest first."""
        with self._locked("STORE-011", "read"):
            ids = (_run_id(folder) for folder in self._run_folders())
            found = [run_id for run_id in ids if run_id.lower().startswith(prefix.lower())]
        return tuple(found[:limit])

    def delete_runs(self, run_ids: Sequence[RunId], *, limit_bytes: int | None = None) -> bool:
        """Remove the folders of runs, and the large values that only they mention."""
        del limit_bytes  # to remove a file takes a moment, however large it is
        with self._locked("STORE-002", "delete in"):
            folders = {run_id: folder for run_id in run_ids if (folder := self._folder(run_id))}
            self._move_away(folders)
            shutil.rmtree(self._root / _DELETED, ignore_errors=True)
            for run_id, folder in folders.items():
                self._folders.pop(run_id, None)
                self._tails.pop(run_id, None)
                self._read_to.pop(run_id, None)
                self._listed.pop(folder, None)
                self._mentions.pop(folder, None)
                with suppress(OSError):
                    folder.parent.rmdir()  # the flow's last run is gone
            self._index.forget(tuple(folders))
            self._sweep()
        return False

    def stored_runs(self) -> tuple[StoredRun, ...]:
        """Return every run with its size, oldest first."""
        with self._locked("STORE-011", "read"):
            runs = [run for folder in self._run_folders() if (run := self._stored(folder))]
        return tuple(reversed(runs))

    def stored_bytes(self) -> int:
        """Return the bytes of all files."""
        with self._locked("STORE-011", "read"):
            return self.large_values.stored_bytes() + sum(map(run_folder.stored_bytes, self._run_folders()))

    def close(self) -> None:
        """Stop using the folder."""
        self._is_open = self._only_reads = False
        self._tails.clear()
        self._read_to.clear()
        self._listed.clear()
        self._mentions.clear()
        self._folders.clear()
        self._index.close()
        self.large_values.close()

    @contextmanager
    def _locked(self, code: str, verb: str) -> Generator[None]:
        if not self._is_open:
            raise not_open(self.url)
        if self._only_reads:
            if code == "STORE-002":
                raise only_readable(self.url)
            with reported(code, verb, self._root):
                yield
            return
        with reported(code, verb, self._root):
            try:
                self._lock.acquire()
            except filelock.Timeout as exc:
                raise StorageError(
                    "STORE-007",
                    f"cannot {verb} {self._root}: another process has kept it locked for too long",
                    hint="another program may have the store open; end it, or wait",
                ) from exc
            except NotImplementedError as exc:
                raise StorageError(
                    "STORE-006",
                    f"the file system of {self._root} cannot lock files",
                    hint="choose a folder on a local disk with --data",
                ) from exc
            try:
                self._take_back()
                yield
            finally:
                self._lock.release()

    def _check_layout(self) -> None:
        path = self._root / _STORE
        if not path.exists():
            if any(not entry.name.startswith(".") for entry in self._root.iterdir()):
                raise damaged(self._root, "the folder holds other things than a store")
            path.write_text(_ABOUT)
            return
        try:
            version = tomllib.loads(path.read_text("utf-8"))["version"]
        except (ValueError, KeyError) as exc:
            raise damaged(path, "it does not tell the version of the store") from exc
        if version != LAYOUT_VERSION:
            raise StorageError(
                "STORE-004",
                f"the store {self._root} has version {version}; this atomiton knows {LAYOUT_VERSION}",
                hint="upgrade atomiton, or choose another place with --data",
            )

    def _take_back(self) -> None:
        """Undo what a failed or killed append left behind."""
        folders = self._undo.take_back()
        if folders is None:
            return
        for folder in folders:
            # Removing needs no space; a missing run.toml is read from the events, and written anew if there is room.
            (folder / run_folder.SUMMARY).unlink(missing_ok=True)
            tail = run_folder.tail_of(folder)
            if tail.next_seq:
                with suppress(OSError):
                    run_folder.write_summary(folder, tail, sync=self._sync)
            else:
                shutil.rmtree(folder, ignore_errors=True)
        self._tails.clear()
        self._folders.clear()
        self._undo.discard()

    def _store(self, additions: Mapping[RunId, Addition]) -> None:
        for run_id, addition in additions.items():
            if run_id not in self._folders and addition.summary is not None:
                self._folders[run_id] = self._root / folder_name(addition.summary.flow) / folder_name(run_id)
        match list(additions.items()):
            case []:
                return
            case [(run_id, addition)] if len(addition.lines) == 1 and not addition.summarised:
                run_folder.append_lines(
                    self._folders[run_id] / run_folder.EVENTS, addition.lines, sync=self._sync
                )
            case _:
                self._store_group(additions)
        for run_id, addition in additions.items():
            size = self._events_size(run_id) + sum(len(line) + 1 for line in addition.lines)
            if addition.ended:
                self._tails.pop(run_id, None)
            else:
                self._tails[run_id] = (size, addition.after)
            assert addition.summary is not None  # the run has events
            self._index.add(self._folders[run_id], addition.summary.flow_path, addition.events)

    def _store_group(self, additions: Mapping[RunId, Addition]) -> None:
        self._undo.write(
            [(self._folders[run_id] / run_folder.EVENTS, self._events_size(run_id)) for run_id in additions]
        )
        try:
            for run_id, addition in additions.items():
                folder = self._folders[run_id]
                folder.mkdir(parents=True, exist_ok=True)
                run_folder.append_lines(folder / run_folder.EVENTS, addition.lines, sync=self._sync)
                if addition.summarised:
                    run_folder.write_summary(folder, addition.after, sync=self._sync)
            self._undo.discard()
        except OSError:
            with suppress(OSError):  # else the note stays, and the next use of the store tries again
                self._take_back()
            raise

    def _tail(self, run_id: RunId) -> Tail:
        folder = self._folder(run_id)
        if folder is None:
            self._tails.pop(run_id, None)
            return Tail()
        events = folder / run_folder.EVENTS
        known = self._tails.get(run_id)
        if known is not None and events.exists() and events.stat().st_size == known[0]:
            return known[1]
        size = run_folder.cut_torn_line(events)
        tail = run_folder.tail_of(folder)
        self._tails[run_id] = (size, tail)
        return tail

    def _events_size(self, run_id: RunId) -> int:
        known = self._tails.get(run_id)
        return known[0] if known else 0

    def _stored_line(self, run_id: RunId, seq: int) -> bytes:
        return run_folder.lines_of(self._folders[run_id])[seq]

    def _folder(self, run_id: RunId) -> Path | None:
        known = self._folders.get(run_id)
        if known is not None and known.is_dir():
            return known
        self._folders.pop(run_id, None)
        name = folder_name(run_id)
        for flow in self._flow_folders():
            if (flow / name).is_dir():
                self._folders[run_id] = flow / name
                return flow / name
        return None

    def _flow_folders(self) -> Iterator[Path]:
        return (entry for entry in self._root.iterdir() if not entry.name.startswith(".") and entry.is_dir())

    def _run_folders(self, flow: FlowId | None = None) -> list[Path]:
        """Return the folders of all runs, or of a flow's, newest first."""
        flows = self._flow_folders() if flow is None else [self._root / folder_name(flow)]
        found = [entry for folder in flows if folder.is_dir() for entry in folder.iterdir() if entry.is_dir()]
        return sorted(found, key=_run_id, reverse=True)

    def _runs_of(self, flow: FlowId) -> list[Path]:
        if not self._is_open:
            raise not_open(self.url)
        return self._run_folders(flow)

    def _stored(self, folder: Path) -> StoredRun | None:
        try:
            found = (folder / run_folder.SUMMARY).stat()
        except FileNotFoundError:
            return run_folder.summary_from_events(folder)
        version = (found.st_mtime_ns, found.st_ino)
        known = self._listed.get(folder)
        if known is not None and known[0] == version:
            return known[1]
        run = run_folder.read_summary(folder)
        if run is not None:
            self._listed[folder] = (version, run)
        return run

    def _move_away(self, folders: Mapping[RunId, Path]) -> None:
        """Take all folders out of the store, or none; a rename is the moment a run is gone."""
        moved: list[tuple[Path, Path]] = []
        deleted = self._root / _DELETED
        deleted.mkdir(exist_ok=True)
        try:
            for folder in folders.values():
                target = deleted / folder.name
                folder.rename(target)
                moved.append((folder, target))
        except OSError:
            for folder, target in moved:
                target.rename(folder)
            raise

    def _sweep(self) -> None:
        if self.large_values.stored_bytes():
            self.large_values.sweep(
                {name for folder in self._run_folders() for name in self._mentioned(folder)}
            )

    def _mentioned(self, folder: Path) -> frozenset[str]:
        """Return the large values that a run's events name."""
        size_bytes = run_folder.events_bytes(folder)
        known = self._mentions.get(folder)
        if known is not None and known[0] == size_bytes:
            return known[1]
        # Whatever looks like the end of a marker counts: keeping a file too many harms nobody.
        names = frozenset(
            name.decode() for line in run_folder.lines_of(folder) for name in _MENTION.findall(line)
        )
        self._mentions[folder] = size_bytes, names
        return names


def folder_name(name: str) -> str:
    """Return the name of a flow or run as a folder's name: the same, unless it holds what a path must not."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name) or "%"


def _run_id(folder: Path) -> RunId:
    return RunId(unquote(folder.name))
