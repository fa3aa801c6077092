"""Tells what a test left behind: threads, actors, processes, open files and sockets."""

import gc
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.guards import machine

GRACE_S = float(os.environ.get("ATOMITON_TEST_GRACE_S", "3"))
"""What has been told to end may take this long to be gone, in seconds."""

_FDS = Path("/proc/self/fd")
_POLL_S = 0.01
_known_processes: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Stock:
    """What is alive and open in this process at one moment."""

    threads: frozenset[threading.Thread]
    actors: frozenset[object]
    processes: frozenset[int]
    files: frozenset[tuple[str, str]]


def take_stock() -> Stock:
    """Return what is alive and open now; costs some 50 microseconds unless a process was started."""
    return Stock(frozenset(threading.enumerate()), _actors(), _processes(), _open_files())


def wait_until_gone(before: Stock) -> list[str]:
    """Return a line for each thing that is there now, was not there before, and does not go away."""
    if not _describe(before):
        return []
    gc.collect()
    deadline = time.monotonic() + GRACE_S
    pause = threading.Event()
    while problems := _describe(before):
        if time.monotonic() > deadline:
            return problems
        machine.note_spawn()  # look at the processes again, not at what was known
        pause.wait(_POLL_S)
    return []


def _describe(before: Stock) -> list[str]:
    now = take_stock()
    return [
        *(f"the thread {thread.name!r} is alive" for thread in now.threads - before.threads),
        *(f"the actor {actor} is alive" for actor in now.actors - before.actors),
        *(_process_line(pid) for pid in sorted(now.processes - before.processes)),
        *(
            f"file descriptor {number} is open: {target}"
            for number, target in sorted(now.files - before.files)
        ),
    ]


def _process_line(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        return (
            f"the process {pid} is {process.status()}: {' '.join(process.cmdline())[:200] or process.name()}"
        )
    except psutil.Error:
        return f"the process {pid} was alive a moment ago"


def _actors() -> frozenset[object]:
    # A test that uses no actor must not load them.
    pykka = sys.modules.get("pykka")
    return frozenset(pykka.ActorRegistry.get_all()) if pykka else frozenset()


def _processes() -> frozenset[int]:
    global _known_processes  # looking costs milliseconds, and is only needed after something was started
    if machine.spawned_since_last_asked():
        children = {child.pid for child in psutil.Process().children(recursive=True)}
        _known_processes = frozenset(children | _marked_processes())
    return _known_processes


def _marked_processes() -> set[int]:
    """Return the processes of this session that are no longer children: orphans carry the mark."""
    mark = f"{machine.MARK}={os.environ.get(machine.MARK, '')}".encode()
    found = set[int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if mark in environ and int(folder.name) != os.getpid():
            found.add(int(folder.name))
    return found


def _open_files() -> frozenset[tuple[str, str]]:
    found = set[tuple[str, str]]()
    for number in os.listdir(_FDS) if _FDS.exists() else ():  # noqa: PTH208  # a Path for each is ten times slower
        try:
            found.add((number, os.readlink(f"{_FDS}/{number}")))  # noqa: PTH115  # as above
        except OSError:  # the descriptor that listed the folder
            continue
    return frozenset(found)
