"""A tray in a process of its own: `python tray_process.py FOLDER FLOWS`; each run touches `FOLDER/data/ID.ran`."""

import sys
from pathlib import Path

from atomiton_runtime.tray.app import run_tray
from tests.doubles.runtime import FakeRuntime


def main() -> int:
    """Run the tray with so many flows."""
    runtime = FakeRuntime(Path(sys.argv[1]), ends_by_itself=True)
    for number in range(int(sys.argv[2])):
        runtime.add_flow(f"flow-{number:03}", f"Flow {number:03}")
    return run_tray(runtime)


if __name__ == "__main__":
    sys.exit(main())
