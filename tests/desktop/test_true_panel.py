"""The tray on a true panel: seen on the screen, clicked with the mouse, started by the desktop at login."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from atomiton_runtime.ids import FlowId
from atomiton_runtime.tray import autostart, icons
from atomiton_runtime.tray.status_notifier import dbusmenu
from tests.desktop.true_desktop import TrueDesktop, Window
from tests.desktop.waiting import eventually
from tests.doubles.runtime import FakeRuntime

pytestmark = [pytest.mark.desktop, pytest.mark.panel]

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
PROGRAM = ROOT / "tests/doubles/tray_process.py"
IDLE, SUCCEEDED = icons.FILLS["idle"], icons.FILLS["succeeded"]


@pytest.fixture
def desktop(request: pytest.FixtureRequest) -> Iterator[TrueDesktop]:
    """A desktop with a panel, whose last sight is kept as a picture."""
    with TrueDesktop() as true_desktop:
        yield true_desktop
        keep(true_desktop.screenshot(), request.node.name)


def keep(picture: Image.Image, name: str) -> None:
    """Keep a picture for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    picture.save(ARTIFACTS / f"{name}.png")


def start_process(desktop: TrueDesktop, folder: Path, flows: int = 3) -> tuple[int, int]:
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
    icon = start_process(desktop, tmp_path)
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


def test_open_menu_does_not_jump(
    desktop: TrueDesktop,
    tmp_path: Path,
    start_tray: Callable[..., object],
    runtime: FakeRuntime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the menu is open its entries show what happens, but no line moves; the next time new ones are there."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.environ["DBUS_SESSION_BUS_ADDRESS"])
    monkeypatch.setattr(dbusmenu, "LOOKED_AT_FOR_S", 0.5)
    for name in ("a", "b", "c"):
        runtime.add_flow(name)
    start_tray()
    icon = wait_for_icon(desktop)
    menu = desktop.open_menu(icon)
    runtime.add_flow("d")
    runtime.succeed(runtime.begin(FlowId("b")))
    eventually(lambda: desktop.find(SUCCEEDED, box=menu.box), "the open menu shows the success")
    now = next(one for one in desktop.menus() if one.id == menu.id)
    assert (now.y, now.height) == (menu.y, menu.height)
    keep(desktop.screenshot(), "menu-while-open")

    def reopened() -> Window:
        desktop.key("Escape")
        eventually(lambda: not desktop.menus(), "the menu closes")
        return desktop.open_menu(wait_for_icon(desktop, SUCCEEDED))

    eventually(lambda: reopened().height > menu.height, "the new line")
    desktop.key("Escape")


def test_panel_restart_shows_the_icon_again(desktop: TrueDesktop, tmp_path: Path) -> None:
    """After a crash of the panel the new one has the icon."""
    start_process(desktop, tmp_path)
    desktop.end("xfce4-panel")
    assert desktop.find_on_panel(IDLE) is None
    desktop.start_panel()
    wait_for_icon(desktop)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in a folder with blanks, which writes down its process id and its arguments, and becomes a tray."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    path = tmp_path / "my programs" / "tray"
    path.parent.mkdir()
    path.write_text(
        '#!/bin/sh\ncd "$(dirname "$0")"\nprintf "%s\\n" "$@" > arguments\necho $$ > draft && mv draft pid\n'
        f'PYTHONPATH="{ROOT}" exec "{sys.executable}" "{PROGRAM}" . 3\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("starter", ["dex", "gio"])
def test_start_at_login(starter: str, desktop: TrueDesktop, program: Path) -> None:
    """The autostart entry is valid, and what starts programs at login starts the tray by it."""
    # dex 0.8 does not undo the escapes of the specification; gio is what GNOME and XFCE do.
    odd = ["tray", "two words"] if starter == "dex" else ['a "b" 100% $HOME `x` \\ \\n é', "", "%f"]
    place = autostart.enable([str(program), *odd])
    validation = subprocess.run(
        ["desktop-file-validate", place], capture_output=True, text=True, timeout=10, check=False
    )
    assert (validation.returncode, validation.stdout) == (0, "")

    command = (
        ["dex", "-a", "-e", "XFCE", "-s", place.parent] if starter == "dex" else ["gio", "launch", place]
    )
    desktop.spawn("login", command)
    try:
        wait_for_icon(desktop)
    finally:
        pid = int(eventually((program.parent / "pid").read_text, f"the tray's start: {desktop.log('login')}"))
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: desktop.find_on_panel(IDLE) is None, "the icon goes")
    assert (program.parent / "arguments").read_text().split("\n")[:-1] == odd
    assert autostart.disable() is True
    assert list(place.parent.iterdir()) == []
