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


def test_declared_parameters() -> None:
    """Where `parameters` only declares, `data` has the values; words of the canvas are left out."""
    flow = read(
        "nodes:\n"
        "  - id: a\n"
        "    type: x\n"
        "    parameters: {path: {type: string, control: file-picker}}\n"
        "    data: {path: b, customLabel: A, lastModified: today}\n"
        "    settings: {ui: {x: 1}}\n"
        "  - {id: c, type: x, settings: {retries: 2}}\n"
        "edges: [{source: {node: a, port: out}, target: {node: c}}]\n"
    )
    assert [node.parameters for node in flow.nodes] == [{"path": "b"}, {}]
    assert [node.others for node in flow.nodes] == [{}, {"settings": {"retries": 2}}]
    assert [(edge.source, edge.source_handle, edge.target) for edge in flow.edges] == [("a", "out", "c")]


def test_the_oldest_form() -> None:
    """The whole flow is below `flow`, its name below `metadata`, and its nodes are a mapping."""
    flow = read(
        "flow:\n"
        "  metadata: {name: Old, description: very}\n"
        "  nodes:\n"
        "    a: {type: x}\n"
        "    b: {type: y, parameters: {c: 1}}\n"
        "  edges: [{source: {nodeId: a}, target: {nodeId: b}}]\n"
    )
    assert (flow.name, flow.description, flow.path) == ("Old", "very", ("flow",))
    assert [(node.id, node.type, node.parameters) for node in flow.nodes] == [
        ("a", "x", {}),
        ("b", "y", {"c": 1}),
    ]
    assert flow.nodes[1].path == ("flow", "nodes", "b")


@pytest.mark.parametrize(
    ("text", "code", "count"),
    [
        ("[1]", "IMPORT-005", 1),
        ("a: 1", "IMPORT-005", 1),
        ("nodes: []", "IMPORT-006", 1),
        ("nodes: {a: 1, b: {id: b}}", "IMPORT-006", 2),
        ("flow: {nodes: {}}", "IMPORT-006", 1),
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
