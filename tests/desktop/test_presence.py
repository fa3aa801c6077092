"""What there is of a desktop is told without showing anything."""

import pytest

from atomiton_runtime.doctor.desktop import desktop
from atomiton_runtime.tray.status_notifier.presence import look
from tests.desktop.private_bus import PrivateBus
from tests.desktop.tray_host import TrayHost

pytestmark = pytest.mark.desktop


def test_a_panel_and_its_notifications_are_seen(host: TrayHost) -> None:
    """With a panel on the bus all is there; neither an icon nor a bubble appears."""
    presence = look()
    levels = {each.subject: each.level for each in desktop()}

    assert (presence.bus is not None, presence.panel, presence.notifications) == (True, True, True)
    assert (levels["session bus"], levels["tray host"], levels["notifications"]) == ("ok", "ok", "ok")
    assert (host.registrations, host.bubbles) == ([], [])


def test_a_bus_without_a_panel_is_said(bus: PrivateBus) -> None:
    """A bus alone shows nothing."""
    presence = look()
    levels = {each.subject: each.level for each in desktop()}

    assert (presence.bus, presence.panel, presence.notifications) == (bus.address, False, False)
    assert (levels["tray host"], levels["notifications"]) == ("warning", "warning")


@pytest.mark.parametrize("address", ["unix:path=/nowhere/at/all", "nonsense", "tcp:host=127.0.0.1,port=9"])
def test_a_bus_that_is_none_is_said(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nobody answers is the reason."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    presence = look()

    assert presence.bus is None
    assert address in presence.reason


def test_displays_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The display that programs would use is said, and that there is none."""
    monkeypatch.setenv("DISPLAY", ":7")
    assert [each.message for each in desktop() if each.subject == "display"] == ["DISPLAY=:7"]
    monkeypatch.delenv("DISPLAY")
    assert [each.level for each in desktop() if each.subject == "display"] == ["warning"]
