"""Tests who waits for whom."""

from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.graph import body_of, find_cycles
from atomiton_runtime.flow.model import Body, ListInput, Node, PortRef
from atomiton_runtime.ids import NodeId


def node(index: int, takes: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Node:
    """Return the node `n<index>` that takes these references, such as `"n0"` or `"n0.error"`."""
    refs = tuple(
        PortRef(NodeId(name), port or "result") for name, _, port in (take.partition(".") for take in takes)
    )
    return Node(
        id=NodeId(f"n{index}"),
        index=index,
        type="make",
        parameters={},
        input=ListInput(refs) if refs else None,
        after=tuple(NodeId(name) for name in after),
    )


def graph_of(edges: set[tuple[int, int]], size: int) -> Body:
    """Return the graph of nodes 0 to `size` - 1 with these edges, parent first."""
    return body_of(
        tuple(
            node(child, tuple(f"n{parent}" for parent, to in sorted(edges) if to == child))
            for child in range(size)
        )
    )


def test_edges_come_from_input_and_after() -> None:
    """Parents and dependents count each edge once; the error port handles, and leaves a sink a sink."""
    graph = body_of(
        (
            node(0),
            node(1, ("n0", "n0.count"), ("n0",)),
            node(2, ("n1.error",)),
            node(3, (), ("n2",)),
            node(4, ("gone",), ("gone",)),
        )
    )

    assert ((), (0,), (1,), (2,), ()) == graph.parents
    assert ((1,), (2,), (3,), (), ()) == graph.dependents
    assert (1, 3, 4) == graph.sinks
    assert frozenset({1}) == graph.handled


SIZE = 7
EDGES = st.sets(
    st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).filter(lambda edge: edge[0] != edge[1])
)


@given(edges=EDGES)
def test_every_knot_gives_one_true_cycle(edges: set[tuple[int, int]]) -> None:
    """Each set of nodes that reach each other gives one cycle along edges; without such a set there is none."""
    reach = set(edges)
    for middle in range(SIZE):
        reach |= {(a, d) for a, b in reach for c, d in reach if b == c == middle}
    knots = {
        frozenset(b for b in range(SIZE) if (a, b) in reach and (b, a) in reach) for a in range(SIZE)
    } - {frozenset()}

    cycles = find_cycles(graph_of(edges, SIZE))

    assert len(knots) == len(cycles)
    for cycle in cycles:
        assert min(cycle) == cycle[0]
        assert all(edge in edges for edge in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    assert knots == {next(knot for knot in knots if set(cycle) <= knot) for cycle in cycles}


def test_ten_thousand_nodes_in_a_row_are_no_trouble() -> None:
    """A chain, and a ring, of the largest size take no recursion; a test's timeout is their limit."""
    size = 10_000
    chain = tuple(node(index, (f"n{index - 1}",) if index else ()) for index in range(size))
    ring = (node(0, (f"n{size - 1}",)), *chain[1:])

    assert (size - 1,) == body_of(chain).sinks
    assert [] == find_cycles(body_of(chain))
    assert [list(range(size))] == find_cycles(body_of(ring))
