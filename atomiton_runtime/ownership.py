"""Makes one process the owner of a data folder: the tray or `watch`, which alone runs flows when they are saved.

`owner.lock` is an OS lock held for the owner's life, so a dead owner is no obstacle whatever files it left;
`owner.process` names it, and so the door where others knock (see `control`).
"""

import contextlib
import time
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from filelock import FileLock, Timeout

from atomiton_runtime.control import is_live
from atomiton_runtime.errors import RuntimeUnusable

LOCK_FILE = "owner.lock"
_PROCESS_FILE = "owner.process"
_LOOK_AGAIN_S = 0.02
PATIENCE_S = 10.0
"""An owner that starts has not named itself yet, one that ends has not let go: so long that is waited for."""
Kind: TypeAlias = Literal["tray", "watch"]


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns a data folder."""

    process: str
    """The name under which its door is found."""
    kind: Kind
    pid: int

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
        """Become the owner and return None, or return who is it.

        Raises:
            RuntimeUnusable: the folder cannot be used, or its owner neither names itself nor lets go (TRAY-012).
        """
        deadline = time.monotonic() + patience_s
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            while True:
                with contextlib.suppress(Timeout):
                    self._lock.acquire(timeout=0)
                    (self._data / _PROCESS_FILE).unlink(missing_ok=True)  # of one that died
                    return None
                named = _named(self._data)
                if named is not None:
                    return named
                if time.monotonic() > deadline:
                    raise _unusable(self._data, "another process holds it and does not say who it is")
                time.sleep(_LOOK_AGAIN_S)
        except OSError as exc:
            raise _unusable(self._data, exc.strerror or str(exc)) from exc

    def release(self) -> None:
        """Let go, if it was taken."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                (self._data / _PROCESS_FILE).unlink(missing_ok=True)
            self._lock.release()


def announce(data: Path, owner: Owner) -> None:
    """Say who owns the folder; to be called by the owner, once its door is open.

    Raises:
        OSError: the folder cannot be written.
    """
    draft = data / f".{_PROCESS_FILE}.tmp"
    draft.write_bytes(msgspec.json.encode(owner))
    draft.replace(data / _PROCESS_FILE)


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
