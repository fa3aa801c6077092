"""What we rely on in pystray 0.19.5, stated so that another version fails here and not on a desktop."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from atomiton_runtime.tray.pystray_names import BaseIcon, Menu, MenuItem

HOOKS = ("_start_setup", "_mark_ready", "_run", "_run_detached", "_stop", "_show", "_hide")
UPDATES = ("_update_icon", "_update_title", "_update_menu", "_notify", "_remove_notification")


def test_version() -> None:
    """The private parts below are those of this version."""
    assert version("pystray") == "0.19.5"


@pytest.mark.parametrize("name", [*HOOKS, *UPDATES])
def test_hooks_of_back_ends(name: str) -> None:
    """The methods that a back-end overrides are there."""
    assert callable(getattr(BaseIcon, name))


def test_attributes_of_the_base() -> None:
    """The attributes that a back-end keeps are there, and setting a title or icon calls the hooks once visible."""
    calls: list[str] = []

    class Recorder(BaseIcon):
        def __getattribute__(self, name: str) -> object:
            if name in (*HOOKS, *UPDATES):
                return lambda *_: calls.append(name)
            return super().__getattribute__(name)

    icon = Recorder("name", object(), "title", Menu())  # type: ignore[arg-type]
    assert (icon._visible, icon._running, icon._icon_valid) == (False, False, False)
    icon.visible = True
    icon.title = "other"
    icon.icon = object()  # type: ignore[assignment]
    icon.update_menu()
    assert calls == ["_update_icon", "_show", "_update_title", "_update_icon", "_update_menu"]
    icon.visible = False


def test_menu_reads_its_callable_each_time() -> None:
    """A menu made of a callable is made anew each time it is read; hidden items and outer separators are dropped."""
    counts = iter(range(10))
    menu = Menu(
        lambda: (Menu.SEPARATOR, MenuItem(f"item {next(counts)}", None), MenuItem("x", None, visible=False))
    )
    assert [[item.text for item in menu] for _ in range(2)] == [["item 0"], ["item 1"]]


PROBE = """
import os, sys
import atomiton_runtime.tray.pystray_names
bad = [name for name in sys.modules if name.split(".")[0] in ("gi", "Xlib") or name.startswith("pystray._x")]
print(bad, os.environ.get("PYSTRAY_BACKEND"))
"""


@pytest.mark.parametrize("value", [None, "xorg"])
def test_importing_touches_no_desktop(value: str | None) -> None:
    """Importing pystray through us loads neither GTK nor X, and the environment is as it was."""
    environ = {"PATH": "/usr/bin:/bin", "DISPLAY": ":no-such-display"} | (
        {"PYSTRAY_BACKEND": value} if value else {}
    )
    probe = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        cwd=".",
    )
    assert probe.stdout.strip() == f"[] {value}"
