"""Each engine behaves like a dictionary of lists, whatever is done to it in whatever order."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from atomiton_runtime.errors import StorageError
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import RunSummary, summarize
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage.create import ENGINES, create_storage
from tests.doubles.journals import failed, node_started, queued, started, succeeded
from tests.storage.test_engine import address

RUNS = st.sampled_from(["R1", "R2", "R3"])
KINDS = st.sampled_from([started, node_started, succeeded, failed])


class EngineMachine(RuleBasedStateMachine):
    """Does to an engine and to a dictionary the same."""

    scheme = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="atomiton-test-"))
        self.model: dict[str, list[RunEvent]] = {}
        self.engine = create_storage(address(self.scheme, self.folder))
        self.engine.open()

    @rule(groups=st.lists(st.tuples(RUNS, KINDS, st.integers(-2, 1)), min_size=1, max_size=6))
    def append(self, groups: list[tuple[str, object, int]]) -> None:
        """Append a group whose events may repeat, contradict or leave gaps."""
        after = {run: list(events) for run, events in self.model.items()}
        group: list[RunEvent] = []
        valid = True
        for run, make, offset in groups:
            known = after.setdefault(run, [])
            seq = max(len(known) + offset, 0) if known else 0
            event = make(run, seq) if seq else queued(run)  # type: ignore[operator]  # the strategy's type is lost
            group.append(event)
            if seq == len(known):
                known.append(event)
            elif seq > len(known) or known[seq] != event:
                valid = False
        if valid:
            self.engine.append(group)
            self.model = after
            return
        with pytest.raises(StorageError, match="cannot add"):
            self.engine.append(group)

    @rule(runs=st.lists(RUNS, max_size=2))
    def delete(self, runs: list[str]) -> None:
        """Delete some runs."""
        self.engine.delete_runs([RunId(run) for run in runs])
        for run in runs:
            self.model.pop(run, None)

    @precondition(lambda self: self.scheme != "memory")
    @rule()
    def reopen(self) -> None:
        """Close the store and open it anew."""
        self.engine.close()
        self.engine = create_storage(self.engine.url)
        self.engine.open()

    @invariant()
    def tells_what_the_model_tells(self) -> None:
        """Journals and lists are those of the model."""
        expected: list[RunSummary] = []
        for run in ("R3", "R2", "R1"):
            events = self.model.get(run, [])
            assert tuple(events) == self.engine.journal(RunId(run))
            summary = None
            for event in events:
                summary = summarize(summary, event)
            assert summary == self.engine.summary(RunId(run))
            if summary is not None:
                expected.append(summary)
        assert tuple(expected) == self.engine.summaries(flow=FlowId("customers"))
        assert [entry.summary for entry in self.engine.stored_runs()] == expected[::-1]
        results = self.engine.results
        runs = results.newest_runs("/flows/customers.toml", limit=9)
        assert runs == tuple(summary.run_id for summary in expected)
        assert [results.journal(run) for run in runs] == [tuple(self.model[run]) for run in runs]

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.engine.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.mark.parametrize("scheme", ENGINES)
def test_every_engine_behaves_like_the_model(scheme: str) -> None:
    """No sequence of appends, deletions and reopenings tells an engine from a dictionary of lists."""
    machine = type("Machine", (EngineMachine,), {"scheme": scheme})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=25, stateful_step_count=15, deadline=None)
    )
