"""What a request for a run of a busy flow means, as a table."""

import pytest

from atomiton_runtime.actors.queueing import Verdict, Waiting, verdict
from atomiton_runtime.flow.model import OnBusy
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import Trigger

SAVED, ASKED = Waiting(RunId("saved"), "save"), Waiting(RunId("asked"), "cli")


@pytest.mark.parametrize(
    ("on_busy", "trigger", "expected"),
    [
        ("skip", "tray", Verdict(accept=False)),
        ("skip", "cli", Verdict(accept=False)),
        ("queue", "save", Verdict(accept=True)),
        ("queue-latest", "save", Verdict(accept=True, replace=(RunId("saved"),))),
        ("queue-latest", "cli", Verdict(accept=True)),
        ("restart", "save", Verdict(accept=True, replace=(RunId("saved"),), restart=True)),
        ("restart", "api", Verdict(accept=True, replace=(RunId("saved"),), restart=True)),
    ],
)
def test_a_busy_flow(on_busy: OnBusy, trigger: Trigger, expected: Verdict) -> None:
    """A run that somebody asked for with variables of its own is never replaced by another."""
    assert verdict(on_busy, trigger, (SAVED, ASKED)) == expected
