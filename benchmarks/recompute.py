"""Measures what a save costs of which little, or nothing, has changed: beside a full run, and the same edit in doit.

From the moment when the shelf is told a file's settled content to the run's last event at a subscriber. The flow is
one of `flows.parametrised`: lines of ten nodes, each with parameters of its own. Beside it what tomllib alone takes to
parse the file, for the bars are "so much beyond parsing".
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import queue
import statistics
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from atomiton_runtime import Runtime
from atomiton_runtime.actors.messages import FileSettled
from atomiton_runtime.run.events import FINAL_EVENTS
from flows import parametrised

PATIENCE_S = 120.0
SAMPLES = {100: 40, 1000: 20, 3000: 8}
KINDS = tuple(kind.__name__ for kind in FINAL_EVENTS)


def median(figures: list[float]) -> dict[str, float]:
    """Return the figures of some milliseconds."""
    ordered = sorted(figures)
    return {
        "median_ms": round(statistics.median(ordered), 2),
        "min_ms": round(ordered[0], 2),
        "p90_ms": round(ordered[int(len(ordered) * 0.9)], 2),
        "runs": len(ordered),
    }


class Editor:
    """Saves one flow again and again, in a runtime that has no watcher: its word is said at once."""

    def __init__(self, runtime: Runtime, path: Path) -> None:
        self._runtime = runtime
        self._path = path
        self._ends: queue.SimpleQueue[object] = queue.SimpleQueue()
        runtime.subscribe(self._ends.put, kinds=KINDS)

    def first(self, text: str) -> None:
        """Load the flow, and execute it as a whole."""
        self._path.write_text(text)
        self._tell(text, first_scan=True)
        self._runtime.run(self._path.stem)
        self._ends.get(timeout=PATIENCE_S)

    def save(self, text: str) -> float:
        """Return the milliseconds from settled content to the end of its run."""
        self._path.write_text(text)
        began = time.perf_counter()
        self._tell(text)
        ended = self._ends.get(timeout=PATIENCE_S)
        took_ms = (time.perf_counter() - began) * 1000
        assert type(ended).__name__ == "RunSucceeded", ended
        return took_ms

    def _tell(self, text: str, *, first_scan: bool = False) -> None:
        self._runtime._system.shelf.tell(  # what the watcher says, without its quiet time
            FileSettled(path=str(self._path), content=text.encode(), first_scan=first_scan)
        )

    def executed(self) -> int:
        """Return how many nodes the last run has executed."""
        document = self._runtime.show(self._runtime.find_run("last"))
        return sum(node.status == "succeeded" for node in document.nodes.values())


def edits(text: str, nodes: int) -> Iterator[tuple[str, str, int]]:
    """Yield kinds of edits, the edited text, and how many nodes it must execute."""
    head, last, tail = text.rpartition("values = {")
    for number in itertools.count(1):
        changed = f"{head}{last} edit = {number},{tail}"
        yield "nothing changed (a comment)", f"{text}# {number}\n", 0
        yield "one leaf parameter changed", changed, 1
        yield (
            "the whole flow",
            text.replace("[settings]", f'[settings]\non_save = "all" # {number}', 1),
            nodes,
        )
        text = changed  # so that the next comment is one in a version that was executed


def ours(folder: Path, nodes: int, samples: int) -> dict[str, dict[str, float]]:
    """Return what each kind of edit costs in a flow of so many nodes."""
    text = parametrised(nodes)
    path = folder / "flows" / "edited.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    taken: dict[str, list[float]] = {"tomllib alone": []}
    with Runtime(path.parent, f"sqlite:///{folder / 'runs.sqlite3'}", data=folder / "data") as runtime:
        editor = Editor(runtime, path)
        editor.first(text)
        for kind, edited, expected in edits(text, nodes):
            took_ms = editor.save(edited)
            executed = editor.executed()
            assert executed == expected, (kind, executed)
            taken.setdefault(kind, []).append(took_ms)
            began = time.perf_counter()
            tomllib.loads(edited)
            taken["tomllib alone"].append((time.perf_counter() - began) * 1000)
            if len(taken[kind]) >= samples and expected == nodes:
                break
    return {f"{nodes} nodes: {kind}": median(each) for kind, each in taken.items()}


def doit_peer(folder: Path, nodes: int, samples: int) -> dict[str, dict[str, float]] | None:
    """Return what the same edit costs in doit, with parameters as configuration; None: it is not installed."""
    try:
        from doit.cmd_base import ModuleTaskLoader
        from doit.doit_cmd import DoitMain
        from doit.tools import config_changed
    except ImportError:
        return None
    edit = {"number": 0, "executed": 0}

    def count() -> None:
        edit["executed"] += 1

    def task_line() -> Iterator[dict[str, object]]:
        for index in range(nodes):
            after = [f"line:n{index - 1}"] if index % 10 else []
            value = edit["number"] if index == nodes - 1 else index
            yield {
                "name": f"n{index}",
                "actions": [(count,)],
                "task_dep": after,
                "uptodate": [config_changed(f"value {value}")],
                "verbosity": 0,
            }

    settings = {"dep_file": str(folder / "doit.db"), "backend": "sqlite3", "verbosity": 0, "reporter": "zero"}

    def once() -> float:
        edit["executed"] = 0
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            loader = ModuleTaskLoader({"task_line": task_line, "DOIT_CONFIG": settings})
            assert DoitMain(loader).run(["run"]) == 0
        return (time.perf_counter() - began) * 1000

    once()
    nothing, leaf = [], []
    for number in range(samples):
        nothing.append(once())
        assert edit["executed"] == 0
        edit["number"] = number + 1
        leaf.append(once())
        assert edit["executed"] == 1
    return {
        f"{nodes} nodes: doit + SQLite, nothing changed": median(nothing),
        f"{nodes} nodes: doit + SQLite, one leaf changed": median(leaf),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", type=int, help="the one CPU to run on")
    parser.add_argument("--peers", action="store_true", help="measure doit too, if it is installed")
    parser.add_argument("--nodes", type=int, help="only flows of so many nodes")
    arguments = parser.parse_args()
    if arguments.pin is not None:
        os.sched_setaffinity(0, {arguments.pin})
    figures: dict[str, dict[str, float]] = {}
    for nodes, samples in SAMPLES.items():
        if arguments.nodes in (None, nodes):
            with tempfile.TemporaryDirectory() as name:
                figures |= ours(Path(name), nodes, samples)
                if arguments.peers and nodes <= 1000:
                    figures |= doit_peer(Path(name), nodes, min(samples, 8)) or {}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
