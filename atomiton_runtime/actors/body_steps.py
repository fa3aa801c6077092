"""Executes the steps of a node that has a body: how it is to be executed, whether there is more, its outputs."""

import hashlib
from collections.abc import Sequence
from typing import assert_never, cast, overload

import msgspec

from atomiton_runtime.actors.hiding import HidingValues
from atomiton_runtime.actors.messages import ExecuteNode
from atomiton_runtime.flow.model import Body
from atomiton_runtime.nodes.base import NodeContext, NodeType
from atomiton_runtime.nodes.body import BodyType, Execution, Opening
from atomiton_runtime.run.given import Again, Opened, Outcome, Succeeded
from atomiton_runtime.run.plan import Plan
from atomiton_runtime.run.scope import Ended, EndedLink, unpacked


def execute(
    order: ExecuteNode,
    node_type: NodeType,
    parameters: msgspec.Struct,
    context: NodeContext,
    large_values: HidingValues,
) -> Outcome:
    """Return the outcome of a step; raises what the node type raises."""
    body_type = cast(BodyType, node_type)
    match order.step:
        case "begin":
            return _opened(order, body_type, body_type.execute(parameters, context), large_values)
        case "again":
            assert order.last is not None
            index = order.last.index
            last = large_values.unpack(order.last.item)
            scope = context.scope.nested().child(item=last, index=index)
            asked = msgspec.structs.replace(context, scope=scope)
            return Again(body_type.again(parameters, asked, index))
        case "gather":
            executions = _Executions(order.executions, large_values)
            return Succeeded(large_values.pack(body_type.gather(parameters, context, executions)))
        case _:
            assert_never(order.step)


def _opened(order: ExecuteNode, body_type: BodyType, opening: Opening, large_values: HidingValues) -> Outcome:
    node = order.written
    graph = order.flow.subflows[node.calls] if node.calls is not None else node.body
    assert graph is not None
    count = opening.count
    if opening.items is not None and count is not None:
        count = len(opening.items)
    plan = Plan(
        count=count,
        concurrency=opening.concurrency,
        side_by_side=body_type.body == "side-by-side",
        numbered=body_type.body == "repeated",
        strategy=opening.strategy,
        collect=opening.collect,
        takes=_takes(opening, graph),
    )
    items = [large_values.pack_item(item) for item in opening.items or ()]
    return Opened(plan, items, _hash(items))


def _hash(items: Sequence[msgspec.Raw]) -> str:
    if not items:
        return ""
    together = hashlib.sha256()
    for item in items:
        together.update(b"%d:" % len(memoryview(item)))  # so that no two lists of items run into each other
        together.update(item)
    return together.hexdigest()


def _takes(opening: Opening, graph: Body) -> tuple[int, ...]:
    match opening.takes:
        case "result" if opening.result is None:
            return graph.sinks[-1:]
        case "result":
            return tuple(node.index for node in graph.nodes if node.id == opening.result)
        case "children":
            return tuple(range(len(graph.nodes)))
        case "sinks":
            return graph.sinks
        case _:
            assert_never(opening.takes)


class _Executions(Sequence[Execution]):
    """What became of the executions of a body: each is made where it is looked at, for there may be very many."""

    def __init__(self, ended: Sequence[EndedLink], large_values: HidingValues) -> None:
        self._ended = ended
        self._large_values = large_values

    def __len__(self) -> int:
        return len(self._ended)

    @overload
    def __getitem__(self, place: int) -> Execution: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Execution]: ...

    def __getitem__(self, place: int | slice) -> Execution | Sequence[Execution]:
        if isinstance(place, slice):
            return _Executions(self._ended[place], self._large_values)
        index, kept, _ = self._ended[place]
        return _execution(unpacked(index, kept), self._large_values)


def _execution(ended: Ended, large_values: HidingValues) -> Execution:
    return Execution(
        index=ended.index,
        outputs={
            child: {port: large_values.passed_on(raw) for port, raw in ports.items()}
            for child, ports in ended.outputs.items()
        },
        errors={str(child): error for child, error in ended.errors.items()},
        error=ended.error,
    )
