"""Says what an operating system's refusal means for a flow's author."""

import errno
import os

from atomiton_runtime.nodes.base import NodeError

_MEANINGS: dict[int, tuple[str, str, str | None]] = {
    errno.ENOENT: ("FILE-001", "does not exist", None),
    errno.EEXIST: ("FILE-002", "exists already", "overwrite = true replaces it"),
    errno.EISDIR: ("FILE-003", "is a folder", "give the path of a file"),
    errno.ENOTDIR: ("FILE-004", "is a file where a folder is needed, or lies below one", None),
    errno.EACCES: ("FILE-005", "may not be accessed", "look at the permissions of it and of its folder"),
    errno.EPERM: ("FILE-005", "may not be changed", "look at the permissions of it and of its folder"),
    errno.EROFS: ("FILE-005", "is on a read-only file system", None),
    errno.ENOSPC: (
        "FILE-006",
        "cannot be written: no space is left on the disk",
        "free some space and run again",
    ),
    errno.EDQUOT: ("FILE-006", "cannot be written: your quota is used up", "free some space and run again"),
    errno.ENAMETOOLONG: ("FILE-007", "has too long a name", None),
    errno.EINVAL: ("FILE-007", "has a name that this file system does not take", None),
    errno.ELOOP: ("FILE-007", "is a link that leads round in a circle", None),
    errno.ENXIO: ("FILE-008", "is neither a file nor a folder", None),
    errno.ENOTEMPTY: ("FILE-014", "is a folder with something in it", None),
}


def explained(error: OSError, path: str | os.PathLike[str], *, hint: str | None = None) -> NodeError:
    """Return the error that a flow's author reads; `path` is what was asked for, should the system not say."""
    named = error.filename if isinstance(error.filename, str) else os.fspath(path)
    code, words, usual_hint = _MEANINGS.get(
        error.errno or 0, ("FILE-099", f"cannot be used: {error.strerror or error}", None)
    )
    return NodeError(code, f"{named} {words}", hint=hint or usual_hint)
