"""What is announced, and what it says."""

import pytest

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.run import notices
from atomiton_runtime.tray import announce
from atomiton_runtime.tray.state import TrayState, apply
from tests.tray.cases import ENDS, FAULT, FLOW, flow, known, problem, queued, started

TITLES = {
    ("always", "succeeded"): "Customers succeeded",
    ("always", "failed"): "Customers failed",
    ("always", "cancelled"): "Customers was cancelled",
    ("always", "timed_out"): "Customers timed out after 1.5 s",
    ("always", "interrupted"): "Customers was interrupted",
    ("failure", "succeeded"): None,
    ("failure", "failed"): "Customers failed",
    ("failure", "cancelled"): None,
    ("failure", "timed_out"): "Customers timed out after 1.5 s",
    ("failure", "interrupted"): "Customers was interrupted",
    **{("never", status): None for status in ENDS},
}


@pytest.mark.parametrize(("notify", "status"), TITLES)
def test_ends_of_runs(notify: str, status: str) -> None:
    """A flow's `notify` decides which of its ends are announced."""
    state = apply(known(flow("Customers", notify=notify)), queued())
    said = announce.announcement(state, ENDS[status])
    assert (said.title if said else None) == TITLES[notify, status]


@pytest.mark.parametrize("event", [queued(), started(), ENDS["failed"]])
def test_what_is_no_news(event: object) -> None:
    """Beginnings, and ends of runs nobody heard of, are not announced."""
    assert announce.announcement(known(flow()), event) is None  # type: ignore[arg-type]


def broken(runnable: bool = False) -> notices.FlowBroken:
    """Return the notice that a flow has four problems."""
    found = tuple(problem(f"problem {number}", number) for number in range(1, 5))
    return notices.FlowBroken(flow=FLOW, path="/flows/customers.toml", problems=found, runnable=runnable)


def test_broken_flow() -> None:
    """A save that breaks a flow is announced with its first problems."""
    said = announce.announcement(known(flow("Customers")), broken(runnable=True))
    assert said is not None
    assert said.title == "Customers has 4 problems"
    assert said.text.splitlines() == [
        "customers.toml:1: problem 1",
        "customers.toml:2: problem 2",
        "customers.toml:3: problem 3",
        "and 1 more: atomiton check",
        "The last valid version stays runnable.",
    ]


@pytest.mark.parametrize(
    "state",
    [
        known(flow(problems=broken().problems)),
        known(flow(notify="never")),
        TrayState(),
    ],
)
def test_broken_flow_that_is_no_news(state: TrayState) -> None:
    """Problems that are known, unwanted, or older than the tray are not announced."""
    assert announce.announcement(state, broken()) is None


def test_notices() -> None:
    """Warnings and errors of the runtime are announced, information is not."""
    said = [
        announce.announcement(known(), notices.NoticeRaised(level=level, error=FAULT))
        for level in ("info", "warning", "error")
    ]
    assert [bool(one) for one in said] == [False, True, True]


def test_what_has_changed_is_the_second_line() -> None:
    """A failure is followed by what has changed since the last success, cut where that is long; then by the rest."""
    said = announce.Announcement(about="a", title="A failed", text="read: no\na.toml:1:1\nmake it")
    lines = announce.with_since(said, f"since the last success: {'x' * 300}\n").text.split("\n")
    assert ["read: no", "a.toml:1:1", "make it"] == [lines[0], *lines[2:]]
    assert lines[1].startswith("since the last success: x")
    assert len(lines[1]) == announce.SINCE_LIMIT_CHARS
    assert announce.with_since(said, "") == said


def test_refusal_and_needs() -> None:
    """A click that did nothing says why, and how it would do something."""
    refused = announce.refusal(None, (ErrorInfo("RUN-001", "there is no run x"),), about="tray")
    assert (refused.title, refused.text) == ("The click did nothing", "there is no run x (RUN-001)")
    assert announce.refusal(flow("A"), (), about="a").text == "no reason was given"
    assert (
        announce.needs(flow("A", needs=("x", "y"))).text
        == "Run it in a terminal:\natomiton run a --x … --y …"
    )
