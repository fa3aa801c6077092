"""Opens files and folders with the desktop's own programs."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from atomiton_runtime.errors import UsageError

_OPENERS = {"darwin": "open", "linux": "xdg-open"}


def open_path(path: str) -> None:
    """Open a file or folder as a double click would; returns when the program was started.

    Raises:
        UsageError: it is not there, or nothing can open it (TRAY-009).
    """
    if not Path(path).exists():
        raise UsageError("TRAY-009", f"{path} is not there any more")
    try:
        if sys.platform == "win32":
            os.startfile(path)  # what a double click does
        else:
            _start(_OPENERS.get(sys.platform, "xdg-open"), path)
    except OSError as exc:
        raise UsageError("TRAY-009", f"{path} cannot be opened: {exc}") from exc


def _start(opener: str, path: str) -> None:
    # The editor is its user's: it gets its own session and outlives the tray.
    program = subprocess.Popen(
        [opener, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # Some openers stay until the editor is closed; one that ended must not remain as a zombie.
    threading.Thread(target=program.wait, name="tray-opened", daemon=True).start()
