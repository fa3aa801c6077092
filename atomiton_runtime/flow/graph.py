"""Computes who waits for whom, in time linear in nodes and edges, without recursion."""

from collections.abc import Iterator

from atomiton_runtime.flow.inputs import ERROR_PORT
from atomiton_runtime.flow.model import Body, Node


def body_of(nodes: tuple[Node, ...]) -> Body:
    """Return nodes with the edges between them; references to nodes that are not there count for nothing."""
    index_of = {node.id: index for index, node in enumerate(nodes)}
    parents: list[tuple[int, ...]] = []
    dependents: list[list[int]] = [[] for _ in nodes]
    used: set[int] = set()
    handled: set[int] = set()
    for index, node in enumerate(nodes):
        waits_for: set[int] = {index_of[name] for name in node.after if name in index_of}
        used |= waits_for
        for ref in node.refs:
            parent = index_of.get(ref.node)
            if parent is not None:
                waits_for.add(parent)
                (handled if ref.port == ERROR_PORT else used).add(parent)
        parents.append(tuple(sorted(waits_for)))
        for parent in waits_for:
            dependents[parent].append(index)
    return Body(
        nodes=nodes,
        parents=tuple(parents),
        dependents=tuple(map(tuple, dependents)),
        # Whoever takes only the error port of a node does not use its outputs: they are still the run's.
        sinks=tuple(index for index in range(len(nodes)) if index not in used),
        handled=frozenset(handled),
    )


def parents_first(graph: Body) -> Iterator[int]:
    """Yield the indexes of the nodes, each behind those that it waits for; none of those on or behind a cycle."""
    waiting = [len(parents) for parents in graph.parents]
    ready = [index for index, count in enumerate(waiting) if not count]
    for index in ready:  # grows while it is walked
        yield index
        for dependent in graph.dependents[index]:
            waiting[dependent] -= 1
            if not waiting[dependent]:
                ready.append(dependent)


def find_cycles(graph: Body) -> list[list[int]]:
    """Return one cycle of each knot of nodes that wait for each other, in the direction of the data.

    Each begins with its lowest index; `[0, 2]` means: 0 feeds 2, and 2 feeds 0.
    """
    return [_cycle_within(knot, graph) for knot in _knots(graph)]


def _cycle_within(knot: frozenset[int], graph: Body) -> list[int]:
    path: list[int] = []
    place: dict[int, int] = {}
    node = min(knot)
    # Each node of a knot has a parent in it, so that walking upwards must come round.
    while node not in place:
        place[node] = len(path)
        path.append(node)
        node = next(parent for parent in graph.parents[node] if parent in knot)
    cycle = path[place[node] :][::-1]
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]


def _knots(graph: Body) -> list[frozenset[int]]:
    """Return the sets of nodes that all reach each other, in the order of their lowest index.

    Source: S. R. Kosaraju's algorithm, on what is left of the graph when all that can run has run.
    """
    left = _tangled(graph)
    knots: list[frozenset[int]] = []
    taken: set[int] = set()
    for start in reversed(_finishing_order(left, graph)):
        knot: set[int] = set()
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node in left and node not in taken:
                taken.add(node)
                knot.add(node)
                waiting.extend(graph.parents[node])
        if len(knot) > 1:
            knots.append(frozenset(knot))
    return sorted(knots, key=min)


def _finishing_order(left: set[int], graph: Body) -> list[int]:
    """Return the nodes in the order in which a depth-first walk along the data leaves them."""
    order: list[int] = []
    seen: set[int] = set()
    for start in sorted(left):
        walk = [] if start in seen else [(start, iter(graph.dependents[start]))]
        seen.add(start)
        while walk:
            node, dependents = walk[-1]
            following = next((each for each in dependents if each in left and each not in seen), None)
            if following is None:
                walk.pop()
                order.append(node)
            else:
                seen.add(following)
                walk.append((following, iter(graph.dependents[following])))
    return order


def _tangled(graph: Body) -> set[int]:
    """Return the nodes that are on, or behind, a cycle: what is left when all that can run has run."""
    return set(range(len(graph.parents))) - set(parents_first(graph))
