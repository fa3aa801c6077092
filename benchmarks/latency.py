"""Measures how long it is from a click, or from a save, to the start of the flow's first node.

The click is a D-Bus `Event` on the menu of a real tray process on a bus of its own. The save is a file written in
place. The first node's start is what it says itself: its only parameter is
`{{ now }}`, rendered at the beginning of the attempt.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from atomiton_runtime import Runtime
from atomiton_runtime.run.document import RunDocument
from tests.desktop.private_bus import PrivateBus
from tests.desktop.tray_host import TrayHost

FLOW = """# {number}
[settings]
notify = "never"
[nodes.first]
type = "edit-fields"
values = {{ at = "{{{{ now }}}}" }}
"""


def first_start(document: RunDocument) -> float:
    """Return when the first node began, as Unix time."""
    result = document.outputs["first"]["result"]
    assert isinstance(result, dict)
    return datetime.fromisoformat(str(result["at"])).timestamp()


def figures(latencies_ms: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the worst."""
    ordered = sorted(latencies_ms)
    return {
        "median_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)], 1),
        "max_ms": round(ordered[-1], 1),
        "samples": len(ordered),
    }


def saves(folder: Path, samples: int) -> dict[str, float]:
    """Save a flow again and again, each time after the last run's end."""
    flows = folder / "flows"
    flows.mkdir(parents=True)
    flow = flows / "first.toml"
    flow.write_text(FLOW.format(number=0))
    latencies: list[float] = []
    with Runtime(flows, data=folder / "data", watch=True) as runtime:
        runtime.flows()
        for number in range(1, samples + 1):
            ended = threading.Event()
            stop = runtime.subscribe(lambda _: ended.set(), kinds=("RunSucceeded",))  # noqa: B023
            began = time.time()
            flow.write_text(FLOW.format(number=number))
            assert ended.wait(10), "the save was not seen"
            stop()
            latencies.append((first_start(runtime.show(runtime.find_run("last"))) - began) * 1000)
    return figures(latencies)


def clicks(folder: Path, samples: int) -> dict[str, float]:
    """Click on a flow again and again, each time after the last run's end."""
    flows = folder / "flows"
    flows.mkdir(parents=True)
    (flows / "first.toml").write_text(FLOW.format(number=0))
    latencies: list[float] = []
    with PrivateBus() as bus, TrayHost(bus.address) as host:
        environment = dict(os.environ, DBUS_SESSION_BUS_ADDRESS=bus.address)
        command = [
            sys.executable,
            "-m",
            "atomiton_runtime",
            "--flows",
            str(flows),
            "--data",
            str(folder / "data"),
        ]
        tray = subprocess.Popen([*command, "tray"], env=environment, stderr=subprocess.DEVNULL)
        try:
            line = host.line("first")
            with Runtime(flows, data=folder / "data") as reader:
                for number in range(1, samples + 1):
                    began = time.time()
                    host.event(line.id, "clicked")
                    while len(runs := reader.history(statuses=("succeeded",), limit=samples)) < number:
                        time.sleep(0.005)
                    latencies.append((first_start(reader.show(runs[0].run_id)) - began) * 1000)
        finally:
            tray.terminate()
            tray.wait(10)
    return figures(latencies)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        both = {"save": saves(folder / "save", samples), "click": clicks(folder / "click", samples)}
    print(json.dumps(both, indent=1))


if __name__ == "__main__":
    main()
