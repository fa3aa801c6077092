"""Executes a flow of 10 nodes 5000 times in one process and looks whether anything grows after the first 500."""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import psutil

from atomiton_runtime import Runtime
from flows import linear


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--nodes", type=int, default=10)
    arguments = parser.parse_args()
    runs = arguments.runs
    me = psutil.Process()
    marks: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flow = linear(folder / "flows", arguments.nodes)
        began = time.perf_counter()
        with Runtime(folder / "flows", data=folder / "data") as runtime:
            for number in range(1, runs + 1):
                assert runtime.run(flow).result(30).status == "succeeded"
                if number % 500 == 0:
                    marks.append(
                        {
                            "runs": number,
                            "threads": threading.active_count(),
                            "descriptors": me.num_fds(),
                            "rss_mb": round(me.memory_info().rss / 1e6, 1),
                        }
                    )
        took_s = time.perf_counter() - began
        store_mb = sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file()) / 1e6
    print(json.dumps({"marks": marks, "seconds": round(took_s, 1), "store_mb": round(store_mb, 1)}, indent=1))


if __name__ == "__main__":
    main()
