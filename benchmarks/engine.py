"""Measures a run of no-op nodes through `Runtime` with the sqlite engine; peers in the same process run beside it.

From `runtime.run(...)` to the whole run document in hand. Peers do the same graph with functions that return None:
doit with its SQLite store (every task journaled), dask's threaded scheduler (nothing is kept).
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from atomiton_runtime import Runtime
from flows import fan_out, linear, loop


def measure(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Return the milliseconds of a call: median, least and 90th percentile."""
    call()
    took: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {
        "median_ms": round(statistics.median(took), 2),
        "min_ms": round(took[0], 2),
        "p90_ms": round(took[int(len(took) * 0.9)], 2),
        "runs": repeats,
    }


def ours(folder: Path) -> dict[str, dict[str, float]]:
    """Measure the bars of this project."""
    flows = folder / "flows"
    shapes = {
        "linear 10": (linear(flows, 10), 200),
        "linear 100": (linear(flows, 100), 60),
        "fan-out 100": (fan_out(flows, 100), 60),
        "linear 1000": (linear(flows, 1000), 12),
        "loop of 1000 iterations, 2 nodes": (loop(flows, 1000), 6),
        "loop of 10000 iterations, 2 nodes": (loop(flows, 10_000), 2),
    }
    figures: dict[str, dict[str, float]] = {}
    with Runtime(flows, f"sqlite:///{folder / 'runs.sqlite3'}", data=folder / "data") as runtime:
        for title, (flow, repeats) in shapes.items():

            def once(flow: str = flow) -> None:
                assert runtime.run(flow).result(120).status == "succeeded"

            figures[title] = measure(once, repeats)
    return figures


def doit_peer(folder: Path) -> dict[str, float] | None:
    """Measure doit with its SQLite store on 100 tasks in a line; None where it is not installed."""
    try:
        from doit.cmd_base import ModuleTaskLoader
        from doit.doit_cmd import DoitMain
    except ImportError:
        return None

    def task_line() -> object:
        for index in range(100):
            after = [f"line:n{index - 1}"] if index else []
            yield {"name": f"n{index}", "actions": [(_nothing,)], "task_dep": after, "verbosity": 0}

    settings = {"dep_file": str(folder / "doit.db"), "backend": "sqlite3", "verbosity": 0, "reporter": "zero"}

    def once() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            assert (
                DoitMain(ModuleTaskLoader({"task_line": task_line, "DOIT_CONFIG": settings})).run(["run"])
                == 0
            )

    return measure(once, 15)


def dask_peer() -> dict[str, float] | None:
    """Measure dask's threaded scheduler on 100 tasks in a line; None where it is not installed."""
    try:
        from dask.threaded import get
    except ImportError:
        return None
    graph: dict[str, object] = {"n0": (_nothing,)}
    graph.update({f"n{index}": (_pass_on, f"n{index - 1}") for index in range(1, 100)})
    return measure(lambda: get(graph, "n99", num_workers=8), 30)


def _nothing() -> None:
    return None


def _pass_on(value: object) -> object:
    return value


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", type=int, help="the one CPU to run on")
    parser.add_argument("--peers", action="store_true", help="measure doit and dask too, if installed")
    arguments = parser.parse_args()
    if arguments.pin is not None:
        os.sched_setaffinity(0, {arguments.pin})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures: dict[str, object] = dict(ours(folder))
        if arguments.peers:
            figures["doit + SQLite, linear 100"] = doit_peer(folder)
            figures["dask threads, linear 100"] = dask_peer()
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
