"""Turns the operating system's file events into hints. Only here is watchdog known.

Measured with watchdog 7.1: an exception in a handler ends the observer without a word, every event of a flood is a
call (8428 for 2000 saves), reading a file makes events, a link to a folder is watched as a link.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from atomiton_runtime.actors.flow_files import folder_identity, is_flow_file
from atomiton_runtime.actors.messages import Hint
from atomiton_runtime.nodes.plugins import is_plugin_file
from atomiton_runtime.nodes.registry import FOLDER_NAME as TYPES_FOLDER

log = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 5.0
# Not the opening and closing of a file that was only read: our own reading would be the next hint.
_EVENTS: list[type[FileSystemEvent]] = [
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]
_COMING_FOLDERS = (DirCreatedEvent, DirMovedEvent)
_IN_TYPES_FOLDER = f"{TYPES_FOLDER}/"


class Hints:
    """Gathers hints between the observer's thread and the watcher: a flood of events is one message.

    A message is sent for the first hint after the watcher took what there was; the others are kept for it,
    each path once, with the moment of its last event.
    """

    def __init__(self, folder: Path, tell: Callable[[Hint], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._lock = threading.Lock()
        self._last_event: dict[str, float] = {}
        self._told = False

    def add(self, *names: str) -> None:
        """Add a hint about each of these names that matters: flow files, `nodes/*.py`, `nodes`, `""` (the folder)."""
        paths = tuple(str(self._folder / name) for name in names if _matters(name))
        if not paths:
            return
        with self._lock:
            self._last_event.update(dict.fromkeys(paths, time.monotonic()))
            first, self._told = not self._told, True
        if first:
            self._tell(Hint(paths=paths))

    def take(self) -> Mapping[str, float]:
        """Return path -> the moment of its last event (monotonic), of all hints since the last call."""
        with self._lock:
            taken, self._last_event, self._told = self._last_event, {}, False
        return taken


def _matters(name: str) -> bool:
    if name.startswith(_IN_TYPES_FOLDER):
        return is_plugin_file(name.removeprefix(_IN_TYPES_FOLDER))
    return name in ("", TYPES_FOLDER) or is_flow_file(name)


class _Handler(FileSystemEventHandler):
    """Only adds hints, and never raises."""

    def __init__(self, folder: str, hints: Hints, below: str = "") -> None:
        """Add hints about what is in `folder`, whose own name below the flows folder is `below`."""
        self._folder = folder
        self._hints = hints
        self._below = below

    def dispatch(self, event: FileSystemEvent) -> None:
        """Add a hint about both ends of a move, and about the one path of every other event."""
        try:
            self._hints.add(*self._names(event))
        except Exception:  # it would end the observer, and nobody would be told
            log.exception("a file event was lost")

    def _names(self, event: FileSystemEvent) -> list[str]:
        paths = [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]
        names = [self._below if path == self._folder else self._name(path) for path in paths]
        return [name for name in names if not isinstance(event, _COMING_FOLDERS) or name == TYPES_FOLDER]

    def _name(self, path: str) -> str:
        name = Path(path).name
        return f"{self._below}/{name}" if self._below else name


class FolderObserver:
    """Watches one folder, and the folder of node types in it if there is one, until it is stopped."""

    def __init__(self, folder: Path, hints: Hints) -> None:
        """Begin to watch.

        Raises:
            OSError: the system gives no (more) watches, or the folder is gone.
        """
        # Events name paths below what is watched; only their last parts are used, so a link may be resolved.
        real = os.path.realpath(folder)
        try:
            self._observer: BaseObserver = Observer()
        except RuntimeError as error:  # no thread can be started
            raise OSError(str(error)) from error
        try:
            self._observer.schedule(_Handler(real, hints), real, event_filter=_EVENTS)
            self._observer.start()
            self._watch_types(folder / TYPES_FOLDER, hints)
        except (
            BaseException
        ) as error:  # raised again: whatever it is, a thread and open files are there by now
            self.stop()
            if isinstance(error, RuntimeError):
                raise OSError(str(error)) from error
            raise

    def _watch_types(self, folder: Path, hints: Hints) -> None:
        self.types = folder_identity(folder)
        """The folder of node types that is watched; None: there is none, or it may not be read."""
        if self.types is not None:
            real = os.path.realpath(folder)
            self._observer.schedule(_Handler(real, hints, TYPES_FOLDER), real, event_filter=_EVENTS)

    @property
    def alive(self) -> bool:
        """Whether events can still come; False also once the folder was deleted."""
        emitters = tuple(self._observer.emitters)
        return self._observer.is_alive() and bool(emitters) and all(each.is_alive() for each in emitters)

    def stop(self) -> None:
        """End watching; no thread is left."""
        self._observer.stop()
        with contextlib.suppress(RuntimeError):  # it never started
            self._observer.join(_STOP_TIMEOUT_S)
