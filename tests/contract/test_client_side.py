"""The clients' side: a click and a command line create the written requests, and understand what is answered."""

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec
import pytest
from click.testing import CliRunner, Result

from atomiton_runtime.cli import cancel, run
from atomiton_runtime.cli.installation import Installation
from atomiton_runtime.clock import SystemClock
from atomiton_runtime.control.door import ControlDoor
from atomiton_runtime.control.presence import processes_folder
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.ownership import Owner, announce
from atomiton_runtime.requests import FindLeft, Request, Response, RunFlow
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunSummary, document, summarize
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, NoticeRaised
from atomiton_runtime.running import Run
from atomiton_runtime.serving import left_there
from atomiton_runtime.settings import Places
from atomiton_runtime.tray import menu
from atomiton_runtime.tray import state as tray_state
from atomiton_runtime.tray.announce import Announcement
from atomiton_runtime.tray.app import Tray
from atomiton_runtime.tray.menu import Entry
from atomiton_runtime.tray.state import TrayState
from tests.contract import written
from tests.doubles.runtime import FakeRuntime

BY_TRAY, BY_CLI, HANDED_OVER, RESUME, REPLAY, CANCEL, LEFT = written.requests()
ACCEPTED, CANCELLING, NO_FLOW, NO_RUN, LEFT_TO_END = written.responses()
EVENTS = written.events()
CANCELLED = written.events("events-of-a-cancelled-run")
LOADED, BROKEN, REMOVED, WARNING = written.notices()

# --- the tray ---------------------------------------------------------------------------------------------


class StillSurface:
    """An icon that nobody sees: keeps what it is to say."""

    def __init__(self) -> None:
        self.announced: list[Announcement] = []

    def run(self) -> None:
        """Return at once."""

    def stop(self) -> None:
        """Do nothing."""

    def redraw(self, mood: str, title: str) -> None:
        """Do nothing."""

    def announce(self, announcement: Announcement) -> None:
        self.announced.append(announcement)


def tray_of(runtime: FakeRuntime) -> tuple[Tray, StillSurface]:
    surface = StillSurface()
    return Tray(runtime, ("atomiton",), SystemClock(), lambda line: None, lambda wiring: surface), surface


def state_after(*facts: object) -> TrayState:
    """Return what the tray knows after these facts."""
    state = TrayState(loaded=True)
    for fact in facts:
        state = tray_state.apply(state, fact)
    return state


def entries(state: TrayState) -> Iterator[Entry]:
    """Return every entry of the menu, those of sub-menus included."""
    waiting = list(menu.compose(state, SystemClock().now(), flows_folder="/flows"))
    while waiting:
        entry = waiting.pop(0)
        yield entry
        waiting.extend(entry.children)


@pytest.mark.parametrize(
    ("state", "click", "expected"),
    [
        (state_after(LOADED), menu.RunClicked, BY_TRAY),
        (state_after(LOADED, *EVENTS[:2]), menu.CancelClicked, CANCEL),
        (state_after(LOADED, EVENTS[0]), menu.CancelClicked, CANCEL),
    ],
    ids=["run", "cancel a running one", "cancel a waiting one"],
)
def test_a_click_creates_the_written_request(
    state: TrayState, click: type, expected: Request, tmp_path: Path
) -> None:
    """The entry of the menu that the written facts give, clicked, sends exactly the written request."""
    runtime = FakeRuntime(tmp_path)
    tray, surface = tray_of(runtime)
    action = next(entry.action for entry in entries(state) if isinstance(entry.action, click))
    tray.act(action)

    assert runtime.requests == [expected]
    assert surface.announced == []


@pytest.mark.parametrize("refusal", [NO_FLOW, NO_RUN])
def test_a_refused_click_is_told(refusal: Response, tmp_path: Path) -> None:
    """What the runtime answers instead of accepting is shown with its reason."""
    runtime = FakeRuntime(tmp_path)
    runtime.refusal = refusal.errors
    tray, surface = tray_of(runtime)
    tray.act(menu.RunClicked("greetings"))

    (announced,) = surface.announced
    assert refusal.errors[0].message in f"{announced}"


RUN = EVENTS[0].run_id
SNAPSHOTS: list[tuple[list[object], Callable[[TrayState], object], object]] = [
    (
        [LOADED],
        lambda state: [(flow.id, flow.runnable) for flow in state.flows.values()],
        [("greeting", True)],
    ),
    ([LOADED, BROKEN], lambda state: state.flows["greeting"].problems, BROKEN.problems),
    ([LOADED, BROKEN, LOADED], lambda state: state.flows["greeting"].problems, ()),
    ([LOADED, REMOVED], lambda state: state.flows, {}),
    ([WARNING], lambda state: state.notice, WARNING),
    (
        EVENTS[:1],
        lambda state: [(each.run_id, each.started) for each in state.active.values()],
        [(RUN, False)],
    ),
    (EVENTS[:2], lambda state: state.active[RUN].started, True),
    (EVENTS[:5], tray_state.mood, "running"),
    ([LOADED, *EVENTS], tray_state.mood, "succeeded"),
    ([LOADED, *EVENTS], lambda state: (state.active, state.results["greeting"].status), ({}, "succeeded")),
    (CANCELLED[:4], lambda state: state.active[RUN].cancelling, True),
    (CANCELLED, lambda state: state.results["waiting"].status, "cancelled"),
]


@pytest.mark.parametrize(("facts", "look", "expected"), SNAPSHOTS)
def test_the_written_facts_give_the_expected_snapshot(
    facts: list[object], look: Callable[[TrayState], object], expected: object
) -> None:
    """What the tray knows follows from the written events and notices alone."""
    assert look(state_after(*facts)) == expected


def test_the_tray_asks_for_the_kinds_it_understands() -> None:
    """Every kind the tray subscribes to is a written one."""
    kinds = {type(each).__name__ for each in (LOADED, BROKEN, REMOVED, WARNING)}
    names = ("events-of-a-run", "events-of-a-cancelled-run", "events-of-other-kinds")
    kinds |= {type(event).__name__ for name in names for event in written.events(name)}

    assert set(tray_state.KINDS) <= kinds
    assert {FlowLoaded, FlowBroken, FlowRemoved, NoticeRaised} == {
        type(each) for each in (LOADED, BROKEN, REMOVED, WARNING)
    }


# --- the command line -------------------------------------------------------------------------------------


class WrittenRuntime:
    """Answers the command line from the written messages; executes nothing."""

    def __init__(self, folder: Path, journal: list[ev.RunEvent]) -> None:
        self.places = Places(flows=written.install_flows(folder / "flows"), data=folder / "data")
        self.requests: list[Request] = []
        self.full_journal = journal
        self.ended = threading.Event()
        self._callbacks: list[Callable[[object], object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing was started."""

    def flow(self, ref: str) -> Flow:
        from atomiton_runtime.flow.loader import load_flow

        path = self.places.flows / f"{ref}.toml"
        loaded = load_flow(path.read_bytes(), path, NodeCatalogue(self.places.flows))
        assert isinstance(loaded, Flow)
        return loaded

    def subscribe(
        self, callback: Callable[[object], object], *, kinds: Sequence[str] = ()
    ) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def start_run(self, request: RunFlow) -> Run:
        self.requests.append(request)
        for event in self.full_journal:
            for callback in self._callbacks:
                callback(event)
        begun = Run(RUN, FlowId(request.flow), lambda _: None, self.part)
        begun.receive(self.full_journal)
        return begun

    def find_run(self, prefix: str) -> RunId:
        return RUN

    def part(self, run_id: RunId, place: int) -> tuple[ev.RunEvent, ...]:
        return tuple(self.full_journal if self.ended.is_set() else self.full_journal[:3])[place:]

    def summary(self, run_id: RunId) -> RunSummary:
        told: RunSummary | None = None
        for event in self.part(run_id, 0):
            told = summarize(told, event)
        assert told is not None
        return told


class WrittenInstallation(Installation):
    """Opens the double instead of a runtime."""

    def __init__(self, double: WrittenRuntime) -> None:
        super().__init__()
        self._double = double

    def runtime(
        self, *, storage: str | None = None, watch: bool = False, only_read: bool = False
    ) -> WrittenRuntime:
        return self._double


def test_a_command_line_creates_the_written_request(tmp_path: Path) -> None:
    """`atomiton run greeting --who Ada --json` sends the written request and prints the written document."""
    runtime = WrittenRuntime(tmp_path, EVENTS)
    shown = CliRunner().invoke(
        run.command,
        ["greeting", "--who", "Ada", "--json"],
        obj=WrittenInstallation(runtime),
        standalone_mode=False,
    )

    assert shown.exception is None, shown.output
    assert runtime.requests == [BY_CLI]
    expected = json.loads((written.FOLDER / "document.json").read_bytes())
    assert written.shape(json.loads(shown.stdout)) == written.shape(expected)
    assert shown.return_value == 0


def test_the_end_of_a_run_is_the_exit_code(tmp_path: Path) -> None:
    """The written events of a cancelled run give the exit code of a cancelled run."""
    shown = CliRunner().invoke(
        run.command,
        ["waiting"],
        obj=WrittenInstallation(WrittenRuntime(tmp_path, CANCELLED)),
        standalone_mode=False,
    )

    assert shown.return_value == 3
    assert "cancelled" in shown.stderr


@pytest.mark.parametrize(("response", "code"), [(ACCEPTED, 0), (NO_FLOW, 2)])
def test_a_run_beside_an_owner_is_handed_over_as_written(
    response: Response, code: int, tmp_path: Path
) -> None:
    """The owner gets the written request, and what it says of the run is what the command shows."""
    heard: queue.SimpleQueue[Request] = queue.SimpleQueue()
    runtime = WrittenRuntime(tmp_path, EVENTS)

    def serve(request: Request) -> Iterator[Response | list[ev.RunEvent]]:
        heard.put(request)
        yield response
        yield []
        yield EVENTS

    data = runtime.places.data
    door = ControlDoor(processes_folder(data), "owner", serve)
    door.start()
    announce(data, Owner(process="owner", kind="watch", pid=1, flows=str(runtime.places.flows)))
    try:
        shown = _invoke(runtime, "greeting", "--who", "Ada", "--json")
    finally:
        door.stop()

    request = heard.get(timeout=10)
    assert isinstance(request, RunFlow)
    assert request.run_id is not None
    flow = str(runtime.places.flows / "greeting.toml")
    assert request == msgspec.structs.replace(HANDED_OVER, run_id=request.run_id, flow=flow)
    assert runtime.requests == [], "nothing is executed here"
    if code == 0:
        assert shown.return_value == 0
        assert json.loads(shown.stdout) == json.loads(msgspec.json.encode(document(EVENTS)))
    else:
        assert isinstance(shown.exception, UsageError)
        assert shown.exception.code == "FLOW-404"


def _invoke(runtime: WrittenRuntime, *arguments: str) -> Result:
    installation = WrittenInstallation(runtime)
    return CliRunner().invoke(run.command, arguments, obj=installation, standalone_mode=False)


@pytest.mark.parametrize(("response", "code"), [(CANCELLING, 0), (NO_RUN, 2)])
def test_a_cancel_command_sends_the_written_request(response: Response, code: int, tmp_path: Path) -> None:
    """`atomiton cancel RUN` sends the written request to the run's own process and understands its answers."""
    heard: queue.SimpleQueue[Request] = queue.SimpleQueue()
    runtime = WrittenRuntime(tmp_path, CANCELLED)

    def answer(request: Request) -> Response:
        heard.put(request)
        runtime.ended.set()
        return response

    queued = CANCELLED[0]
    assert isinstance(queued, ev.RunQueued)
    door = ControlDoor(processes_folder(tmp_path / "data"), queued.process, answer)
    door.start()
    try:
        shown = CliRunner().invoke(
            cancel.command, [RUN], obj=WrittenInstallation(runtime), standalone_mode=False
        )
    finally:
        door.stop()

    assert shown.exception is None, shown.output
    assert shown.return_value == code
    assert heard.get(timeout=10) == CANCEL
    if code:
        assert written.responses()[3].errors[0].message in shown.stderr


def test_what_is_left_of_a_run_of_another_process_is_asked_for_as_written(tmp_path: Path) -> None:
    """The answer names the nodes; a process that is not there has nothing to say."""
    assert isinstance(LEFT, FindLeft)
    heard: queue.SimpleQueue[Request] = queue.SimpleQueue()

    def serve(asked: Request) -> Response:
        heard.put(asked)
        return LEFT_TO_END

    door = ControlDoor(processes_folder(tmp_path), "there", serve)
    door.start()
    try:
        assert left_there(tmp_path, "there", LEFT.run_id) == ("wait",)
    finally:
        door.stop()
    assert heard.get(timeout=10) == LEFT
    assert left_there(tmp_path, "there", LEFT.run_id) is None


def test_requests_of_clients_are_written_as_json() -> None:
    """What the clients create is, byte for byte of its JSON, what is written."""
    for request, line in zip(written.requests(), written.lines("requests"), strict=True):
        assert json.loads(msgspec.json.encode(request)) == json.loads(line)
