"""Starts and ends the tray: one for a data folder, until its user or a signal ends it."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from atomiton_runtime import control
from atomiton_runtime.clock import Clock, SystemClock
from atomiton_runtime.ownership import Owner, Ownership
from atomiton_runtime.requests import Refused, RunFlow
from atomiton_runtime.tray import wording
from atomiton_runtime.tray.autostart import APP_NAME
from atomiton_runtime.tray.client import Tray
from atomiton_runtime.tray.port import TrayRuntime
from atomiton_runtime.tray.surface import Surface, Wiring, create_surface


def run_tray(
    runtime: TrayRuntime,
    *,
    run: str | None = None,
    autostart_command: Sequence[str] = (),
    clock: Clock | None = None,
    say: Callable[[str], object] | None = None,
    surface: Callable[[Wiring], Surface] = create_surface,
) -> int:
    """Start `runtime`, show the icon until Quit, SIGTERM, SIGINT or SIGHUP, stop `runtime`, return the exit code.

    Without a desktop it works as `watch` does, and shows the icon as soon as there is one. A second tray for the same
    data folder says so, hands `run` over to the first, and returns at once.

    Args:
        runtime: made with `watch=True`, not started.
        run: id or path of a flow to execute at the start.
        autostart_command: what `Start at login` starts; empty: this installation's tray.
        clock: tells the time of the menu.
        say: takes the lines for the terminal; else standard error does.
        surface: makes the icon.

    Raises:
        RuntimeUnusable: the data folder cannot be used (TRAY-012), the runtime cannot start, or the first tray does
            not answer (CLI-020).
    """
    tell = say or _say
    with contextlib.ExitStack() as stack:
        ownership = Ownership(runtime.places.data)
        stack.callback(ownership.release)
        other = ownership.take()
        if other is not None:
            tell(
                f"{APP_NAME} already runs for {runtime.places.data}: {other.words}, process {other.pid} (TRAY-010)"
            )
            return _hand_over(runtime.places.data, other, run, tell) if run else 0
        tray = Tray(runtime, autostart_command, clock or SystemClock(), tell, surface)
        with _ended_by_signals(tray.stop):
            tray.run(run)
    return 0


def _hand_over(data: Path, owner: Owner, flow: str, tell: Callable[[str], object]) -> int:
    """Ask the owner of `data` to execute `flow`; return the exit code."""
    # A relative path means another file in the other process's folder.
    request = RunFlow(flow=str(Path(flow).absolute()) if Path(flow).is_file() else flow, trigger="tray")
    match control.request(data, owner.process, request):
        case Refused(errors=errors):
            tell("\n".join(wording.error_text(error) for error in errors))
            return 2
        case _:
            return 0


@contextlib.contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Generator[None]:
    """Call `stop` for the signals that end a desktop program; a second one while it ends changes nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: object) -> None:
        stop()

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [signal.Signals[name] for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(line: str) -> None:
    sys.stderr.write(f"atomiton: {line}\n")
    sys.stderr.flush()
