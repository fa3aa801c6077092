# ruff: noqa: N802, D401  # the names are the D-Bus interface's, and properties are things
"""Answers a panel that asks for the icon: the D-Bus interface org.kde.StatusNotifierItem.

Source: https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/StatusNotifierItem/
"""

from collections.abc import Callable
from typing import Annotated, TypeAlias

import msgspec
from dbus_fast import DBusError, ErrorType, PropertyAccess
from dbus_fast.annotations import DBusBool, DBusInt32, DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal
from PIL import Image

from atomiton_runtime.tray.status_notifier import dbusmenu

PATH = "/StatusNotifierItem"

Pixmap: TypeAlias = list[int | bytes]
"""Width, height, and the pixels: ARGB, 32 bits each, in network byte order."""

_Pixmaps = Annotated[list[Pixmap], DBusSignature("a(iiay)")]
_ToolTip = Annotated[list[object], DBusSignature("(sa(iiay)ss)")]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the icon looks like at one moment."""

    id: str
    title: str = ""
    visible: bool = False
    pixmaps: tuple[Pixmap, ...] = ()
    has_default: bool = False
    """Whether a click on the icon itself does something; else it opens the menu."""


def pixmap(image: Image.Image) -> Pixmap:
    """Return a picture as panels want it."""
    red, green, blue, alpha = image.convert("RGBA").split()
    return [image.width, image.height, Image.merge("RGBA", (alpha, red, green, blue)).tobytes()]


class ItemService(ServiceInterface):
    """The icon on the bus. Everything happens in the loop's thread."""

    def __init__(self, look: Callable[[], Look], activate: Callable[[], object]) -> None:
        """Prepare the interface: `look` is asked at each question, `activate` called for a click on the icon."""
        super().__init__("org.kde.StatusNotifierItem")
        self._look, self._activate = look, activate

    @dbus_property(access=PropertyAccess.READ)
    def Category(self) -> DBusStr:
        """The kind of icon."""
        return "ApplicationStatus"

    @dbus_property(access=PropertyAccess.READ)
    def Id(self) -> DBusStr:
        """The application's name: panels remember hidden icons by it."""
        return self._look().id

    @dbus_property(access=PropertyAccess.READ)
    def Title(self) -> DBusStr:
        """The title."""
        return self._look().title

    @dbus_property(access=PropertyAccess.READ)
    def Status(self) -> DBusStr:
        """Whether the icon is to be seen."""
        return "Active" if self._look().visible else "Passive"

    @dbus_property(access=PropertyAccess.READ)
    def WindowId(self) -> DBusInt32:
        """The application's window: none."""
        return 0

    @dbus_property(access=PropertyAccess.READ)
    def IconName(self) -> DBusStr:
        """The picture's name in a theme: none, it travels as data."""
        return ""

    @dbus_property(access=PropertyAccess.READ)
    def IconThemePath(self) -> DBusStr:
        """Where named pictures are."""
        return ""

    @dbus_property(access=PropertyAccess.READ)
    def IconPixmap(self) -> _Pixmaps:
        """The picture in several sizes."""
        return list(self._look().pixmaps)

    @dbus_property(access=PropertyAccess.READ)
    def OverlayIconName(self) -> DBusStr:
        """The name of a second picture: none."""
        return ""

    @dbus_property(access=PropertyAccess.READ)
    def AttentionIconName(self) -> DBusStr:
        """The name of a picture that asks for attention: none."""
        return ""

    @dbus_property(access=PropertyAccess.READ)
    def ToolTip(self) -> _ToolTip:
        """What appears under the mouse."""
        return ["", [], self._look().title, ""]

    @dbus_property(access=PropertyAccess.READ)
    def ItemIsMenu(self) -> DBusBool:
        """Whether the icon is nothing but its menu."""
        return not self._look().has_default

    @dbus_property(access=PropertyAccess.READ)
    def Menu(self) -> DBusObjectPath:
        """Where the menu is."""
        return dbusmenu.PATH

    @dbus_method()
    def Activate(self, x: DBusInt32, y: DBusInt32) -> None:
        """Take a click on the icon.

        Raises:
            DBusError: nothing is tied to it; a panel then opens the menu.
        """
        del x, y
        if not self._look().has_default:
            raise DBusError(ErrorType.UNKNOWN_METHOD, "the icon has nothing but its menu")
        self._activate()

    @dbus_method()
    def SecondaryActivate(self, x: DBusInt32, y: DBusInt32) -> None:
        """Take a click with the middle button, which means nothing."""

    @dbus_method()
    def ContextMenu(self, x: DBusInt32, y: DBusInt32) -> None:
        """Take the wish for a menu, which the panel itself shows."""

    @dbus_method()
    def Scroll(self, delta: DBusInt32, orientation: DBusStr) -> None:
        """Take a turn of the wheel, which means nothing."""

    @dbus_signal()
    def NewIcon(self) -> None:
        """Say that the picture changed."""

    @dbus_signal()
    def NewTitle(self) -> None:
        """Say that the title changed."""

    @dbus_signal()
    def NewToolTip(self) -> None:
        """Say that the tool tip changed."""

    @dbus_signal()
    def NewStatus(self, status: str) -> DBusStr:
        """Say whether the icon is to be seen."""
        return status
