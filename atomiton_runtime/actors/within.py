"""Knows what is executed for a node with a body: the nodes of it, and of the flows that it calls, at any depth."""

from collections.abc import Collection, Iterator

from atomiton_runtime.flow.model import Body, Flow, Node
from atomiton_runtime.ids import NodeId


def descendants(node: Node, flow: Flow) -> Iterator[Node]:
    """Yield the nodes that are executed for a node with a body, at any depth."""
    graph, flow = _graph(node, flow)
    for child in () if graph is None else graph.nodes:
        yield child
        yield from descendants(child, flow)


def written_at(node: Node, flow: Flow, path: str) -> tuple[Node, Flow] | None:
    """Return a node within a body, and the flow in whose file it is written; None: there is none.

    Args:
        node: has the body.
        flow: in whose file that is written.
        path: what follows in the whole id of the one within: `3/resize` for `each/3/resize`.
    """
    graph, inner = _graph(node, flow)
    name, slash, rest = path.partition("/")
    index = None if graph is None else graph.index_of.get(NodeId(name))
    if graph is not None and index is not None:
        child = graph.nodes[index]
        found = written_at(child, inner, rest) if slash else (child, inner)
        if found is not None:
            return found
    # Else it is the index of an iteration, after which the name comes.
    return written_at(node, flow, rest) if slash and name.isdecimal() else None


def called_flows(node: Node, flow: Flow) -> tuple[Flow, ...]:
    """Return the flows that a node calls, or a node in its body, at any depth."""
    found: list[Flow] = []
    if node.calls is not None:
        inner = flow.subflows[node.calls]
        found += (inner, *(each for within in inner.nodes for each in called_flows(within, inner)))
    for child in node.children:
        found += called_flows(child, flow)
    return tuple(found)


def names_within(node: Node, flow: Flow) -> Collection[str]:
    """Return the names that a node uses, and those that the flows it calls use but for what is theirs alone."""
    called = called_flows(node, flow)
    if not called:
        return node.names
    others = (name for each in called for inner in each.nodes for name in inner.names)
    return node.names | {name for name in others if root_of(name) not in ("vars", "flow", "env")}


def root_of(name: str) -> str:
    """Return what a name of expressions begins with: `vars` of `vars.limit`."""
    return name.partition(".")[0]


def _graph(node: Node, flow: Flow) -> tuple[Body | None, Flow]:
    """Return what is executed for a node, and the flow in whose file that is written."""
    if node.calls is None:
        return node.body, flow
    called = flow.subflows[node.calls]
    return called, called
