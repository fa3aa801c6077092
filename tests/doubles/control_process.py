"""A process with a control door (`python -m tests.doubles.control_process DATA NAME`); it ends with its stdin."""

import sys
from pathlib import Path

from atomiton_runtime.control.door import ControlDoor
from atomiton_runtime.control.presence import processes_folder
from atomiton_runtime.requests import (
    CancelAccepted,
    CancelRun,
    Refused,
    Request,
    Response,
    RunAccepted,
    RunFlow,
)


def answer(request: Request) -> Response:
    """Accept everything, and break on the run that is named so."""
    match request:
        case CancelRun(run_id="broken"):
            raise ValueError("a fault of the runtime")
        case CancelRun():
            return CancelAccepted(run_id=request.run_id)
        case RunFlow(flow=flow):
            if flow.startswith("/"):
                Path(flow).touch()
            return RunAccepted(run_id="01", flow=flow)
        case _:
            return Refused(errors=())


def main() -> None:
    """Open the door, say so, and close it when stdin ends."""
    door = ControlDoor(processes_folder(Path(sys.argv[1])), sys.argv[2], answer)
    door.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    door.stop()


if __name__ == "__main__":
    main()
