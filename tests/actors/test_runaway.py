"""A flow that runs by itself too often is paused, aloud, until a person runs it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime import Runtime
from atomiton_runtime.actors.runaway import WINDOW_S, Pace
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import FINAL_EVENTS
from atomiton_runtime.run.notices import NoticeRaised
from tests.doubles.addresses import Collected

LIMIT = 3
SELFISH = f"""\
[settings]
max_runs_per_minute = {LIMIT}

[nodes.a]
type = "shell-command"
shell = true
reuse = "never"
program = "echo '# once more' >> selfish.toml"
"""


@given(st.lists(st.floats(0.0, 30.0), max_size=60), st.integers(1, 10))
def test_never_more_than_allowed_within_a_minute(pauses: list[float], limit: int) -> None:
    """However they come; and once one was too many, none is allowed any more."""
    pace, now, begun, refused = Pace(), 0.0, [], False
    for pause in pauses:
        now += pause
        allowed = pace.may_run("it", limit, now)
        assert not (allowed and refused)
        refused = not allowed
        assert pace.is_paused("it") == refused
        begun += [now] if allowed else []
        assert sum(now - each < WINDOW_S for each in begun) <= limit
        assert pace.may_run("another", 1000, now)


def test_a_person_lets_it_run_again() -> None:
    """As if it had never run."""
    pace = Pace()
    assert [pace.may_run("it", 2, 0.0) for _ in range(3)] == [True, True, False]
    pace.resume("it")

    assert not pace.is_paused("it")
    assert [pace.may_run("it", 2, 0.0) for _ in range(3)] == [True, True, False]


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder with a flow that writes its own file."""
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "selfish.toml").write_text(SELFISH)
    return folder


def test_a_flow_that_saves_itself(flows: Path, tmp_path: Path) -> None:
    """It runs as often as it may, is paused, says so once, and runs again when it is asked to."""
    runtime = Runtime(flows=flows, data=tmp_path / "data", watch=True)
    ends, notices = Collected("ends"), Collected("notices")
    runtime.subscribe(ends.tell, kinds=tuple(kind.__name__ for kind in FINAL_EVENTS))
    runtime.subscribe(notices.tell, kinds=("NoticeRaised",))
    with runtime:
        for _ in range(2):
            runtime.run("selfish")  # what a person asked for does not count
            seen = [ends.next() for _ in range(1 + LIMIT + 1)]
            assert [type(each) for each in seen[:-1]] == [ev.RunSucceeded] * (1 + LIMIT)
            paused = seen[-1]
            assert isinstance(paused, ev.RunCancelled)
            assert paused.error.code == "RUN-021"
            said = notices.next()
            assert isinstance(said, NoticeRaised)
            assert said.error == paused.error
        (flows / "selfish.toml").write_text(SELFISH + "# by hand")
        explained = ends.next()
        assert isinstance(explained, ev.RunCancelled)
    assert notices.all_so_far() == []
