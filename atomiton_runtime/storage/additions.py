"""Decides which events of a group are new to a store: the rule of `StorageEngine.append`, the same for every engine."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.document import SUMMARISED, RunSummary, summarize
from atomiton_runtime.run.events import NodeReused, NodeSucceeded, RunEvent, RunQueued, encode_event
from atomiton_runtime.storage.large_values import large_value
from atomiton_runtime.values import LargeValue


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a run to add to its journal."""

    next_seq: int = 0
    size_bytes: int = 0
    """Of the encoded events and of the large values they mention."""
    summary: RunSummary | None = None
    """None: nothing of the run is stored."""


class Addition:
    """What a group of events adds to one run."""

    __slots__ = ("before", "events", "files", "lines", "size_bytes", "summarised", "summary")

    def __init__(self, before: Tail) -> None:
        self.before = before
        self.events: list[RunEvent] = []
        self.lines: list[bytes] = []
        """The encoded new events; the first of them has `before.next_seq`."""
        self.files: list[LargeValue] = []
        """The large values that the new events mention."""
        self.summary = before.summary
        self.size_bytes = before.size_bytes
        self.summarised = False
        """Whether the summary changed."""

    @property
    def after(self) -> Tail:
        """The run's tail once the addition is stored."""
        next_seq = self.before.next_seq + len(self.lines)
        return Tail(next_seq=next_seq, size_bytes=self.size_bytes, summary=self.summary)

    @property
    def ended(self) -> bool:
        """Whether the run has come to its end."""
        return self.summary is not None and self.summary.status not in ("queued", "running")

    def add(self, event: RunEvent, line: bytes) -> None:
        """Count in the journal's next event."""
        self.events.append(event)
        self.lines.append(line)
        self.size_bytes += len(line)
        for file in _files_of(event):
            self.files.append(file)
            self.size_bytes += file.size_bytes
        if type(event) in SUMMARISED:
            self.summary = summarize(self.summary, event)
            self.summarised = True


def _files_of(event: RunEvent) -> Iterable[LargeValue]:
    """Return the large values that an event mentions."""
    match event:
        case NodeSucceeded(outputs=outputs) | NodeReused(outputs=dict() as outputs):
            return [file for raw in outputs.values() if (file := large_value(raw)) is not None]
        case RunQueued(source=LargeValue() as source):
            return (source,)
        case _:
            return ()


def plan_additions(
    events: Sequence[RunEvent],
    tail_of: Callable[[RunId], Tail],
    stored_line: Callable[[RunId, int], bytes],
) -> dict[RunId, Addition]:
    """Return run -> what `events` adds to it, in the order of first mention; nothing is changed.

    Args:
        events: a group, of any number of runs.
        tail_of: gives the tail of a run as it is stored; asked once for each run of the group.
        stored_line: gives the stored encoded event at a `seq` below the tail's; asked only for events sent again.

    Raises:
        StorageError: STORE-003 for a gap, for another event at a taken `seq`, for a journal that does not
            begin with `RunQueued`; STORE-012 for an event without JSON form.
    """
    additions: dict[RunId, Addition] = {}
    for event in events:
        addition = additions.get(event.run_id)
        if addition is None:
            addition = additions[event.run_id] = Addition(tail_of(event.run_id))
        line = _encoded(event)
        place = event.seq - addition.before.next_seq
        if place == len(addition.lines):
            if event.seq == 0 and type(event) is not RunQueued:
                raise _refused(event, "a journal begins with RunQueued")
            addition.add(event, line)
        elif place > len(addition.lines) or event.seq < 0:
            raise _refused(event, f"the next event has seq {addition.after.next_seq}")
        elif line != (addition.lines[place] if place >= 0 else stored_line(event.run_id, event.seq)):
            raise _refused(event, "another event is there already")
    return additions


def within(lines: Iterable[bytes], limit_bytes: int) -> Iterator[bytes]:
    """Yield encoded events until they weigh `limit_bytes` together; one at least, if there is one."""
    weight = 0
    for line in lines:
        yield line
        weight += len(line)
        if weight >= limit_bytes:
            return


def changed_summaries(additions: Iterable[Addition]) -> list[tuple[RunSummary, int]]:
    """Return the summaries that changed, each with its run's size in bytes."""
    return [
        (addition.summary, addition.size_bytes)
        for addition in additions
        if addition.summarised and addition.summary is not None
    ]


def _encoded(event: RunEvent) -> bytes:
    try:
        return encode_event(event)
    except (ValueError, TypeError, OverflowError) as exc:
        raise StorageError(
            "STORE-012",
            f"the event {type(event).__name__} {event.seq} of {event.run_id} has no JSON form: {exc}",
        ) from exc


def _refused(event: RunEvent, reason: str) -> StorageError:
    return StorageError(
        "STORE-003",
        f"cannot add {type(event).__name__} as event {event.seq} of the run {event.run_id}: {reason}",
        hint="another process may be executing the same run",
    )
