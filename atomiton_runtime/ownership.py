"""Makes one process the owner of a data folder: the tray or `watch`, which alone runs flows when they are saved.

`owner.lock` is an OS lock held for the owner's life, so a dead owner is no obstacle whatever files it left;
`owner.process` names it, and so the door where others knock (see `control`).
"""

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from filelock import FileLock, Timeout

from atomiton_runtime.control.presence import is_live
from atomiton_runtime.errors import RuntimeUnusable

LOCK_FILE = "owner.lock"
_PROCESS_FILE = "owner.process"
_LOOK_AGAIN_S = 0.02
PATIENCE_S = 30.0
"""An owner that starts has not named itself yet, one that ends has not let go: so long that is waited for.

Ending takes 10 s where something of a run resists."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
Kind: TypeAlias = Literal["tray", "watch"]


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns a data folder."""

    process: str
    """The name under which its door is found."""
    kind: Kind
    pid: int
    flows: str
    """The folder whose flows it runs when they are saved."""

    @property
    def words(self) -> str:
        """How it is called."""
        return "the tray" if self.kind == "tray" else "`atomiton watch`"


class Ownership:
    """The wish to own a data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._lock = FileLock(data / LOCK_FILE, thread_local=False)

    def take(self, patience_s: float = PATIENCE_S) -> Owner | None:
        """Become the owner and return None, or return who is it: one that lives and does not end.

        Raises:
            RuntimeUnusable: the folder cannot be used, or its owner neither names itself nor lets go (TRAY-012).
        """
        deadline = time.monotonic() + patience_s
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            while True:
                with contextlib.suppress(Timeout):
                    self._lock.acquire(timeout=0)
                    retire(self._data)  # the name of one that died
                    return None
                # The name may still be that of one that died, just before the lock's new holder removes it.
                living = owner_of(self._data)
                if living is not None:
                    return living
                if time.monotonic() > deadline:
                    raise _unusable(self._data, "another process holds it and does not say who it is")
                time.sleep(_LOOK_AGAIN_S)
        except OSError as exc:
            raise _unusable(self._data, exc.strerror or str(exc)) from exc

    def release(self) -> None:
        """Let go, if it was taken."""
        if self._lock.is_locked:
            retire(self._data)
            self._lock.release()


def announce(data: Path, owner: Owner) -> None:
    """Say who owns the folder; to be called by the owner, once its door is open.

    On a full disk nothing is said: others then hear that they do not know who it is, and runs are executed where they
    are asked for.

    Raises:
        OSError: the folder cannot be written for another reason.
    """
    draft = data / f".{_PROCESS_FILE}.tmp"
    try:
        draft.write_bytes(msgspec.json.encode(owner))
        draft.replace(data / _PROCESS_FILE)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        if exc.errno not in _NO_ROOM:
            raise


def retire(data: Path) -> None:
    """Say no more who owns the folder; to be called by the owner, before it ends what it has begun.

    Who comes from now on waits until the lock is free, and is not sent to one that ends.
    """
    with contextlib.suppress(OSError):
        (data / _PROCESS_FILE).unlink(missing_ok=True)


def refuse_other_flows(data: Path, owner: Owner, flows: Path) -> None:
    """Raise an error if the owner does not run the flows of this folder when they are saved.

    Raises:
        RuntimeUnusable: it has another folder (CLI-025).
    """
    if os.path.realpath(owner.flows) != os.path.realpath(flows):
        raise RuntimeUnusable(
            "CLI-025",
            f"the data folder {data} belongs to {owner.words} (process {owner.pid}), which runs the flows of"
            f" {owner.flows}: nobody runs those of {flows} when they are saved",
            hint="give these flows a data folder of their own with --data, or end the other process first",
        )


def owner_of(data: Path) -> Owner | None:
    """Return the living owner of a data folder; None: there is none, or it is just starting or ending."""
    named = _named(data)
    return named if named is not None and is_live(data, named.process) else None


def _named(data: Path) -> Owner | None:
    try:
        return msgspec.json.decode((data / _PROCESS_FILE).read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None


def _unusable(data: Path, reason: str) -> RuntimeUnusable:
    return RuntimeUnusable(
        "TRAY-012",
        f"the data folder {data} cannot be used: {reason}",
        hint="give yourself the right to write there, or choose another place with --data",
    )
