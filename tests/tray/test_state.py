"""What the tray knows follows from what the runtime says."""

from datetime import timedelta
from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import ErrorInfo, Where
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run import notices
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.tray import state as tray_state
from atomiton_runtime.tray.state import TrayState, apply, mood, with_nodes, with_since
from tests.tray.cases import ENDS, FAULT, FLOW, NOW, RUN, flow, known, problem, queued, result, started


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("timed_out", "failed"),
        ("interrupted", "failed"),
        ("cancelled", "idle"),
    ],
)
def test_a_run_from_first_to_last_event(status: str, expected: str) -> None:
    """A run is active from its first event to its last, which becomes the flow's result and the icon's mood."""
    begun = reduce(apply, [queued(), started()], known(flow()))
    assert mood(begun) == "running"
    assert begun.active[RUN].started

    ended = apply(begun, ENDS[status])
    assert mood(ended) == expected
    assert ended.active == {}
    assert (ended.results[FLOW].status, ended.results[FLOW].at) == (status, NOW)


def test_what_happened_before_our_time_changes_nothing() -> None:
    """Events of a run whose beginning was not heard leave the state as it is."""
    before = known(flow())
    assert all(apply(before, event) is before for event in [started(), *ENDS.values()])


def test_a_success_of_another_flow_does_not_hide_a_failure() -> None:
    """The icon shows a failure until that flow runs well; an unlisted flow's failure is not the icon's."""
    state = known(flow("A"), flow("B"), results={FlowId("b"): result("failed")})
    state = reduce(apply, [queued(flow_id=FlowId("a")), ENDS["succeeded"]], state)
    assert mood(state) == "failed"
    assert mood(tray_state.with_flows(state, [flow("A"), flow("B", listed=False)])) == "succeeded"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TrayState(), "idle"),
        (known(flow(), results={FLOW: result()}), "idle"),
        (known(flow(problems=(problem(),))), "failed"),
        (known(flow(listed=False, problems=(problem(),))), "idle"),
        (known(flow(), clicked=(FLOW,)), "running"),
        (known(notice=notices.NoticeRaised(level="error", error=FAULT)), "failed"),
        (known(notice=notices.NoticeRaised(level="warning", error=FAULT)), "idle"),
    ],
)
def test_mood(state: TrayState, expected: str) -> None:
    """The icon says what is true now; a success of an earlier session is no news."""
    assert mood(state) == expected


def test_flow_notices() -> None:
    """Problems come and go with the notices about a file, and a file that is gone takes its result along."""
    state = known(flow(), results={FLOW: result()})
    broken = notices.FlowBroken(flow=FLOW, path="p", problems=(problem(),), runnable=True)
    state = apply(state, broken)
    assert state.flows[FLOW].problems == (problem(),)
    state = apply(state, notices.FlowLoaded(flow=FLOW, path="p", hash=""))
    assert state.flows[FLOW].problems == ()
    state = apply(state, notices.FlowRemoved(flow=FLOW, path="p"))
    assert (state.flows, state.results) == ({}, {})


def test_news_that_are_none_leave_the_flows_as_they_are() -> None:
    """The first scan says of each file that it is loaded: nothing is copied or worked out anew for that."""
    state = known(flow(), flow("Broken", problems=(problem(),), runnable=False))
    loaded = notices.FlowLoaded(flow=FLOW, path="/flows/customers.toml", hash="1")
    broken = notices.FlowBroken(
        flow=FlowId("broken"), path="/flows/broken.toml", problems=(problem(),), runnable=False
    )
    removed = notices.FlowRemoved(flow=FlowId("never seen"), path="/flows/never seen.toml")

    assert all(apply(state, notice) is state for notice in (loaded, broken, removed))
    assert tray_state.with_changed_flows(state, {FLOW, FlowId("never seen")}, [flow()]) is state


def test_changed_flows() -> None:
    """Of those that changed, what is there is taken, what is gone goes with its result; all others stay."""
    results = {FlowId(name): result() for name in ("a", "b", "c")}
    state = known(flow("A"), flow("B"), flow("C"), results=results)
    changed = tray_state.with_changed_flows(
        state, {FlowId("a"), FlowId("b"), FlowId("d")}, [flow("D"), flow("A", needs=("who",))]
    )

    assert {"a": ("who",), "c": (), "d": ()} == {one.id: one.needs for one in changed.flows.values()}
    assert ["a", "c"] == sorted(changed.results)


def test_history_fills_in_only_what_is_newer() -> None:
    """A result from the store counts if it is newer than what is known, by the time the run ended."""

    def summary(run: str, minutes_ago: float, status: ev.RunStatus) -> RunSummary:
        at = NOW - timedelta(minutes=minutes_ago)
        return RunSummary(
            run_id=RunId(run), flow=FLOW, status=status, trigger="cli", started_at=at, duration_s=60.0
        )

    state = known(flow(), results={FLOW: result("failed")})
    assert tray_state.with_history(state, [summary("A", 5, "succeeded")]).results[FLOW].status == "failed"
    assert tray_state.with_history(state, [summary("A", 0.5, "running")]).results[FLOW].status == "failed"
    newer = tray_state.with_history(state, [summary("A", 2, "succeeded")]).results[FLOW]
    assert (newer.status, newer.at) == ("succeeded", NOW - timedelta(minutes=1))


def test_active_runs_of_the_start_do_not_overwrite_events() -> None:
    """What an event said about a run is newer than the list of active runs."""
    state = reduce(apply, [queued(), started()], known(flow()))
    stale = RunSummary(run_id=RUN, flow=FLOW, status="queued", trigger="cli", started_at=NOW)
    other = msgspec.structs.replace(stale, run_id=RunId("02"), status="running")
    after = tray_state.with_active(state, [stale, other])
    assert after.active[RUN].started
    assert after.active[RunId("02")].started


def test_what_became_of_the_nodes_is_in_the_result() -> None:
    """What was counted while a run went on is in its result; of a run that is not known it is nobody's."""
    state = reduce(apply, [queued(), started()], known(flow()))
    state = with_nodes(with_nodes(state, RUN, "1 run, 9 reused"), RunId("other"), "2 reused")
    assert apply(state, ENDS["succeeded"]).results[FLOW].nodes == "1 run, 9 reused"


def test_what_has_changed_belongs_to_one_run() -> None:
    """What was found out about a run is not said of a later one, nor of a flow that is gone."""
    state = known(flow(), results={FLOW: result("failed")})
    assert with_since(state, RUN, FLOW, "since").results[FLOW].since == "since"
    assert with_since(state, RunId("earlier"), FLOW, "since") is state
    assert with_since(known(), RUN, FLOW, "since") == known()


def test_clicks_are_counted() -> None:
    """Each click waits for its own answer."""
    state = tray_state.with_click(tray_state.with_click(TrayState(), FLOW), FLOW)
    state = tray_state.with_answer(state, FLOW)
    assert state.clicked == (FLOW,)
    assert tray_state.with_answer(tray_state.with_answer(state, FLOW), FLOW).clicked == ()


def test_information_is_not_kept() -> None:
    """A notice for information leaves no mark in the menu."""
    notice = notices.NoticeRaised(level="info", error=ErrorInfo("X-001", "hello"))
    assert apply(TrayState(), notice) == TrayState()


@pytest.mark.parametrize(("file", "kept"), [("/nodes/a.py", False), ("/nodes/b.py", True), (None, True)])
def test_good_news_about_a_file_takes_its_warning_away(file: str | None, kept: bool) -> None:
    """A warning about a broken file stays until the same file is said to be in order, or somebody reads it."""
    warning = notices.NoticeRaised(
        level="warning", error=ErrorInfo("NODE-001", "broken", where=Where("/nodes/a.py", 3, 1))
    )
    good = notices.NoticeRaised(
        level="info", error=ErrorInfo("NODE-004", "in order", where=Where(file, 1, 1) if file else None)
    )

    assert apply(apply(TrayState(), warning), good).notice == (warning if kept else None)


@given(st.lists(st.sampled_from([queued(), started(), *ENDS.values()]), max_size=12))
def test_any_order_of_events_is_survived(events: list[ev.RunEvent]) -> None:
    """Whatever order events come in, a run that ended is not active, and earlier states are unchanged."""
    state = before = known(flow())
    for event in events:
        state = apply(state, event)
        if isinstance(event, ev.FINAL_EVENTS):
            assert event.run_id not in state.active
    assert before == known(flow())
