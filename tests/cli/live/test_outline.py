import random

import msgspec
import pytest

from atomiton_runtime.cli.live.outline import outline
from tests.doubles import flows
from tests.doubles.live import flow_of


def tree(text: str) -> list[str]:
    return [
        f"{'  ' * place.depth}{place.key}{' <- ' + ', '.join(place.beside) if place.beside else ''}"
        for place in outline(flow_of(text))
    ]


def test_a_node_stands_under_the_last_of_its_parents() -> None:
    """A node with several parents stands once, below all of them, and names the others."""
    text = """
[nodes.save]
type = "edit-fields"
input = { a = "read", b = "rates", c = "sum" }
[nodes.read]
type = "edit-fields"
[nodes.sum]
type = "edit-fields"
after = "read"
[nodes.rates]
type = "edit-fields"
"""
    assert ["read", "  sum", "rates", "  save <- read, sum"] == tree(text)


def test_the_nodes_of_a_body_stand_below_it() -> None:
    """The child nodes come right below their node, with its name before theirs, and before what waits for it."""
    text = """
[nodes.each]
type = "loop"
items = "{{ [1, 2] }}"
[nodes.each.nodes.one]
type = "group"
[nodes.each.nodes.one.nodes.deep]
type = "edit-fields"
[nodes.each.nodes.two]
type = "edit-fields"
input = "one"
[nodes.sum]
type = "edit-fields"
input = { all = "each" }
"""
    assert ["each", "  each/one", "    each/one/deep", "    each/two", "  sum"] == tree(text)


def test_the_nodes_of_a_called_flow_are_a_body() -> None:
    """A flow that is called stands below its caller, nodes and bodies of it; one that is not known is no body."""
    inner = flow_of("""
[nodes.group]
type = "group"
[nodes.group.nodes.deep]
type = "edit-fields"
""")
    node = msgspec.structs.replace(flows.node("call"), calls="inner")
    flow = flows.flow(node)
    assert ["call"] == [place.key for place in outline(flow)]
    known = msgspec.structs.replace(flow, subflows={"inner": inner})
    assert ["call", "call/group", "call/group/deep"] == [place.key for place in outline(known)]


@pytest.mark.parametrize("seed", range(20))
def test_every_node_stands_once_and_below_what_it_waits_for(seed: int) -> None:
    """Whatever the graph: nothing is missing or doubled, and nothing stands above one of its parents."""
    choose = random.Random(seed)
    names = [f"n{number}" for number in range(40)]
    nodes = [
        flows.node(name, *choose.sample(names[:number], min(number, choose.randrange(4))), table=True)
        for number, name in enumerate(names)
    ]
    choose.shuffle(nodes)
    flow = flows.flow(*nodes)
    order = [place.key for place in outline(flow)]
    assert sorted(names) == sorted(order)
    for node in flow.nodes:
        for parent in flow.parents[node.index]:
            assert order.index(flow.nodes[parent].id) < order.index(node.id)


def test_a_chain_of_ten_thousand_nodes_is_no_burden() -> None:
    """A flow as large as flows may be, one node after another, has its outline without recursion."""
    nodes = [flows.node("n0"), *(flows.node(f"n{n}", f"n{n - 1}") for n in range(1, 10_000))]
    assert [f"n{n}" for n in range(10_000)] == [place.key for place in outline(flows.flow(*nodes))]
