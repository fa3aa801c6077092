"""Starts the `atomiton` command: `atomiton ...` and `python -m atomiton_runtime ...` are the same."""

import contextlib
import os
import sys
import threading

_SWITCH_S = 0.001
"""So long a busy thread keeps the others waiting (usually 5 ms): a menu is asked for through several, and a node type
of somebody's may compute without an end."""


def main() -> None:
    """Execute the command of this process's arguments and end the process with its exit code."""
    from atomiton_runtime.cli.app import run_command

    sys.setswitchinterval(_SWITCH_S)
    code = run_command(sys.argv[1:])
    if threading.active_count() > 1:
        # Of a node type that does not end when it is told to. The interpreter would wait for some of them, among these
        # daemon threads of concurrent.futures.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
