"""Measures what a call of a warm `python` node costs beside a plain node: both in flows of 50 in a line."""

import argparse
import json
import os
import tempfile
from pathlib import Path

from engine import measure

from atomiton_runtime import Runtime
from flows import linear, python_line

NODES = 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", type=int, help="the one CPU to run on")
    arguments = parser.parse_args()
    if arguments.pin is not None:
        os.sched_setaffinity(0, {arguments.pin})
    with tempfile.TemporaryDirectory() as name:
        flows = Path(name) / "flows"
        figures: dict[str, dict[str, float]] = {}
        with Runtime(flows, "memory:", data=Path(name) / "data") as runtime:
            for title, flow in (("plain", linear(flows, NODES)), ("python", python_line(flows, NODES))):

                def once(flow: str = flow) -> None:
                    assert runtime.run(flow).result(60).status == "succeeded"

                figures[title] = measure(once, 10)
    above_ms = (figures["python"]["median_ms"] - figures["plain"]["median_ms"]) / NODES
    figures["above a plain node"] = {"ms": round(above_ms, 2)}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
