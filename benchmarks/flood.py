"""Lets one flood into the runtime of this process and prints what it cost; `bounds.py` starts it for each flood.

Memory is the peak of this process alone (VmHWM, so Linux): the programs that flood are others. Meanwhile a thread asks
again and again what a menu and a command line ask; the longest answer counts.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from atomiton_runtime import Runtime
from atomiton_runtime.control.conversation import Conversation, converse
from atomiton_runtime.requests import RunFlow
from atomiton_runtime.run.events import FINAL_EVENTS
from flows import loop

PAUSE_S = 0.02
PATIENCE_S = 3600

SHELL = """[settings]
on_save = "off"
[nodes.flood]
type = "shell-command"
shell = true
program = '''{program}'''
timeout = "{timeout}"
"""
PYTHON = """[settings]
on_save = "off"
[nodes.flood]
type = "python"
code = '''{code}'''
timeout = "{timeout}"
"""
OUTPUTS = """[settings]
on_save = "off"
[nodes.each]
type = "loop"
mode = "times"
count = {iterations}
[nodes.each.nodes.make]
type = "edit-fields"
keep_only_set = true
values = {{ text = "{{{{ index ~ 'x' * 450000 }}}}" }}
"""
OWN = '''"""Logs without an end."""
import msgspec
from atomiton_runtime.nodes.base import Example, NodeType, Port


class FloodParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


class Flood(NodeType):
    """Logs until it is told to stop."""

    name = "flood"
    ports = (Port("result", "Nothing."),)
    Parameters = FloodParameters
    examples = (Example(title="Never executed", toml="", error="NODE-010"),)

    def execute(self, parameters, context):
        """Log."""
        while True:
            context.cancel.raise_if_cancelled()
            context.log("a line that says nothing")
'''


def peak_mb() -> float:
    """Return the most memory that this process ever had."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) * 1024 / 1e6, 1)


def disk_mb(folder: Path) -> float:
    """Return what a folder takes."""
    return round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6, 1)


class Asking:
    """Asks what a menu and a command line ask, until `with` ends; keeps the longest answer of each."""

    def __init__(self, runtime: Runtime) -> None:
        self.worst_ms: dict[str, float] = {"history": 0.0, "flows": 0.0, "active": 0.0}
        self._questions: dict[str, Callable[[], object]] = {
            "history": lambda: runtime.history(limit=50),
            "flows": runtime.flows,
            "active": runtime.active,
        }
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._ended.wait(PAUSE_S):
            for name, question in self._questions.items():
                began = time.perf_counter()
                question()
                took_ms = (time.perf_counter() - began) * 1000
                self.worst_ms[name] = max(self.worst_ms[name], round(took_ms, 1))

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()


def write(flows: Path, text: str) -> str:
    """Write the flow that floods; return its id."""
    flows.mkdir(parents=True, exist_ok=True)
    (flows / "flood.toml").write_text(text)
    return "flood"


def never(fact: object) -> None:
    """Never return: the worst subscriber there is."""
    del fact
    threading.Event().wait()


def flooding_flow(flows: Path, args: argparse.Namespace) -> str:
    """Write the flow of the flood that is asked for; return its id."""
    match args.flood:
        case "shell":
            return write(flows, SHELL.format(program=args.text, timeout=args.timeout))
        case "python":
            return write(flows, PYTHON.format(code=args.text, timeout=args.timeout))
        case "own":
            (flows / "nodes").mkdir(parents=True)
            (flows / "nodes" / "flood.py").write_text(OWN)
            own = f'[settings]\non_save = "off"\n[nodes.flood]\ntype = "flood"\ntimeout = "{args.timeout}"\n'
            return write(flows, own)
        case "outputs":
            return write(flows, OUTPUTS.format(iterations=args.iterations))
        case _:
            flow = loop(flows, args.iterations)
            path = flows / f"{flow}.toml"
            path.write_text(
                path.read_text().replace("concurrency", f"max_iterations = {args.iterations}\nconcurrency", 1)
            )
            return flow


def main() -> None:
    """Flood and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "flood", choices=["shell", "python", "own", "outputs", "events", "deaf-subscriber", "deaf-client"]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--text", default="", help="what the shell or Python executes")
    parser.add_argument("--timeout", default="1h")
    parser.add_argument("--iterations", type=int, default=200_000, help="five events each")
    args = parser.parse_args()
    sys.setswitchinterval(0.001)  # as `atomiton` does
    folder: Path = args.folder
    flow = flooding_flow(folder / "flows", args)
    with Runtime(folder / "flows", data=folder / "data") as runtime:
        runtime.flows()
        idle_mb = peak_mb()
        ended = threading.Event()
        runtime.subscribe(lambda _: ended.set(), kinds=tuple(kind.__name__ for kind in FINAL_EVENTS))
        if args.flood == "deaf-subscriber":
            runtime.subscribe(never)
        clients: list[Conversation] = []
        began = time.perf_counter()
        with Asking(runtime) as asking:
            if args.flood == "deaf-client":
                # It has its answer, and reads nothing of what follows.
                clients.append(converse(folder / "data", runtime.process, RunFlow(flow=flow, follow=True)))
            else:
                runtime.run(flow)
            assert ended.wait(PATIENCE_S)
            took_s = time.perf_counter() - began
        summary = runtime.history(limit=1)[0]
        figures = {
            "status": summary.status,
            "seconds": round(took_s, 1),
            "idle_rss_mb": idle_mb,
            "peak_rss_mb": peak_mb(),
            "disk_mb": disk_mb(folder / "data"),
            **{f"slowest_{name}_ms": worst for name, worst in asking.worst_ms.items()},
        }
        print(json.dumps(figures), flush=True)
        os._exit(0)  # a subscriber that never returns is not waited for


if __name__ == "__main__":
    main()
