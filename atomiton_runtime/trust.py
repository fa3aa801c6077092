"""Says whose files may be executed: a flow, and a node type beside it, run with the rights of who starts them."""

import os
import stat
from pathlib import Path

from atomiton_runtime.errors import ErrorInfo

TRUST_VARIABLE = "ATOMITON_TRUST_FLOWS"
"""`1`: whatever the rights of the files say."""
CODE = "TRUST-001"


def distrust(path: Path) -> ErrorInfo | None:
    """Return why a file is not to be executed; None: it may be, or it is not there.

    The file and its folder must not be writable by everybody, nor by a group other than one's own primary one (many
    systems give every user a group), and belong to this user or root; no folder above may be one that everybody can
    rename things in. Root executes what any user owns. Windows has other rights, which are not looked at.
    """
    if os.name == "nt" or os.environ.get(TRUST_VARIABLE) == "1":
        return None
    for place in (path, path.parent):
        found = _who_can_write(place)
        if found is not None:
            return _refusal(path, place, *found)
    for place in path.parent.parents:
        mode = _status(place)
        if mode is not None and mode.st_mode & stat.S_IWOTH and not mode.st_mode & stat.S_ISVTX:
            return _refusal(path, place, "everybody", f"chmod o-w {place}")
    return None


def _who_can_write(place: Path) -> tuple[str, str] | None:
    """Return who else can write a file or folder, and what changes that."""
    status = _status(place)
    if status is None:
        return None
    if status.st_mode & stat.S_IWOTH:
        return "everybody", f"chmod o-w {place}"
    if status.st_mode & stat.S_IWGRP and status.st_gid != os.getegid():
        return f"the group {status.st_gid}", f"chmod g-w {place}"
    if os.geteuid() not in (0, status.st_uid) and status.st_uid:
        return f"its owner, the user {status.st_uid},", f"chown {os.geteuid()} {place}"
    return None


def _refusal(path: Path, place: Path, who: str, cure: str) -> ErrorInfo:
    mode = stat.S_IMODE(place.stat().st_mode)
    what = "it" if place == path else f"{place}, which it lies in,"
    return ErrorInfo(
        CODE,
        f"{path} is not executed: {who} can write {what} (mode {mode:04o}), and it would run with your rights",
        hint=f"`{cure}` mends it; {TRUST_VARIABLE}=1 in the environment says that all of them are to be trusted",
    )


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except OSError:
        return None
