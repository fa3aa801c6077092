"""Puts the nodes of a flow into the order and under the nodes where a tree shows them."""

import heapq
from collections.abc import Iterator

import msgspec

from atomiton_runtime.flow.model import Body, Flow, Node


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node stands in the tree."""

    key: str
    """Its whole id without the indexes of executions: `each/resize`."""
    depth: int
    """How far it is indented, in steps."""
    beside: tuple[str, ...] = ()
    """The other nodes that it waits for, by their ids: it stands once, under the last of all."""
    inside: int = 0
    """How many nodes its body has."""


def outline(flow: Flow) -> tuple[Place, ...]:
    """Return the places of all nodes from top to bottom, a body right below the node that it belongs to.

    Every node stands below all nodes that it waits for.
    """
    return tuple(_places(flow, flow, "", 0))


def _places(body: Body, flow: Flow, prefix: str, depth: int) -> Iterator[Place]:
    tree = _Tree(body)
    for index in tree.order():
        node = body.nodes[index]
        inside, author = _body_of(node, flow)
        place = Place(
            key=f"{prefix}{node.id}",
            depth=depth + tree.depth[index],
            beside=tuple(body.nodes[other].id for other in body.parents[index] if other != tree.under[index]),
            inside=len(inside.nodes) if inside else 0,
        )
        yield place
        if inside is not None:
            yield from _places(inside, author, f"{place.key}/", place.depth + 1)


def _body_of(node: Node, flow: Flow) -> tuple[Body | None, Flow]:
    """Return what is executed within a node, and the flow in whose file that is written."""
    if node.calls is None:
        return node.body, flow
    called = flow.subflows.get(node.calls)
    return called, called or flow


class _Tree:
    """The nodes of one body, each under that one of its parents that stands last."""

    def __init__(self, body: Body) -> None:
        count = len(body.nodes)
        self.under: list[int | None] = [None] * count
        self.depth = [0] * count
        self._rank = [0] * count
        """A node's place among those under the same one."""
        self._below: list[list[int]] = [[] for _ in range(count)]
        self._top: list[int] = []
        for index in _topological(body):
            self._add(index, body.parents[index])

    def order(self) -> Iterator[int]:
        """Yield the nodes from top to bottom."""
        left = self._top[::-1]
        while left:
            index = left.pop()
            yield index
            left += self._below[index][::-1]

    def _add(self, index: int, parents: tuple[int, ...]) -> None:
        last: int | None = None
        for parent in parents:
            last = parent if last is None or self._is_below(parent, last) else last
        siblings = self._top if last is None else self._below[last]
        self.under[index] = last
        self.depth[index] = 0 if last is None else self.depth[last] + 1
        self._rank[index] = len(siblings)
        siblings.append(index)

    def _is_below(self, one: int, other: int) -> bool:
        """Return whether `one` stands lower than `other`; what is added later never changes that."""
        level = min(self.depth[one], self.depth[other])
        first, second = self._above(one, level), self._above(other, level)
        if first == second:
            return self.depth[one] > self.depth[other]
        while self.under[first] != self.under[second]:
            first, second = self._above(first, level - 1), self._above(second, level - 1)
            level -= 1
        return self._rank[first] > self._rank[second]

    def _above(self, index: int, level: int) -> int:
        while self.depth[index] > level:
            under = self.under[index]
            assert under is not None
            index = under
        return index


def _topological(body: Body) -> Iterator[int]:
    """Yield the nodes so that each comes after those that it waits for, else in file order."""
    waits_for = [len(parents) for parents in body.parents]
    ready = [index for index, count in enumerate(waits_for) if not count]
    while ready:
        index = heapq.heappop(ready)
        yield index
        for dependent in body.dependents[index]:
            waits_for[dependent] -= 1
            if not waits_for[dependent]:
                heapq.heappush(ready, dependent)
