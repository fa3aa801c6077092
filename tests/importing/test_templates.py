"""Whole flows in the shape of the original: imported without problems, and run."""

import json
from pathlib import Path

import pytest
from PIL import Image

from atomiton_runtime import Runtime
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.importing.translate import Imported, import_flow
from atomiton_runtime.nodes.registry import NodeCatalogue

TEMPLATES = Path(__file__).parent / "templates"


def imported(name: str, folder: Path) -> tuple[Imported, Flow]:
    """Import a template into a folder, and load what was written."""
    result = import_flow((TEMPLATES / name).read_bytes(), name)
    path = folder / f"{result.id}.toml"
    path.write_text(result.toml, encoding="utf-8")
    flow = load_flow(path.read_bytes(), path, NodeCatalogue(folder))
    assert isinstance(flow, Flow), (flow, result.toml)
    return result, flow


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


def run(flows: Path, flow: str) -> str:
    """Run a flow to its end, and return its status."""
    with Runtime(flows=flows, storage="memory:", data=flows.parent / "data") as runtime:
        return runtime.run(flow).result(timeout_s=60).status


def test_hello_world(flows: Path) -> None:
    """An object is made, becomes a text, and the text is written as it is."""
    result, _ = imported("hello.flow.yaml", flows)
    assert run(flows, result.id) == "succeeded"
    assert (flows / "out" / "hello.txt").read_text(encoding="utf-8") == "Good morning, ADA!\n20"
    assert [(remark.line, remark.needs_work) for remark in result.remarks] == [(20, False)]


def test_csv(flows: Path) -> None:
    """Cells are texts, as in the original: a filter compares them with a text, a map computes with numbers."""
    (flows / "people.csv").write_text("name,active,total\nAda,true,10.5\nBob,false,7\nEve,true,2\n", "utf-8")
    result, _ = imported("orders.flow.yaml", flows)
    assert run(flows, result.id) == "succeeded", result.toml
    assert (flows / "out" / "people.csv").read_text(encoding="utf-8") == "name,double\nADA,21.0\nEVE,4.0\n"
    assert not [remark for remark in result.remarks if remark.needs_work]


def test_images(flows: Path) -> None:
    """What hangs on a loop becomes its body, which is executed for every file of a list."""
    (flows / "pictures").mkdir()
    for number in range(3):
        Image.new("RGB", (40, 20), "navy").save(flows / "pictures" / f"{number}.png")
    result, flow = imported("pictures.flow.yaml", flows)
    assert {str(node.id) for node in flow.nodes} >= {"list", "each"}
    assert run(flows, result.id) == "succeeded", result.toml
    for number in range(3):
        with Image.open(flows / "out" / f"{number}.jpg") as image:
            assert (image.format, image.size) == ("JPEG", (10, 5))


def test_totals(flows: Path) -> None:
    """Statements over all rows become nodes, and types of an older version are known."""
    rows = "id,state,price\n1,open,2.5\n2,paid,100\n3,open,\n4,open,0.5\n"
    (flows / "orders.csv").write_text(rows, encoding="utf-8")
    result, flow = imported("totals.flow.yaml", flows)
    assert [str(node.id) for node in flow.nodes] == ["orders", "open-only", "sums-sum", "sums", "report"]
    assert not result.remarks
    (flows / "out").mkdir()
    for _ in range(2):
        assert run(flows, result.id) == "succeeded", result.toml
        report = json.loads((flows / "out" / "report.json").read_text(encoding="utf-8"))
        assert report == {"sum": 3.0, "orders": 3, "mean": 1.0}


def test_a_batch_of_images(flows: Path) -> None:
    """Files of several endings go through a loop whose width is that of the `parallel`; the results are copied."""
    (flows / "pictures").mkdir()
    for name in ("a.png", "b.jpg", "c.png", "d.gif"):
        Image.new("RGB", (80, 40), "navy").save(flows / "pictures" / name)
    Image.new("RGB", (4, 4), "white").save(flows / "stamp.png")
    result, flow = imported("batch.flow.yaml", flows)
    assert [str(node.id) for node in flow.nodes] == ["sources-all", "sources", "each"]
    assert flow.nodes[2].parameters["concurrency"] == 3
    assert not [remark for remark in result.remarks if remark.needs_work]
    assert run(flows, result.id) == "succeeded", result.toml
    assert sorted(path.name for path in (flows / "done").iterdir()) == ["a.jpg", "b.jpg", "c.jpg"]
    with Image.open(flows / "done" / "a.jpg") as image:
        assert image.size == (40, 20)
        assert image.getpixel((37, 17)) != image.getpixel((3, 3))
