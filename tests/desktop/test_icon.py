"""Our back-end keeps pystray's promises with any menu, on a private bus."""

import threading
from collections.abc import Callable, Iterator

import pytest
from dbus_fast import Variant

from atomiton_runtime.tray import icons
from atomiton_runtime.tray.native_menu import KeyedItem
from atomiton_runtime.tray.pystray_names import BaseIcon, Menu, MenuItem
from atomiton_runtime.tray.status_notifier.icon import CLICKS_AT_ONCE, Icon
from tests.desktop.tray_host import BusError, TrayHost
from tests.desktop.waiting import eventually

pytestmark = pytest.mark.desktop

PICTURE = icons.draw("idle", 22)


@pytest.fixture
def show(host: TrayHost) -> Iterator[Callable[..., Icon]]:
    """Show icons, and end them afterwards."""
    shown: list[Icon] = []

    def run(menu: Menu | None, **options: object) -> Icon:
        icon = Icon("icon", PICTURE, "Title", menu, **options)  # type: ignore[arg-type]
        shown.append(icon)
        icon.run_detached()
        assert icon.registered.wait(5)
        return icon

    yield run
    for icon in shown:
        icon.stop()
        assert icon._thread is not None
        icon._thread.join(5)


def test_default_entry_takes_the_click_on_the_icon(show: Callable[..., Icon], host: TrayHost) -> None:
    """With a default entry a click on the icon does what that entry does."""
    done = threading.Event()
    show(Menu(MenuItem("Other", None), MenuItem("Main", lambda: done.set(), default=True)))
    assert host.item("ItemIsMenu") is False
    host.activate()
    assert done.wait(5)


def test_items_of_every_kind(show: Callable[..., Icon], host: TrayHost) -> None:
    """Checks, radios, submenus, separators, and items without a key arrive as a panel expects them."""
    show(
        Menu(
            MenuItem("Check", lambda: None, checked=lambda _: True),
            MenuItem("Radio", lambda: None, checked=lambda _: False, radio=True),
            Menu.SEPARATOR,
            KeyedItem("more", "More", Menu(KeyedItem("in", "Inside", lambda *_: None))),
            KeyedItem("dead", "Dead"),
        )
    )
    check, radio, separator, more, dead = host.lines()
    assert (check.properties["toggle-type"], check.properties["toggle-state"]) == ("checkmark", 1)
    assert (radio.properties["toggle-type"], radio.properties["toggle-state"]) == ("radio", 0)
    assert separator.properties == {"type": "separator"}
    assert [child.label for child in more.children] == ["Inside"]
    assert not dead.enabled
    for line in (dead, more):
        with pytest.raises(BusError):
            host.event(line.id, "clicked")


def test_items_made_anew_are_other_entries(show: Callable[..., Icon], host: TrayHost) -> None:
    """An item without a key that was made anew is another entry: a click on the old one does nothing."""
    clicked: list[str] = []
    icon = show(Menu(MenuItem("A", lambda: clicked.append("A"))))
    number = host.line("A").id
    icon.menu = Menu(MenuItem("B", lambda: clicked.append("B")))
    host.line("B")
    with pytest.raises(BusError):
        host.event(number, "clicked")
    assert clicked == []


def test_failing_action(show: Callable[..., Icon], host: TrayHost) -> None:
    """An action that raises is reported, and the next one works."""
    reports: list[tuple[str, str]] = []
    done = threading.Event()
    show(
        Menu(KeyedItem("bad", "Bad", lambda *_: {}["x"]), KeyedItem("good", "Good", lambda *_: done.set())),
        report=lambda *said: reports.append(said),
    )
    host.click("Bad")
    host.click("Good")
    assert done.wait(5)
    eventually(lambda: reports == [("TRAY-005", "Bad: KeyError: 'x'")])


def test_clicks_never_queue(show: Callable[..., Icon], host: TrayHost) -> None:
    """Clicks whose actions do not return have threads of their own; one too many is reported at once."""
    reports: list[str] = []
    release = threading.Event()
    begun = threading.Semaphore(0)

    def block(*_: object) -> None:
        begun.release()
        release.wait(10)

    show(Menu(KeyedItem("slow", "Slow", block)), report=lambda code, _: reports.append(code))
    for _ in range(CLICKS_AT_ONCE):
        host.click("Slow")
    assert all(begun.acquire(timeout=5) for _ in range(CLICKS_AT_ONCE))
    assert reports == []
    host.click("Slow")
    assert reports == ["TRAY-006"]
    release.set()


def test_hiding_and_changing(show: Callable[..., Icon], host: TrayHost) -> None:
    """Visibility, title and picture follow, and the panel is told."""
    icon = show(None)
    eventually(lambda: host.item("Status") == "Active")
    icon.visible = False
    eventually(lambda: host.item("Status") == "Passive")
    icon.visible = True
    icon.title = "Other"
    icon.icon = icons.draw("failed", 22)
    eventually(lambda: {"NewStatus", "NewTitle", "NewIcon"} <= {signal.member for signal in host.signals})
    assert (host.item("Title"), host.item("Status")) == ("Other", "Active")
    assert host.lines() == ()


def test_notifications(show: Callable[..., Icon], host: TrayHost) -> None:
    """`notify` shows, and `remove_notification` takes back."""
    icon = show(None)
    icon.notify("text")
    bubble = host.wait_for_bubble("Title", "text")
    icon.remove_notification()
    eventually(lambda: host.closed == [bubble.id])


def test_news_older_than_the_icon_are_shown(host: TrayHost) -> None:
    """What is announced before the icon lives is shown once it does: the first news come while it starts."""
    icon = Icon("icon", PICTURE, "Title")
    icon.notify("first")
    icon.notify("second")
    icon.run_detached()
    try:
        host.wait_for_bubble("Title", "second")
        assert [bubble.text for bubble in host.bubbles] == ["first", "second"]
    finally:
        icon.stop()
        assert icon._thread is not None
        icon._thread.join(5)


def test_setup_runs_once_the_icon_lives(bus: object) -> None:
    """`run` calls its setup function in a thread, and stopping before `run` ends it at once."""
    called: list[BaseIcon] = []
    icon = Icon("icon", PICTURE)
    icon.stop()
    icon.run(called.append)
    assert called == []

    other = Icon("icon", PICTURE)
    other.run(lambda icon: (called.append(icon), icon.stop()))
    assert called == [other]


def test_questions_a_panel_may_ask(show: Callable[..., Icon], host: TrayHost) -> None:
    """All methods of the menu answer, and what is not there is an error or named."""
    show(Menu(KeyedItem("a", "A", lambda *_: None)))
    number = host.line("A").id
    gone = number + 100
    assert host.menu_call("GetProperty", "is", [number, "label"])[0].value == "A"
    assert [
        line[0] for line in host.menu_call("GetGroupProperties", "aias", [[number, gone], ["label"]])[0]
    ] == [number]
    assert len(host.menu_call("GetGroupProperties", "aias", [[], []])[0]) == 2
    assert host.menu_call("AboutToShow", "i", [number]) == [False]
    assert host.menu_call("AboutToShowGroup", "ai", [[0, gone]]) == [[], [gone]]
    event = [Variant("i", 0), 0]
    events = [[number, "hovered", *event], [gone, "clicked", *event]]
    assert host.menu_call("EventGroup", "a(isvu)", [events]) == [[gone]]
    for member, signature, body in (
        ("GetLayout", "iias", [gone, -1, []]),
        ("GetProperty", "is", [number, "colour"]),
        ("GetProperty", "is", [gone, "label"]),
        ("AboutToShow", "i", [gone]),
        ("Event", "isvu", [gone, "hovered", *event]),
        ("EventGroup", "a(isvu)", [events[1:]]),
    ):
        with pytest.raises(BusError, match="InvalidArgs"):
            host.menu_call(member, signature, body)


@pytest.mark.parametrize("member", ["SecondaryActivate", "ContextMenu"])
def test_gestures_without_meaning(member: str, show: Callable[..., Icon], host: TrayHost) -> None:
    """Gestures that mean nothing are answered."""
    name = show(None)._bus_name
    host._in_loop(host._call(name, "/StatusNotifierItem", "org.kde.StatusNotifierItem", member, "ii", [0, 0]))
    properties = host._in_loop(
        host._call(
            name,
            "/StatusNotifierItem",
            "org.freedesktop.DBus.Properties",
            "GetAll",
            "s",
            ["org.kde.StatusNotifierItem"],
        )
    )[0]
    assert properties["Category"].value == "ApplicationStatus"
