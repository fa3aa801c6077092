"""The run that another one is compared with is chosen, and its flow's text found where it is kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime.comparing import last_success_before, since_success
from atomiton_runtime.errors import StorageError, UsageError
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.runtime import Runtime
from atomiton_runtime.values import LargeValue
from atomiton_runtime.versions import text_of
from tests.doubles.journals import AT, failed, journal, node_succeeded, queued, started

LIMITED = """
[variables]
path = "there"

[nodes.count]
type = "edit-fields"
values = { limit = 10 }

[nodes.look]
type = "file-system"
operation = "read"
path = "{{ vars.path }}"
"""
DEADLINE_S = 20


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A runtime, not started, with a flow that succeeds as long as there is the file that it reads."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "there").write_text("yes")
    (tmp_path / "flows" / "limited.toml").write_text(LIMITED)
    return Runtime(flows=tmp_path / "flows", data=tmp_path / "data")


def run(runtime: Runtime, **variables: object) -> RunId:
    """Run the flow to its end."""
    going = runtime.run("limited", **variables)
    going.result(timeout_s=DEADLINE_S)
    return going.id


def test_the_text_of_a_flow_is_what_a_run_had(runtime: Runtime, tmp_path: Path) -> None:
    """Each run has the text that its flow's file had then, until somebody deletes what is kept."""
    with runtime:
        first = run(runtime)
        (tmp_path / "flows" / "limited.toml").write_text(LIMITED.replace("10", "20"))
        second = run(runtime)
        assert LIMITED == runtime.source(first)
        assert LIMITED.replace("10", "20") == runtime.source(second)

        told = runtime.difference(first, second)
        assert told.definition is not None
        assert [("nodes.count.values.limit", 10, 20, 7)] == [
            (key.path, key.old, key.new, key.line) for key in told.definition.keys or ()
        ]
        for kept in (tmp_path / "data").rglob("*"):
            if kept.is_file() and kept.read_bytes() == LIMITED.encode():
                kept.unlink()
        assert runtime.source(first) is None
        told = runtime.difference(first, second)
        assert told.definition is not None
        assert told.definition.keys is None
        with pytest.raises(UsageError, match="there is no run 01X"):
            runtime.source(RunId("01X"))


def test_a_secret_that_was_used_is_hidden_in_the_text(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has written a secret into the flow itself does not read it in what has changed."""
    monkeypatch.setenv("ATOMITON_SECRET_TOKEN", "hush-hush-0815")
    text = LIMITED.replace("limit = 10", 'limit = "hush-hush-0815", token = "{{ secrets.TOKEN }}"')
    (tmp_path / "flows" / "limited.toml").write_text(text)
    with runtime:
        told = runtime.source(run(runtime))
    assert told is not None
    assert 'limit = "***"' in told
    assert "hush" not in told


def test_what_has_changed_since_the_last_success(runtime: Runtime, tmp_path: Path) -> None:
    """A failure is told with what has changed since the last success; without one, nothing is."""
    with runtime:
        assert runtime.since_success(run(runtime, path="nowhere")) is None
        good = run(runtime)
        bad = run(runtime, path="nowhere")
        assert good == runtime.last_success(bad)
        assert "since the last success: variable path there -> nowhere" == runtime.since_success(bad)
        (tmp_path / "flows" / "there").unlink()
        assert "since the last success: nothing of the flow has changed" == runtime.since_success(
            run(runtime)
        )
        (tmp_path / "flows" / "limited.toml").write_text(LIMITED.replace("10", "20"))
        assert (
            "since the last success: nodes.count.values.limit 10 -> 20 (+10), node count: limit 10 -> 20 (+10)"
            == runtime.since_success(run(runtime))
        )


# -- what no runtime of a test comes to -------------------------------------------------------------------------


def summary(run_id: str, flow_path: str = "/flows/a.toml") -> RunSummary:
    return RunSummary(
        run_id=RunId(run_id),
        flow=FlowId("a"),
        status="succeeded",
        trigger="save",
        started_at=AT,
        flow_path=flow_path,
    )


def test_a_text_that_cannot_be_had() -> None:
    """Runs of older versions have no text, some is gone or damaged: all the same, there is none."""
    kept = msgspec.structs.replace(queued("R1"), source=LargeValue("/data/values/f00d", 3))

    def gone(_: LargeValue) -> bytes:
        raise StorageError("STORE-008", "it is gone")

    assert (None, None) == (text_of(queued("R1"), gone), text_of(started("R1"), gone))
    assert (None, None) == (text_of(kept, gone), text_of(kept, lambda _: b"a = \xff"))
    assert "a=1" == text_of(kept, lambda _: "\ufeffa=1".encode())


class Known:
    """Runs of one flow, newest first, and how many were asked for."""

    def __init__(self, *runs: RunSummary) -> None:
        self.runs = runs
        self.asked: list[int] = []

    def __call__(
        self, flow: str | None = None, *, limit: int = 50, statuses: Sequence[RunStatus] = ()
    ) -> Sequence[RunSummary]:
        assert (flow, statuses) == ("a", ("succeeded",))
        self.asked.append(limit)
        return self.runs[:limit]


def test_a_run_of_another_file_is_no_success_of_this_one() -> None:
    """Two files of one name have runs of the same flow id; those of before paths were kept may be of either."""
    run = summary("R9")
    assert last_success_before(run, Known(summary("R8", "/other/a.toml"), summary("R7"))) == "R7"
    assert last_success_before(run, Known(summary("R8", ""))) == "R8"
    assert last_success_before(run, Known(summary("R9"))) is None


def test_the_success_before_a_run_of_long_ago() -> None:
    """The newest successes are looked at first, and all others only where none of those is older than the run."""
    many = Known(*(summary(f"R{number}") for number in range(500, 100, -1)))
    assert last_success_before(summary("R300"), many) == "R299"
    assert [20, 10_000] == many.asked
    assert last_success_before(summary("R100"), Known(*many.runs * 25)) is None


def test_huge_runs_are_not_read_for_a_line() -> None:
    """Of a journal some parts are read; where they are not all of it there is no line, nor where it is gone."""
    before, after = journal("R1", flow="a"), [queued("R2", flow="a"), started("R2"), failed("R2", 2)]

    def said(parts: Mapping[str, Sequence[RunEvent]], size: int) -> str | None:
        def part(run_id: RunId, place: int) -> Sequence[RunEvent]:
            return parts.get(run_id, ())[place : place + size]

        run = msgspec.structs.replace(summary("R2"), status="failed")
        return since_success(run, Known(summary("R1")), part, lambda _: None)

    assert said({"R1": before, "R2": after}, 100) is not None
    assert said({"R1": before, "R2": after}, 1) is not None
    more = [*before[:-1], *(node_succeeded("R1", seq) for seq in range(9)), before[-1]]
    assert said({"R1": more, "R2": after}, 1) is None
    assert said({"R2": after}, 100) is None
