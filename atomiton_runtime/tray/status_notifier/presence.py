"""Tells whether there is a desktop that would show the icon: a session bus, a panel, notifications. Shows nothing."""

import asyncio
import os

import msgspec
from dbus_fast.aio import MessageBus

from atomiton_runtime.tray.status_notifier.icon import WATCHER, WATCHER_PATH
from atomiton_runtime.tray.status_notifier.session_bus import CallFailed, NoBus, call, connect, find_address

_BUS = "org.freedesktop.DBus"
_NOTIFICATIONS = "org.freedesktop.Notifications"
_PATIENCE_S = 5.0


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of a desktop."""

    bus: str | None = None
    """The address of the session bus; None: there is none, see `reason`."""
    reason: str = ""
    panel: bool = False
    """Whether something shows icons."""
    notifications: bool = False
    """Whether something shows notifications, or would be started to do so."""


def look() -> Presence:
    """Return what there is, within some seconds; raises nothing."""
    try:
        return asyncio.run(asyncio.wait_for(_look(), _PATIENCE_S))
    except (NoBus, CallFailed, OSError) as error:
        return Presence(reason=str(error) or type(error).__name__)


async def _look() -> Presence:
    bus = await connect()
    try:
        return Presence(
            bus=find_address(os.environ),
            panel=await _has_panel(bus),
            notifications=await _is_known(bus, _NOTIFICATIONS),
        )
    finally:
        bus.disconnect()


async def _has_panel(bus: MessageBus) -> bool:
    if not await _has_owner(bus, WATCHER):
        return False
    try:
        (shown,) = await call(
            bus,
            WATCHER,
            WATCHER_PATH,
            f"{_BUS}.Properties",
            "Get",
            "ss",
            [WATCHER, "IsStatusNotifierHostRegistered"],
        )
    except CallFailed:
        return False
    return bool(getattr(shown, "value", False))


async def _is_known(bus: MessageBus, name: str) -> bool:
    """Return whether somebody has the name, or would be started for it; nobody is started."""
    if await _has_owner(bus, name):
        return True
    (names,) = await call(bus, _BUS, "/org/freedesktop/DBus", _BUS, "ListActivatableNames")
    return isinstance(names, list) and name in names


async def _has_owner(bus: MessageBus, name: str) -> bool:
    (owned,) = await call(bus, _BUS, "/org/freedesktop/DBus", _BUS, "NameHasOwner", "s", [name])
    return bool(owned)
