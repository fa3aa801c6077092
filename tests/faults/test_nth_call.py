"""The Nth system call that changes the store fails, for every N until none is left, whichever engine it is."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import AtomitonError
from tests.doubles.failing_calls import FailingCalls, python_calls, sqlite_calls
from tests.guards.campaign import note, sized

KINDS = {name: getattr(errno, name) for name in ("ENOSPC", "EIO", "EROFS", "EMFILE")}
EVERY = sized(3, 1)
"""A sample takes each third call."""
FLOW = """
[nodes.a]
type = "edit-fields"
values = { text = "{{ 'x' * 1100000 }}", run = "{{ run.id }}" }
[nodes.b]
type = "edit-fields"
values = { n = 1 }
after = "a"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "it.toml").write_text(FLOW)
    return tmp_path


@pytest.fixture
def calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingCalls]:
    """Let the calls below the data folder be counted."""
    calls = FailingCalls(folder / "data")
    with sqlite_calls(calls), python_calls(calls, monkeypatch):
        yield calls


def runtime_on(folder: Path, engine: str) -> Runtime:
    scheme, _, power = engine.partition("-")
    store = f"{scheme}:///{folder / 'data' / 'store'}"
    durability = "power" if power else "process"
    return Runtime(folder / "flows", store, data=folder / "data", durability=durability)


def journals_are_whole(runtime: Runtime) -> None:
    """Each run that is kept is told from its first event to its last, and has ended."""
    for summary in runtime.history(limit=1000):
        journal = runtime.journal(summary.run_id)
        assert [event.seq for event in journal] == list(range(len(journal)))
        assert runtime.show(summary.run_id).status == summary.status


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["sqlite", "files", "files-power"])
def test_every_call_of_a_run_fails_once(folder: Path, calls: FailingCalls, scheme: str, kind: str) -> None:
    """The run succeeds or is told as failed with the reason; what was kept can be read, and the next run succeeds."""
    failed: list[str] = []
    places = 0
    with runtime_on(folder, scheme) as runtime:
        for place in range(0, 10_000, EVERY):
            calls.fail_at(place, KINDS[kind])
            told = runtime.run("it").result(timeout_s=30)
            refused = calls.refused
            calls.let_all_pass()
            if not refused:
                break
            places += 1
            if told.status != "succeeded":
                assert told.error is not None
                assert told.error.code.startswith("STORE-"), (refused, told.error)
                failed.append(refused)
            assert runtime.run("it").result(timeout_s=30).status == "succeeded", refused
            journals_are_whole(runtime)
    assert places > 3
    assert failed
    with runtime_on(folder, scheme) as runtime:
        journals_are_whole(runtime)
    note(
        f"system calls of a run: {scheme}, {kind}", calls_failed=places, runs_that_failed_cleanly=len(failed)
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["sqlite", "files"])
@pytest.mark.parametrize("is_new", [True, False])
def test_every_call_of_a_start_fails_once(
    folder: Path, calls: FailingCalls, scheme: str, kind: str, is_new: bool
) -> None:
    """It starts all the same or says why not; then it starts, with every run that was kept before."""
    if not is_new:
        with runtime_on(folder, scheme) as runtime:
            first = runtime.run("it").result(timeout_s=30)
    refusals = places = 0
    for place in range(0, 10_000, EVERY):
        calls.fail_at(place, KINDS[kind])
        refused = ""
        with contextlib.suppress(AtomitonError):
            runtime = runtime_on(folder, scheme)
            refusals += 1
            with runtime:
                refusals -= 1
                refused = calls.refused
                calls.let_all_pass()
                told = runtime.run("it").result(timeout_s=30)
                assert told.status == "succeeded", (refused, told.error)
        refused = refused or calls.refused
        calls.let_all_pass()
        if not refused:
            break
        places += 1
        with runtime_on(folder, scheme) as runtime:
            assert runtime.run("it").result(timeout_s=30).status == "succeeded", refused
            journals_are_whole(runtime)
            if not is_new:
                assert runtime.show(first.run_id) == first
    assert places > 1
    note(f"system calls of a start: {scheme}, {kind}", calls_failed=places, starts_refused=refusals)
