"""Executes a flow, or continues a run of it, and kills itself at a step of the journal.

    python -m tests.doubles.crashing_process FLOWS DATA FAIL_AT run FLOW
    python -m tests.doubles.crashing_process FLOWS DATA FAIL_AT resume RUN [NODE ...]

The nodes that are named are executed again. FAIL_AT counts the events that are kept before the kill; -1: never.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from atomiton_runtime import Runtime
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage import create
from atomiton_runtime.storage.engine import Durability
from atomiton_runtime.storage.sqlite import SqliteEngine

KILLED = -signal.SIGKILL


class CrashingEngine(SqliteEngine):
    """Keeps one event after the other; before the one of this number the process dies."""

    steps_left = 0

    def append(self, events: Sequence[RunEvent]) -> None:
        """Keep the events that are left before the crash."""
        for event in events:
            if self.steps_left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            super().append([event])
            CrashingEngine.steps_left -= 1


def _crashing(path: str, durability: Durability) -> CrashingEngine:
    return CrashingEngine(Path(path), durability=durability)


def main(flows: str, data: str, fail_at: str, command: str, ref: str, *rerun: str) -> int:
    """Return 0 if the run succeeded."""
    create.ENGINES["sqlite"] = _crashing
    CrashingEngine.steps_left = int(fail_at)
    with Runtime(flows=flows, data=data) as runtime:
        run = runtime.run(ref) if command == "run" else runtime.resume(RunId(ref), rerun=rerun)
        return 0 if run.result(timeout_s=30).status == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
