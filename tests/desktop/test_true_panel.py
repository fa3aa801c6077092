"""The tray on a true panel: seen on the screen, clicked with the mouse, started by the desktop at login."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from atomiton_runtime.tray import autostart, icons
from tests.desktop.true_desktop import TrueDesktop, Window
from tests.desktop.waiting import eventually

pytestmark = [pytest.mark.desktop, pytest.mark.panel]

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
PROGRAM = ROOT / "tests/doubles/tray_process.py"
IDLE, SUCCEEDED = icons.FILLS["idle"], icons.FILLS["succeeded"]


@pytest.fixture(scope="module")
def shared_desktop() -> Iterator[TrueDesktop]:
    """A desktop with a panel, for all tests of this module."""
    with TrueDesktop() as true_desktop:
        yield true_desktop


@pytest.fixture
def desktop(shared_desktop: TrueDesktop, request: pytest.FixtureRequest) -> Iterator[TrueDesktop]:
    """The desktop, whose last sight is kept as a picture."""
    yield shared_desktop
    keep(shared_desktop.screenshot(), request.node.name)
    shared_desktop.end("tray")


def keep(picture: Image.Image, name: str) -> None:
    """Keep a picture for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    picture.save(ARTIFACTS / f"{name}.png")


def start_tray(desktop: TrueDesktop, folder: Path, flows: int = 3) -> tuple[int, int]:
    """Start a tray; return where its icon is."""
    desktop.spawn("tray", [sys.executable, PROGRAM, folder, str(flows)], environ={"PYTHONPATH": str(ROOT)})
    return wait_for_icon(desktop)


def wait_for_icon(desktop: TrueDesktop, colour: tuple[int, int, int] = IDLE) -> tuple[int, int]:
    """Wait for an icon of this colour; return where it is."""
    return eventually(lambda: desktop.find_on_panel(colour), "an icon on the panel")


def row(menu: Window, number: int, rows: int, separators: int = 2) -> tuple[int, int]:
    """Return the middle of a row of a menu, counted from 0; it is below the first separator, above the second."""
    height = (menu.height - separators * 3) / rows
    return menu.x + menu.width // 2, menu.y + round(height * (number + 0.5)) + 2


def test_mouse_click_runs_the_flow(desktop: TrueDesktop, tmp_path: Path) -> None:
    """A left click opens the menu, a click on its entry runs that flow, and icon and entry show how it ended."""
    icon = start_tray(desktop, tmp_path)
    menu = desktop.open_menu(icon)
    keep(desktop.screenshot(), "menu-before-click")
    desktop.click(*row(menu, 2, rows=7))  # status, three flows, folder, autostart, quit

    eventually((tmp_path / "data/flow-001.ran").exists, "the flow's effect")
    wait_for_icon(desktop, SUCCEEDED)
    assert [path.name for path in tmp_path.glob("data/*.ran")] == ["flow-001.ran"]
    eventually(lambda: menu not in desktop.menus(), "the menu closes")
    menu = desktop.open_menu(icon, button=3)
    assert desktop.find(SUCCEEDED, box=menu.box), "the entry shows the success"
    keep(desktop.screenshot(), "menu-after-click")
    desktop.key("Escape")
    eventually(lambda: menu not in desktop.menus(), "the menu closes")


def test_panel_restart_shows_the_icon_again(desktop: TrueDesktop, tmp_path: Path) -> None:
    """After a crash of the panel the new one has the icon."""
    start_tray(desktop, tmp_path)
    desktop.end("xfce4-panel")
    assert desktop.find_on_panel(IDLE) is None
    desktop.start_panel()
    wait_for_icon(desktop)


def test_start_at_login(desktop: TrueDesktop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The autostart entry is valid, and the desktop's login starts the tray by it, blanks in its path included."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    folder = tmp_path / 'a "folder" with 100% $odd `names`'
    folder.mkdir()
    pid_file = folder / "pid"
    program = folder / "tray"
    program.write_text(
        '#!/bin/sh\ncd "$(dirname "$0")" && echo $$ > draft && mv draft pid\n'
        f'PYTHONPATH="{ROOT}" exec "{sys.executable}" "{PROGRAM}" "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    place = autostart.enable([str(program), str(folder), "3"])

    validation = subprocess.run(
        ["desktop-file-validate", place], capture_output=True, text=True, timeout=10, check=False
    )
    assert (validation.returncode, validation.stdout) == (0, "")
    desktop.spawn("login", ["dex", "-a", "-e", "XFCE", "-s", place.parent])
    try:
        wait_for_icon(desktop)
    finally:
        pid = int(eventually(pid_file.read_text, "the tray's start"))
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: desktop.find_on_panel(IDLE) is None, "the icon goes")
    assert autostart.disable() is True
    assert list(place.parent.iterdir()) == []
