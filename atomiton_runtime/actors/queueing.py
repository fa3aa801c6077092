"""Decides what a request for a run means for a flow that is busy: `on_busy`, as a function of values."""

from collections.abc import Sequence

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.model import OnBusy
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import Trigger

EXPLICIT: frozenset[Trigger] = frozenset({"api", "cli", "resume", "replay"})
"""Somebody asked for exactly this run, with these variables: it waits its turn, but is never replaced."""

BY_PEOPLE: frozenset[Trigger] = frozenset((*EXPLICIT, "tray"))
"""Somebody asked, be it with a click; all others are runs by themselves."""

SKIPPED = ErrorInfo(
    "RUN-009",
    "the flow was busy, and its `on_busy` is `skip`",
    hint='set `on_busy = "queue-latest"` in [settings] to have it run afterwards',
)
"""Why a run that is not accepted did not begin."""


class Waiting(msgspec.Struct, frozen=True):
    """A run that has been accepted and waits for its flow."""

    run_id: RunId
    trigger: Trigger


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a new run of a busy flow, and of others because of it."""

    accept: bool
    """False: it is explained as skipped."""
    replace: tuple[RunId, ...] = ()
    """Waiting runs that the new one makes needless."""
    restart: bool = False
    """True: the run that is going on is cancelled."""


def verdict(on_busy: OnBusy, trigger: Trigger, waiting: Sequence[Waiting]) -> Verdict:
    """Return what becomes of a new run while another one of its flow is going on.

    Args:
        on_busy: the flow's setting.
        trigger: why the new run was asked for.
        waiting: the runs that wait already, oldest first.
    """
    replaceable = tuple(entry.run_id for entry in waiting if entry.trigger not in EXPLICIT)
    match on_busy:
        case "skip":
            return Verdict(accept=False)
        case "queue":
            return Verdict(accept=True)
        case "restart":
            return Verdict(accept=True, replace=replaceable, restart=True)
        case "queue-latest":
            return Verdict(accept=True, replace=() if trigger in EXPLICIT else replaceable)
