"""Turns the paths of a flow file into absolute ones, and knows which folders must not go."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from atomiton_runtime.nodes.base import NodeError

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789")}
)


def resolved(text: str, folder: Path, parameter: str) -> Path:
    """Return the absolute path that `text` means in a flow of `folder`; `~` is expanded, `..` taken out.

    Raises:
        NodeError: it cannot be a path on this system (FILE-007), or it is in the runtime's own data (FILE-015).
    """
    if "\0" in text:
        raise NodeError("FILE-007", f"`{parameter}` holds a NUL character, which no path may: {text!r}")
    if not text.strip():
        raise NodeError("FILE-007", f"`{parameter}` is empty", hint='"." is the folder of the flow')
    expanded = os.path.expanduser(text)  # noqa: PTH111  # pathlib raises for an unknown user; here `~x` is a name
    path = Path(os.path.abspath(folder / expanded))  # noqa: PTH100  # takes ".." out without following links
    if sys.platform == "win32" and path.stem.casefold() in _DEVICES:
        raise NodeError("FILE-007", f"`{parameter}` is the name of a device on Windows: {text}")
    refuse_own_data(path)
    return path


_kept_out: dict[Path, Path] = {}
"""Folder of the runtime's own data -> the flows folder, which may lie within it."""


def keep_out(data: Path, flows: Path) -> Callable[[], None]:
    """Keep all nodes of this process out of the folder `data`, but not of `flows` within it; return what ends that."""
    real = _real(data)
    _kept_out[real] = _real(flows)
    return lambda: _kept_out.pop(real, None) and None


def refuse_own_data(path: Path) -> None:
    """Raise for a path that leads, also by links, to where the runtime keeps runs, secrets and locks.

    Raises:
        NodeError: it is there (FILE-015).
    """
    if not _kept_out:
        return
    real = _real(path)
    for data, flows in tuple(_kept_out.items()):
        if _is_within(real, data) and not (_is_within(flows, data) and _is_within(real, flows)):
            message = f"{path} is where atomiton keeps its own data, which no node may read or change"
            raise NodeError("FILE-015", message, hint="choose another folder, outside of " + str(data))


def _is_within(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def refuse_to_remove(path: Path, flows: Path) -> None:
    """Raise for a folder without which the system, the user or this flow would be lost, and for its parents.

    A link to such a folder may go: only the link is removed.

    Raises:
        NodeError: it is such a folder (FILE-011).
    """
    real = Path(os.path.realpath(path.parent)) / path.name
    for kept, words in ((Path(path.anchor), "the root of the file system"), *_kept_folders(flows)):
        if real == kept or real in kept.parents:
            what = words if real == kept else f"a parent of {words}"
            raise NodeError("FILE-011", f"{path} is {what} and will not be removed")


def _kept_folders(flows: Path) -> list[tuple[Path, str]]:
    folders = [(flows, "the folder of the flow"), *((data, "atomiton's own data") for data in _kept_out)]
    with contextlib.suppress(RuntimeError):  # Not everybody has one.
        folders.append((Path.home(), "your home folder"))
    return [(Path(os.path.realpath(folder)), words) for folder, words in folders]
