"""Code over a whole list becomes nodes: what they are, and what they give when they run."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime import Runtime
from atomiton_runtime.importing.functions import expression_of, function_of, order_of
from atomiton_runtime.importing.lists import parts_of
from atomiton_runtime.importing.pieces import Untranslatable
from atomiton_runtime.importing.translate import import_flow

ROWS = [
    {"name": "Ada", "age": 36, "team": "x", "on": True},
    {"name": "Bob", "age": 17, "team": "y", "on": False},
    {"name": "Eve", "age": 25, "team": "x", "on": True},
]


def result_of(code: str, folder: Path, **parameters: Any) -> Any:
    """Import a flow with this code over `ROWS`, run it, and return what the node gives."""
    folder.joinpath("rows.json").write_text(json.dumps(ROWS), encoding="utf-8")
    nodes: list[dict[str, Any]] = [
        {"id": "read", "type": "file-system", "parameters": {"operation": "read", "path": "rows.json"}},
        {"id": "rows", "type": "code", "parameters": {"code": "(text) => JSON.parse(text)"}},
        {"id": "it", "type": "code", "parameters": {"code": code, **parameters}},
    ]
    edges = [{"source": "read", "target": "rows"}, {"source": "rows", "target": "it"}]
    flow = import_flow(yaml.safe_dump({"nodes": nodes, "edges": edges}).encode(), "f.yaml")
    assert not [remark for remark in flow.remarks if remark.needs_work], flow.remarks
    (folder / "f.toml").write_text(flow.toml, encoding="utf-8")
    with Runtime(flows=folder, storage="memory:", data=folder / "data") as runtime:
        document = runtime.run("f").result(timeout_s=30)
    assert document.status == "succeeded", (document.error, flow.toml)
    return next(iter(document.outputs["it"].values()))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("data.filter(row => row.age > 18).map(row => row.name)", ["Ada", "Eve"]),
        ("return data.map(({name}, i) => `${i}${name}`).reverse();", ["2Eve", "1Bob", "0Ada"]),
        ("data.reduce((sum, row) => sum + row.age, 0)", 78),
        ("data.map(r => r.age).sort()", [17, 25, 36]),
        ("data.sort((a, b) => b.age - a.age).slice(0, 1).map(r => r.name)", ["Ada"]),
        ("data.toSorted((a, b) => a.name.localeCompare(b.name)).map(r => r.age)", [36, 17, 25]),
        ("data.map(r => [r.age, [r.name]]).flat(2).slice(-2)", [25, "Eve"]),
        ("data.length", 3),
        ("data.some(r => r.age > 30) ? 'some' : 'none'", "some"),
        ("data.every(r => r.age > 18)", False),
        ("data.find(r => r.team === 'y').name", "Bob"),
        ("const old = data.filter(r => r.age > 18);\nreturn old.length / data.length;", 2 / 3),
        ("const n = data.length; if (n > 2) { return 'many'; } return 'few';", "many"),
        (
            "// sums\nconst sum = data.reduce((s, r) => { return s + r.age; }, 0);\n"
            "const n = data.length;\nreturn { sum, n, mean: sum / n, 'first one': data[0].name };",
            {"sum": 78, "n": 3, "mean": 26.0, "first one": "Ada"},
        ),
        ("({ n: data.length })", {"n": 3}),
        ("const keep = r => r.on; return 1", None),
        ("rows => rows.filter(r => r.on).length", 2),
        ("function (rows) { return rows; }", ROWS),
        ("data.map(r => ({ ...r, age: r.age + 1 })).map(r => r.age)", [37, 18, 26]),
        ("data.filter(r => r.on).filter(r => r.age < 30).map(r => r.name)", ["Eve"]),
        ("const limit = 20; return data.filter(r => r.age > limit).length", 2),
        ("data.reduce((found, r) => found + r.name, '')", "AdaBobEve"),
        ("[data.length, data.filter(r => r.on).length]", [3, 2]),
    ],
)
def test_code_gives_what_it_gave(code: str, expected: object, tmp_path: Path) -> None:
    """The nodes that code becomes give the value that JavaScript gives."""
    if expected is None:
        with pytest.raises(Untranslatable):
            parts_of(code, (), False, [])
    else:
        assert result_of(code, tmp_path) == expected


def test_names_of_the_input(tmp_path: Path) -> None:
    """`inputParams` says what the code calls its input."""
    assert result_of("return people.length", tmp_path, inputParams="people, other") == 3


def test_the_name_of_a_constant_becomes_the_name_of_its_node() -> None:
    """What the author called a value is what its node is called."""
    parts = parts_of("const total = data.reduce((a, r) => a + r, 0); return { total }", (), False, [])
    assert [part.name for part in parts] == ["total", ""]


@pytest.mark.parametrize(
    "code",
    [
        "",
        "return",
        "(a, b) => a",
        "({rows}) => rows",
        "data.map(f)",
        "data.map()",
        "data.filter(r => r.a, 1)",
        "data.reduce((a, b) => a, x)",
        "data.reduce((a, b) => a, [1])",
        "data.sort(f)",
        "data.sort((a, b) => 1)",
        "data.sort((a, b) => a.x - b.y)",
        "data.sort((a, b) => a.x.compare(b.x))",
        "data.sort((a, b) => a.x.localeCompare(b.x, 'de'))",
        "data.slice(a)",
        "data.slice(1.5)",
        "data.reverse(1)",
        "data.forEach(r => r.a)",
        "data.map(r => data.length)",
        "let n = 0; for (const r of data) { n += r.a; } return n;",
        "const {a} = data; return a",
        "const a = 1;",
        "await data",
        "data.map(async r => r.a)",
        "data.map(r => ({ ...r, ...r.more }))",
        "data.map(r => ({ ...r, [r.key]: 1 }))",
    ],
)
def test_code_that_has_no_equal(code: str) -> None:
    """Anything else is refused, never guessed."""
    with pytest.raises(Untranslatable):
        parts_of(code, (), False, [])


def test_code_with_an_unknown_meaning_stays_a_comment() -> None:
    """What is refused is in the file, as it was, and the flow has a problem until somebody has looked."""
    nodes = [{"id": "it", "type": "code", "parameters": {"code": "for (const a of data) { send(a); }"}}]
    flow = import_flow(yaml.safe_dump({"nodes": nodes}).encode(), "f.yaml")
    assert "#   | for (const a of data) { send(a); }" in flow.toml
    assert [remark.needs_work for remark in flow.remarks] == [True]


@pytest.mark.parametrize("inputs", [0, 2])
def test_a_node_that_has_no_single_input(inputs: int, tmp_path: Path) -> None:
    """What several parts take is passed on by a node of its own, whose input is the list of all edges."""
    nodes: list[dict[str, Any]] = [
        {"id": f"n{number}", "type": "edit-fields", "parameters": {"values": {"n": number}}}
        for number in range(inputs)
    ]
    code = "const sum = data.reduce((s, r) => s + r.n, 0); return sum + data.length"
    nodes.append({"id": "it", "type": "code", "parameters": {"code": code}})
    edges = [{"source": f"n{number}", "target": "it"} for number in range(inputs)]
    flow = import_flow(yaml.safe_dump({"nodes": nodes, "edges": edges}).encode(), "f.yaml")
    (tmp_path / "f.toml").write_text(flow.toml, encoding="utf-8")
    with Runtime(flows=tmp_path, storage="memory:", data=tmp_path / "data") as runtime:
        document = runtime.run("f").result(timeout_s=30)
    if inputs:
        assert document.outputs["it"]["result"] == 3
    else:
        assert document.error is not None
        assert document.error.code == "DATA-001"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("(a, b) => a.x - b.x", ("item.x", False)),
        ("(a, b) => (b.x - a.x)", ("item.x", True)),
        ("(x, y) => y.s.localeCompare(x.s)", ("item.s", True)),
    ],
)
def test_orders(source: str, expected: tuple[str, bool]) -> None:
    """A comparison of two items becomes a key and a direction."""
    function = function_of(source)
    assert function is not None
    assert order_of(function, False) == expected


def test_the_original_reduces_with_one_object() -> None:
    """Its own `reduce` calls the function with `{acc, item, index}`; other keys of it do not exist."""
    assert expression_of("({acc, item}) => acc + item.n", "reduce", False, []) == "acc + item.n"
    with pytest.raises(Untranslatable):
        expression_of("({acc, row}) => acc", "reduce", False, [])


def test_a_map_that_adds_fields_is_a_loop() -> None:
    """`{...item, more}` has no equal in an expression: a node in a loop adds the fields."""
    function = "item => { return { ...item, total: item.n * 2 }; }"
    nodes = [{"id": "it", "type": "transform", "parameters": {"transformFunction": function}}]
    data = tomllib.loads(import_flow(yaml.safe_dump({"nodes": nodes}).encode(), "f").toml)
    fields = {"type": "edit-fields", "values": {"total": "{{ item.n * 2 }}"}}
    assert data["nodes"]["it"] == {"type": "loop", "nodes": {"fields": fields}}


@given(st.text(alphabet="data.mapfilter(r=>)[]{}'`+-;constreturn 0,\n", max_size=60))
def test_any_code_is_translated_or_refused(code: str) -> None:
    """Nothing else comes out, whatever is written."""
    try:
        parts = parts_of(code, (), True, [])
    except Untranslatable:
        return
    assert parts[-1].name == ""
