"""A bus of one's own, a panel, and a tray in a thread, for each test."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from atomiton_runtime.tray.app import run_tray
from tests.desktop.private_bus import PrivateBus
from tests.desktop.tray_host import TrayHost
from tests.doubles.runtime import FakeRuntime


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    """A session bus that this process and its children find."""
    with PrivateBus() as private:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", private.address)
        yield private


@pytest.fixture
def host(bus: PrivateBus) -> Iterator[TrayHost]:
    """A panel that shows icons and notifications."""
    with TrayHost(bus.address) as panel:
        yield panel


@pytest.fixture
def runtime(tmp_path: Path) -> FakeRuntime:
    """A runtime whose runs end when a test says so, with no flow."""
    return FakeRuntime(tmp_path)


@dataclass
class RunningTray:
    """A tray in a thread."""

    thread: threading.Thread
    said: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        self.thread.join(8)
        assert not self.thread.is_alive(), "the tray did not end"
        return self.codes[0]


@pytest.fixture
def start_tray(runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunningTray]]:
    """Start trays in threads, and end those that are still alive afterwards."""
    from atomiton_runtime.tray import app

    trays: list[app.Tray] = []
    running: list[RunningTray] = []

    class RememberedTray(app.Tray):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            trays.append(self)

    monkeypatch.setattr(app, "Tray", RememberedTray)

    def start(**options: object) -> RunningTray:
        said: list[str] = []
        tray = RunningTray(threading.Thread(target=lambda: None), said)

        def run() -> None:
            tray.codes.append(run_tray(runtime, say=said.append, **options))  # type: ignore[arg-type]

        tray.thread = threading.Thread(target=run, name="test-tray")
        tray.thread.start()
        running.append(tray)
        return tray

    yield start
    for tray in trays:
        tray.stop()
    for one in running:
        one.thread.join(8)


@pytest.fixture
def tray(host: TrayHost, start_tray: Callable[..., RunningTray]) -> RunningTray:
    """A tray whose icon the panel has."""
    running = start_tray()
    host.wait_for_item()
    return running
