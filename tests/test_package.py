"""Importing the package is cheap and starts nothing."""

import subprocess
import sys

NOT_LOADED = (
    "pystray",
    "dbus_fast",
    "PIL",
    "Xlib",
    "rich",
    "click",
    "httpx2",
    "nicegui",
    "tree_sitter",
    "hypothesis",
)
PROGRAM = """
import sys, threading
import atomiton_runtime
print(threading.active_count(), *(name for name in sys.argv[1:] if name in sys.modules))
"""


def test_importing_starts_nothing_and_loads_no_desktop() -> None:
    """After the import there is one thread, and no library for the screen, the network or the terminal."""
    outcome = subprocess.run(
        [sys.executable, "-c", PROGRAM, *NOT_LOADED], capture_output=True, text=True, check=True, timeout=30
    )

    assert outcome.stdout.split() == ["1"]
