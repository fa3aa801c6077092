"""Why a node was executed in the last run, or was not, is read in the journals."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from atomiton_runtime.errors import UsageError
from atomiton_runtime.explaining import explain
from atomiton_runtime.ids import NodeId
from atomiton_runtime.requests import Chosen, RunFlow
from atomiton_runtime.run.events import RunQueued
from tests.test_planning import CHAIN, TIMEOUT_S, Place

LOOP = """
[nodes.each]
type = "loop"
items = [{ n = 1 }, { n = 2 }]
[nodes.each.nodes.save]
type = "edit-fields"
values = { n = "{{ item.n * 2 }}" }
"""
FAILING = """
[nodes.bad]
type = "edit-fields"
values = { n = "{{ 1 // 0 }}" }
[nodes.behind]
type = "edit-fields"
input = "bad"
values = { n = 1 }
"""


@pytest.fixture(params=["memory:", "sqlite"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    storage = request.param if request.param == "memory:" else f"sqlite:///{tmp_path}/runs.db"
    made = Place(tmp_path, storage)
    with made.runtime:
        (made.flows / "a.txt").write_text("some text")
        yield made


def why(place: Place, node: str) -> tuple[str, list[str]]:
    """Return what became of a node, and why."""
    told = place.runtime.why(place.ref, node)
    return told.status, [f"{each.message}{f' :{each.line}' if each.line else ''}" for each in told.reasons]


def run(place: Place, **chosen: object) -> None:
    """Run the flow by hand."""
    wanted = Chosen(**chosen) if chosen else None  # type: ignore[arg-type]
    place.runtime.start_run(RunFlow(flow=place.ref, trigger="cli", chosen=wanted)).result(TIMEOUT_S)


def test_what_was_edited_is_why(place: Place) -> None:
    """An edited node was executed for that, the others were reused."""
    place.write(CHAIN)
    first = place.save()
    assert ("succeeded", ["it had no result before"]) == why(place, "told")
    place.write(CHAIN.replace("{ n = 1 }", "{ n = 2 }"))
    place.save()
    assert ("succeeded", ['parameter `values` {"n":1} -> {"n":2} :25']) == why(place, "told")
    assert first.run_id == place.runtime.why(place.ref, "told").before
    assert ("reused", ["nothing that its result depends on has changed"]) == why(place, "read")
    assert first.run_id == place.runtime.why(place.ref, "read").source


def test_a_long_parameter_shows_where_it_changed(place: Place) -> None:
    """The texts of both versions are kept, and are compared."""
    text = "x" * 100
    place.write(CHAIN.replace("{ n = 1 }", f"{{ n = 1, t = '{text}' }}"))
    place.save()
    place.write(CHAIN.replace("{ n = 1 }", f"{{ n = 3, t = '{text}' }}"))
    place.save()
    assert ("succeeded", ["parameter `values.n` 1 -> 3 :25"]) == why(place, "told")


TOLD = [
    ({"fresh": True}, "told", ["everything was asked for"]),
    ({"from_node": "told"}, "after", ["it was asked for"]),
    ({}, "told", ["a run by cli executes everything, unless it is told otherwise"]),
]


@pytest.mark.parametrize(("chosen", "node", "expected"), TOLD)
def test_what_a_run_was_told_to_is_why(
    place: Place, chosen: dict[str, object], node: str, expected: list[str]
) -> None:
    """A run remembers what was asked for."""
    place.write(CHAIN)
    place.save()
    run(place, **chosen)
    assert ("succeeded", expected) == why(place, node)


def test_a_flow_of_which_everything_is_executed(place: Place) -> None:
    """`on_save = "all"`, and `reuse = "never"`, are reasons."""
    place.write(
        '[settings]\non_save = "all"\n' + CHAIN.replace("[nodes.told]", '[nodes.told]\nreuse = "never"')
    )
    place.save()
    place.save()
    assert ("succeeded", ['the flow has `on_save = "all"`']) == why(place, "read")
    assert ("succeeded", ['it has `reuse = "never"`']) == why(place, "told")


def test_an_iteration_is_explained_by_its_whole_id(place: Place) -> None:
    """What was edited within a loop has its line."""
    place.write(LOOP)
    place.save()
    place.write(LOOP.replace("item.n * 2", "item.n * 3"))
    place.save()
    assert ("succeeded", ['parameter `values` {"n":4} -> {"n":6} :7']) == why(place, "each/1/save")
    words = "within it `save.values.n` {{ item.n * 2 }} -> {{ item.n * 3 }} :7"
    assert ("succeeded", [words]) == why(place, "each")


def test_failures_and_what_they_left_out(place: Place) -> None:
    """A failure is shown with its error, and what was skipped with the reason."""
    place.write(FAILING)
    place.save()
    assert "EXPR-003" == getattr(place.runtime.why(place.ref, "bad").error, "code", "")
    assert ("skipped", ["the run failed at bad"]) == why(place, "behind")


def test_what_has_been_changed_outside_is_why(place: Place) -> None:
    """A file that is gone is named."""
    place.write(CHAIN)
    place.save()
    written = next((place.flows / "out").iterdir())
    written.unlink()
    place.save()
    assert ("succeeded", [f"{written} is not there any more"]) == why(place, "keep")


def test_unknown_nodes(place: Place) -> None:
    """A node that no run speaks of is refused, with a node of a similar name; so is a flow that never ran."""
    place.write(CHAIN)
    with pytest.raises(UsageError, match="has not run yet") as never:
        why(place, "told")
    place.save()
    with pytest.raises(UsageError, match="a node `tolt`") as unknown:
        why(place, "tolt")
    assert ("RUN-025", "RUN-025") == (never.value.code, unknown.value.code)
    assert "told" in str(unknown.value.hint)


def test_runs_of_an_older_version_have_no_keys(place: Place) -> None:
    """Where a result says nothing of what it depends on, that is said; also by the plan."""
    place.write(CHAIN)
    place.save()
    place.save()
    flow = place.runtime.flow(place.ref)
    results = _Keyless(place.runtime._engine.results)
    told = explain(NodeId("read"), flow, results, place.runtime._system.tools.large_values)  # type: ignore[arg-type]
    assert ["what its earlier result depends on is not known"] == [each.message for each in told.reasons][-1:]


class _Keyless:
    """What is known of earlier runs, as a version of the program kept it that knew no keys."""

    def __init__(self, results: object) -> None:
        self._results = results

    def newest_runs(self, flow_path: str, *, limit: int) -> tuple[object, ...]:
        """Return the runs."""
        return self._results.newest_runs(flow_path, limit=limit)  # type: ignore[attr-defined]

    def journal(self, run_id: object) -> tuple[object, ...]:
        """Return the events of a run, nodes always executed, without keys."""
        from atomiton_runtime.run import events as ev

        found: list[object] = []
        for event in self._results.journal(run_id):  # type: ignore[attr-defined]
            if isinstance(event, RunQueued):
                event = msgspec.structs.replace(event, source=msgspec.UNSET, reuse=msgspec.UNSET)
            elif isinstance(event, ev.NodeSucceeded | ev.NodeReused):
                event = ev.NodeSucceeded(
                    run_id=event.run_id,
                    seq=event.seq,
                    at=event.at,
                    node=event.node,
                    attempt=1,
                    duration_s=0.0,
                    outputs=event.outputs or {},
                )
            found.append(event)
        return tuple(found)
