"""Measures whole processes: the help, one run, the tray's start, and what an idle tray costs."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.desktop.private_bus import PrivateBus
from tests.desktop.tray_host import TrayHost

ROOT = Path(__file__).parent.parent
ATOMITON = [str(Path(sys.executable).parent / "atomiton")]
IDLE_S = 10


def wall(command: list[str], environment: dict[str, str], repeats: int) -> dict[str, float]:
    """Return the wall seconds of a command as a whole process: median and least."""
    took: list[float] = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run(
            command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        took.append(time.perf_counter() - began)
    return {
        "median_s": round(statistics.median(took[1:]), 3),
        "min_s": round(min(took[1:]), 3),
        "runs": repeats,
    }


def tray(folder: Path, repeats: int, count: int) -> dict[str, float]:
    """Start the tray with `count` flows; then leave it alone."""
    flows = folder / f"flows{count}"
    flows.mkdir()
    for number in range(count):
        (flows / f"flow{number}.toml").write_text('[nodes.only]\ntype = "edit-fields"\nvalues = { a = 1 }\n')
    starts: list[float] = []
    for number in range(repeats):
        with PrivateBus() as bus, TrayHost(bus.address) as host:
            environment = dict(os.environ, DBUS_SESSION_BUS_ADDRESS=bus.address)
            began = time.perf_counter()
            process = subprocess.Popen(
                [*ATOMITON, "--flows", str(flows), "--data", str(folder / "data"), "tray"],
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            try:
                while not host.registrations:
                    time.sleep(0.002)
                starts.append(time.perf_counter() - began)
                if number < repeats - 1:
                    continue
                host.line("flow0")
                time.sleep(3)
                looked = psutil.Process(process.pid)
                before = looked.cpu_times()
                time.sleep(IDLE_S)
                after = looked.cpu_times()
                ticks = (after.user + after.system - before.user - before.system) * os.sysconf("SC_CLK_TCK")
                rss_mb = looked.memory_info().rss / 2**20
            finally:
                process.terminate()
                process.wait(10)
    return {
        "start_to_registered_median_s": round(statistics.median(starts), 3),
        "start_to_registered_max_s": round(max(starts), 3),
        "idle_rss_mib": round(rss_mb, 1),
        f"idle_cpu_ticks_in_{IDLE_S}_s": round(ticks),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = dict(os.environ, ATOMITON_DATA=str(folder / "data"))
        measured = {
            "atomiton --help": wall([*ATOMITON, "--help"], environment, repeats),
            "atomiton run flows/hello.toml": wall(
                [*ATOMITON, "run", str(ROOT / "flows/hello.toml")], environment, repeats
            ),
            "tray, 20 flows": tray(folder, repeats, 20),
            "tray, 300 flows": tray(folder, repeats, 300),
        }
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()
