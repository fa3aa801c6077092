"""Says whose files may be executed: a flow, and a node type beside it, run with the rights of who starts them."""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from atomiton_runtime.errors import ErrorInfo

TRUST_VARIABLE = "ATOMITON_TRUST_FLOWS"
"""`1`: whatever the rights of the files say."""
CODE = "TRUST-001"


class _Suspicion(NamedTuple):
    """Who else can write, where, and what changes that."""

    place: str
    who: str
    cure: str


class Judge:
    """Says for many files of one moment whether they are executed: what their folders have in common is looked at once.

    A judge knows nothing of later changes, so it is made anew for each moment. Used by one thread.
    """

    def __init__(self) -> None:
        self._suspicions: dict[str, _Suspicion | None] = {}
        """Folder -> what is wrong with it or one above."""

    def distrust(self, path: str) -> ErrorInfo | None:
        """Return why a file is not to be executed; as the function of this name says."""
        if os.name == "nt" or os.environ.get(TRUST_VARIABLE) == "1":
            return None
        found = _who_can_write(path) or self._of_folder(os.path.dirname(path) or os.curdir)  # noqa: PTH120
        return _refusal(path, found) if found is not None else None

    def _of_folder(self, folder: str) -> _Suspicion | None:
        if folder not in self._suspicions:
            self._suspicions[folder] = _who_can_write(folder) or _who_can_rename_above(Path(folder))
        return self._suspicions[folder]


def distrust(path: Path) -> ErrorInfo | None:
    """Return why a file is not to be executed; None: it may be, or it is not there.

    The file and its folder must not be writable by everybody, nor by a group other than one's own primary one (many
    systems give every user a group), and belong to this user or root; no folder above may be one that everybody can
    rename things in. Root executes what any user owns. Windows has other rights, which are not looked at.
    """
    return Judge().distrust(str(path))


def _who_can_write(place: str) -> _Suspicion | None:
    status = _status(place)
    if status is None:
        return None
    if status.st_mode & stat.S_IWOTH:
        return _Suspicion(place, "everybody", f"chmod o-w {place}")
    if status.st_mode & stat.S_IWGRP and status.st_gid != os.getegid():
        return _Suspicion(place, f"the group {status.st_gid}", f"chmod g-w {place}")
    if os.geteuid() not in (0, status.st_uid) and status.st_uid:
        return _Suspicion(place, f"its owner, the user {status.st_uid},", f"chown {os.geteuid()} {place}")
    return None


def _who_can_rename_above(folder: Path) -> _Suspicion | None:
    for place in folder.parents:
        mode = _status(place)
        if mode is not None and mode.st_mode & stat.S_IWOTH and not mode.st_mode & stat.S_ISVTX:
            return _Suspicion(str(place), "everybody", f"chmod o-w {place}")
    return None


def _refusal(path: str, found: _Suspicion) -> ErrorInfo:
    place = found.place
    mode = stat.S_IMODE(Path(place).stat().st_mode)
    what = "it" if place == path else f"{place}, which it lies in,"
    return ErrorInfo(
        CODE,
        f"{path} is not executed: {found.who} can write {what} (mode {mode:04o}), and it would run with your rights",
        hint=f"`{found.cure}` mends it; {TRUST_VARIABLE}=1 in the environment says that all of them are to be trusted",
    )


def _status(place: str | Path) -> os.stat_result | None:
    try:
        return os.stat(place)  # noqa: PTH116  # of ten thousand files, a Path costs more than its look
    except OSError:
        return None
