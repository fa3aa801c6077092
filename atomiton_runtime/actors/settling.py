"""Decides when a changed file is looked at, and what a look at it means. Pure: values in, values out."""

from collections.abc import Iterable, Mapping
from typing import assert_never

import msgspec

from atomiton_runtime.actors.flow_files import (
    Changing,
    Content,
    Identity,
    Look,
    Missing,
    Signature,
    Unreadable,
)
from atomiton_runtime.actors.messages import FileGone, FileSettled, FileUnreadable
from atomiton_runtime.errors import ErrorInfo

# --- when ---------------------------------------------------------------------------------------------------


class Unrest(msgspec.Struct, frozen=True):
    """When the hints about a file came, by the monotonic clock."""

    first: float
    last: float


Restless = Mapping[str, Unrest]
"""Path -> its hints since it was last looked at."""


class Patience(msgspec.Struct, frozen=True):
    """How long a file is left alone after a hint (seconds)."""

    quiet_s: float = 0.15
    at_most_s: float = 2.0
    """A file that never rests is looked at all the same."""

    def due(self, unrest: Unrest) -> float:
        """Return the moment when a file is to be looked at."""
        return min(unrest.last + self.quiet_s, unrest.first + max(self.at_most_s, self.quiet_s))


def hinted(restless: Restless, paths: Iterable[str], at: float) -> Restless:
    """Return `restless` with a hint about each path, at the moment `at`; hints may come out of order."""
    added = dict(restless)
    for path in paths:
        known = added.get(path, Unrest(at, at))
        added[path] = Unrest(min(known.first, at), max(known.last, at))
    return added


def settled(restless: Restless, now: float, patience: Patience) -> tuple[tuple[str, ...], Restless]:
    """Return the paths that are to be looked at now, in the order of their first hint, and the others."""
    due = {path: unrest for path, unrest in restless.items() if patience.due(unrest) <= now}
    waiting = {path: unrest for path, unrest in restless.items() if path not in due}
    return tuple(sorted(due, key=lambda path: (due[path].first, path))), waiting


def next_look(restless: Restless, patience: Patience) -> float | None:
    """Return the moment of the next look; None if no file is restless."""
    return min((patience.due(unrest) for unrest in restless.values()), default=None)


# --- what ---------------------------------------------------------------------------------------------------


class Seen(msgspec.Struct, frozen=True):
    """What the last look at a file found."""

    signature: Signature | None
    hash: str | None
    """Of the last content that could be read; None: never."""
    error: ErrorInfo | None = None
    """Why it could not be read the last time."""


Fact = FileSettled | FileUnreadable | FileGone


class Verdict(msgspec.Struct, frozen=True):
    """What follows from a look at a file."""

    seen: Seen | None
    """To be remembered; None: forget the file."""
    fact: Fact | None = None
    """To be told to the shelf."""
    restless: bool = False
    """True: nothing follows yet; look once more after a quiet time."""


def judge(
    path: str, seen: Seen | None, look: Look, *, first_scan: bool = False, asked_again: bool = False
) -> Verdict:
    """Return what a look at `path` means.

    Args:
        path: the file.
        seen: what the look before it found; None: the file is new.
        look: what is there now.
        first_scan: this is the look with which watching begins.
        asked_again: the shelf waits for a second look, whether or not the content has changed.
    """
    match look:
        case Missing():
            return Verdict(None, FileGone(path=path) if seen else None)
        case Changing():
            return Verdict(seen, restless=True)
        case Unreadable(error=error, signature=signature):
            known = seen is not None and seen.error == error
            fact = None if known else FileUnreadable(path=path, error=error)
            return Verdict(Seen(signature, seen.hash if seen else None, error), fact)
        case Content(data=data, hash=found, signature=signature):
            same = seen is not None and seen.hash == found
            news = not same or asked_again or (seen is not None and seen.error is not None)
            fact = FileSettled(
                path=path, content=data, first_scan=first_scan, second_look=same and asked_again
            )
            return Verdict(Seen(signature, found), fact if news else None)
        case _:
            assert_never(look)


def changed_paths(seen: Mapping[str, Seen], found: Mapping[str, Signature | None]) -> tuple[str, ...]:
    """Return the paths whose metadata is not what the last look found: changed, new or gone; sorted.

    Args:
        seen: path -> the last look.
        found: path -> the signature of what is there now; every flow file of the folder is in it.
    """
    changed = {path for path, signature in found.items() if _differs(seen.get(path), signature)}
    return tuple(sorted(changed | (seen.keys() - found.keys())))


def _differs(seen: Seen | None, signature: Signature | None) -> bool:
    # Why a file could not be read need not show in its metadata: a disk or a network that recovers.
    return seen is None or seen.signature != signature or seen.error is not None


def is_lost(watched: Identity | None, found: Identity | None, *, known: int, present: int) -> bool:
    """Return whether the flows folder is not there, rather than there and empty.

    A folder whose file system was unmounted leaves its mount point behind: an empty folder on another device.

    Args:
        watched: the folder that was watched last; None: none yet.
        found: the folder that is there now; None: none.
        known: how many flow files the watched folder had (count).
        present: how many are in the folder that is there now (count).
    """
    if found is None:
        return True
    moved = watched is not None and watched.device != found.device
    return moved and known > 0 and present == 0
