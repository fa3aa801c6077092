"""The texts of a flow's versions are found as long as they are kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run.reason import Reason
from atomiton_runtime.versions import Versions, written_at
from tests.test_planning import CHAIN, Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, f"sqlite:///{tmp_path}/runs.db")
    with made.runtime:
        (made.flows / "a.txt").write_text("some text")
        made.write(CHAIN)
        yield made


def versions(place: Place) -> Versions:
    """Return the versions of the flow."""
    tools = place.runtime._system.tools
    return Versions(place.runtime.flow(place.ref), place.runtime._engine.results, tools.large_values)


def test_the_texts_of_now_and_of_a_run(place: Place) -> None:
    """A run's text is that which it has executed, and what was edited since is known key by key."""
    run_id = place.save().run_id
    place.write(CHAIN.replace("limit = 10", "limit = 20"))
    found = versions(place)
    assert CHAIN == found.of(run_id)
    assert CHAIN.replace("limit = 10", "limit = 20") == found.now
    ((path, edit),) = found.edits(run_id)
    assert (("variables", "limit"), 10, 20) == (path, edit.old, edit.new)
    assert () == found.edits(run_id, run_id)


def test_what_is_not_known(place: Place) -> None:
    """A run that is not there has no text, and a file that was saved since is another version."""
    found = versions(place)
    place.write(CHAIN + "\n# more\n")
    assert (None, None, ()) == (found.of(RunId("none")), found.now, found.edits(RunId("none")))
    assert None is found.placed([Reason(message="x", key=("nodes", "read"))])[0].line


def test_a_text_that_was_removed_is_not_known(place: Place, tmp_path: Path) -> None:
    """Its run then says no more than that something was changed."""
    run_id = place.save().run_id
    found = versions(place)  # whoever asks for the flow has its text kept again
    source = getattr(place.runtime.first_event(run_id), "source", None)
    for path in tmp_path.rglob(Path(getattr(source, "name", "absent")).name):
        path.unlink()
    assert None is found.of(run_id)


def test_reasons_have_the_lines_of_now(place: Place) -> None:
    """A key that is there has its line, what is nowhere has none."""
    found = versions(place).placed(
        [
            Reason(message="x", key=("nodes", "few", "values")),
            Reason(message="x", key=("absent", "key")),
            Reason(message="x"),
        ]
    )
    assert [14, None, None] == [reason.line for reason in found]


def test_where_a_node_within_a_loop_is_written() -> None:
    """The number of the iteration is no part of that."""
    assert ("nodes", "each", "nodes", "resize") == written_at(NodeId("each/3/resize"))
