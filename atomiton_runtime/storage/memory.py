"""Keeps journals in this process's memory: for tests, for `memory:`, for programs that want no trace."""

from collections.abc import Sequence

from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus, decode_event
from atomiton_runtime.storage.additions import Tail, plan_additions, within
from atomiton_runtime.storage.engine import Durability, StorageEngine, StoredRun
from atomiton_runtime.storage.failures import not_open, not_there
from atomiton_runtime.storage.large_values import LargeValues
from atomiton_runtime.storage.results import ResultIndex

_NEW = Tail()


class MemoryEngine(StorageEngine):
    """Holds encoded events, so that nobody shares an object with the store. Gone with `close`."""

    url = "memory:"
    durability: Durability = "none"

    def __init__(self) -> None:
        super().__init__()
        self.large_values = LargeValues()
        self._journals: dict[RunId, list[bytes]] | None = None
        self._tails: dict[RunId, Tail] = {}
        self._files: dict[RunId, set[str]] = {}
        self.results = self._index = ResultIndex(self.journal)

    def open(self) -> None:
        """Begin with an empty store."""
        self._index.clear()
        self._journals = {}

    def open_for_reading(self) -> None:
        """Refuse: what is kept in memory was never there before it is opened."""
        raise not_there(self.url)

    def append(self, events: Sequence[RunEvent]) -> None:
        """Add events of any number of runs, all or none."""
        journals = self._opened()
        additions = plan_additions(events, self._tail, lambda run_id, seq: journals[run_id][seq])
        for run_id, addition in additions.items():
            journals.setdefault(run_id, []).extend(addition.lines)
            self._tails[run_id] = addition.after
            if addition.events and addition.summary is not None:
                self._index.add(addition.summary.flow_path, addition.events)
            if addition.files:
                self._files.setdefault(run_id, set()).update(file.name for file in addition.files)
        self._count(additions)

    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return all events of a run, decoded anew."""
        return tuple(map(decode_event, self._opened().get(run_id, ())))

    def part(self, run_id: RunId, place: int, *, limit_bytes: int) -> tuple[RunEvent, ...]:
        """Return the events of a run from `place` on that weigh so much, decoded anew."""
        lines = self._opened().get(run_id, [])
        return tuple(map(decode_event, within((lines[at] for at in range(place, len(lines))), limit_bytes)))

    def summaries(
        self,
        *,
        flow: FlowId | None = None,
        statuses: Sequence[RunStatus] = (),
        limit: int = 50,
    ) -> tuple[RunSummary, ...]:
        """Return the newest runs first, at most `limit`."""
        chosen = (
            summary
            for summary in self._newest_first()
            if (flow is None or summary.flow == flow) and (not statuses or summary.status in statuses)
        )
        return tuple(summary for summary, _ in zip(chosen, range(limit), strict=False))

    def summary(self, run_id: RunId) -> RunSummary | None:
        """Return the summary of a run, or None."""
        self._opened()
        return self._tail(run_id).summary

    def find_runs(self, prefix: str, *, limit: int = 10) -> tuple[RunId, ...]:
        """Return the ids that begin with `prefix`, newest first."""
        matching = [run_id for run_id in self._opened() if run_id.lower().startswith(prefix.lower())]
        return tuple(sorted(matching, reverse=True)[:limit])

    def delete_runs(self, run_ids: Sequence[RunId], *, limit_bytes: int | None = None) -> bool:
        """Forget runs, and the large values that only they mention."""
        del limit_bytes
        journals = self._opened()
        for run_id in run_ids:
            journals.pop(run_id, None)
            self._tails.pop(run_id, None)
            self._files.pop(run_id, None)
        self._index.forget(run_ids)
        self.large_values.sweep({name for names in self._files.values() for name in names})
        return False

    def stored_runs(self) -> tuple[StoredRun, ...]:
        """Return every run with its size, oldest first."""
        self._opened()
        return tuple(
            StoredRun(summary=tail.summary, size_bytes=tail.size_bytes)
            for _, tail in sorted(self._tails.items())
            if tail.summary is not None
        )

    def stored_bytes(self) -> int:
        """Return the bytes of all events and large values."""
        lines = (line for lines in self._opened().values() for line in lines)
        return self.large_values.stored_bytes() + sum(map(len, lines))

    def close(self) -> None:
        """Forget everything and remove the folder of large values."""
        self._journals = None
        self._tails = {}
        self._files = {}
        self._index.clear()
        self.large_values.close()

    def _opened(self) -> dict[RunId, list[bytes]]:
        if self._journals is None:
            raise not_open(self.url)
        return self._journals

    def _tail(self, run_id: RunId) -> Tail:
        return self._tails.get(run_id, _NEW)

    def _newest_first(self) -> list[RunSummary]:
        self._opened()
        found = (tail.summary for tail in self._tails.values())
        return sorted((s for s in found if s is not None), key=lambda summary: summary.run_id, reverse=True)
