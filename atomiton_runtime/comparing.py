"""Chooses the run that another one is compared with, and brings together what comparing them takes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from atomiton_runtime.ids import RunId
from atomiton_runtime.run.document import RunSummary, document
from atomiton_runtime.run.events import RunEvent, RunQueued, RunStatus
from atomiton_runtime.run.headline import headline
from atomiton_runtime.run.run_difference import RunDifference, compare_runs

_LOOKED_THROUGH = (20, 10_000)
"""So many of a flow's newest successes are looked through: few at first, for mostly the newest one is it."""
_MOST_PARTS = 8
"""Of a journal: who only wants a line about two runs does not read millions of events for it."""

Source = Callable[[RunId], str | None]
"""Returns the text of the flow's file as a run had it."""
Part = Callable[[RunId, int], Sequence[RunEvent]]
"""Returns some events of a run from this `seq` on; none: there are no more."""


class History(Protocol):
    """Returns the newest runs of a flow first."""

    def __call__(
        self, flow: str | None = None, *, limit: int = 50, statuses: Sequence[RunStatus] = ()
    ) -> Sequence[RunSummary]:
        """Return them."""
        ...


def last_success_before(run: RunSummary, history: History) -> RunId | None:
    """Return the last run of the same file before `run` that has succeeded; None: there is none."""
    for limit in _LOOKED_THROUGH:
        succeeded = history(run.flow, statuses=("succeeded",), limit=limit)
        # The ids of runs sort by time.
        before = (each for each in succeeded if each.run_id < run.run_id and _is_comparable(each, run))
        found = next(before, None)
        if found is not None or len(succeeded) < limit:
            return found.run_id if found is not None else None
    return None


def difference_of(old: Sequence[RunEvent], new: Sequence[RunEvent], source: Source) -> RunDifference:
    """Return what differs between two runs, from their journals."""
    before, after = document(old), document(new)
    is_other = before.flow == after.flow and before.flow_hash != after.flow_hash
    return compare_runs(
        before,
        after,
        old_source=source(before.run_id) if is_other else None,
        new_source=source(after.run_id) if is_other else None,
        old_called=_called(old),
        new_called=_called(new),
    )


def since_success(run: RunSummary, history: History, part: Part, source: Source) -> str | None:
    """Return what has changed since the last success before a run that failed, as one line.

    None: it never succeeded before, or one of the two runs is too large to be compared just for that.
    """
    before = last_success_before(run, history)
    if before is None:
        return None
    old, new = _journal(before, part), _journal(run.run_id, part)
    if old is None or new is None:
        return None
    return headline(difference_of(old, new, source), failure_known=True)


def _journal(run_id: RunId, part: Part) -> list[RunEvent] | None:
    """Return the events of a run; None: there are too many, or none any more."""
    events: list[RunEvent] = []
    for _ in range(_MOST_PARTS):
        more = part(run_id, len(events))
        if not more:
            return events or None
        events += more
    return None


def _is_comparable(one: RunSummary, other: RunSummary) -> bool:
    if one.trigger == "replay":
        return False  # it has executed one node
    return not one.flow_path or not other.flow_path or one.flow_path == other.flow_path


def _called(journal: Sequence[RunEvent]) -> dict[str, str]:
    return journal[0].subflows if isinstance(journal[0], RunQueued) else {}
