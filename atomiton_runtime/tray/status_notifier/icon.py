"""Is pystray's icon for Linux: puts item, menu and notifications on the session bus and keeps them there."""

import asyncio
import contextlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from dbus_fast import Message, NameFlag
from dbus_fast.aio import MessageBus
from PIL import Image

from atomiton_runtime.tray.native_menu import KeyedItem
from atomiton_runtime.tray.pystray_names import BaseIcon, Menu, MenuItem
from atomiton_runtime.tray.status_notifier import dbusmenu, item
from atomiton_runtime.tray.status_notifier.layout import Node, Properties
from atomiton_runtime.tray.status_notifier.notifications import Notification, Notifications
from atomiton_runtime.tray.status_notifier.session_bus import (
    CallFailed,
    NoBus,
    call,
    connect,
    new_owner,
    watch_name,
)

WATCHER = "org.kde.StatusNotifierWatcher"
CLICKS_AT_ONCE = 16
"""Clicks whose actions have not returned; one more is reported, not queued."""

WATCHER_PATH = "/StatusNotifierWatcher"
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_serial = itertools.count(1)

Report = Callable[[str, str], object]
"""Told a code of `tray/codes.py` and a message; called in any thread."""


class Icon(BaseIcon):
    """An icon and its menu by D-Bus alone (org.kde.StatusNotifierItem and com.canonical.dbusmenu).

    Owns an asyncio loop in the thread of `run`, and a thread for each click whose action has not returned. Every
    method may be called from every thread, `stop` also before `run` and in a signal handler. The menu is read in
    the loop's thread, so what computes its texts must not block.

    Without a bus `run` keeps looking for one; without a panel it waits for one, and a panel that comes back gets the
    icon again. When the bus goes away after it was there, the session has ended: `run` returns.
    """

    HAS_DEFAULT_ACTION = True
    HAS_MENU = True
    HAS_MENU_RADIO = True
    HAS_NOTIFICATION = True

    def __init__(
        self,
        name: str,
        icon: Image.Image | None = None,
        title: str | None = None,
        menu: Menu | None = None,
        *,
        app: str = "",
        pictures: Callable[[Image.Image], Sequence[Image.Image]] = lambda image: [image],
        report: Report = lambda _code, _message: None,
        opened: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare an icon; nothing happens before `run`.

        Args:
            name: what panels know the icon by.
            icon: the picture.
            title: what appears under the mouse.
            menu: best of `KeyedItem`s; see `layout` for what their keys are for.
            app: what notifications say they come from; without it, the name.
            pictures: returns a picture in the sizes that panels want.
            report: told what goes wrong.
            opened: told that somebody opens the menu.
        """
        # Before the base class: its destructor asks whether the icon is visible.
        self._visible = False
        super().__init__(name, icon, title, menu)
        self._app, self._pictures, self._report, self._opened = app or name, pictures, report, opened
        self.registered = threading.Event()
        """Set while a panel has the icon."""
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._bus: MessageBus | None = None
        self._bus_name = f"org.kde.StatusNotifierItem-{os.getpid()}-{next(_serial)}"
        self._pixmaps: tuple[item.Pixmap, ...] = ()
        self._items: dict[str, MenuItem] = {}
        self._clicks = threading.BoundedSemaphore(CLICKS_AT_ONCE)
        self._errands: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()
        self._item = item.ItemService(self._look, self._activate)
        self._menu_service = self._new_menu_service()
        self._notifications: Notifications | None = None
        self._unshown: deque[Notification] = deque()
        """What is to be shown, and waits for the loop and its bus: the first news may be older than both."""

    def stop(self) -> None:
        """End `run`; returns at once, may be called from anywhere and more than once."""
        self._stopping.set()
        self._post(lambda: self._stopped.set() if self._stopped else None)

    def show(self, notification: Notification) -> None:
        """Show a notification; if nobody can, that is reported (TRAY-007)."""
        self._unshown.append(notification)
        self._post(self._show_waiting)

    # -- What pystray asks of a back-end (0.19.5) ----------------------------------------------------------

    def _start_setup(self, setup: Callable[[BaseIcon], object] | None) -> None:
        # Not pystray's thread: that one keeps the process alive for ever where `run` raises (pystray issue 97).
        def wait_and_set_up() -> None:
            self._ready.wait()
            if self._stopping.is_set():
                return
            if setup is None:
                self.visible = True
            else:
                setup(self)

        threading.Thread(target=wait_and_set_up, name="tray-setup", daemon=True).start()

    def _mark_ready(self) -> None:
        self._running = True
        self._ready.set()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._running = False
            self._stopping.set()
            self._ready.set()

    def _run_detached(self) -> None:
        self._thread = threading.Thread(target=self._run, name="tray-icon", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self.stop()

    def _show(self) -> None:
        self._post(lambda: self._item.NewStatus("Active"))

    def _hide(self) -> None:
        self._post(lambda: self._item.NewStatus("Passive"))

    def _update_icon(self) -> None:
        if self.icon is not None:
            self._pixmaps = tuple(item.pixmap(picture) for picture in self._pictures(self.icon))
        self._icon_valid = True
        self._post(self._item.NewIcon)

    def _update_title(self) -> None:
        self._post(self._item.NewTitle)
        self._post(self._item.NewToolTip)

    def _update_menu(self) -> None:
        self._post(self._menu_service.refresh)

    def _notify(self, message: str, title: str | None = None) -> None:
        self.show(Notification(title=title or self.title or self._app, text=message))

    def _remove_notification(self) -> None:
        async def close() -> None:
            with contextlib.suppress(CallFailed):
                if self._notifications is not None:
                    await self._notifications.close("")

        self._post(lambda: self._send_off(close()))

    # -- The loop ------------------------------------------------------------------------------------------

    def _post(self, errand: Callable[[], object]) -> None:
        """Do `errand` in the loop's thread, or never if there is no loop: what it shows is read when there is one."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # closed between the look and the call
                loop.call_soon_threadsafe(errand)

    def _send_off(self, errand: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        try:
            self._mark_ready()
            pause_s = _FIRST_PAUSE_S
            while not self._stopping.is_set():
                try:
                    bus = await connect()
                except NoBus as exc:
                    self._report_once(
                        "TRAY-001", f"no icon: {exc}; looking for a session bus again and again"
                    )
                    self._show_waiting()
                    await self._rest(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                    continue
                await self._live_on(bus)
                break
        finally:
            self._loop = None
            self._menu_service.stop()
            self.registered.clear()

    async def _rest(self, pause_s: float) -> None:
        assert self._stopped is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), pause_s)

    async def _live_on(self, bus: MessageBus) -> None:
        """Serve until `stop`, or until the bus goes away."""
        assert self._stopped is not None
        self._bus = bus
        stopped = asyncio.ensure_future(self._stopped.wait())
        lost = asyncio.ensure_future(bus.wait_for_disconnect())
        try:
            if not self._stopping.is_set():
                await self._move_in(bus)
                await asyncio.wait({stopped, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not self._stopping.is_set():
                self._report("TRAY-003", "the session bus went away: the session has ended")
        except (CallFailed, OSError, EOFError) as exc:
            self._report("TRAY-003", f"the session bus went away: {exc}")
        finally:
            self._bus = self._notifications = None
            bus.disconnect()
            for task in (stopped, lost, *self._errands):
                task.cancel()
            await asyncio.gather(stopped, lost, *self._errands, return_exceptions=True)

    async def _move_in(self, bus: MessageBus) -> None:
        self._notifications = Notifications(bus, self._app, self.name)
        self._show_waiting()
        bus.export(item.PATH, self._item)
        bus.export(dbusmenu.PATH, self._menu_service)
        bus.add_message_handler(self._on_message)
        self._menu_service.refresh()
        # A panel may read the picture as soon as it hears of us.
        if self.icon is not None and not self._icon_valid:
            self._update_icon()
        await bus.request_name(self._bus_name, NameFlag.DO_NOT_QUEUE)
        await watch_name(bus, WATCHER)
        await self._register()

    def _on_message(self, message: Message) -> None:
        owner = new_owner(message, WATCHER)
        if owner:
            self._send_off(self._register())
        elif owner == "":
            self.registered.clear()

    async def _register(self) -> None:
        if self._bus is None:
            return
        try:
            await call(
                self._bus,
                WATCHER,
                WATCHER_PATH,
                WATCHER,
                "RegisterStatusNotifierItem",
                "s",
                [self._bus_name],
            )
        except CallFailed as exc:
            self._report_once("TRAY-002", f"this desktop shows no tray (yet): {exc}; waiting for one")
        else:
            self.registered.set()

    def _show_waiting(self) -> None:
        """Show what waits, unless the bus is still being sought for the first time."""
        while self._unshown and (self._notifications is not None or "TRAY-001" in self._told):
            self._send_off(self._show_notification(self._unshown.popleft()))

    async def _show_notification(self, notification: Notification) -> None:
        try:
            if self._notifications is None:
                raise CallFailed("no-bus", "there is no session bus")
            await self._notifications.show(notification)
        except CallFailed as exc:
            lost = " ".join(notification.title.split())
            self._report("TRAY-007", f"the notification {lost!r} could not be shown: {exc}")

    def _report_once(self, code: str, message: str) -> None:
        if code not in self._told:
            self._told.add(code)
            self._report(code, message)

    # -- What the panel sees, and clicks -------------------------------------------------------------------

    def _look(self) -> item.Look:
        return item.Look(
            id=self.name,
            title=self.title or self.name,
            visible=self.visible,
            pixmaps=self._pixmaps,
            has_default=any(entry.default for entry in self.menu or ()),
        )

    def _new_menu_service(self) -> dbusmenu.MenuService:
        return dbusmenu.MenuService(
            self._nodes,
            self._clicked,
            stale=lambda number: self._report(
                "TRAY-004", f"a click on the menu entry {number}, which is gone"
            ),
            opened=self._opened,
        )

    def _nodes(self) -> tuple[Node, ...]:
        items: dict[str, MenuItem] = {}
        nodes = _describe(self.menu or (), "", items)
        # The items of the last reading stay alive while this one is made: two objects never share an identity.
        self._items = items
        return nodes

    def _clicked(self, key: str) -> bool:
        chosen = self._items.get(key)
        if chosen is None or not chosen.enabled or chosen.submenu is not None:
            return False
        self._act(chosen.text, lambda: chosen(self))
        return True

    def _activate(self) -> None:
        menu = self.menu
        if menu is not None:
            self._act(self.name, lambda: menu(self))

    def _act(self, what: str, action: Callable[[], object]) -> None:
        """Call `action` in a thread of its own: a slow one freezes neither the menu nor another click."""
        if not self._clicks.acquire(blocking=False):
            self._report(
                "TRAY-006", f"{what}: {CLICKS_AT_ONCE} clicks wait for an answer, this one was not taken"
            )
            return

        def run() -> None:
            try:
                action()
            except Exception as exc:  # noqa: BLE001  # the border of the icon: an action's fault must not end it
                self._log.exception("tray action failed")
                self._report("TRAY-005", f"{what}: {type(exc).__name__}: {exc}")
            finally:
                self._clicks.release()
                self.update_menu()

        threading.Thread(target=run, name="tray-click", daemon=True).start()


def _describe(items: Menu | Sequence[MenuItem], above: str, found: dict[str, MenuItem]) -> tuple[Node, ...]:
    """Return the lines of a menu, and add each item to `found` by its key."""
    nodes: list[Node] = []
    for number, entry in enumerate(items):
        if entry is Menu.SEPARATOR:
            nodes.append(Node(f"{above}|{number}", {"type": "separator"}))
            continue
        # An item without a key is known by its identity: a new object is another entry.
        key = entry.key if isinstance(entry, KeyedItem) else f"object:{id(entry)}"
        found[key] = entry
        submenu = entry.submenu
        nodes.append(Node(key, _properties(entry), _describe(submenu, key, found) if submenu else ()))
    return tuple(nodes)


def _properties(entry: MenuItem) -> Properties:
    # An underscore marks an accelerator; two are one that people see.
    properties: Properties = {"label": entry.text.replace("_", "__")}
    if not entry.enabled:
        properties["enabled"] = False
    if isinstance(entry, KeyedItem) and entry.picture:
        properties["icon-data"] = entry.picture
    if entry.checked is not None:
        properties["toggle-type"] = "radio" if entry.radio else "checkmark"
        properties["toggle-state"] = int(entry.checked)
    if entry.submenu is not None:
        properties["children-display"] = "submenu"
    return properties
