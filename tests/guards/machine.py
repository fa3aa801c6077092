"""Keeps the tests away from the developer's desktop, folders and network.

An audit hook sees every connection and every new process, also of code that does not use the `socket` or
`subprocess` module itself; it cannot be removed, so it is added once a process.
"""

import ipaddress
import os
import shutil
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

MARK = "ATOMITON_TEST_SESSION"
"""Every process that a test starts, however indirectly, carries this variable."""

_FORGOTTEN = (
    "ATOMITON_FLOWS",
    "ATOMITON_DATA",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
)
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
_LOCAL_NAMES = ("", "localhost", "ip6-localhost")
_SPAWNS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec"})
_SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})

_calls: list[str] = []
_spawned = False
_watching = False


@dataclass(frozen=True)
class Isolation:
    """What was changed, so that it can be put back."""

    folder: Path
    environ: dict[str, str]


KEY = pytest.StashKey[Isolation]()


class OutsideRefused(OSError):
    """A test tried to reach an address that is not this machine's."""


def isolate() -> Isolation:
    """Point every folder of the user at an empty one, and hide the user's desktop."""
    folder = Path(tempfile.mkdtemp(prefix="atomiton-"))
    before = dict(os.environ)
    for name in _FORGOTTEN:
        os.environ.pop(name, None)
    for name in _FOLDERS:
        path = folder / name.removeprefix("XDG_").lower()
        path.mkdir(mode=0o700)
        os.environ[name] = str(path)
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    os.environ[MARK] = uuid.uuid4().hex
    return Isolation(folder, before)


def restore(isolation: Isolation) -> None:
    """Put the environment back and remove the folder."""
    os.environ.clear()
    os.environ.update(isolation.environ)
    shutil.rmtree(isolation.folder, ignore_errors=True)


def watch() -> None:
    """Refuse connections to other machines and note new processes, from now on."""
    global _watching  # an audit hook is for the whole process and for ever
    if not _watching:
        _watching = True
        sys.addaudithook(_audit)


def forget_calls() -> None:
    """Begin a new list of refused connections."""
    _calls.clear()


def calls_outside() -> list[str]:
    """Return a line for each connection that was refused since `forget_calls`."""
    return [f"a connection to {address}: tests reach only this machine" for address in _calls]


def spawned_since_last_asked() -> bool:
    """Return whether this process started another one since the last call."""
    global _spawned  # set by the audit hook, in any thread
    spawned, _spawned = _spawned, False
    return spawned


def note_spawn() -> None:
    """Say that a process may have been started or ended."""
    global _spawned
    _spawned = True


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in _SPAWNS:
        note_spawn()
    elif event in _SENDS:
        _refuse_unless_local(arguments[1])
    elif event == "socket.getaddrinfo":
        _refuse_unless_local((arguments[0],))


def _refuse_unless_local(address: object) -> None:
    # Paths are Unix sockets, None is a connected socket, anything else (netlink) never leaves the machine.
    if not isinstance(address, tuple) or not address:
        return
    host = cast("tuple[object, ...]", address)[0]
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or _is_local(host):
        return
    _calls.append(host)
    raise OutsideRefused(f"{host} is not this machine, and tests reach only this machine")


def _is_local(host: str) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
