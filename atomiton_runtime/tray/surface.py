"""Is the icon as the tray sees it, on each platform: run, stop, redraw, announce."""

import sys
from collections.abc import Callable, Iterable
from typing import Protocol

from PIL import Image

from atomiton_runtime.tray import icons
from atomiton_runtime.tray.announce import Announcement
from atomiton_runtime.tray.autostart import APP_ID, APP_NAME
from atomiton_runtime.tray.menu import Action, Entry
from atomiton_runtime.tray.native_menu import escape_for_windows, native_menu
from atomiton_runtime.tray.pystray_names import BaseIcon
from atomiton_runtime.tray.state import Mood

_LARGEST = icons.PANEL_SIZES[-1]
_ESCAPES: dict[str, Callable[[str], str]] = {"win32": escape_for_windows}
_WINDOWS_TITLE_LIMIT_CHARS = 63
_WINDOWS_TEXT_LIMIT_CHARS = 255


class Surface(Protocol):
    """What the tray needs of an icon. All but `run` may be called from every thread."""

    def run(self) -> None:
        """Show the icon until `stop`, in the main thread."""
        ...

    def stop(self) -> None:
        """End `run`; returns at once, also before `run` and in a signal handler."""
        ...

    def redraw(self, mood: Mood, title: str) -> None:
        """Show this mood and title, and read the menu anew."""
        ...

    def announce(self, announcement: Announcement) -> None:
        """Show a notification."""
        ...


class Wiring(Protocol):
    """What an icon asks of the tray."""

    def entries(self) -> Iterable[Entry]:
        """Return the menu as it is now; never blocks."""
        ...

    def act(self, action: Action) -> None:
        """Do what was clicked; called in a thread of its own."""
        ...

    def opened(self) -> None:
        """Take note that somebody looks at the menu; never blocks."""
        ...

    def report(self, code: str, message: str) -> None:
        """Take note that something went wrong with the icon."""
        ...


def create_surface(wiring: Wiring) -> Surface:
    """Return the icon of this platform."""
    return DBusSurface(wiring) if sys.platform.startswith("linux") else PystraySurface(wiring)


class DBusSurface:
    """The icon on Linux and other free desktops."""

    def __init__(self, wiring: Wiring) -> None:
        """Prepare the icon; nothing happens before `run`."""
        # Loaded here: dbus-fast is installed on Linux alone.
        from atomiton_runtime.tray.status_notifier.icon import Icon

        self._mood: Mood = "idle"
        self._icon = Icon(
            APP_ID,
            icons.draw("idle", _LARGEST),
            APP_NAME,
            native_menu(wiring.entries, wiring.act),
            app=APP_NAME,
            pictures=self._pictures,
            report=wiring.report,
            opened=wiring.opened,
        )
        self._icon.visible = True

    def run(self) -> None:
        """Show the icon until `stop`, in the main thread."""
        self._icon.run(lambda _: None)

    def stop(self) -> None:
        """End `run`."""
        self._icon.stop()

    def redraw(self, mood: Mood, title: str) -> None:
        """Show this mood and title, and read the menu anew."""
        if mood != self._mood:
            self._mood = mood
            self._icon.icon = icons.draw(mood, _LARGEST)
        self._icon.title = title
        self._icon.update_menu()

    def announce(self, announcement: Announcement) -> None:
        """Show a notification."""
        from atomiton_runtime.tray.status_notifier.notifications import Notification

        self._icon.show(
            Notification(
                title=announcement.title,
                text=announcement.text,
                about=announcement.about,
                picture=icons.draw(announcement.mood, _LARGEST),
            )
        )

    def _pictures(self, _: Image.Image) -> tuple[Image.Image, ...]:
        # Each size is drawn for itself: a picture of 22 pixels made from one of 48 is a blur.
        return tuple(icons.draw(self._mood, size) for size in icons.PANEL_SIZES)


class PystraySurface:
    """The icon on macOS and Windows: pystray's own."""

    def __init__(self, wiring: Wiring, icon_class: type[BaseIcon] | None = None) -> None:
        """Prepare the icon; nothing happens before `run`. `icon_class` is pystray's choice unless given."""
        if icon_class is None:
            import pystray

            icon_class = pystray.Icon

        escape = _ESCAPES.get(sys.platform, str)
        self._mood: Mood = "idle"
        menu = native_menu(wiring.entries, wiring.act, escape=escape)
        self._icon = icon_class(APP_ID, icons.draw("idle", _LARGEST), APP_NAME, menu)

    def run(self) -> None:
        """Show the icon until `stop`, in the main thread."""
        self._icon.run()

    def stop(self) -> None:
        """End `run`."""
        self._icon.stop()

    def redraw(self, mood: Mood, title: str) -> None:
        """Show this mood and title, and read the menu anew."""
        _in_main_thread(lambda: self._redraw(mood, title))

    def announce(self, announcement: Announcement) -> None:
        """Show a notification; Windows refuses more than so many characters."""
        title = announcement.title[:_WINDOWS_TITLE_LIMIT_CHARS]
        text = announcement.text[:_WINDOWS_TEXT_LIMIT_CHARS]
        _in_main_thread(lambda: self._icon.notify(text, title))

    def _redraw(self, mood: Mood, title: str) -> None:
        if mood != self._mood:
            self._mood = mood
            self._icon.icon = icons.draw(mood, _LARGEST)
        self._icon.title = title[:_WINDOWS_TITLE_LIMIT_CHARS]
        self._icon.update_menu()


def _in_main_thread(errand: Callable[[], object]) -> None:
    """Do `errand` where the platform wants it: macOS ends programs that touch menus elsewhere (pystray issue 60)."""
    if sys.platform == "darwin":
        from PyObjCTools import AppHelper  # comes with pystray on macOS

        AppHelper.callAfter(errand)
    else:
        errand()
