"""Starts and ends the tray: one for a data folder, until its user or a signal ends it."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from atomiton_runtime.clock import Clock, SystemClock
from atomiton_runtime.control.conversation import Unreached, request
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ownership import PATIENCE_S, Owner, Ownership, refuse_other_flows
from atomiton_runtime.requests import STOPPED, Refused, RunFlow
from atomiton_runtime.settings import Places
from atomiton_runtime.tray import wording
from atomiton_runtime.tray.autostart import APP_NAME
from atomiton_runtime.tray.client import Tray
from atomiton_runtime.tray.port import TrayRuntime
from atomiton_runtime.tray.surface import Surface, Wiring, create_surface

_LOOK_AGAIN_S = 0.05


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
        RuntimeUnusable: the data folder cannot be used (TRAY-012), the runtime cannot start, the owner of the data
            folder does not answer (CLI-020), or it runs the flows of another folder (CLI-025).
    """
    tell = say or _say
    ownership = Ownership(runtime.places.data)
    try:
        refusal = _left_to_owner(runtime.places, ownership, run, tell)
        if refusal is not None:
            return 2 if refusal else 0
        tray = Tray(runtime, autostart_command, clock or SystemClock(), tell, surface)
        with _ended_by_signals(tray.stop):
            tray.run(run)
    finally:
        ownership.release()
    return 0


def _left_to_owner(
    places: Places, ownership: Ownership, flow: str | None, tell: Callable[[str], object]
) -> Sequence[ErrorInfo] | None:
    """Leave all to the data folder's owner; return why it refuses `flow`. None: this process is the owner."""
    deadline = time.monotonic() + PATIENCE_S
    while (other := ownership.take()) is not None:
        if flow is None:
            refuse_other_flows(places.data, other, places.flows)
        try:
            refusal = _hand_over(places, other, flow) if flow else ()
        except Unreached:
            # It ends just now, or dies: then this one takes its place.
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_S)
            continue
        where = f"{other.words}, process {other.pid}"
        tell(f"{APP_NAME} already runs for {places.data}: {where} (TRAY-010)")
        for error in refusal:
            tell(wording.error_text(error))
        return refusal
    return None


def _hand_over(places: Places, owner: Owner, flow: str) -> Sequence[ErrorInfo]:
    """Ask the owner of the data folder to execute `flow`; return what is wrong with that.

    Raises:
        Unreached: it was not asked, or it is ending (CLI-020).
        RuntimeUnusable: it does not answer (CLI-020).
    """
    response = request(places.data, owner.process, RunFlow(flow=_meant(places, flow), trigger="tray"))
    if not isinstance(response, Refused):
        return ()
    if response.errors[0].code == STOPPED:
        raise Unreached("CLI-020", response.errors[0].message)
    return response.errors


def _meant(places: Places, flow: str) -> str:
    """Return the flow's file: a relative path, or an id, may mean another one in the other process's folders."""
    if "/" in flow or os.sep in flow or flow.endswith(".toml"):
        return str(Path(flow).expanduser().absolute())
    own = places.flows / f"{flow}.toml"
    return str(own) if own.is_file() else flow


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
