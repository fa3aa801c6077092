"""Turns the menu's entries into pystray's items, which every back-end understands."""

from collections.abc import Callable, Iterable

from atomiton_runtime.tray import icons
from atomiton_runtime.tray.menu import Action, Entry
from atomiton_runtime.tray.pystray_names import BaseIcon, Menu, MenuItem


class KeyedItem(MenuItem):
    """A menu item that says what it is about: our own back-end makes a click a click on `key`, not on a place."""

    def __init__(
        self,
        key: str,
        text: str,
        action: Menu | Callable[[BaseIcon, MenuItem], object] | None = None,
        *,
        checked: bool | None = None,
        default: bool = False,
        picture: bytes | None = None,
    ) -> None:
        """Prepare an item; without `action` it cannot be clicked. `picture` is a PNG file."""
        super().__init__(
            text,
            action,
            checked=None if checked is None else lambda _: checked,
            default=default,
            enabled=action is not None,
        )
        self.key = key
        self.picture = picture


def native_menu(
    entries: Callable[[], Iterable[Entry]],
    act: Callable[[Action], object],
    *,
    escape: Callable[[str], str] = str,
) -> Menu:
    """Return a menu that asks `entries` anew each time it is read, and calls `act` for a click.

    Args:
        entries: quick and never blocking: it is called in the icon's own thread.
        act: called with the action of the clicked entry.
        escape: hides what the platform would take for an accelerator mark.
    """

    def items(some: Iterable[Entry]) -> tuple[MenuItem, ...]:
        return tuple(item(entry) for entry in some)

    def item(entry: Entry) -> MenuItem:
        if entry.separator:
            return Menu.SEPARATOR
        picture = icons.menu_png(entry.mood) if entry.mood else None
        text, action = escape(entry.text), entry.action
        if entry.children:
            return KeyedItem(entry.key, text, Menu(*items(entry.children)), picture=picture)
        if action is None:
            return KeyedItem(entry.key, text, picture=picture)

        def click(_icon: BaseIcon, _item: MenuItem) -> None:
            act(action)

        return KeyedItem(entry.key, text, click, checked=entry.checked, picture=picture)

    return Menu(lambda: items(entries()))


def escape_for_windows(text: str) -> str:
    """Return `text` so that Windows shows its ampersands instead of underlining what follows them."""
    return text.replace("&", "&&")
