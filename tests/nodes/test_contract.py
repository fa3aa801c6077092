"""What every registered node type keeps: its declaration, its examples, and its answer to any parameters."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from atomiton_runtime.flow.catalogue import Complaint
from atomiton_runtime.flow.expressions import compile_expression, compile_template
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.nodes.base import Example, NodeError
from atomiton_runtime.nodes.codes import CODES
from atomiton_runtime.nodes.declaration import declaration_problems
from atomiton_runtime.nodes.document import EXAMPLE_NODE, example_toml
from atomiton_runtime.nodes.registry import BUILT_IN, CataloguedType, NodeCatalogue, built_in_types
from atomiton_runtime.run.document import NodeDocument
from atomiton_runtime.runtime import Runtime
from atomiton_runtime.values import decode, encode
from tests.doubles.attempts import compiled, executed
from tests.doubles.example_web import example_web

TYPES = built_in_types()
EXAMPLES = [(each, example) for each in TYPES for example in each.node_type.examples]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "x", "asc", "map", "read", "10MiB", "30s", "utf-8", "rot13", "\0", "../..", "~"])
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.sampled_from([compile_expression("item"), compile_template("{{ input }}")])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def named(parameter: object) -> str:
    """Return the id of a parametrized case."""
    match parameter:
        case CataloguedType():
            return parameter.name
        case Example():
            return parameter.title
        case _:
            return str(parameter)


@pytest.mark.parametrize("catalogued", TYPES, ids=named)
def test_declaration_is_complete(catalogued: CataloguedType) -> None:
    """A type declares name, docstring, ports, parameters with descriptions, and examples good and bad."""
    examples = catalogued.node_type.examples

    assert declaration_problems(type(catalogued.node_type)) == []
    assert BUILT_IN[catalogued.name]
    assert {example.error is None for example in examples} == {True, False}
    assert [example.error for example in examples if example.error and example.error not in CODES] == []


@pytest.mark.parametrize(("catalogued", "example"), EXAMPLES, ids=named)
def test_examples_do_what_they_say(catalogued: CataloguedType, example: Example, tmp_path: Path) -> None:
    """An example gives its outputs and files, or fails with its code."""
    for path, content in example.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    if catalogued.body is not None:
        document = _run_as_flow(catalogued, example, tmp_path)
        _compare(example, document)
        return
    written = tomllib.loads(example.toml)
    codes = {complaint.code for complaint in catalogued.check(compiled(catalogued, written))}
    outputs: dict[str, Any] = {}
    if not codes:
        try:
            with example_web(example.replies):
                outputs = executed(catalogued.name, tmp_path, example.input, **written)
        except NodeError as error:
            codes = {error.code}

    assert codes == ({example.error} if example.error else set())
    if not example.error:
        assert tuple(outputs) == catalogued.ports
        travelled = {port: decode(encode(value)) for port, value in outputs.items()}
        assert travelled | dict(example.outputs or {}) == travelled
    after = {path: (tmp_path / path).read_text(encoding="utf-8") for path in example.files_after}
    assert after == dict(example.files_after)


def _run_as_flow(catalogued: CataloguedType, example: Example, folder: Path) -> NodeDocument | str:
    """Return what becomes of the example as the node of a flow, or the code of why it is none."""
    text = example_toml(catalogued.name, example)
    if example.input is not None:
        # `reduce` over one item gives exactly that value, whatever its kind.
        source = {"type": "transform", "operation": "reduce", "expression": "item", "data": [example.input]}
        given = tomli_w.dumps({"nodes": {"given": {**source, "initial": 0}}})
        header = f"[nodes.{EXAMPLE_NODE}]\n"
        taking = f'{header}input = "given"\n'
        text = f"{given}\n{text.replace(header, taking, 1)}"
    (folder / "example.toml").write_text(text, encoding="utf-8")
    with Runtime(flows=folder, storage="memory:") as runtime:
        try:
            document = runtime.run("example").result(timeout_s=20)
        except FlowInvalid as error:
            return error.problems[0].code
    return document.nodes["example"]


def _compare(example: Example, document: NodeDocument | str) -> None:
    if isinstance(document, str):
        assert document == example.error
        return
    assert (document.error.code if document.error else None) == example.error
    if not example.error:
        outputs = document.outputs or {}
        assert outputs | dict(example.outputs or {}) == outputs


@pytest.mark.parametrize(("catalogued", "example"), EXAMPLES, ids=named)
def test_examples_are_flows(catalogued: CataloguedType, example: Example) -> None:
    """A good example, as the documentation prints it, loads without a problem; `input` is a word of any node."""
    text = example_toml(catalogued.name, example)
    loaded = load_flow(text.encode(), Path("/tmp/example.toml"), NodeCatalogue())
    if example.error is None:
        assert isinstance(loaded, Flow), loaded
    elif example.error.startswith("PARAM"):
        assert not isinstance(loaded, Flow)


@pytest.mark.parametrize("catalogued", TYPES, ids=named)
@given(data=st.data())
def test_any_parameters_are_prepared_or_complained_about(
    catalogued: CataloguedType, data: st.DataObject
) -> None:
    """Whatever is written, the answer is a Parameters instance or complaints: never another exception."""
    names = st.sampled_from([*catalogued.parameters, "unheard_of"])
    written = data.draw(st.dictionaries(names, VALUES, max_size=6))

    found = catalogued.check(written)

    assert all(isinstance(complaint, Complaint) and complaint.code in CODES for complaint in found)
    if any("Template(" in repr(value) or "Expression(" in repr(value) for value in written.values()):
        return  # These are rendered before the parameters are prepared.
    assert bool(found) == _refused(catalogued, written)


def _refused(catalogued: CataloguedType, written: dict[str, Any]) -> bool:
    try:
        catalogued.prepare(written)
    except NodeError:
        return True
    return False
