"""The menu says what is, and each entry does one thing."""

from collections.abc import Iterator
from datetime import timedelta
from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.tray import menu
from atomiton_runtime.tray.menu import Entry, OpenClicked, RunClicked
from atomiton_runtime.tray.state import Result, TrayState, apply
from tests.tray.cases import ENDS, FLOW, NOW, RUN, flow, known, problem, queued, result, started


def compose(state: TrayState) -> tuple[Entry, ...]:
    """Return the menu at noon."""
    return menu.compose(state, NOW, flows_folder="/flows")


def every(entries: tuple[Entry, ...]) -> Iterator[Entry]:
    """Yield all entries, those of submenus included."""
    for entry in entries:
        yield entry
        yield from every(entry.children)


def entry(state: TrayState, key: str) -> Entry:
    """Return the entry with this key."""
    return next(one for one in every(compose(state)) if one.key == key)


ENTRIES = {
    "never ran": (known(flow("Customers")), "Customers", "idle"),
    "succeeded": (
        known(flow("Customers"), results={FLOW: result()}),
        "Customers  ·  ✓ 3 min ago",
        "succeeded",
    ),
    "failed": (
        known(flow("Customers"), results={FLOW: result("failed")}),
        "Customers  ·  ✗ failed 3 min ago: in.csv is not there",
        "failed",
    ),
    "timed out": (
        known(flow("Customers"), results={FLOW: result("timed_out", timedelta(days=1))}),
        "Customers  ·  ✗ timed out yesterday: in.csv is not there",
        "failed",
    ),
    "cancelled": (
        known(flow("Customers"), results={FLOW: result("cancelled")}),
        "Customers  ·  – cancelled 3 min ago",
        "idle",
    ),
    "queued": (apply(known(flow("Customers")), queued()), "Customers  ·  queued", "running"),
    "running": (
        reduce(apply, [queued(), started()], known(flow("Customers"))),
        "Customers  ·  running since 12:00",
        "running",
    ),
    "clicked": (known(flow("Customers"), clicked=(FLOW,)), "Customers  ·  starting …", "running"),
    "needs": (known(flow("Customers", needs=("a", "b"))), "Customers  ·  needs a, b", "idle"),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_flow_entry(case: str) -> None:
    """A flow's entry says its name and how it is."""
    state, text, mood = ENTRIES[case]
    shown = entry(state, f"run:{FLOW}")
    assert (shown.text, shown.mood) == (text, mood)


def test_what_was_reused_stands_at_the_result() -> None:
    """The last result says how many nodes ran and were reused; of a failure it says why instead."""
    told = {status: msgspec.structs.replace(result(status), nodes="1 run, 9 reused") for status in ENDS}
    shown = {
        status: entry(known(flow("Customers"), results={FLOW: one}), f"run:{FLOW}").text
        for status, one in told.items()
    }
    assert shown["succeeded"] == "Customers  ·  ✓ 3 min ago, 1 run, 9 reused"
    assert shown["cancelled"] == "Customers  ·  – cancelled 3 min ago, 1 run, 9 reused"
    assert shown["failed"] == "Customers  ·  ✗ failed 3 min ago: in.csv is not there"


def failed_since(minutes: int, since: str = "since the last success: variable a 1 -> 2") -> Result:
    return msgspec.structs.replace(result("failed", timedelta(minutes=minutes)), since=since)


def test_what_has_changed_stands_below_a_failure() -> None:
    """A failed flow is followed by a line that cannot be clicked: what has changed since its last success."""
    state = known(flow("Customers"), flow("Other"), results={FLOW: failed_since(1, f"since {'x' * 300}")})
    entries = compose(state)
    below = entries[[one.key for one in entries].index(f"run:{FLOW}") + 1]
    assert (f"since:{FLOW}", None, ()) == (below.key, below.action, below.children)
    assert len(below.text.strip()) == menu.SINCE_LIMIT_CHARS
    again = apply(state, queued())
    assert not any(one.key.startswith("since:") for one in compose(again))


def test_few_flows_say_what_has_changed() -> None:
    """Where many flows have failed, those that failed last say what has changed: the menu stays short."""
    flows = [flow(f"F{number}") for number in range(9)]
    results = {one.id: failed_since(number) for number, one in enumerate(flows)}
    said = [one.key for one in compose(known(*flows, results=results)) if one.key.startswith("since:")]
    assert [f"since:f{number}" for number in range(menu.SINCE_SHOWN)] == said


def test_broken_flow_opens_its_file() -> None:
    """A broken flow that cannot run shows its first problem, and a click opens the file."""
    state = known(flow(runnable=False, problems=(problem(), problem("another", 9))))
    shown = entry(state, f"broken:{FLOW}")
    assert shown.text == "customers  ·  customers.toml:7: unknown key `inptu` (+1)"
    assert shown.action == OpenClicked("/flows/customers.toml")
    assert not any(one.key == f"run:{FLOW}" for one in every(compose(state)))


def test_broken_flow_with_a_valid_version() -> None:
    """A broken flow whose last valid version is loaded offers both."""
    shown = entry(known(flow(problems=(problem(),))), f"broken:{FLOW}")
    assert [child.action for child in shown.children] == [
        OpenClicked("/flows/customers.toml"),
        RunClicked(FLOW),
    ]


def test_twins_are_told_apart() -> None:
    """Two flows of one name show their ids."""
    state = known(flow("A", name="Same"), flow("B", name="Same"))
    assert {entry(state, f"run:{name}").text for name in "ab"} == {"Same (a)", "Same (b)"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TrayState(), "Reading the flows …"),
        (known(), "No flows yet"),
        (known(flow()), "1 flow"),
        (known(flow("A"), flow("B", listed=False)), "1 flow"),
        (
            apply(
                known(
                    flow("A"),
                    flow("B"),
                    flow("C", problems=(problem(),)),
                    results={FlowId("b"): result("failed"), FlowId("c"): result("failed")},
                ),
                queued(),
            ),
            "3 flows · 1 running · 1 failed · 1 broken",
        ),
    ],
)
def test_summary(state: TrayState, expected: str) -> None:
    """The first line counts what matters, each flow once."""
    assert menu.summary(state) == expected


def test_cancel_entries_are_limited() -> None:
    """A hundred runs do not fill the screen."""
    runs = [queued(run=RunId(f"{number:03}")) for number in range(100)]
    entries = compose(reduce(apply, runs, known(flow())))
    assert sum(one.key.startswith("cancel:") for one in entries) == menu.CANCELS_SHOWN
    assert any(one.text == "… and 92 runs more" for one in entries)


def test_running_and_recent_flows_are_at_hand() -> None:
    """Of many flows the menu itself shows those that run and the latest used."""
    flows = [flow(f"F{number:03}") for number in range(300)]
    state = known(*flows, results={FlowId("f250"): result(ago=timedelta(days=3))})
    state = apply(state, queued(RUN, FlowId("f299")))
    top = [one.key for one in compose(state) if one.key.startswith("run:")]
    assert len(top) == menu.FLOWS_SHOWN
    assert top[-2:] == ["run:f250", "run:f299"]


def test_ten_thousand_flows_are_capped() -> None:
    """A folder with 10 000 flows gives a menu that a panel can show, and it says what is left out."""
    entries = list(every(compose(known(*(flow(f"F{number:05}") for number in range(10_000))))))
    assert len(entries) < 600
    assert any(one.text == "… and 9480 more: see atomiton list" for one in entries)


@given(
    st.lists(st.text(max_size=60), max_size=60, unique=True),
    st.sampled_from(["succeeded", "failed", "cancelled"]),
)
def test_keys_are_unique_and_texts_short(names: list[str], status: str) -> None:
    """Whatever flows are called, each key is in the menu once, no text is empty or long, each flow is there."""
    flows = [flow("x", id=FlowId(name), name=name) for name in names]
    results = {one.id: result(status) for one in flows}
    entries = list(every(compose(known(*flows, results=results))))
    keys = [one.key for one in entries]
    assert len(keys) == len(set(keys))
    assert all(0 < len(one.text) < 160 for one in entries if not one.separator)
    assert {one.action.flow for one in entries if isinstance(one.action, RunClicked)} == set(names)
