"""What a journal tells of each node."""

from datetime import UTC, datetime

import msgspec

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.recorded import Recorded, RecordedBody
from atomiton_runtime.run.reuse import make_key

RUN, EARLIER = RunId("run"), RunId("earlier")
AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = make_key({"type": "a"}, folder="/", written=None)
ONE = {"result": msgspec.Raw(b"1")}
ERROR = ErrorInfo("A-001", "no")


def journal(*events: RunEvent) -> list[RunEvent]:
    return [msgspec.structs.replace(event, seq=seq) for seq, event in enumerate(events)]


def test_what_stands_of_each_node() -> None:
    """Outputs, failures and reasons are known; keys are not, for an old result must not be found as the newest."""
    head = {"run_id": RUN, "seq": 0, "at": AT}
    recorded = Recorded(
        journal(
            ev.RunStarted(**head),
            ev.NodeSucceeded(
                node=NodeId("a"), attempt=2, duration_s=0.1, outputs=ONE, key=KEY, wrote=True, **head
            ),
            ev.NodeReused(node=NodeId("b"), source=EARLIER, attempt=1, outputs=ONE, key=KEY, **head),
            ev.NodeFailed(node=NodeId("c"), attempt=1, duration_s=0.1, error=ERROR, handled=True, **head),
            ev.NodeSkipped(node=NodeId("d"), reason="why", **head),
            ev.NodeCancelled(node=NodeId("e"), attempt=1, duration_s=0.1, **head),
        )
    )

    assert {
        "a": Kept(source=RUN, attempt=2, outputs=ONE, executed_as=NodeId("a")),
        "b": Kept(source=EARLIER, attempt=1, outputs=ONE, executed_as=NodeId("b")),
        "c": Kept(source=RUN, attempt=1, error=ERROR),
        "d": Kept(source=RUN, skipped="why"),
    } == recorded.kept


def test_how_a_body_was_executed() -> None:
    """The last attempt counts, and of it the executions that began."""
    head = {"run_id": RUN, "seq": 0, "at": AT}
    node = NodeId("each")
    first = ev.BodyOpened(node=node, attempt=1, plan=Plan(count=3), began_s=0.0, items_hash="x", **head)
    second = ev.BodyOpened(
        node=node, attempt=2, plan=Plan(count=3, numbered=True), began_s=0.0, items_hash="y", **head
    )
    recorded = Recorded(
        journal(
            first,
            ev.BodyStarted(node=node, index=0, **head),
            second,
            ev.BodyStarted(node=node, index=0, **head),
            ev.BodyStarted(node=node, index=1, **head),
        )
    )

    assert {"each": RecordedBody(items_hash="y", numbered=True, started=2)} == recorded.bodies
