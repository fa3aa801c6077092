"""Looks at the desktop: who would show the tray, and whether it starts at login."""

import os
import sys
from collections.abc import Iterator

from atomiton_runtime.doctor.finding import Finding
from atomiton_runtime.tray import autostart

_WITHOUT = "flows run all the same: `atomiton watch` needs no desktop"


def desktop() -> Iterator[Finding]:
    """Yield what there is of a desktop; on Linux it is asked over D-Bus."""
    if sys.platform.startswith("linux"):
        yield _display()
        yield from _bus()
    yield _autostart()


def _display() -> Finding:
    for variable in ("WAYLAND_DISPLAY", "DISPLAY"):
        if os.environ.get(variable):
            return _finding("display", f"{variable}={os.environ[variable]}")
    return _missing("display", "neither WAYLAND_DISPLAY nor DISPLAY is set", _WITHOUT)


def _bus() -> Iterator[Finding]:
    # Loaded here: dbus-fast is installed on Linux alone.
    from atomiton_runtime.tray.status_notifier.presence import look

    presence = look()
    if presence.bus is None:
        yield _missing("session bus", presence.reason, f"the tray shows its icon over it; {_WITHOUT}")
        return
    yield _finding("session bus", presence.bus)
    if presence.panel:
        yield _finding("tray host", "a panel shows icons")
    else:
        hint = "GNOME needs the extension AppIndicator; the icon comes as soon as there is a panel"
        yield _missing("tray host", "nothing shows icons (StatusNotifierItem)", hint)
    if presence.notifications:
        yield _finding("notifications", "are shown")
    else:
        yield _missing("notifications", "nothing shows them", "start a notification daemon, such as dunst")


def _autostart() -> Finding:
    found = autostart.status()
    if not found.enabled:
        return _finding("autostart", "disabled")
    if found.usable:
        return _finding("autostart", f"enabled by {found.place}")
    hint = "`atomiton autostart enable` mends that"
    return _missing("autostart", f"the program that {found.place} names is gone", hint)


def _finding(subject: str, message: str) -> Finding:
    return Finding(area="desktop", subject=subject, message=message)


def _missing(subject: str, message: str, hint: str) -> Finding:
    return Finding(area="desktop", subject=subject, level="warning", message=message, hint=hint)
