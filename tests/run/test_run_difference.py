"""Two runs are compared in what they were given, what became of their nodes, and how long that took."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.compare import compare_objects
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.run.headline import MOST_CHARS, headline
from atomiton_runtime.run.run_difference import (
    MOST_NODES,
    ErrorChanged,
    NodeDifference,
    StatusChanged,
    Timing,
    compare_runs,
)

GONE = ErrorInfo("HTTP-004", "404", "fetch")
SLOW = ErrorInfo("HTTP-001", "no answer", "fetch")


def gave(duration_s: float = 1.0, **outputs: object) -> NodeDocument:
    return NodeDocument(status="succeeded", attempts=1, duration_s=duration_s, outputs=dict(outputs))


def broke(error: ErrorInfo = GONE) -> NodeDocument:
    return NodeDocument(status="failed", attempts=1, duration_s=1.0, error=error)


OLD = RunDocument(
    run_id=RunId("R1"),
    flow=FlowId("prices"),
    status="succeeded",
    trigger="cli",
    started_at="2026-11-23T19:15:00.123Z",
    duration_s=2.0,
    flow_hash="f00d",
    variables={"limit": 10},
    outputs={},
    nodes={"fetch": gave(status=200), "save": gave(path="a")},
    error=None,
)
AGAIN = msgspec.structs.replace(OLD, run_id=RunId("R2"), duration_s=3.0, trigger="save")
FAILED = msgspec.structs.replace(
    AGAIN,
    status="failed",
    error=GONE,
    variables={"limit": 20},
    nodes={"fetch": broke(), "save": NodeDocument(status="skipped")},
)


def test_a_run_does_not_differ_from_itself() -> None:
    """Nothing differs between two equal runs but who triggered them and how long they took."""
    assert compare_runs(OLD, OLD).differs == ()
    again = compare_runs(OLD, AGAIN)
    assert (("trigger",), True) == (again.differs, again.same)


def test_what_differs_is_named() -> None:
    """Variables, status, error and nodes are told, each with both sides."""
    told = compare_runs(OLD, FAILED)

    assert ("status", "error", "trigger", "variables", "nodes") == told.differs
    assert not told.same
    assert compare_objects({"limit": 10}, {"limit": 20}) == told.variables
    assert (
        NodeDifference(
            node="fetch",
            status=StatusChanged(old="succeeded", new="failed"),
            error=ErrorChanged(old=None, new=GONE),
        ),
        NodeDifference(node="save", status=StatusChanged(old="succeeded", new="skipped")),
    ) == told.nodes


def test_nodes_of_one_run_only() -> None:
    """A node that only one run has is told with what became of it there; outputs are compared by port."""
    new = msgspec.structs.replace(OLD, nodes={"fetch": gave(status=404), "tell": gave()})
    assert (
        NodeDifference(
            node="fetch", status="succeeded", outputs=compare_objects({"status": 200}, {"status": 404})
        ),
        NodeDifference(node="tell", only_in="new", status="succeeded"),
        NodeDifference(node="save", only_in="old", status="succeeded"),
    ) == compare_runs(OLD, new).nodes


def test_durations_that_differ_most_come_first() -> None:
    """A node that has a duration in both runs, and another one, has a line of timing."""
    nodes = {"a": gave(1.0), "b": gave(2.0), "c": gave(1.0), "d": NodeDocument(status="skipped"), "e": gave()}
    slower = {
        "a": gave(1.5),
        "b": gave(1.0),
        "c": gave(1.0),
        "d": gave(1.0),
        "e": NodeDocument(status="skipped"),
        "f": gave(),
    }
    old, new = (msgspec.structs.replace(OLD, nodes=some) for some in (nodes, slower))
    assert (
        Timing(node="b", old_s=2.0, new_s=1.0),
        Timing(node="a", old_s=1.0, new_s=1.5),
    ) == compare_runs(old, new).timing


def test_many_nodes_are_listed_in_part() -> None:
    """Of thousands of iterations the first are listed, and the others counted."""
    new = msgspec.structs.replace(OLD, nodes={f"each/{n}/a": gave() for n in range(5000)})
    told = compare_runs(msgspec.structs.replace(OLD, nodes={}), new)
    assert (MOST_NODES, 5000 - MOST_NODES) == (len(told.nodes), told.nodes_left_out)


def test_another_definition() -> None:
    """Of another version of the file the keys are told, if both texts are there; called flows count as well."""
    new = msgspec.structs.replace(OLD, flow_hash="beef")
    told = compare_runs(OLD, new, old_source="limit = 10", new_source="limit = 20")
    assert told.definition is not None
    assert told.definition.keys is not None
    assert ("definition",) == told.differs
    assert ["limit"] == [key.path for key in told.definition.keys]

    called = compare_runs(OLD, OLD, old_called={"/a": "1", "/b": "1"}, new_called={"/a": "2", "/c": "1"})
    assert (None, ("/a", "/b", "/c"), ("definition",)) == (
        called.definition,
        called.called_flows,
        called.differs,
    )


def test_the_json_of_a_difference() -> None:
    """The keys are those that docs/cli.md lists."""
    told = msgspec.json.decode(msgspec.json.encode(compare_runs(OLD, FAILED)))
    assert list(told) == [
        "old",
        "new",
        "differs",
        "definition",
        "called_flows",
        "variables",
        "nodes",
        "nodes_left_out",
        "timing",
    ]
    assert {"old": "succeeded", "new": "failed"} == told["nodes"][0]["status"]


NODES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.builds(
        NodeDocument,
        status=st.sampled_from(["succeeded", "failed"]),
        outputs=st.none() | st.dictionaries(st.sampled_from("xy"), st.integers(0, 1)),
        error=st.sampled_from([None, GONE, SLOW]),
    ),
)


@given(NODES, NODES)
def test_every_node_that_differs_is_told(old: dict[str, NodeDocument], new: dict[str, NodeDocument]) -> None:
    """The nodes that are told are those of one run only, and those whose status, error or outputs differ."""
    told = compare_runs(*(msgspec.structs.replace(OLD, nodes=nodes) for nodes in (old, new)))
    differing = {
        node
        for node in {**old, **new}
        if node not in old
        or node not in new
        or (old[node].status, old[node].error) != (new[node].status, new[node].error)
        or (None not in (old[node].outputs, new[node].outputs) and old[node].outputs != new[node].outputs)
    }
    assert differing == {node.node for node in told.nodes}


@pytest.mark.parametrize(
    ("new", "sources", "expected"),
    [
        (
            FAILED,
            (None, None),
            "since the last success: variable limit 10 -> 20 (+10), node fetch: succeeded -> failed (HTTP-004)",
        ),
        (
            msgspec.structs.replace(FAILED, flow_hash="beef", variables={}, nodes={"fetch": broke()}),
            (None, None),
            "since the last success: the flow has changed, variable limit removed, "
            "node fetch: succeeded -> failed (HTTP-004)",
        ),
        (
            msgspec.structs.replace(
                OLD, flow_hash="beef", nodes={"fetch": gave(result={"status": 404, "n": 1}, more=[])}
            ),
            ("[nodes.fetch]\nlimit = 10", "[nodes.fetch]\nlimit = 20\n[nodes.a]\n"),
            "since the last success: nodes.fetch.limit 10 -> 20 (+10), nodes.a added, "
            "node fetch: status removed and 2 more",
        ),
        (
            AGAIN,
            (None, None),
            "since the last success: neither the flow, its variables nor its results differ",
        ),
    ],
)
def test_the_headline(new: RunDocument, sources: tuple[str | None, str | None], expected: str) -> None:
    """One sentence says what may be a cause before what is a result."""
    told = compare_runs(OLD, new, old_source=sources[0], new_source=sources[1])
    assert expected == headline(told)


def test_the_headline_of_failures() -> None:
    """Another failure is told by its code; without a success before, nothing claims that there was one."""
    new = msgspec.structs.replace(FAILED, error=SLOW, nodes={"fetch": broke(SLOW)})
    assert headline(compare_runs(FAILED, new)) == "since the run before: node fetch: another error (HTTP-001)"
    healed = msgspec.structs.replace(OLD, variables={"limit": 20})
    assert headline(compare_runs(FAILED, healed)) == (
        "since the run before: node fetch: failed -> succeeded, node save: skipped -> succeeded"
    )


def test_the_headline_of_called_flows_and_ports() -> None:
    """A called flow is named by its file, a value of the primary port without the port."""
    new = msgspec.structs.replace(OLD, nodes={"fetch": gave(result={"status": 404})})
    told = compare_runs(
        msgspec.structs.replace(OLD, nodes={"fetch": gave(result={"status": 200})}),
        new,
        new_called={"/flows/mail.toml": "1"},
    )
    assert headline(told) == (
        "since the last success: called flow mail.toml has changed, node fetch: status 200 -> 404 (+204)"
    )


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=9), st.dictionaries(st.text(), st.text()))
def test_a_headline_is_short(old: dict[str, str], new: dict[str, str]) -> None:
    """Whatever differs, it is one line of at most 200 characters."""
    runs = [
        msgspec.structs.replace(OLD, variables=some, nodes={f"{n}" * 50: gave(**some) for n in range(9)})
        for some in ({f"v{key}": text for key, text in many.items()} for many in (old, new))
    ]
    said = headline(compare_runs(*runs))
    assert len(said) <= MOST_CHARS
