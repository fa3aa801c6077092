"""Prepares the run of a flow's test: only what its expectations need is executed, and nothing writes unasked."""

from collections.abc import Iterable, Iterator

import msgspec

from atomiton_runtime.actors.messages import StartRun
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Flow, FlowTest, GivenNode, Node
from atomiton_runtime.ids import RunId, new_run_id
from atomiton_runtime.nodes.effects import may_write
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.values import encode

_NOT_NEEDED = "no expectation of the test needs it"


def order_for_test(flow: Flow, test: FlowTest, catalogue: NodeCatalogue) -> StartRun:
    """Return the order for the run of a test.

    Executed are the nodes that the test expects something of, and what these need; without an expectation of a
    node, all are. Given nodes are not executed, and so nor is what only they need.

    Args:
        flow: with the flows that it calls.
        test: one of the flow's.
        catalogue: says which nodes write.

    Raises:
        UsageError: a node that may write would be executed, and the test does not allow it (RUN-024).
    """
    run_id, needed = new_run_id(), _needed(flow, test)
    _refuse_writes(flow, [flow.nodes[index] for index in sorted(needed)], test, catalogue)
    kept = {
        node.id: Kept(source=run_id, skipped=_NOT_NEEDED)
        for node in flow.nodes
        if node.index not in needed and node.id not in test.given
    }
    kept |= {node: _kept(given, run_id) for node, given in test.given.items()}
    # Tests of one flow wait for each other, whatever the flow does when it is busy with runs that somebody wants.
    settings = msgspec.structs.replace(flow.settings, on_busy="queue")
    return StartRun(
        run_id=run_id,
        flow=msgspec.structs.replace(flow, settings=settings),
        variables=test.variables,
        trigger="api",
        kept=kept,
    )


def _kept(given: GivenNode, run_id: RunId) -> Kept:
    if given.error is not None:
        return Kept(source=run_id, attempt=1, error=given.error)
    outputs = {port: msgspec.Raw(encode(value)) for port, value in given.outputs.items()}
    return Kept(source=run_id, attempt=1, outputs=outputs)


def _needed(flow: Flow, test: FlowTest) -> set[int]:
    """Return the indexes of the nodes that are to be executed."""
    waiting = [flow.index_of[node] for node in test.expect] or list(range(len(flow.nodes)))
    needed: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index not in needed and flow.nodes[index].id not in test.given:
            needed.add(index)
            waiting.extend(flow.parents[index])
    return needed


def _refuse_writes(flow: Flow, nodes: Iterable[Node], test: FlowTest, catalogue: NodeCatalogue) -> None:
    if test.allow == "all":
        return
    writers = [node.id for node in nodes if node.id not in test.allow and _may_write(node, flow, catalogue)]
    if not writers:
        return
    named = ", ".join(f'"{each}"' for each in sorted({*test.allow, *writers}))
    raise UsageError(
        "RUN-024",
        f"the test would execute {', '.join(writers)}, which may change files, or something else outside",
        hint=f"`given.{writers[0]} = ...` puts a value in its place, `allow = [{named}]` lets it happen",
    )


def _may_write(node: Node, flow: Flow, catalogue: NodeCatalogue) -> bool:
    """Return whether a node, or one within it, may change the outside."""
    return any(
        (found := catalogue.find(each.type)) is None or may_write(found, each.parameters)
        for each in _within(node, flow)
    )


def _within(node: Node, flow: Flow) -> Iterator[Node]:
    """Yield a node and all that are executed because of it; of a flow that is called more than once, each once."""
    waiting, called = [(node, flow)], {flow.path}
    while waiting:
        each, its_flow = waiting.pop()
        yield each
        waiting += [(child, its_flow) for child in each.children]
        subflow = its_flow.subflows[each.calls] if each.calls is not None else its_flow
        if subflow.path not in called:
            called.add(subflow.path)
            waiting += [(child, subflow) for child in subflow.nodes]
