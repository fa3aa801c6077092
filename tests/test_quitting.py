"""A runtime that is stopped names what does not end, and ends without it."""

from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import RuntimeUnusable
from tests.doubles.terminal import wait_for_file
from tests.faults.test_quitting import ALONE, DEAF


@pytest.fixture
def deaf(tmp_path: Path) -> Runtime:
    """Give a runtime with a run whose only node does not look whether it is told to stop."""
    flows = tmp_path / "flows"
    (flows / "nodes").mkdir(parents=True)
    (flows / "nodes" / "deaf.py").write_text(DEAF)
    (flows / "alone.toml").write_text(ALONE)
    runtime = Runtime(flows, "memory:", data=tmp_path / "data").start()
    runtime.run("alone")
    wait_for_file(tmp_path / "deaf")
    return runtime


def test_what_does_not_end_is_named(deaf: Runtime, tmp_path: Path) -> None:
    """The error says which node of which flow; all else has ended, and the node may end whenever it likes."""
    with pytest.raises(RuntimeUnusable) as raised:
        deaf.stop(0.2)
    (tmp_path / "let-go").touch()

    assert (raised.value.code, "deaf of alone" in raised.value.message) == ("RUN-011", True)
    assert "context.cancel" in (raised.value.hint or "")


def test_what_ends_late_is_still_kept(deaf: Runtime, tmp_path: Path) -> None:
    """A node that ends while the runtime stops has its end in the journal, and nothing is called busy."""
    resisting = deaf._resisting

    def looked() -> list[str]:
        found = resisting()
        (tmp_path / "let-go").touch()
        return found

    deaf._resisting = looked
    ended: list[str] = []
    deaf.subscribe(lambda fact: ended.append(type(fact).__name__), kinds=("RunCancelled",))
    deaf.stop(4.0)

    assert ended == ["RunCancelled"]
