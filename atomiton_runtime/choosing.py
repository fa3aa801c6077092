"""Decides which nodes of a flow a run is to execute, by what its user has chosen."""

from collections.abc import Iterable, Mapping

import msgspec

from atomiton_runtime.actors.messages import Reuse
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.lookup import did_you_mean
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.requests import Chosen
from atomiton_runtime.run.kept import Kept


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to do with the nodes of its flow."""

    reuse: Reuse
    left_out: Mapping[NodeId, Kept] = {}
    """Nodes that are not wanted at all, each as skipped."""


def choose(flow: Flow, chosen: Chosen) -> Choice:
    """Return what a run is to do with the nodes of its flow.

    Raises:
        UsageError: there is no node of a name that is given (RUN-025), or the choices contradict each other (RUN-026).
    """
    options = {"--fresh": chosen.fresh, "--from": chosen.from_node, "--only": chosen.only_node}
    given = [option for option, value in options.items() if value]
    if len(given) > 1:
        raise UsageError(
            "RUN-026", f"{' and '.join(given)} cannot be used together", hint="choose one of them"
        )
    if chosen.from_node is not None:
        start = _index(flow, chosen.from_node)
        return Choice(reuse=Reuse(mode="auto", forced=_ids(flow, _reached(start, flow.dependents))))
    if chosen.only_node is not None:
        only = _index(flow, chosen.only_node)
        return Choice(reuse=Reuse(mode="auto", forced=_ids(flow, (only,))), left_out=_left_out(flow, only))
    return Choice(reuse=Reuse(mode="none" if chosen.fresh else "declared"))


def _left_out(flow: Flow, only: int) -> Mapping[NodeId, Kept]:
    needed = _reached(only, flow.parents)
    reason = f"only {flow.nodes[only].id} was asked for, and what it needs"
    skipped = Kept(source=RunId(""), skipped=reason)
    return {node.id: skipped for node in flow.nodes if node.index not in needed}


def _index(flow: Flow, name: str) -> int:
    index = flow.index_of.get(NodeId(name))
    if index is None:
        names = [node.id for node in flow.nodes]
        hint = did_you_mean(name, names) or f"its nodes are {', '.join(names[:10])}"
        raise UsageError("RUN-025", f"the flow {flow.id} has no node `{name}`", hint=hint)
    return index


def _reached(start: int, edges: tuple[tuple[int, ...], ...]) -> frozenset[int]:
    """Return a node and all that is reached from it."""
    reached = {start}
    waiting = [start]
    while waiting:
        for index in edges[waiting.pop()]:
            if index not in reached:
                reached.add(index)
                waiting.append(index)
    return frozenset(reached)


def _ids(flow: Flow, indexes: Iterable[int]) -> frozenset[NodeId]:
    return frozenset(flow.nodes[index].id for index in indexes)
