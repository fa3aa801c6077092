"""Reads and writes the folder of one run: `events.jsonl` for the truth, `run.toml` for people and for lists."""

import itertools
import os
import tomllib
from datetime import datetime
from pathlib import Path
from typing import cast

import msgspec
import tomli_w

from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunQueued, decode_event
from atomiton_runtime.storage.additions import Addition, Tail, within
from atomiton_runtime.storage.engine import StoredRun
from atomiton_runtime.storage.failures import damaged
from atomiton_runtime.storage.large_values import sync_folder

EVENTS = "events.jsonl"
SUMMARY = "run.toml"
_NEW_SUMMARY = "run.toml.new"


def events_of(folder: Path) -> tuple[RunEvent, ...]:
    """Return the run's events; a last line without its end was never acknowledged and does not count.

    Raises:
        StorageError: STORE-005, a line is no event.
        OSError: the file cannot be read.
    """
    try:
        return tuple(map(decode_event, lines_of(folder)))
    except msgspec.DecodeError as exc:
        raise damaged(folder / EVENTS, f"a line cannot be understood ({exc})") from exc


def lines_of(folder: Path) -> list[bytes]:
    """Return the encoded events, without the lines' ends; empty when there are none."""
    try:
        content = (folder / EVENTS).read_bytes()
    except FileNotFoundError:
        return []
    return content.split(b"\n")[:-1]


def events_bytes(folder: Path) -> int:
    """Return the size of the run's events; 0 when there are none."""
    return _size(folder / EVENTS)


def stored_bytes(folder: Path) -> int:
    """Return what the run takes, without its large values."""
    return _size(folder / EVENTS) + _size(folder / SUMMARY)


def part_of(
    folder: Path, known: tuple[int, int], place: int, limit_bytes: int
) -> tuple[tuple[int, int], tuple[RunEvent, ...]]:
    """Return the run's events from `place` on that weigh so much, and before them what is to be `known` next time.

    Args:
        folder: the run's.
        known: the number of an event, and where in the file it begins (bytes).
        place: the number of the first event wanted.
        limit_bytes: one event is returned at least, if there is one.

    Raises:
        StorageError: STORE-005, a line is no event.
        OSError: the file cannot be read.
    """
    at, offset = known if known[0] <= place else (0, 0)
    try:
        with (folder / EVENTS).open("rb") as file:
            file.seek(offset)
            lines = itertools.takewhile(lambda line: line.endswith(b"\n"), file)
            for line in itertools.islice(lines, place - at):
                at, offset = at + 1, offset + len(line)
            wanted = list(within(lines, limit_bytes)) if at == place else []
    except FileNotFoundError:
        return (0, 0), ()
    try:
        events = tuple(map(decode_event, wanted))
    except msgspec.DecodeError as exc:
        raise damaged(folder / EVENTS, f"a line cannot be understood ({exc})") from exc
    return (at + len(events), offset + sum(map(len, wanted))), events


def tail_of(folder: Path) -> Tail:
    """Return the run's tail, computed from its events."""
    events = events_of(folder)
    if not events:
        return Tail()
    # Counted as every addition is counted, so that the sums cannot come apart.
    counted = Addition(Tail())
    for event, line in zip(events, lines_of(folder), strict=True):
        counted.add(event, line)
    return counted.after


def cut_torn_line(path: Path) -> int:
    """Cut off what a `kill -9` left of an unfinished line; return the file's size, 0 when there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return 0
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        os.truncate(path, whole)
    return whole


def append_lines(path: Path, lines: list[bytes], *, sync: bool) -> None:
    """Add lines to the end of a file, created when missing, with one write; cut off again what fails."""
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        rest = memoryview(b"".join(line + b"\n" for line in lines))
        try:
            while rest:
                rest = rest[file.write(rest) :]
            if sync:
                os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def write_summary(folder: Path, tail: Tail, *, sync: bool) -> None:
    """Replace `run.toml` by what the run has become."""
    summary = tail.summary
    if summary is None:
        return
    first = decode_event(lines_of(folder)[0])
    content: dict[str, object] = msgspec.to_builtins(summary, builtin_types=(datetime,))
    content["size_bytes"] = tail.size_bytes
    assert isinstance(first, RunQueued)  # else there were no summary
    content |= {"flow_path": first.flow_path, "flow_hash": first.flow_hash, "variables": first.variables}
    temporary = folder / _NEW_SUMMARY
    try:
        with temporary.open("wb") as file:
            tomli_w.dump(cast("dict[str, object]", _without_null(content)), file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(folder / SUMMARY)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(folder)


def read_summary(folder: Path) -> StoredRun | None:
    """Return the run as `run.toml` tells it, or as its events do where the file is missing or was edited badly."""
    try:
        content = tomllib.loads((folder / SUMMARY).read_text("utf-8"))
        return StoredRun(summary=msgspec.convert(content, RunSummary), size_bytes=int(content["size_bytes"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return summary_from_events(folder)


def summary_from_events(folder: Path) -> StoredRun | None:
    """Return the run as its events tell it; None when there are none."""
    tail = tail_of(folder)
    return StoredRun(summary=tail.summary, size_bytes=tail.size_bytes) if tail.summary else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _without_null(value: object) -> object:
    # TOML has no null and no 64-bit unsigned integers; run.toml is for reading, the events keep the exact values.
    match value:
        case dict():
            entries = cast("dict[str, object]", value).items()
            return {key: _without_null(entry) for key, entry in entries if entry is not None}
        case list():
            return [_without_null(entry) for entry in cast("list[object]", value) if entry is not None]
        case _:
            return value
