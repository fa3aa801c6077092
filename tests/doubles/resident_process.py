"""Is `atomiton watch` with a wall clock that a file sets: `python -m tests.doubles.resident_process CLOCK FLOWS DATA`.

The file CLOCK holds by how many days the clock is wrong.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from atomiton_runtime.cli.app import run_command
from atomiton_runtime.clock import SystemClock


def main(clock: str, flows: str, data: str) -> int:
    """Watch until a signal comes."""

    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(days=int(Path(clock).read_text()))

    SystemClock.now = now
    return run_command(["--flows", flows, "--data", data, "watch"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
