"""A true desktop in small: a StatusNotifierWatcher, a reader of menus, and a notification service, on a private bus."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from dbus_fast import Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusDict, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from tests.desktop.waiting import eventually

WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"
MENU = "com.canonical.dbusmenu"
ITEM = "org.kde.StatusNotifierItem"
_BUS = "org.freedesktop.DBus"
_Names = Annotated[list[str], DBusSignature("as")]


class BusError(Exception):
    """The answer to a call was an error."""


@dataclass(frozen=True)
class Line:
    """A line of a menu as its reader sees it."""

    id: int
    label: str
    properties: dict[str, Any]
    children: tuple["Line", ...] = ()

    @property
    def enabled(self) -> bool:
        return bool(self.properties.get("enabled", True))


@dataclass(frozen=True)
class Bubble:
    """A notification as it arrived."""

    id: int
    app: str
    title: str
    text: str
    replaces: int
    hints: dict[str, Variant] = field(repr=False, default_factory=dict)


class _Watcher(ServiceInterface):
    def __init__(self, host: "TrayHost") -> None:
        super().__init__(WATCHER)
        self._host = host

    @dbus_method()
    def RegisterStatusNotifierItem(self, service: DBusStr) -> None:  # noqa: N802
        self._host.registrations.append(service)

    @dbus_property(access=PropertyAccess.READ)
    def IsStatusNotifierHostRegistered(self) -> DBusBool:  # noqa: N802
        return True

    @dbus_property(access=PropertyAccess.READ)
    def ProtocolVersion(self) -> DBusInt32:  # noqa: N802
        return 0


class _Notifications(ServiceInterface):
    def __init__(self, host: "TrayHost") -> None:
        super().__init__(NOTIFICATIONS)
        self._host = host

    @dbus_method()
    def GetCapabilities(self) -> _Names:  # noqa: N802
        return list(self._host.capabilities)

    @dbus_method()
    def Notify(  # noqa: N802
        self,
        app: DBusStr,
        replaces: DBusUInt32,
        icon: DBusStr,
        title: DBusStr,
        text: DBusStr,
        actions: _Names,
        hints: DBusDict,
        timeout_ms: DBusInt32,
    ) -> DBusUInt32:
        number = replaces or len(self._host.bubbles) + 1
        self._host.bubbles.append(Bubble(number, app, title, text, replaces, hints))
        return number

    @dbus_method()
    def CloseNotification(self, number: DBusUInt32) -> None:  # noqa: N802
        self._host.closed.append(number)

    @dbus_signal()
    def NotificationClosed(self, number: int, reason: int) -> Annotated[list[int], DBusSignature("uu")]:  # noqa: N802
        return [number, reason]


class TrayHost:
    """The panel's side of the bus, in a thread of its own. Every method waits for the answer."""

    def __init__(
        self,
        address: str,
        *,
        watcher: bool = True,
        notifications: bool = True,
        capabilities: Sequence[str] = ("body", "body-markup"),
    ) -> None:
        self._address, self._watcher, self._notifications = address, watcher, notifications
        self.capabilities = capabilities
        self.registrations: list[str] = []
        self.bubbles: list[Bubble] = []
        self.closed: list[int] = []
        self.signals: list[Message] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tray-host")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._in_loop(self._start())
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._in_loop(self._close())
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _start(self) -> None:
        self._bus = await MessageBus(bus_address=self._address).connect()
        self._bus.add_message_handler(self._note)
        for interface in (MENU, ITEM):
            await self._call(
                _BUS,
                "/org/freedesktop/DBus",
                _BUS,
                "AddMatch",
                "s",
                [f"type='signal',interface='{interface}'"],
            )
        if self._watcher:
            self._bus.export("/StatusNotifierWatcher", _Watcher(self))
            await self._bus.request_name(WATCHER)
        if self._notifications:
            self._bus.export("/org/freedesktop/Notifications", _Notifications(self))
            await self._bus.request_name(NOTIFICATIONS)

    async def _close(self) -> None:
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()

    def _note(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.interface in (MENU, ITEM):
            self.signals.append(message)

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: Sequence[object] = (),
    ) -> list[Any]:
        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        reply = await self._bus.call(message)
        if reply.message_type is MessageType.ERROR:
            raise BusError(f"{reply.error_name}: {reply.body}")
        return list(reply.body)

    # -- the icon

    def wait_for_item(self, count: int = 1) -> str:
        """Return the bus name of the last icon, once `count` registrations have come."""
        eventually(lambda: len(self.registrations) >= count, "the registration of an icon")
        return self.registrations[-1]

    def item(self, name: str) -> Any:
        """Return a property of the icon."""
        call = self._call(
            self.wait_for_item(),
            "/StatusNotifierItem",
            "org.freedesktop.DBus.Properties",
            "Get",
            "ss",
            [ITEM, name],
        )
        return self._in_loop(call)[0].value

    def activate(self) -> None:
        """Click on the icon itself."""
        self._in_loop(self._call(self.wait_for_item(), "/StatusNotifierItem", ITEM, "Activate", "ii", [5, 5]))

    # -- the menu

    def menu_call(self, member: str, signature: str, body: Sequence[object]) -> list[Any]:
        """Call the menu."""
        return self._in_loop(self._call(self.wait_for_item(), "/MenuBar", MENU, member, signature, body))

    def open(self) -> None:
        """Do what a panel does as it opens the menu."""
        self.menu_call("AboutToShow", "i", [0])
        self.event(0, "opened")

    def close(self) -> None:
        """Do what a panel does as it closes the menu."""
        self.event(0, "closed")

    def lines(self) -> tuple[Line, ...]:
        """Return the lines of the menu as last published, without asking for a fresh one."""
        _, root = self.menu_call("GetLayout", "iias", [0, -1, []])
        return _line(root).children

    def all_lines(self) -> list[Line]:
        """Return all lines, those of submenus included."""
        found: list[Line] = []

        def walk(lines: Sequence[Line]) -> None:
            for line in lines:
                found.append(line)
                walk(line.children)

        walk(self.lines())
        return found

    def labels(self) -> list[str]:
        """Return the texts of all lines that are not separators."""
        return [line.label for line in self.all_lines() if line.properties.get("type") != "separator"]

    def line(self, start: str) -> Line:
        """Return the line whose text begins so, as soon as there is one."""
        return eventually(
            lambda: next((line for line in self.all_lines() if line.label.startswith(start)), None),
            f"a line {start!r}",
        )

    def wait_for(self, *texts: str) -> str:
        """Wait until some line contains all these texts; return it."""
        try:
            return eventually(
                lambda: next((label for label in self.labels() if all(t in label for t in texts)), None)
            )
        except AssertionError as exc:
            raise AssertionError(f"no line with {texts}: {self.labels()}") from exc

    def wait_until(self, true: Callable[[list[str]], object]) -> None:
        """Wait until `true` of the menu's texts."""
        try:
            eventually(lambda: true(self.labels()))
        except AssertionError as exc:
            raise AssertionError(f"{exc}; the menu: {self.labels()}") from exc

    def click(self, start: str) -> Line:
        """Click on the line whose text begins so; return it."""
        line = self.line(start)
        self.event(line.id, "clicked")
        return line

    def event(self, number: int, kind: str) -> None:
        """Send an event of the menu."""
        self.menu_call("Event", "isvu", [number, kind, Variant("i", 0), 0])

    def wait_for_bubble(self, *texts: str) -> Bubble:
        """Wait for a notification that contains all these texts; return it."""
        return eventually(
            lambda: next(
                (b for b in reversed(self.bubbles) if all(t in f"{b.title}\n{b.text}" for t in texts)), None
            ),
            f"a notification with {texts} among {self.bubbles}",
        )


def _line(raw: list[Any]) -> Line:
    number, properties, children = raw
    values = {name: value.value for name, value in properties.items()}
    label = str(values.get("label", "")).replace("__", "\0").replace("_", "").replace("\0", "_")
    return Line(number, label, values, tuple(_line(child.value) for child in children))
