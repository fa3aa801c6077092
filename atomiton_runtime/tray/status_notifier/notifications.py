"""Shows notifications: a client of the D-Bus service org.freedesktop.Notifications.

Source: https://specifications.freedesktop.org/notification-spec/latest/
"""

import asyncio
import html

import msgspec
from dbus_fast import Variant
from dbus_fast.aio import MessageBus
from PIL import Image

from atomiton_runtime.tray.status_notifier.session_bus import CallFailed, call

SERVICE = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_MARKUP = "body-markup"
_REMEMBERED = 200
_SERVER_DECIDES_MS = -1


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What people are to see."""

    title: str
    text: str
    about: str = ""
    """The next notification about the same thing takes the place of this one."""
    picture: Image.Image | None = None


class Notifications:
    """Sends notifications; remembers which bubble is about what. Used by the loop's thread."""

    def __init__(self, bus: MessageBus, app: str, desktop_entry: str) -> None:
        """Prepare to send as `app` (people and rules know it by this name)."""
        self._bus, self._app, self._desktop_entry = bus, app, desktop_entry
        self._shown: dict[str, int] = {}
        self._one_at_a_time = asyncio.Lock()

    async def show(self, notification: Notification) -> None:
        """Show a notification.

        Raises:
            CallFailed: nobody shows notifications here.
        """
        # Two at once about one thing would not know of each other.
        async with self._one_at_a_time:
            await self._show(notification)

    async def _show(self, notification: Notification) -> None:
        # Asked each time: the service may be another one since the last time.
        capabilities = (await self._call("GetCapabilities"))[0]
        markup = isinstance(capabilities, list) and _MARKUP in capabilities
        text = html.escape(notification.text, quote=False) if markup else notification.text
        replaced = self._shown.get(notification.about, 0)
        answer = await self._call(
            "Notify",
            "susssasa{sv}i",
            [
                self._app,
                replaced,
                "",
                notification.title,
                text,
                [],
                self._hints(notification),
                _SERVER_DECIDES_MS,
            ],
        )
        self._remember(notification.about, answer[0])

    async def close(self, about: str) -> None:
        """Take a notification back, if it is still there."""
        if number := self._shown.pop(about, 0):
            await self._call("CloseNotification", "u", [number])

    def _remember(self, about: str, number: object) -> None:
        self._shown.pop(about, None)
        if isinstance(number, int):
            self._shown[about] = number
        while len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]

    def _hints(self, notification: Notification) -> dict[str, Variant]:
        hints = {"desktop-entry": Variant("s", self._desktop_entry), "urgency": Variant("y", 1)}
        if notification.picture is not None:
            image = notification.picture.convert("RGBA")
            pixels = [image.width, image.height, image.width * 4, True, 8, 4, image.tobytes()]
            hints["image-data"] = Variant("(iiibiiay)", pixels)
        return hints

    async def _call(self, member: str, signature: str = "", body: list[object] | None = None) -> list[object]:
        answer = await call(self._bus, SERVICE, _PATH, SERVICE, member, signature, body or [])
        if not answer and member != "CloseNotification":
            raise CallFailed("empty", f"{SERVICE} answers nothing")
        return answer
