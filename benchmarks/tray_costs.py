"""Measures what the tray costs: start to icon, memory, processor.

usage: python benchmarks/tray_costs.py [FLOWS=20] [SECONDS=10]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.desktop.private_bus import PrivateBus  # noqa: E402  # after the path: a checkout needs no installation
from tests.desktop.tray_host import TrayHost  # noqa: E402

FLOW = (
    'name = "Flow {n}"\n[settings]\non_save = "off"\n[nodes.a]\ntype = "edit-fields"\nvalues = {{ a = 1 }}\n'
)
STARTS = 5


def main() -> None:
    """Print the costs."""
    count, seconds = (int(word) for word in (sys.argv[1:] + ["20", "10"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name, PrivateBus() as bus:
        folder = Path(name)
        (folder / "flows").mkdir()
        for number in range(count):
            (folder / f"flows/flow-{number}.toml").write_text(FLOW.format(n=number), encoding="utf-8")
        starts = sorted(measure(folder, bus, count, 0)[0] for _ in range(STARTS))
        _, memory_mb, ticks, rate = measure(folder, bus, count, seconds)
    print(
        f"{count} flows, {os.cpu_count()} processors, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}"
    )
    print(f"start to icon (whole process): {starts[0]:.2f} to {starts[-1]:.2f} s in {STARTS} starts")
    print(f"idle: {memory_mb:.1f} MB RSS, {ticks} ticks of 1/{rate} s in {seconds} s")


def measure(folder: Path, bus: PrivateBus, count: int, seconds: int) -> tuple[float, float, int, int]:
    """Start a tray; return seconds to its icon, its memory in MB, its processor ticks while idle, ticks a second."""
    with TrayHost(bus.address) as host:
        before = time.monotonic()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "atomiton_runtime",
                "--flows",
                folder / "flows",
                "--data",
                folder / "data",
                "tray",
            ],
            env=os.environ | {"DBUS_SESSION_BUS_ADDRESS": bus.address, "PYTHONPATH": str(ROOT)},
            cwd=folder,
        )
        try:
            host.wait_for_item()
            took_s = time.monotonic() - before
            host.wait_for(f"{count} flows")
            time.sleep(1 if seconds else 0)
            rate = os.sysconf("SC_CLK_TCK")
            used = ticks(process.pid)
            time.sleep(seconds)
            return (
                took_s,
                psutil.Process(process.pid).memory_info().rss / 2**20,
                ticks(process.pid) - used,
                rate,
            )
        finally:
            process.terminate()
            process.wait(10)


def ticks(pid: int) -> int:
    """Return the processor time of a process in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    main()
