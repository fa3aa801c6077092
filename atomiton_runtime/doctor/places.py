"""Looks at the two folders of an installation, and at the room on their disk."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from atomiton_runtime.doctor.finding import Finding, Level
from atomiton_runtime.settings import Places
from atomiton_runtime.trust import distrust

_FULL_BYTES = 100 * 1024 * 1024
_LITTLE_BYTES = 1024 * 1024 * 1024


def folders(places: Places) -> Iterator[Finding]:
    """Yield what is true of the flows folder, the data folder and the disk of the latter."""
    yield _flows_folder(places.flows)
    refusal = distrust(places.flows / "*.toml")
    if refusal is not None:
        message = "others may write into it, so no flow of it is executed"
        yield _folder("flows folder", "problem", message, refusal.hint)
    yield _data_folder(places.data)
    yield _room(places.data)
    yield from _faults(places.data / "logs" / "faults.log")


def _flows_folder(flows: Path) -> Finding:
    if not os.path.lexists(flows):
        hint = "`atomiton new hello` makes it, with a first flow"
        return _folder("flows folder", "warning", f"{flows} is not there", hint)
    if not flows.is_dir():
        return _folder("flows folder", "problem", f"{flows} is no folder", "name a folder with --flows")
    if not os.access(flows, os.R_OK | os.X_OK):
        return _folder("flows folder", "problem", f"{flows} cannot be read", "allow yourself to read it")
    return _folder("flows folder", "ok", str(flows))


def _data_folder(data: Path) -> Finding:
    nearest = _nearest(data)
    if not nearest.is_dir():
        hint = "choose another place with --data"
        return _folder("data folder", "problem", f"{data} cannot be: {nearest} is no folder", hint)
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        hint = "give yourself the right to write there, or choose another place with --data"
        return _folder("data folder", "problem", f"{data} cannot be written", hint)
    if nearest != data:
        return _folder("data folder", "ok", f"{data}, made by the first run")
    return _folder("data folder", "ok", str(data))


def _folder(subject: str, level: Level, message: str, hint: str | None = None) -> Finding:
    return Finding(area="places", subject=subject, level=level, message=message, hint=hint)


def _room(data: Path) -> Finding:
    try:
        free = shutil.disk_usage(_nearest(data)).free
    except OSError as error:
        hint = "choose another place with --data"
        return _folder("disk", "problem", f"{data} is on no disk: {error.strerror}", hint)
    message = f"{size_words(free)} free"
    if free < _FULL_BYTES:
        return _folder("disk", "problem", message, "free some space: runs that cannot be kept fail")
    if free < _LITTLE_BYTES:
        return _folder("disk", "warning", message, "free some space")
    if sys.platform != "win32" and not _has_inodes(_nearest(data)):
        return _folder("disk", "problem", "no room for another file (inodes)", "delete files")
    return _folder("disk", "ok", message)


def _has_inodes(folder: Path) -> bool:
    disk = os.statvfs(folder)
    return disk.f_files == 0 or disk.f_favail > 0  # some file systems count none


def _faults(log: Path) -> Iterator[Finding]:
    try:
        at = log.stat().st_mtime
    except OSError:
        return
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    hint = "please report it with the file, then delete the file"
    yield _folder("faults", "warning", f"atomiton itself failed, last on {when}: {log}", hint)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)


def size_words(size_bytes: float) -> str:
    """Return a number of bytes as people say it: `3.4 MiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"
