"""The tray on a private bus, as a panel sees it."""

import gc
import html
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from atomiton_runtime.errors import ErrorInfo, RuntimeUnusable, Where
from atomiton_runtime.flow.model import Variable
from atomiton_runtime.ids import FlowId
from atomiton_runtime.requests import CancelRun, RunFlow
from atomiton_runtime.run.notices import NoticeRaised
from atomiton_runtime.tray import icons
from atomiton_runtime.tray.app import run_tray
from atomiton_runtime.tray.client import MANY_FLOWS
from atomiton_runtime.tray.status_notifier.item import pixmap
from tests.desktop.conftest import RunningTray
from tests.desktop.private_bus import PrivateBus
from tests.desktop.tray_host import BusError, TrayHost
from tests.desktop.waiting import eventually
from tests.doubles.runtime import FakeRuntime

pytestmark = pytest.mark.desktop

FAULT = ErrorInfo(
    "FILE-001", "out/report.csv is not there", "read", Where("flows/report.toml", 7, 3), "create it first"
)


def wait_for_mood(host: TrayHost, mood: str) -> None:
    """Wait until the icon shows the picture of a mood."""
    expected = [tuple(pixmap(icons.draw(mood, size))) for size in icons.PANEL_SIZES]
    eventually(lambda: host.item("IconPixmap") == expected, f"the icon {mood}")


def test_icon_appears(host: TrayHost, tray: RunningTray) -> None:
    """The icon registers, is active, has a picture in each size, and is nothing but its menu."""
    assert host.item("Status") == "Active"
    assert host.item("ItemIsMenu") is True
    assert [shown[:2] for shown in host.item("IconPixmap")] == [(size, size) for size in icons.PANEL_SIZES]
    assert host.item("Id") == "atomiton-runtime"


def test_left_click_leaves_the_menu_to_the_panel(host: TrayHost, tray: RunningTray) -> None:
    """A click on the icon itself is refused, upon which panels open the menu."""
    with pytest.raises(BusError, match="UnknownMethod"):
        host.activate()


def test_click_runs_the_flow(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A click executes the flow, and menu and icon follow it to its end."""
    runtime.add_flow("customers", "Active customers")
    host.click("Active customers")

    host.wait_for("Active customers", "running since")
    wait_for_mood(host, "running")
    runtime.succeed(runtime.last_run())
    host.wait_for("Active customers", "✓ just now")
    wait_for_mood(host, "succeeded")
    assert runtime.requests == [RunFlow(flow="customers", trigger="tray")]


def test_opening_the_menu_reads_no_flow_and_a_save_reads_one(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """However many flows there are, they are read once, at the start; afterwards only those of which there was news."""
    for number in range(300):
        runtime.add_flow(f"flow{number}", announce=False)
    start_tray()
    host.wait_for("300 flows")
    assert runtime.flows_read == [300]
    for _ in range(2):
        host.open()
        host.close()
    runtime.add_flow("flow7", "Renamed")

    host.wait_for("Renamed")
    assert runtime.flows_read == [300, 1]


def test_news_that_could_not_be_read_are_read_later(
    host: TrayHost, runtime: FakeRuntime, tray: RunningTray
) -> None:
    """While the runtime does not answer, it is remembered which flows to ask about, until there is an answer."""
    runtime.add_flow("customers", "Customers")
    host.wait_for("Customers")
    runtime.silent = True
    runtime.add_flow("customers", "Renamed")
    host.wait_for("the shelf does not answer")
    runtime.silent = False
    runtime.add_flow("other", "Other")
    host.wait_for("Other")
    assert host.line("Renamed")


def test_very_many_flows_are_set_aside_from_the_search_for_garbage(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """Looking through them would stop every thread, again and again, for longer than opening the menu may take."""
    for number in range(MANY_FLOWS):
        runtime.add_flow(f"flow{number}", announce=False)
    before = gc.get_freeze_count()
    try:
        start_tray()
        host.wait_for(f"{MANY_FLOWS} flows")
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_cancel_entry(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A run has an entry that cancels it, which says so and what it waits for, until the run has ended."""
    runtime.add_flow("backup", "Backup")
    run_id = runtime.begin(FlowId("backup"))
    host.click("Cancel Backup")

    host.wait_for("Cancelling Backup …")
    runtime.left_nodes[run_id] = ("dump", "upload")
    host.wait_for("Cancelling Backup  ·  waits for dump, upload")
    assert host.line("Backup").label == "Backup  ·  cancelling …"
    runtime.left_nodes[run_id] = ("upload",)
    host.wait_for("Cancelling Backup  ·  waits for upload")
    runtime.cancelled(run_id)
    host.wait_until(lambda labels: not any(label.startswith("Cancel") for label in labels))
    host.wait_for("Backup", "– cancelled just now")
    assert runtime.requests == [CancelRun(run_id=run_id)]
    assert host.bubbles == []


def test_a_run_that_is_not_kept_is_cancelled_all_the_same(
    host: TrayHost, runtime: FakeRuntime, tray: RunningTray
) -> None:
    """What it waits for cannot be said then; that is no fault that people have to read of."""
    runtime.add_flow("backup", "Backup")
    run_id = runtime.begin(FlowId("backup"))
    runtime.unkept.add(run_id)
    host.click("Cancel Backup")
    host.wait_for("Cancelling Backup …")
    runtime.cancelled(run_id)
    host.wait_for("Backup", "– cancelled just now")
    assert not any("there is no run" in label for label in host.labels())


def test_failure_is_announced_and_stays(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A failed run is announced with node, message, code, place and hint; the icon keeps the failure in sight."""
    runtime.add_flow("report", "Report")
    runtime.add_flow("other", "Other")
    host.wait_for("Report")
    runtime.fail(runtime.begin(FlowId("report")), FAULT)

    bubble = host.wait_for_bubble("Report failed")
    assert bubble.text == "read: out/report.csv is not there (FILE-001)\nreport.toml:7:3\ncreate it first"
    assert bubble.app == "Atomiton"
    host.wait_for("Report", "✗ failed just now")
    runtime.succeed(runtime.begin(FlowId("other")))
    host.wait_for("Other", "✓")
    wait_for_mood(host, "failed")


SINCE = "since the last success: variable limit 10 -> 20 (+10)"


def test_a_failure_says_what_has_changed(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """What has changed since the last success is the second line of the notification, and stands in the menu."""
    runtime.add_flow("report", "Report")
    host.wait_for("Report")
    runtime.changes[FlowId("report")] = SINCE
    runtime.fail(runtime.begin(FlowId("report")), FAULT)

    bubble = host.wait_for_bubble("Report failed")
    assert html.unescape(bubble.text).splitlines()[:2] == [
        "read: out/report.csv is not there (FILE-001)",
        SINCE,
    ]
    host.wait_for(SINCE)
    assert [False] == [line.enabled for line in host.all_lines() if SINCE in line.label]
    runtime.succeed(runtime.begin(FlowId("report")))
    host.wait_until(lambda labels: not any(SINCE in label for label in labels))


def test_what_failed_before_the_start_says_what_has_changed(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """A failure of before the tray's time, or of another process, is explained in the menu and not announced."""
    runtime.add_flow("report", "Report")
    runtime.changes[FlowId("report")] = SINCE
    runtime.fail(runtime.begin(FlowId("report")), FAULT)
    start_tray()
    host.wait_for(SINCE)
    assert host.bubbles == []


def test_a_failure_that_cannot_be_compared_is_announced(
    host: TrayHost, runtime: FakeRuntime, tray: RunningTray, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the runtime cannot say what has changed, the failure is told without that, and the log says why."""
    runtime.add_flow("report", "Report")
    host.wait_for("Report")
    runtime.silent = True
    runtime.fail(runtime.begin(FlowId("report")), FAULT)

    assert "since" not in host.wait_for_bubble("Report failed").text
    host.wait_for("Report", "✗ failed just now")
    assert "cannot be compared with the last success" in caplog.text


def test_many_failures_at_once_are_all_announced(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """However many flows fail at the same time, each is announced, in the order in which they failed."""
    flows = [FlowId(f"flow{number}") for number in range(12)]
    for flow in flows:
        runtime.add_flow(flow, flow, announce=False)
    start_tray()
    host.wait_for("12 flows")
    for flow in flows:
        runtime.fail(runtime.begin(flow), FAULT)
    eventually(lambda: len(host.bubbles) == len(flows), "all notifications")
    assert [bubble.title for bubble in host.bubbles] == [f"{flow} failed" for flow in flows]


def test_reused_nodes_are_counted(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """The last result says how many nodes ran and how many were reused."""
    runtime.add_flow("report", "Report")
    runtime.succeed(runtime.begin(FlowId("report")), ran=1, reused=9)
    host.wait_for("Report", "✓ just now, 1 run, 9 reused")
    runtime.succeed(runtime.begin(FlowId("report")), ran=10)
    host.wait_until(lambda labels: "Report  ·  ✓ just now" in labels)


@pytest.mark.parametrize(
    ("notify", "outcome", "title"),
    [
        ("always", "succeeds", "Flow succeeded"),
        ("always", "fails", "Flow failed"),
        ("failure", "succeeds", None),
        ("failure", "fails", "Flow failed"),
        ("never", "succeeds", None),
        ("never", "fails", None),
    ],
)
def test_notify(
    notify: str, outcome: str, title: str | None, host: TrayHost, runtime: FakeRuntime, tray: RunningTray
) -> None:
    """A flow's `notify` decides which ends of its runs are announced."""
    runtime.add_flow("flow", "Flow", notify=notify)
    runtime.add_flow("after", "After", notify="always")
    host.wait_for("Flow")

    run_id = runtime.begin(FlowId("flow"))
    runtime.succeed(run_id) if outcome == "succeeds" else runtime.fail(run_id, FAULT)
    runtime.succeed(runtime.begin(FlowId("after")))
    host.wait_for_bubble("After succeeded")

    assert [bubble.title for bubble in host.bubbles[:-1]] == ([title] if title else [])


def test_bubbles_of_one_flow_replace_each_other(
    host: TrayHost, runtime: FakeRuntime, tray: RunningTray
) -> None:
    """A flow that fails again and again keeps one bubble."""
    runtime.add_flow("report", "Report")
    host.wait_for("Report")
    for count in (1, 2, 3):
        runtime.fail(runtime.begin(FlowId("report")), FAULT)
        eventually(lambda count=count: len(host.bubbles) == count, "the next bubble")

    assert [bubble.replaces for bubble in host.bubbles] == [0, 1, 1]


@pytest.mark.parametrize(
    ("capabilities", "shown"),
    [(("body", "body-markup"), "&lt;b&gt;&amp;"), (("body",), "<b>&")],
)
def test_markup_in_messages_is_shown_not_obeyed(
    capabilities: tuple[str, ...],
    shown: str,
    bus: PrivateBus,
    runtime: FakeRuntime,
    start_tray: Callable[..., RunningTray],
) -> None:
    """A message with markup is escaped where the desktop would obey it, and only there."""
    with TrayHost(bus.address, capabilities=capabilities) as host:
        runtime.add_flow("report", "Report")
        start_tray()
        host.wait_for("Report")
        runtime.fail(runtime.begin(FlowId("report")), ErrorInfo("X-001", "<b>&"))
        assert host.wait_for_bubble("failed").text == f"{shown} (X-001)"


def test_broken_flow(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A broken flow shows its first problem and cannot be run; repaired, it can; each change is announced once."""
    runtime.add_flow("report", "Report")
    host.wait_for("Report")
    for _ in range(2):
        runtime.break_flow("report", "unknown node type `sheet`", "unknown key `inptu`")
    host.wait_for("Report", "report.toml:3: unknown node type `sheet` (+1)")
    wait_for_mood(host, "failed")
    host.wait_for_bubble("Report has 2 problems", "report.toml:4: unknown key `inptu`")

    runtime.add_flow("report", "Report")
    host.wait_until(lambda labels: "Report" in labels)
    host.click("Report")
    eventually(lambda: runtime.requests == [RunFlow(flow="report", trigger="tray")])
    assert len(host.bubbles) == 1


def test_last_valid_version_stays_runnable(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """While a flow is broken, its last valid version can be run."""
    runtime.break_flow("report", "unknown key `inptu`", runnable=True)
    host.wait_for("report", "1 problem")
    host.click("Run the last valid version")
    eventually(lambda: runtime.requests == [RunFlow(flow="report", trigger="tray")])


def test_refused_click_is_announced(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """What the runtime refuses is announced with its reason."""
    runtime.add_flow("report", "Report")
    runtime.refusal = (ErrorInfo("FLOW-404", "there is no flow report"),)
    host.click("Report")
    assert host.wait_for_bubble("Report did not start").text == "there is no flow report (FLOW-404)"
    host.wait_until(lambda labels: "Report" in labels)


def test_flow_that_needs_variables(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A flow that needs variables says so, and a click says how to run it."""
    needed = Variable(name="source", type="string", required=True)
    runtime.add_flow("import", "Import", variables={"source": needed})
    host.wait_for("Import", "needs source")
    host.click("Import")
    assert "atomiton run import --source …" in host.wait_for_bubble("Import needs source").text
    assert runtime.requests == []


def test_click_on_a_gone_entry_runs_nothing(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A click that was on its way while its flow went and another came is an error, and runs neither."""
    runtime.add_flow("first", "First")
    runtime.add_flow("second", "Second")
    numbers = {name: host.line(name).id for name in ("First", "Second")}
    runtime.remove_flow("first")
    runtime.add_flow("third", "Third")
    third = host.line("Third").id
    host.wait_until(lambda labels: "First" not in labels)

    with pytest.raises(BusError, match="no such menu entry"):
        host.event(numbers["First"], "clicked")
    assert third not in numbers.values()
    assert host.line("Second").id == numbers["Second"]
    assert runtime.requests == []
    assert any("TRAY-004" in line for line in tray.said)


def test_number_comes_never_back(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A flow that went and came back is a new entry."""
    runtime.add_flow("first", "First")
    number = host.line("First").id
    runtime.remove_flow("first")
    host.wait_until(lambda labels: "First" not in labels)
    runtime.add_flow("first", "First")
    assert host.line("First").id != number


def test_open_menu_does_not_jump(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """While the menu is open its texts change but its lines stay; when it is closed they come and go."""
    runtime.add_flow("first", "First")
    host.wait_for("First")
    host.open()
    before = [line.id for line in host.all_lines()]
    runtime.add_flow("second", "Second")
    run_id = runtime.begin(FlowId("first"))
    host.wait_for("First", "running since")

    assert [line.id for line in host.all_lines()] == before
    host.close()
    host.wait_for("Cancel First")
    host.wait_for("Second")
    host.open()
    runtime.succeed(run_id)
    eventually(lambda: not host.line("Cancel First").enabled, "the cancel entry is dead")
    with pytest.raises(BusError):
        host.click("Cancel First")
    host.close()


def test_click_closes_the_menu(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A panel that never says that its menu was closed gets new lines after a click, and as the menu opens again."""
    runtime.add_flow("first", "First")
    host.wait_for("First")
    host.menu_call("AboutToShow", "i", [0])
    host.click("First")
    host.wait_for("Cancel First")
    host.menu_call("AboutToShowGroup", "ai", [[0]])
    runtime.add_flow("second", "Second")
    runtime.succeed(runtime.last_run())
    host.wait_for("First", "✓")
    assert host.menu_call("AboutToShowGroup", "ai", [[0]]) == [[0], []]
    assert "Second" in host.labels()


def test_text_changes_travel_as_properties(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A new text is told as a property of its line, not as a new layout."""
    runtime.add_flow("first", "First")
    run_id = runtime.begin(FlowId("first"))
    host.wait_for("First", "running")
    host.open()
    host.signals.clear()
    runtime.succeed(run_id)
    host.wait_for("First", "✓")
    assert {signal.member for signal in host.signals if signal.interface == "com.canonical.dbusmenu"} == {
        "ItemsPropertiesUpdated"
    }


def test_times_are_fresh_when_the_menu_opens(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """How long ago a run was is computed as the menu opens, without any timer."""

    class Watch:
        def __init__(self) -> None:
            self.time = datetime.now(UTC)

        def now(self) -> datetime:
            return self.time

        def monotonic(self) -> float:
            return 0.0

    watch = Watch()
    runtime.add_flow("first", "First")
    runtime.succeed(runtime.begin(FlowId("first"), at=watch.time), at=watch.time)
    start_tray(clock=watch)
    host.wait_for("First", "✓ just now")
    watch.time += timedelta(minutes=5, seconds=30)
    host.open()
    host.wait_for("First", "✓ 5 min ago")


def test_runs_of_other_processes_show_when_the_menu_opens(
    host: TrayHost, runtime: FakeRuntime, tray: RunningTray
) -> None:
    """A run that another process made with the same store is in the menu once it is opened."""
    runtime.add_flow("first", "First")
    host.wait_for("First")
    subscribers, runtime._subscribers = runtime._subscribers, []
    runtime.succeed(runtime.begin(FlowId("first")))
    runtime._subscribers = subscribers
    host.open()
    host.wait_for("First", "✓ just now")


def test_slow_runtime_does_not_freeze_the_menu(
    host: TrayHost, runtime: FakeRuntime, tray: RunningTray
) -> None:
    """While the runtime does not answer, the click shows at once, the menu answers, and other clicks are taken."""
    runtime.add_flow("first", "First")
    runtime.add_flow("second", "Second")
    host.wait_for("Second")
    runtime.gate.clear()
    for _ in range(7):
        host.click("First")
    host.click("Second")
    host.wait_for("First", "starting …")
    host.wait_for("Second", "starting …")
    eventually(lambda: len(runtime.requests) == 8)
    for _ in range(9):
        host.click("Second")
    host.wait_for_bubble("this one was not taken", "TRAY-006")
    runtime.gate.set()
    host.wait_for("Second", "running since")


def test_notice_of_the_runtime(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A full disk is announced, in the menu, and seen in the icon, until somebody clicks it away."""
    host.wait_for("No flows yet")
    error = ErrorInfo("STORE-005", "the disk is full", hint="make room")
    runtime.publish(NoticeRaised(level="error", error=error))
    host.wait_for("the disk is full")
    host.wait_for_bubble("the disk is full (STORE-005)\nmake room")
    wait_for_mood(host, "failed")
    host.click("the disk is full")
    host.wait_until(lambda labels: "the disk is full" not in labels)
    wait_for_mood(host, "idle")


def test_three_hundred_flows(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """With 300 flows the menu stays short, every flow is in it once, and each runs what it says."""
    for number in range(300):
        runtime.add_flow(f"flow-{number:03}", f"Flow {number:03}")
    start_tray()
    host.wait_for("More flows (280)")
    assert len(host.lines()) < 40
    names = [label for label in host.labels() if label.startswith("Flow ") and "–" not in label]
    assert sorted(names) == [f"Flow {number:03}" for number in range(300)]
    host.click("Flow 277")
    eventually(lambda: runtime.requests == [RunFlow(flow="flow-277", trigger="tray")])


ODD_NAMES = {
    "underscore": ("my_flow_name", "my_flow_name"),
    "ampersand": ("Fish & Chips", "Fish & Chips"),
    "long": ("x" * 10_000, "x" * 47 + "…"),
    "lines": ("one\ntwo\tthree", "one two three"),
    "nul": ("a\0b", "ab"),
    "reversed": ("safe\u202egpj.exe", "safegpj.exe"),
    "surrogate": ("a\ud800b", "ab"),
    "empty": ("   ", "odd"),
    "emoji": ("🚀 Rocket 日本", "🚀 Rocket 日本"),
    "markup": ("<b>bold</b>", "<b>bold</b>"),
}


def test_odd_names(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """Names are shown as written, cut, and without what would break the bus or fool the eye."""
    for flow, (name, _) in ODD_NAMES.items():
        runtime.add_flow("odd" if flow == "empty" else flow, name)
    host.wait_until(lambda labels: {shown for _, shown in ODD_NAMES.values()} <= set(labels))
    assert host.line("my_flow").properties["label"] == "my__flow__name"


def test_unlisted_flow(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """A flow with `tray = false` is not in the menu; its failure is announced all the same."""
    runtime.add_flow("hidden", "Hidden", tray=False)
    runtime.add_flow("listed", "Listed")
    host.wait_for("Listed")
    runtime.fail(runtime.begin(FlowId("hidden")), FAULT)
    host.wait_for_bubble("Hidden failed")
    assert not any(label.startswith("Hidden") for label in host.labels())
    host.wait_for("1 flow")


def test_first_flow(host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]) -> None:
    """A flow given at the start is run."""
    runtime.add_flow("first", "First")
    start_tray(run="first")
    host.wait_for("First", "running since")


def test_history_at_the_start(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """What happened before the start is in the menu; files that were broken before are not announced."""
    ago = datetime.now(UTC) - timedelta(hours=3, minutes=2)
    runtime.add_flow("first", "First")
    runtime.break_flow("second", "unknown key")
    runtime.fail(runtime.begin(FlowId("first"), at=ago), FAULT, at=ago)
    start_tray()
    host.wait_for("First", "✗ failed 3 h ago")
    host.wait_for("2 flows · 1 failed · 1 broken")
    assert host.item("Title") == "Atomiton: 2 flows · 1 failed · 1 broken"
    assert host.bubbles == []


def test_quit(host: TrayHost, runtime: FakeRuntime, tray: RunningTray) -> None:
    """Quit ends the tray with 0 and stops the runtime."""
    host.click("Quit")
    assert tray.wait() == 0
    assert runtime.stopped


def test_panel_that_comes_back_gets_the_icon_again(
    bus: PrivateBus, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """A panel that crashed and was started again has the icon again, with its menu."""
    runtime.add_flow("first", "First")
    with TrayHost(bus.address) as panel:
        start_tray()
        panel.wait_for("First")
    with TrayHost(bus.address) as panel:
        panel.wait_for("First")
        assert panel.item("Status") == "Active"


def test_no_panel_at_the_start(
    bus: PrivateBus, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """Without a panel that is said once, the runtime works, and the first panel gets the icon."""
    tray = start_tray()
    eventually(lambda: any("TRAY-002" in line for line in tray.said), "it is said")
    assert runtime.started
    with TrayHost(bus.address) as panel:
        panel.wait_for("No flows yet")
    assert sum("TRAY-002" in line for line in tray.said) == 1


def test_no_bus_at_the_start(
    runtime: FakeRuntime, start_tray: Callable[..., RunningTray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a bus that is said, the runtime works, and a bus that appears is found."""
    late = PrivateBus()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", late.address)
    tray = start_tray()
    eventually(lambda: any("TRAY-001" in line for line in tray.said), "it is said")
    assert runtime.started
    with late, TrayHost(late.address) as panel:
        panel.wait_for("No flows yet")
        panel.click("Quit")
        assert tray.wait() == 0


def test_bus_that_goes_away_ends_the_tray(
    runtime: FakeRuntime, start_tray: Callable[..., RunningTray], bus: PrivateBus
) -> None:
    """When the session's bus ends, the session has ended: the tray ends with 0 and stops the runtime."""
    with TrayHost(bus.address) as panel:
        tray = start_tray()
        panel.wait_for("No flows yet")
    bus.stop()
    assert tray.wait() == 0
    assert runtime.stopped
    assert any("TRAY-003" in line for line in tray.said)


def test_no_notification_service(
    bus: PrivateBus, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """Without a notification service the lost message is said, and the tray lives on."""
    with TrayHost(bus.address, notifications=False) as panel:
        runtime.add_flow("first", "First")
        tray = start_tray()
        panel.wait_for("First")
        runtime.fail(runtime.begin(FlowId("first")), FAULT)
        eventually(lambda: any("'First failed'" in line and "TRAY-007" in line for line in tray.said))
        panel.wait_for("First", "✗ failed")


def test_second_tray_says_so(
    host: TrayHost, tray: RunningTray, start_tray: Callable[..., RunningTray]
) -> None:
    """A second tray for the same data folder says that there is one and ends with 0."""
    second = start_tray()
    assert second.wait() == 0
    assert len(second.said) == 1
    assert "already runs" in second.said[0]
    assert len(host.registrations) == 1


@pytest.mark.parametrize(("refusal", "code"), [((), 0), ((ErrorInfo("FLOW-404", "there is no flow x"),), 2)])
def test_second_tray_hands_over(
    refusal: tuple[ErrorInfo, ...],
    code: int,
    runtime: FakeRuntime,
    tray: RunningTray,
    start_tray: Callable[..., RunningTray],
) -> None:
    """What a second tray was to run is run by the first; what that refuses is said."""
    runtime.refusal = refusal
    second = start_tray(run="first")
    assert second.wait() == code
    assert runtime.requests == [RunFlow(flow="first", trigger="tray")]
    assert [line for line in second.said if "FLOW-404" in line] == ["there is no flow x (FLOW-404)"] * len(
        refusal
    )


def test_runtime_that_does_not_answer(
    host: TrayHost, runtime: FakeRuntime, start_tray: Callable[..., RunningTray]
) -> None:
    """A runtime that does not answer is in the menu and announced; what it said before stays, and it is asked again."""
    runtime.silent = True
    start_tray()
    host.wait_for("the shelf does not answer")
    runtime.silent = False
    runtime.add_flow("first", "First")
    host.wait_for("First")
    host.wait_until(lambda labels: "the shelf does not answer" not in labels)
    runtime.silent = True
    runtime.add_flow("second", "Second")
    host.wait_for("the shelf does not answer")
    host.wait_for("First")
    host.click("First")
    host.wait_for_bubble("the shelf does not answer", "RUN-011")


def test_open_entries(
    host: TrayHost, runtime: FakeRuntime, tray: RunningTray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken flow opens its file, the folder's entry opens the folder; what cannot be opened is announced."""
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/opened"\n', encoding="utf-8")
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    runtime.break_flow("report", "unknown key")
    host.click("report")
    host.wait_for_bubble("report.toml is not there any more", "TRAY-009")
    (runtime.places.flows / "report.toml").touch()
    host.click("report")
    expected = f"{runtime.places.flows}/report.toml\n"
    eventually(lambda: (tmp_path / "opened").read_text() == expected)
    host.click("Open flows folder")
    eventually(lambda: (tmp_path / "opened").read_text() == f"{expected}{runtime.places.flows}\n")


def test_data_folder_that_cannot_be_used(runtime: FakeRuntime) -> None:
    """A data folder that is a file is an error that names it."""
    runtime.places.data.rmdir()
    runtime.places.data.touch()
    with pytest.raises(RuntimeUnusable) as caught:
        run_tray(runtime)
    assert caught.value.code == "TRAY-012"


def test_autostart_that_cannot_be_switched(
    host: TrayHost, tray: RunningTray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check entry that cannot keep its promise says so, and stays unchecked."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    host.click("Start at login")
    host.wait_for_bubble("cannot be switched on", "TRAY-008")
    assert host.line("Start at login").properties["toggle-state"] == 0


def test_autostart_entry(host: TrayHost, tray: RunningTray) -> None:
    """The check entry switches the start at login, and shows what is true."""
    host.click("Start at login")
    eventually(lambda: host.line("Start at login").properties["toggle-state"] == 1)
    host.click("Start at login")
    eventually(lambda: host.line("Start at login").properties["toggle-state"] == 0)
