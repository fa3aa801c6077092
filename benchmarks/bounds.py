"""Measures what floods cost: endless output, a million events, ten thousand flow files, three hundred menu entries.

Each flood of a runtime is a process of its own (`flood.py`); the folder and the tray are those of real processes. Takes
about ten minutes; `--small` is a tenth of everything. `--page` writes a table between the marks of a page, of what was
measured or of the files with `--figures`.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from flood import Asking

from atomiton_runtime import Runtime
from tests.desktop.private_bus import PrivateBus
from tests.desktop.tray_host import TrayHost

HERE = Path(__file__).parent
ATOMITON = [str(Path(sys.executable).parent / "atomiton")]
FLOW = '# {number}\n[nodes.only]\ntype = "{type}"\n{parameters}\n'
PATIENCE_S = 120.0
EDITS = 10
OPENINGS = 20

MARKS = re.compile(r"(<!-- bounds -->\n).*?(<!-- end -->)", re.DOTALL)

Figures = dict[str, object]


def flood(kind: str, *arguments: str) -> Figures:
    """Return what a flood cost."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "flood.py"), kind, folder, *arguments]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE)
    return json.loads(answer.stdout)


def floods(part: float) -> dict[str, Figures]:
    """Return what output without an end costs, and a million events."""
    giga = f"{max(round(10 * part), 1)}G"
    mega = f"{max(round(200 * part), 20)}M"
    timeout = f"{max(round(20 * part), 3)}s"
    endless = "def run():\n    while True:\n        {}"
    both = "def run():\n    import sys\n    while True:\n        sys.{}.write('x' * 100000)"
    iterations = ("--iterations", str(round(200_000 * part)))
    return {
        f"shell, {giga} of lines": flood("shell", "--text", f"yes | head -c {giga}"),
        f"shell, {giga} without a line": flood("shell", "--text", f"head -c {giga} /dev/zero"),
        f"shell, {mega} of noise to both streams": flood(
            "shell", "--text", f"head -c {mega} /dev/urandom; head -c {mega} /dev/urandom >&2"
        ),
        "shell, endless lines": flood("shell", "--text", "yes", "--timeout", timeout),
        "python, endless lines": flood(
            "python", "--text", endless.format("print('a line')"), "--timeout", timeout
        ),
        "python, endless without a line": flood(
            "python", "--text", both.format("stderr"), "--timeout", timeout
        ),
        "a node type of one's own, endless log": flood("own", "--timeout", timeout),
        f"{round(100 * part)} MB of outputs within a run": flood(
            "outputs", "--iterations", str(round(222 * part))
        ),
        f"{round(1_000_000 * part)} events": flood("events", *iterations),
        f"{round(1_000_000 * part)} events, a subscriber that never returns": flood(
            "deaf-subscriber", *iterations
        ),
        f"{round(1_000_000 * part)} events, a client that never reads": flood("deaf-client", *iterations),
    }


def peak_mb(pid: int) -> float:
    """Return the most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) * 1024 / 1e6, 1)


def until(true: Callable[[], object], since: float) -> float:
    """Return the seconds from `since` until `true` is."""
    while not true():
        assert time.perf_counter() - since < PATIENCE_S, "it did not happen"
        time.sleep(0.002)
    return time.perf_counter() - since


def write_flows(flows: Path, count: int) -> None:
    """Write so many flows."""
    flows.mkdir(parents=True)
    for number in range(count):
        text = FLOW.format(number=number, type="edit-fields", parameters='values = { a = "{{ 1 }}" }')
        (flows / f"flow{number:05}.toml").write_text(text)


def took_s(*arguments: str) -> float:
    """Return how long a command takes as a whole process."""
    began = time.perf_counter()
    subprocess.run([*ATOMITON, *arguments], check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - began, 3)


def folder_in_process(folder: Path, count: int) -> Figures:
    """Return what a folder of many flows costs a runtime that watches it, in a process of its own."""
    command = [sys.executable, str(HERE / "bounds.py"), "--folder", str(folder), "--count", str(count)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE)
    return json.loads(answer.stdout)


def inside_folder(folder: Path, count: int) -> Figures:
    """Watch a folder of many flows; edit some of them while a menu is asked for."""
    flows = folder / "flows"
    write_flows(flows, count)
    saved: list[float] = []
    began = time.perf_counter()
    with Runtime(flows, data=folder / "data", watch=True) as runtime:
        started_s = time.perf_counter() - began
        first = time.perf_counter()
        assert len(runtime.flows()) == count
        listed_s = time.perf_counter() - first
        # The first scan and what it tells the shelf are over when a save is seen.
        with Asking(runtime) as asking:
            for number in range(EDITS):
                seen = threading.Event()
                stop = runtime.subscribe(lambda _: seen.set(), kinds=("RunSucceeded",))  # noqa: B023
                edited = time.perf_counter()
                path = flows / f"flow{number:05}.toml"
                path.write_text(path.read_text() + "# edited\n")
                assert seen.wait(PATIENCE_S)
                saved.append(time.perf_counter() - edited)
                stop()
    return {
        "start_s": round(started_s, 2),
        "first_list_s": round(listed_s, 2),
        "save_to_end_of_run_median_ms": round(sorted(saved)[EDITS // 2] * 1000, 1),
        "save_to_end_of_run_max_ms": round(max(saved) * 1000, 1),
        "peak_rss_mb": peak_mb(os.getpid()),
        **{f"slowest_{name}_ms": worst for name, worst in asking.worst_ms.items()},
    }


def commands(folder: Path) -> Figures:
    """Return how long the commands take in a folder of many flows, alone and beside `watch`."""
    places = ("--flows", str(folder / "flows"), "--data", str(folder / "data"))
    figures: Figures = {
        "list_s": took_s(*places, "list"),
        "history_s": took_s(*places, "history"),
        "run_s": took_s(*places, "run", "flow00042"),
    }
    said = folder / "said.txt"
    began = time.perf_counter()
    with said.open("w") as output:
        watch = subprocess.Popen([*ATOMITON, *places, "watch"], stdout=output)
    try:
        figures["watch_greets_s"] = round(until(lambda: "watching" in said.read_text(), began), 2)
        figures["run_beside_watch_s"] = took_s(*places, "run", "flow00042")
        figures["history_beside_watch_s"] = took_s(*places, "history")
        figures["watch_peak_rss_mb"] = peak_mb(watch.pid)
    finally:
        watch.terminate()
        watch.wait(30)
    return figures


def tray(folder: Path, count: int) -> Figures:
    """Return how long it takes until the menu of so many flows is there, is opened, and follows a run."""
    flows = folder / "flows"
    write_flows(flows, count - 1)
    sleeper = FLOW.format(number=0, type="shell-command", parameters='program = "sleep"\nargs = ["60"]')
    (flows / "aa.toml").write_text(sleeper)
    with PrivateBus() as bus, TrayHost(bus.address) as host:
        environment = dict(os.environ, DBUS_SESSION_BUS_ADDRESS=bus.address)
        began = time.perf_counter()
        process = subprocess.Popen(
            [*ATOMITON, "--flows", str(flows), "--data", str(folder / "data"), "tray"], env=environment
        )
        try:
            registered_s = until(lambda: host.registrations, began)
            text = f"{count} flows"
            whole_s = until(lambda: any(label.startswith(text) for label in host.labels()), began)
            openings: list[float] = []
            for _ in range(OPENINGS):
                opened = time.perf_counter()
                host.open()
                host.lines()
                openings.append(time.perf_counter() - opened)
                host.close()
            line = host.line("aa")
            clicked = time.perf_counter()
            host.event(line.id, "clicked")
            runs_s = until(lambda: any("running since" in label for label in host.labels()), clicked)
            cancelled = time.perf_counter()
            host.event(host.line("Cancel aa").id, "clicked")
            ended_s = until(lambda: any("cancelled" in label for label in host.labels()), cancelled)
            signals = len(host.signals)
            peak = peak_mb(process.pid)
        finally:
            process.terminate()
            process.wait(30)
    return {
        "start_to_registered_s": round(registered_s, 3),
        "start_to_whole_menu_s": round(whole_s, 3),
        "open_median_ms": round(sorted(openings)[OPENINGS // 2] * 1000, 1),
        "open_max_ms": round(max(openings) * 1000, 1),
        "click_to_running_ms": round(runs_s * 1000, 1),
        "cancel_to_cancelled_ms": round(ended_s * 1000, 1),
        "signals": signals,
        "peak_rss_mb": peak,
    }


def write(measured: dict[str, Figures], page: Path) -> None:
    """Put a row for each flood into a page."""
    rows = [
        f"| {flood} | "
        + ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in row.items())
        + " |"
        for flood, row in measured.items()
    ]
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    machine = f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.system()}"
    head = f"{machine}, {datetime.now(UTC):%Y-%m-%d}; load of the machine when it was over: {load}."
    table = "\n".join([head, "", "| flood | figures |", "| --- | --- |", *rows, ""])
    text = page.read_text(encoding="utf-8")
    page.write_text(MARKS.sub(lambda found: f"{found[1]}{table}{found[2]}", text), encoding="utf-8")


def measure(args: argparse.Namespace) -> dict[str, Figures]:
    """Measure all, or what is asked for."""
    part = 0.1 if args.small else 1.0
    many, some = round(10_000 * part), max(round(300 * part), 30)
    measured: dict[str, Figures] = {}
    if args.only in (None, "floods"):
        measured |= floods(part)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.only in (None, "folder"):
            measured[f"{many} flow files"] = folder_in_process(folder / "many", many)
            measured[f"{many} flow files, commands"] = commands(folder / "many")
        if args.only in (None, "tray"):
            measured[f"tray, {some} flows"] = tray(folder / "tray", some)
            measured[f"tray, {many} flows"] = tray(folder / "tray-many", many)
    return measured


def main() -> None:
    """Measure, print, and write a page where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", choices=["floods", "folder", "tray"])
    parser.add_argument("--page", type=Path, help="a page with the marks of a table")
    parser.add_argument(
        "--figures", type=Path, nargs="*", default=[], help="files with what was printed before"
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder is not None:
        print(json.dumps(inside_folder(args.folder, args.count)))
        return
    measured: dict[str, Figures] = {}
    for file in args.figures:
        measured |= json.loads(file.read_text(encoding="utf-8"))
    measured = measured or measure(args)
    if args.page is not None:
        write(measured, args.page)
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()
