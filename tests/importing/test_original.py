"""Flows of the original in all their forms, and what is wrong with others."""

import pytest

from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.importing.original import OriginalFlow, read_original
from atomiton_runtime.importing.yaml_file import read_yaml


def read(text: str) -> OriginalFlow:
    return read_original(read_yaml(text.encode(), "f"), "f")


def test_older_forms() -> None:
    """Parameters may be below `data`, ends of edges may be tables, nodes may have nodes; looks are left out."""
    flow = read(
        "nodes:\n"
        "  - {id: 1, type: group, data: {a: 1}, position: {x: 1}, retry: 2, nodes: [{id: b, type: x}]}\n"
        "edges: [{source: {nodeId: 1, portId: out}, target: b, targetHandle: in}]\n"
        "variables: []\n"
    )
    (node,), (edge,) = flow.nodes, flow.edges
    assert (node.id, node.parameters, node.others, node.nodes[0].id) == ("1", {"a": 1}, {"retry": 2}, "b")
    assert (edge.source, edge.source_handle, edge.target, edge.target_handle) == ("1", "out", "b", "in")


@pytest.mark.parametrize(
    ("text", "code", "count"),
    [
        ("[1]", "IMPORT-005", 1),
        ("a: 1", "IMPORT-005", 1),
        ("nodes: []", "IMPORT-006", 1),
        ("nodes: [1, {id: a}, {type: b}, {id: true, type: x}]", "IMPORT-006", 4),
        ("nodes: [{id: a, type: b}, {id: a, type: b}]", "IMPORT-006", 1),
        ("nodes: [{id: a, type: b, parameters: 1}]", "IMPORT-006", 1),
        ("nodes: [{id: a, type: b, nodes: 1, edges: 1}]", "IMPORT-006", 2),
        ("{nodes: [{id: a, type: b}], edges: [1, {source: a}], variables: 1}", "IMPORT-006", 3),
    ],
)
def test_wrong_flows(text: str, code: str, count: int) -> None:
    """All that is wrong is told at once."""
    with pytest.raises(FlowInvalid) as caught:
        read(text)
    assert [problem.code for problem in caught.value.problems] == [code] * count
