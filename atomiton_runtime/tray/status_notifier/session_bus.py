"""Finds the session bus, connects to it, and calls others on it with a deadline."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

CALL_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 5.0
_BUS = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"


class CallFailed(Exception):
    """Somebody on the bus answered with an error, or not at all."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{text} ({name})" if text else name)
        self.name = name


class NoBus(Exception):
    """There is no session bus, or it does not let us in."""


def find_address(environ: Mapping[str, str]) -> str:
    """Return the address of the session bus.

    Without `DBUS_SESSION_BUS_ADDRESS` (a start by cron or ssh) it is where systemd puts it.

    Raises:
        NoBus: nobody says where it is.
    """
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    socket = Path(environ.get("XDG_RUNTIME_DIR", ""), "bus")
    if environ.get("XDG_RUNTIME_DIR") and socket.exists():
        return f"unix:path={socket}"
    raise NoBus("DBUS_SESSION_BUS_ADDRESS is not set")


async def connect() -> MessageBus:
    """Return a connection to the session bus.

    Raises:
        NoBus: it is not there.
    """
    address = find_address(os.environ)
    bus: MessageBus | None = None
    try:
        bus = MessageBus(bus_address=address)
        return await asyncio.wait_for(bus.connect(), _CONNECT_TIMEOUT_S)
    except (
        Exception
    ) as exc:  # what a wrong address, a refused socket or a broken handshake raises has no common base
        if bus is not None:
            bus.disconnect()
        raise NoBus(f"the session bus at {address} does not answer: {exc or type(exc).__name__}") from exc


async def call(
    bus: MessageBus,
    destination: str,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    body: Sequence[object] = (),
) -> list[object]:
    """Return the answer to a method call.

    Raises:
        CallFailed: the answer is an error, or there is none within ten seconds.
    """
    message = Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=list(body),
    )
    try:
        reply = await asyncio.wait_for(bus.call(message), CALL_TIMEOUT_S)
    except TimeoutError as exc:
        raise CallFailed("timeout", f"{destination} does not answer") from exc
    except (OSError, EOFError) as exc:
        raise CallFailed("disconnected", str(exc)) from exc
    if reply.message_type is MessageType.ERROR:
        raise CallFailed(reply.error_name or "error", str(reply.body[0]) if reply.body else "")
    return list(reply.body)


async def watch_name(bus: MessageBus, name: str) -> None:
    """Ask the bus to say when `name` gets another owner (see `new_owner`)."""
    rule = f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{name}'"
    await call(bus, _BUS, _BUS_PATH, _BUS, "AddMatch", "s", [rule])


def new_owner(message: Message, name: str) -> str | None:
    """Return the new owner of `name` if that is what `message` tells ("": nobody), else None."""
    if message.message_type is not MessageType.SIGNAL or message.member != "NameOwnerChanged":
        return None
    if message.sender != _BUS or message.body[0] != name:
        return None
    return str(message.body[2])
