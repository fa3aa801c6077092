"""Measures how long a flow file takes to be loaded: beside what the standard library takes to parse it."""

import argparse
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import tomli
from engine import measure

from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.nodes.registry import NodeCatalogue
from flows import mixed, templated

REPEATS = {10: 200, 100: 100, 1000: 30, 10_000: 5}
PATH = Path("measured.toml")


def times(content: bytes, repeats: int) -> dict[str, dict[str, float]]:
    """Return the milliseconds of each way to read the file, in a process that has read it before."""
    text = content.decode()
    catalogue = NodeCatalogue()

    before = load_flow(content, PATH, catalogue)
    assert isinstance(before, Flow)

    def load(before: Flow | None = None) -> None:
        assert isinstance(load_flow(content, PATH, catalogue, before), Flow)

    ways: dict[str, Callable[[], object]] = {
        "tomllib alone": lambda: tomllib.loads(text),
        "tomli alone": lambda: tomli.loads(text),
        "load_flow": load,
        "load_flow after a save": lambda: load(before),
    }
    return {way: measure(call, repeats) for way, call in ways.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", type=int, help="the one CPU to run on")
    arguments = parser.parse_args()
    if arguments.pin is not None:
        os.sched_setaffinity(0, {arguments.pin})
    files = {f"{nodes} nodes": (templated(nodes), repeats) for nodes, repeats in REPEATS.items()}
    files["1000 nodes of many types"] = mixed(1000), REPEATS[1000]
    figures = {
        f"{title}, {len(content) / 1000:.0f} kB: {way}": figure
        for title, (content, repeats) in files.items()
        for way, figure in times(content, repeats).items()
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
