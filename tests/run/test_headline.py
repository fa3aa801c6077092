"""Who knows where a run has failed is told what has changed, and not that it has failed."""

import msgspec
import pytest

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import FlowId, RunId
from atomiton_runtime.run.document import NodeDocument, RunDocument
from atomiton_runtime.run.headline import headline
from atomiton_runtime.run.run_difference import compare_runs

GOOD = NodeDocument(status="succeeded", attempts=1, duration_s=1.0, outputs={"result": 200})
KEPT = NodeDocument(status="reused", outputs={"result": 200}, reused_from=RunId("R1"))
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
    nodes={"fetch": GOOD, "each": GOOD, "each/0/save": GOOD},
    error=None,
)


def broke(node: str | None, **nodes: NodeDocument) -> RunDocument:
    """Return a run that has failed at `node`, in the loop."""
    error = ErrorInfo("FILE-001", "it is not there", node)
    failure = NodeDocument(status="failed", attempts=1, error=error)
    failing = {"fetch": GOOD, "each": failure, "each/0/save": failure, **nodes}
    return msgspec.structs.replace(OLD, run_id=RunId("R2"), status="failed", error=error, nodes=failing)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (broke("each/0/save"), "nothing of the flow has changed"),
        (broke("each/0/save", fetch=KEPT), "nothing of the flow has changed"),
        (
            broke("each/0/save", fetch=msgspec.structs.replace(KEPT, outputs={"result": 404})),
            "node fetch: result 200 -> 404 (+204)",
        ),
        (
            msgspec.structs.replace(broke("each/0/save"), variables={"limit": 20}),
            "variable limit 10 -> 20 (+10)",
        ),
        (
            broke("each"),
            "node each/0/save: succeeded -> failed (FILE-001)",
        ),
        (
            broke(None),
            "node each: succeeded -> failed (FILE-001), node each/0/save: succeeded -> failed (FILE-001)",
        ),
    ],
)
def test_what_the_failure_says_itself_is_left_out(new: RunDocument, expected: str) -> None:
    """The node that failed and those around it are not told of, what it was given is."""
    assert f"since the last success: {expected}" == headline(compare_runs(OLD, new), failure_known=True)


def test_a_reused_result_is_no_difference() -> None:
    """A node that is reused is what it was; its result is compared all the same."""
    again = msgspec.structs.replace(OLD, nodes={**OLD.nodes, "fetch": KEPT})
    assert compare_runs(OLD, again).same
    assert compare_runs(again, OLD).same
