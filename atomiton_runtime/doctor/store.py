"""Looks at the store of runs and at the processes that use it."""

import os
from collections.abc import Iterator
from pathlib import Path

from atomiton_runtime.doctor.finding import Finding, refused
from atomiton_runtime.doctor.places import size_words
from atomiton_runtime.doctor.processes import Processes, is_held, processes_of
from atomiton_runtime.errors import StorageError, UsageError
from atomiton_runtime.ownership import LOCK_FILE, owner_of
from atomiton_runtime.settings import Places
from atomiton_runtime.storage.inspection import StoreReport, inspect_sqlite
from atomiton_runtime.storage.limits import wanted_retention


def store(places: Places) -> Iterator[Finding]:
    """Yield what the store holds, and who uses it."""
    processes = processes_of(places.data)
    path = Path(places.storage_url.partition("///")[2])
    try:
        report = inspect_sqlite(path, in_use=bool(processes.live))
    except StorageError as error:
        yield refused("store", "store", error)
    else:
        yield _content(path, report)
    yield _limits()
    yield _users(processes)
    if is_held(places.data / LOCK_FILE):
        owner = owner_of(places.data)
        who = f"{owner.words}, process {owner.pid}" if owner else "a process that starts or ends just now"
        yield Finding(area="store", subject="owner", message=f"{who}: it runs flows when they are saved")


def _content(path: Path, report: StoreReport | None) -> Finding:
    if report is None:
        return Finding(area="store", subject="store", message=f"{path.name}, made by the first run")
    words = f"{report.engine}, schema {report.schema}, {_runs(report.runs)}, {size_words(report.size_bytes)}"
    if report.unfinished:
        words += "; a process died with it open, and the next one that starts puts it in order"
    return Finding(area="store", subject="store", message=words)


def _limits() -> Finding:
    try:
        kept = wanted_retention(os.environ)
    except UsageError as error:
        return refused("store", "keeps", error)
    runs = "all runs" if kept.keep_runs is None else f"{_runs(kept.keep_runs)} of each flow"
    days = "of any age" if kept.keep_days is None else f"{kept.keep_days:g} days"
    room = "any size" if kept.max_bytes is None else size_words(kept.max_bytes)
    return Finding(
        area="store", subject="keeps", message=f"{runs}, {days}, {room}; ATOMITON_KEEP_... changes it"
    )


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _users(processes: Processes) -> Finding:
    words = f"{len(processes.live)} live" if processes.live else "none live"
    if processes.dead:
        words += f", {len(processes.dead)} died without cleaning up"
    return Finding(area="store", subject="processes", message=words)
