"""Turns the paths of a flow file into absolute ones, and knows which folders must not go."""

import contextlib
import os
import sys
from pathlib import Path

from atomiton_runtime.nodes.base import NodeError

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789")}
)


def resolved(text: str, folder: Path, parameter: str) -> Path:
    """Return the absolute path that `text` means in a flow of `folder`; `~` is expanded, `..` taken out.

    Raises:
        NodeError: it cannot be a path on this system (FILE-007); the message names `parameter`.
    """
    if "\0" in text:
        raise NodeError("FILE-007", f"`{parameter}` holds a NUL character, which no path may: {text!r}")
    if not text.strip():
        raise NodeError("FILE-007", f"`{parameter}` is empty", hint='"." is the folder of the flow')
    expanded = os.path.expanduser(text)  # noqa: PTH111  # pathlib raises for an unknown user; here `~x` is a name
    path = Path(os.path.abspath(folder / expanded))  # noqa: PTH100  # takes ".." out without following links
    if sys.platform == "win32" and path.stem.casefold() in _DEVICES:
        raise NodeError("FILE-007", f"`{parameter}` is the name of a device on Windows: {text}")
    return path


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
    folders = [(flows, "the folder of the flow")]
    with contextlib.suppress(RuntimeError):  # Not everybody has one.
        folders.append((Path.home(), "your home folder"))
    return [(Path(os.path.realpath(folder)), words) for folder, words in folders]
