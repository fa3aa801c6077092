"""A true desktop on a screen of its own: Xvfb, openbox, xfce4-panel, dunst; and a mouse to click with.

Everything lives in a folder of its own and is ended by its process id. Programs that are missing are errors.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import Xlib.display
import Xlib.X
from PIL import Image, ImageGrab

from tests.desktop.private_bus import PrivateBus
from tests.desktop.waiting import eventually

WIDTH, HEIGHT = 1024, 640
PANEL_HEIGHT = 32
_XFCONFD = "/usr/lib/x86_64-linux-gnu/xfce4/xfconf/xfconfd"
_XSETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xsettings" version="1.0">
  <property name="Net" type="empty"><property name="ThemeName" type="string" value="Adwaita"/></property>
</channel>
"""
_PANEL = f"""<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="true"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="{PANEL_HEIGHT}"/>
      <property name="icon-size" type="uint" value="24"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/><value type="int" value="2"/><value type="int" value="3"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/><property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
    <property name="plugin-3" type="string" value="clock">
      <property name="digital-layout" type="uint" value="3"/>
    </property>
  </property>
</channel>
"""
_DUNST = """[global]
origin = top-left
offset = 16x46
font = DejaVu Sans 10
width = (240, 330)
frame_width = 1
frame_color = "#94a3b8"
separator_color = frame
corner_radius = 6
padding = 12
horizontal_padding = 14
max_icon_size = 40
[urgency_normal]
background = "#1e293b"
foreground = "#f1f5f9"
timeout = 30
"""
_GTK = "[Settings]\ngtk-menu-images=true\ngtk-font-name=DejaVu Sans 10\n"


class Window(NamedTuple):
    """A window without a frame: a menu, a bubble, a tool tip."""

    id: int
    x: int
    y: int
    width: int
    height: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom, in pixels of the screen."""
        return self.x, self.y, self.x + self.width, self.y + self.height


class TrueDesktop:
    """A desktop, from `with` to the end of it."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="desktop-"))
        self.display = ""
        self.environ: dict[str, str] = {}
        self._bus = PrivateBus()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for name in [*(name for name in self._processes if name != "Xvfb"), "Xvfb"]:
            self.end(name)
        self._bus.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _start(self) -> None:
        self._bus.start()
        hidden = ("XDG_", "DBUS_", "WAYLAND", "SESSION", "DISPLAY")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        run = self.home / "run"
        run.mkdir(mode=0o700)
        self.environ |= {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(run),
            "XDG_CURRENT_DESKTOP": "XFCE",
            "XDG_SESSION_TYPE": "x11",
            "DBUS_SESSION_BUS_ADDRESS": self._bus.address,
            "GTK_THEME": "Adwaita",
            "NO_AT_BRIDGE": "1",
            "GVFS_DISABLE_FUSE": "1",
            "GIO_USE_VFS": "local",
            "GSETTINGS_BACKEND": "memory",
        }
        self._write(".config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml", _PANEL)
        self._write(".config/xfce4/xfconf/xfce-perchannel-xml/xsettings.xml", _XSETTINGS)
        self._write(".config/gtk-3.0/settings.ini", _GTK)
        self._write(".config/dunst/dunstrc", _DUNST)
        self._start_screen()
        self.spawn("xfconfd", [_XFCONFD])
        self.spawn("openbox", ["openbox", "--sm-disable"])
        self.spawn("dunst", ["dunst"])
        self.start_panel()

    def _write(self, path: str, content: str) -> None:
        target = self.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")

    def _start_screen(self) -> None:
        """Start the X server; it takes the first free number itself and says which."""
        reader, writer = os.pipe()
        screen = f"{WIDTH}x{HEIGHT}x24"
        try:
            self.spawn(
                "Xvfb",
                ["Xvfb", "-displayfd", str(writer), "-screen", "0", screen, "-nolisten", "tcp", "-noreset"],
                keep=(writer,),
            )
        finally:
            os.close(writer)
        with os.fdopen(reader) as said:
            number = said.readline().strip()
        assert number, "Xvfb did not start"
        self.display = self.environ["DISPLAY"] = f":{number}"
        self._run("xsetroot", "-solid", "#64748b")

    def start_panel(self) -> None:
        """Start the panel."""
        self.spawn("xfce4-panel", ["xfce4-panel", "--disable-wm-check", "--sm-client-disable"])

    def spawn(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environ: Mapping[str, str] | None = None,
        keep: tuple[int, ...] = (),
    ) -> "subprocess.Popen[bytes]":
        """Start a program on this desktop, known as `name`."""
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env={**self.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=keep,
                cwd=self.home,
            )
        return self._processes[name]

    def end(self, name: str) -> None:
        """End a program and what it started."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        # Its own session: the group holds what it started and nothing else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait(5)

    def log(self, name: str) -> str:
        """Return what a program wrote."""
        return (self.home / f"{name}.log").read_text(errors="replace")

    # -- eyes and hands

    def screenshot(self) -> Image.Image:
        """Return what is on the screen."""
        return ImageGrab.grab(xdisplay=self.display).convert("RGB")

    def find(
        self, colour: tuple[int, int, int], *, box: tuple[int, int, int, int] | None = None
    ) -> tuple[int, int] | None:
        """Return the middle of the pixels of a colour (within `box`), if there are at least 12."""
        left, top, right, bottom = box or (0, 0, WIDTH, HEIGHT)
        picture = self.screenshot().crop((left, top, right, bottom))
        pixels = picture.load()
        assert pixels is not None
        places = [
            (x, y)
            for y in range(picture.height)
            for x in range(picture.width)
            if all(abs(have - want) < 10 for have, want in zip(pixels[x, y], colour, strict=True))  # type: ignore[arg-type]
        ]
        if len(places) < 12:
            return None
        xs, ys = zip(*places, strict=True)
        return left + sum(xs) // len(xs), top + sum(ys) // len(ys)

    def find_on_panel(self, colour: tuple[int, int, int]) -> tuple[int, int] | None:
        """Return where an icon of this colour is on the panel."""
        box = next(
            (
                window.box
                for window in self._windows()
                if window.width == WIDTH and window.height < 2 * PANEL_HEIGHT
            ),
            None,
        )
        return self.find(colour, box=box) if box else None

    def move(self, x: int, y: int) -> None:
        """Move the mouse."""
        self._run("xdotool", "mousemove", str(x), str(y))

    def click(self, x: int, y: int, button: int = 1) -> None:
        """Move the mouse and click."""
        self.move(x, y)
        self._run("xdotool", "click", str(button))

    def key(self, name: str) -> None:
        """Press a key."""
        self._run("xdotool", "key", name)

    def menus(self) -> list[Window]:
        """Return the windows that look like open menus: no frame, and higher than tool tips; the newest last."""
        return [
            window for window in self._windows(frameless=True) if window.height >= 60 and window.width >= 60
        ]

    def _windows(self, *, frameless: bool = False) -> list[Window]:
        connection = Xlib.display.Display(self.display)
        try:
            found: list[Window] = []
            for window in connection.screen().root.query_tree().children:
                with contextlib.suppress(Xlib.error.XError):
                    attributes, geometry = window.get_attributes(), window.get_geometry()
                    if attributes.map_state == Xlib.X.IsViewable and (
                        attributes.override_redirect or not frameless
                    ):
                        found.append(
                            Window(window.id, geometry.x, geometry.y, geometry.width, geometry.height)
                        )
            return found
        finally:
            connection.close()

    def open_menu(self, icon: tuple[int, int], button: int = 1) -> Window:
        """Click on an icon; return its menu's window, once it has stopped changing."""
        before = self.menus()
        self.click(*icon, button=button)
        opened = eventually(lambda: [menu for menu in self.menus() if menu not in before], "a menu opens")[-1]
        return self._settled(opened)

    def _settled(self, window: Window) -> Window:
        """Return the window once it looked the same three times."""
        seen: list[tuple[Window, bytes]] = []

        def settled() -> Window | None:
            now = next((menu for menu in self.menus() if menu.id == window.id), None)
            assert now is not None, "the menu is gone"
            seen.append((now, self.screenshot().crop(now.box).tobytes()))
            return now if len(seen) > 2 and seen[-1] == seen[-2] == seen[-3] else None

        return eventually(settled, "the menu is drawn")

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self.environ, check=True, capture_output=True, timeout=10)
