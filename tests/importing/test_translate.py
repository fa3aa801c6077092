"""Nodes, edges and variables of the original as TOML of ours."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.importing.translate import Imported, import_flow
from atomiton_runtime.nodes.registry import NodeCatalogue


def imported(nodes: list[dict[str, Any]], edges: Any = (), **more: Any) -> tuple[dict[str, Any], Imported]:
    """Import a flow, and return the data of its TOML."""
    flow = {"name": "It", "nodes": nodes, "edges": [dict(edge) for edge in edges], **more}
    result = import_flow(yaml.safe_dump(flow, sort_keys=False).encode(), "f")
    return tomllib.loads(result.toml), result


def node(type_: str, id_: str = "it", **parameters: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, "parameters": parameters}


def edge(
    source: str, target: str, source_handle: str = "output", target_handle: str = "input"
) -> dict[str, str]:
    return {"source": source, "target": target, "sourceHandle": source_handle, "targetHandle": target_handle}


@pytest.mark.parametrize(
    ("written", "expected", "looks"),
    [
        (
            node("shell-command", command="ls | wc", timeout=5000),
            {"program": "ls | wc", "shell": True, "timeout": "5000ms", "check": False},
            0,
        ),
        (
            node("shell-command", command="ls", args=["-l"], env={"A": "1"}, environment={"B": "2"}),
            {"args": ["-l"], "env": {"A": "1", "B": "2"}},
            0,
        ),
        (node("shell-command", command="my script", args=["-l"]), {"shell": True}, 0),
        (
            node("shell-command", command="echo {{input.a}}", shell="cmd"),
            {"program": "echo {{ input.a }}"},
            2,
        ),
        (
            node("http-request", url="http://x/", retries=2, validateSSL=False),
            {"retry": {"attempts": 3, "delay": "1000ms"}, "verify": False, "timeout": "30s"},
            0,
        ),
        (node("http-request", url="http://x/", timeout="soon"), {"timeout": "30s"}, 1),
        (node("file-system", path="a", encoding="hex"), {"operation": "read", "path": "a"}, 1),
        (node("file-system", path="a", filePath="b", content=None), {"path": "a"}, 1),
        (
            node("file-system", operation="list", path="a", pattern="{a,b}.*", encoding="ascii"),
            {"operation": "list"},
            1,
        ),
        (node("file-system", operation="list", path="a", fileFilter="^a"), {"path": "a"}, 1),
        (
            node("transform", operation="sort", sortKey="a.b", sortDirection="desc"),
            {"key": "item.a.b", "direction": "desc"},
            0,
        ),
        (node("transform", operation="flatten", flattenDepth=2, sortKey="x"), {"depth": 2}, 0),
        (
            node("transform", operation="reduce", reduceInitial="zero"),
            {"expression": "acc + item", "initial": "zero"},
            0,
        ),
        (node("transform", operation="reduce", reduceInitial="null"), {"initial": "{{ none }}"}, 0),
        (
            node("transform", filterCondition="item.a > 1", transformFunction="x", operation="filter"),
            {"expression": "item.a > 1"},
            0,
        ),
        (node("transform", operation="map", transformFunction="x => y"), {"operation": "map"}, 1),
        (node("code", code="let a = 1", inputParams="data", operator=1), {"type": "transform"}, 2),
        (node("code", code="data.map(x => x % 2)"), {"operation": "map", "expression": "item % 2"}, 0),
        (node("spreadsheet", path="a.xlsx", delimiter=",", sheetIndex=1), {"path": "a.xlsx", "sheet": 1}, 0),
        (node("csv-reader", path="a.txt"), {"format": "csv", "infer_types": False}, 0),
        (
            node("spreadsheet", operation="write", path="a.csv", skipEmptyLines=True),
            {"operation": "write"},
            0,
        ),
        (
            node("image", images=["a.png"], output="o.png", sharpen=True, blendMode="over"),
            {"operation": "overlay", "sharpen": 1.0, "blend_mode": "normal"},
            0,
        ),
        (
            node("image", operation="watermark", maintainAspectRatio=False, blendMode="xor"),
            {"fit": "fill", "output": "out/it/"},
            2,
        ),
        (node("unheard-of", a=1), {"type": "unheard-of"}, 2),
        ({**node("group"), "retry": 3}, {"type": "group"}, 2),
    ],
)
def test_parameters(written: dict[str, Any], expected: dict[str, Any], looks: int) -> None:
    """They get our names and values; what has no equal is a remark, and a comment in the text."""
    data, result = imported([written])
    found = data["nodes"]["it"]
    assert {key: found.get(key) for key in expected} == expected
    assert sum(remark.needs_work for remark in result.remarks) == looks, result.remarks
    assert result.toml.count("# look: ") == looks


@pytest.mark.parametrize(
    ("handles", "expected"),
    [
        ([("output", "input")], {"input": "a"}),
        ([("error", "input")], {"input": "a.error"}),
        ([("path", "input")], {"input": "a.path"}),
        ([("strange", "input")], {"input": "a"}),
        ([("output", "trigger")], {"after": "a"}),
        ([("output", "left"), ("path", "right")], {"input": {"left": "a", "right": "a.path"}}),
        ([("output", "input"), ("path", "input")], {"input": ["a", "a.path"]}),
    ],
)
def test_edges(handles: list[tuple[str, str]], expected: dict[str, Any]) -> None:
    """Handles become ports, names of a table, or `after`."""
    nodes = [node("file-system", "a", path="x"), node("edit-fields", "b", values={})]
    data, _ = imported(nodes, [edge("a", "b", *each) for each in handles])
    assert {
        key: data["nodes"]["b"].get(key) for key in ("input", "after") if key in data["nodes"]["b"]
    } == expected


@pytest.mark.parametrize(
    ("source", "handle", "expected"),
    [
        (node("shell-command", "a", program="x"), "stderr", "a.stderr"),
        (node("shell-command", "a", program="x"), "exitCode", "a.exit_code"),
        (node("csvReader", "a", filePath="x.csv"), "rowCount", "a.row_count"),
        (node("csvReader", "a", filePath="x.csv"), "headers", "a.columns"),
        (node("http-request", "a", url="http://x/"), "headers", "a.headers"),
        (node("fileSystem", "a", operation="list", path="x"), "files", "a.result"),
        (node("image", "a", path="x.png", operation="convert", output="y/"), "imagePath", "a.path"),
    ],
)
def test_handles(source: dict[str, Any], handle: str, expected: str) -> None:
    """The handles of older files are known, where ours has what they name."""
    data, result = imported([source, node("edit-fields", "b", values={})], [edge("a", "b", handle)])
    assert data["nodes"]["b"]["input"] == expected
    assert not result.remarks


def test_edges_that_lead_nowhere() -> None:
    """An edge to a node that is not there, and one that closes a circle, are left out with a remark."""
    nodes = [node("edit-fields", "a", values={}), node("edit-fields", "b", values={})]
    data, result = imported(nodes, [edge("a", "b"), edge("b", "a"), edge("x", "y"), edge("a", "z")])
    assert ("input" in data["nodes"]["a"], data["nodes"]["b"]["input"]) == (False, "a")
    assert [remark.needs_work for remark in result.remarks] == [True] * 3


def test_bodies(tmp_path: Path) -> None:
    """Nodes within nodes become bodies; one without is left out, and those beside it are connected."""
    child = node("edit-fields", "same id!", values={"a": None})
    twin = node("edit-fields", "same id?", values={"a": "{{item}}"})
    box = {
        **node("parallel", "box", strategy="all"),
        "nodes": [child, twin],
        "edges": [edge("same id!", "same id?")],
    }
    nodes = [node("edit-fields", "first", values={}), node("group", "empty"), box]
    data, result = imported(nodes, [edge("first", "empty"), edge("empty", "box")])
    assert list(data["nodes"]) == ["first", "box"]
    assert data["nodes"]["box"]["input"] == "first"
    assert list(data["nodes"]["box"]["nodes"]) == ["same-id", "same-id_2"]
    assert [remark.needs_work for remark in result.remarks] == [True] * 2
    path = tmp_path / "it.toml"
    flow = load_flow(result.toml.replace("{{ item }}", "").encode(), path, NodeCatalogue(tmp_path))
    assert isinstance(flow, Flow), flow


@pytest.mark.parametrize(
    ("path", "target"), [("/pictures/out", "/pictures/out/"), ("a/b.png", "a/b.png"), ("./", "./")]
)
def test_an_image_is_a_file_already(path: str, target: str) -> None:
    """Writing what an image node gives would write its path: the file is copied."""
    nodes = [
        node("imageComposite", "a", operation="resize", output="o/", path="x.png", width=3),
        node("fileSystem", "b", operation="write", filePath=path, createDirectory=True),
    ]
    data, result = imported(nodes, [edge("a", "b", "result", "data")])
    expected = {"operation": "copy", "path": "{{ input }}", "target": target, "create_folders": True}
    assert {key: data["nodes"]["b"].get(key) for key in expected} == expected
    assert [remark.needs_work for remark in result.remarks] == [False]


def test_several_endings() -> None:
    """A pattern of several endings becomes a list of all files, and a filter."""
    data, result = imported([node("file-system", operation="list", path="a", pattern="*.{jpg,png}")])
    assert data["nodes"] == {
        "it-all": {"type": "file-system", "operation": "list", "path": "a"},
        "it": {
            "type": "transform",
            "input": "it-all",
            "operation": "filter",
            "expression": "item.name | suffix in ['.jpg', '.png']",
        },
    }
    assert not result.remarks


def test_loops() -> None:
    """A loop that goes on after failures and does several at once says so."""
    loop = {
        **node("loop", loopType="times", times=3, parallel=True),
        "nodes": [node("edit-fields", "x", values={})],
    }
    data, _ = imported([loop])
    expected = {"mode": "times", "count": 3, "concurrency": 5, "on_item_error": "collect"}
    assert {key: data["nodes"]["it"][key] for key in expected} == expected


def test_variables_and_settings() -> None:
    """Those that have an equal are kept; others are remarks at the head of the file."""
    data, result = imported(
        [node("edit-fields", values={})],
        variables={
            "good": {"type": "number", "defaultValue": 4, "description": "how many"},
            "short": "text",
            "not good": 1,
            "wrong": {"type": "number", "defaultValue": "four"},
            "strange": {"type": "date"},
        },
        settings={"runtime": {"timeout": 1000, "parallel": False}, "ui": {"color": "red"}, "mode": 1},
        schedule="daily\x07\u202e",
    )
    assert data["variables"] == {
        "good": {"type": "number", "default": 4, "description": "how many"},
        "short": "text",
    }
    assert data["settings"] == {"on_save": "off", "timeout": "1000ms"}
    assert len(result.remarks) == 6
    assert "\u202e" not in result.toml
