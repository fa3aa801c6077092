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


def test_a_runtime_loads_no_second_parser() -> None:
    """Nor whatever else only those commands need that show differences and places."""
    program = PROGRAM.replace("import atomiton_runtime\n", "import atomiton_runtime.runtime\n")
    unwanted = (
        "tree_sitter",
        "rich",
        "PIL",
        "httpx2",
        "atomiton_runtime.comparing",
        "atomiton_runtime.replaying",
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program, *unwanted], capture_output=True, text=True, check=True, timeout=30
    )

    assert outcome.stdout.split() == ["1"]
