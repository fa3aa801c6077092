"""The menu as pystray's own back-ends for macOS and Windows read it."""

from collections.abc import Iterable

import pytest

from atomiton_runtime.tray import surface
from atomiton_runtime.tray.announce import Announcement
from atomiton_runtime.tray.menu import Action, AutostartClicked, Entry, OpenClicked, QuitClicked, RunClicked
from atomiton_runtime.tray.native_menu import escape_for_windows, native_menu
from atomiton_runtime.tray.pystray_names import BaseIcon, Menu
from atomiton_runtime.tray.surface import PystraySurface
from tests.tray.cases import FLOW

ENTRIES = (
    Entry(key="status", text="1 flow"),
    Entry(key="s1", separator=True),
    Entry(key="run", text="Fish & Chips", action=RunClicked(FLOW), mood="idle"),
    Entry(key="more", text="More", children=(Entry(key="file", text="Open", action=OpenClicked("/x")),)),
    Entry(key="auto", text="Start", checked=True, action=AutostartClicked(False)),
    Entry(key="quit", text="Quit", action=QuitClicked()),
)


class RecordingIcon(BaseIcon):
    """An icon of no desktop, which keeps what it was told."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.told: list[object] = []

    def _update_menu(self) -> None:
        self.told.append([item.text for item in self.menu or ()])

    def _notify(self, message: str, title: str | None = None) -> None:
        self.told.append((title, message))

    def _update_icon(self) -> None:
        self._icon_valid = True

    def _update_title(self) -> None:
        pass

    def _show(self) -> None:
        pass

    def _hide(self) -> None:
        pass


class Wires:
    """A tray's side of the icon."""

    def __init__(self) -> None:
        self.acted: list[Action] = []

    def entries(self) -> Iterable[Entry]:
        return ENTRIES

    def act(self, action: Action) -> None:
        self.acted.append(action)

    def opened(self) -> None:
        pass

    def report(self, code: str, message: str) -> None:
        pass


def test_items() -> None:
    """Texts, checks, submenus and what cannot be clicked arrive; each click does its own action."""
    acted: list[Action] = []
    items = list(native_menu(lambda: ENTRIES, acted.append, escape=escape_for_windows))
    assert [item.text for item in items] == ["1 flow", "- - - -", "Fish && Chips", "More", "Start", "Quit"]
    assert [item.enabled for item in items] == [False, True, True, True, True, True]
    assert items[1] is Menu.SEPARATOR
    assert items[4].checked is True
    icon = RecordingIcon("name")
    for item in (items[2], *(items[3].submenu or ()), items[4], items[5]):
        item(icon)
    assert acted == [RunClicked(FLOW), OpenClicked("/x"), AutostartClicked(False), QuitClicked()]


@pytest.mark.parametrize(("platform", "text"), [("win32", "Fish && Chips"), ("linux", "Fish & Chips")])
def test_pystray_surface(platform: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The surface of macOS and Windows redraws and announces by pystray, within what Windows allows."""
    monkeypatch.setattr(surface.sys, "platform", platform)
    icons: list[RecordingIcon] = []

    class Remembered(RecordingIcon):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            icons.append(self)

    shown = PystraySurface(Wires(), Remembered)
    shown.redraw("failed", "t" * 100)
    shown.announce(Announcement(about="x", title="T" * 100, text="m" * 1000))
    menu, (title, message) = icons[0].told[0], icons[0].told[1]
    assert text in menu
    assert (len(title), len(message), len(icons[0].title)) == (63, 255, 63)
    shown.stop()
