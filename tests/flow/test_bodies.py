"""Loading bodies: what a child may name, where a child or a flow is named, and which flow calls which."""

from pathlib import Path

import pytest

from atomiton_runtime.flow.catalogue import Catalogue, ParameterInfo
from atomiton_runtime.flow.findings import Finding
from atomiton_runtime.flow.linking import MAX_CALLS, link
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from tests.doubles.catalogue import TypeDouble


class Bodies:
    """The node types `make`, `box`, `each`, `beside` and `call`."""

    def __init__(self) -> None:
        child = ParameterInfo(name="result", kind="child")
        self._types = {
            "make": TypeDouble("make", [ParameterInfo(name="values")], ("result",)),
            "box": TypeDouble("box", [child], ("result",), has_body=True),
            "each": TypeDouble("each", [child], ("results",), has_body=True),
            "beside": TypeDouble("beside", [], ("results",), has_body=True),
            "call": TypeDouble("call", [ParameterInfo(name="flow", kind="flow")], ("outputs",)),
        }
        self._types["box"].body = "once"
        self._types["beside"].body = "side-by-side"
        self._types["call"].body = "flow"

    def find(self, name: str) -> TypeDouble | None:
        """Return the type of this name."""
        return self._types.get(name)

    def names(self) -> list[str]:
        """Return all names."""
        return sorted(self._types)


def loaded(toml: str, name: str = "it") -> Flow:
    """Return the flow of this text."""
    catalogue: Catalogue = Bodies()
    flow = load_flow(toml.encode(), Path(f"/flows/{name}.toml"), catalogue)
    assert isinstance(flow, Flow), flow
    return flow


@pytest.mark.parametrize(
    ("toml", "code", "hint"),
    [
        (
            '[nodes.a]\ntype = "box"\nresult = "y"\n[nodes.a.nodes.x]\ntype = "make"',
            "FLOW-009",
            "there are x",
        ),
        ('[nodes.a]\ntype = "box"\nresult = "{{ 1 }}"\n[nodes.a.nodes.x]\ntype = "make"', "FLOW-017", None),
        ('[nodes.a]\ntype = "call"\nflow = "{{ vars.x }}"', "FLOW-017", "write the name itself"),
        (
            '[nodes.a]\ntype = "beside"\n[nodes.a.nodes.x]\ntype = "make"\n'
            '[nodes.a.nodes.y]\ntype = "make"\nafter = "x"',
            "FLOW-018",
            "`group`",
        ),
        ('[nodes.a]\ntype = "call"\nflow = "b"\n[nodes.a.nodes.x]\ntype = "make"', "FLOW-014", None),
        (
            '[nodes.a]\ntype = "each"\n[nodes.a.nodes.x]\ntype = "make"\nvalues = "{{ outer.item }}"',
            "EXPR-002",
            "within a loop",
        ),
    ],
)
def test_problems_of_bodies(toml: str, code: str, hint: str | None) -> None:
    """Each is found when the flow is loaded."""
    problems = load_flow(toml.encode(), Path("/flows/it.toml"), Bodies())
    assert not isinstance(problems, Flow)

    assert code in {problem.code for problem in problems}
    assert hint is None or any(hint in (problem.hint or "") for problem in problems)


def test_bodies_know_their_graph() -> None:
    """And loops within loops their outer item."""
    flow = loaded(
        '[nodes.a]\ntype = "each"\nresult = "x"\n[nodes.a.nodes.x]\ntype = "each"\n'
        '[nodes.a.nodes.x.nodes.y]\ntype = "make"\nvalues = "{{ outer.item }}"\n'
        '[nodes.a.nodes.x.nodes.z]\ntype = "make"\ninput = "y"'
    )
    inner = flow.nodes[0].children[0].body

    assert inner is not None
    assert (inner.parents, inner.sinks, inner.index_of) == (((), (0,)), (1,), {"y": 0, "z": 1})


CALL = '[nodes.a]\ntype = "call"\nflow = "{}"\n'
PLAIN = '[nodes.a]\ntype = "make"\n'


def linked(**texts: str) -> Flow | tuple[Finding, ...]:
    """Return the flow `it` linked with the others."""
    flows = {name: loaded(text, name) for name, text in texts.items()}
    return link(flows["it"], lambda ref, _: flows.get(ref) or f"there is no flow `{ref}`")


def test_called_flows_are_found_at_any_depth() -> None:
    """Each once, also from within a body; a flow that calls none stays as it is."""
    whole = linked(
        it=CALL.format("b") + '[nodes.c]\ntype = "box"\n[nodes.c.nodes.d]\ntype = "call"\nflow = "b"\n',
        b=CALL.format("c"),
        c=PLAIN,
    )

    assert isinstance(whole, Flow)
    assert list(whole.subflows) == ["b"]
    assert list(whole.subflows["b"].subflows) == ["c"]
    alone = loaded(PLAIN)
    assert link(alone, lambda _ref, _flow: "nothing is asked") is alone


@pytest.mark.parametrize(
    ("texts", "code", "part"),
    [
        ({"it": CALL.format("no")}, "FLOW-019", "there is no flow `no`"),
        ({"it": CALL.format("it")}, "FLOW-020", "it -> it"),
        ({"it": CALL.format("b"), "b": CALL.format("it")}, "FLOW-020", "it -> b -> it"),
        (
            {
                "it": CALL.format("b"),
                "b": CALL.format("no") + CALL.format("nor").replace("nodes.a", "nodes.b"),
            },
            "FLOW-019",
            "`nor`",
        ),
        (
            {"it": CALL.format("f0")}
            | {f"f{number}": CALL.format(f"f{number + 1}") for number in range(MAX_CALLS + 5)},
            "FLOW-013",
            "in a row",
        ),
    ],
)
def test_calls_that_cannot_be(texts: dict[str, str], code: str, part: str) -> None:
    """The finding is at the place of the call in the flow that was asked for."""
    findings = linked(**texts)
    assert not isinstance(findings, Flow)

    assert [(finding.code, finding.path) for finding in findings] == [(code, ("nodes", "a", "flow"))]
    assert part in findings[0].message
