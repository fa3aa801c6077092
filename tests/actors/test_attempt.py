"""One attempt: inputs and templates in, an outcome out, whatever the node type does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from atomiton_runtime.actors.active_run import ActiveRun
from atomiton_runtime.actors.attempt import Tools, attempt
from atomiton_runtime.actors.messages import ExecuteNode, StartRun
from atomiton_runtime.actors.reusing import Reusing
from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.nodes.base import NodeCancelledError, NodeContext, NodeError, NodeType, Port
from atomiton_runtime.nodes.fingerprints import Fingerprints
from atomiton_runtime.nodes.registry import CataloguedType, NodeCatalogue
from atomiton_runtime.run.effects import Execute
from atomiton_runtime.run.given import Cancelled, Failed, Outcome, Skipped, Succeeded
from atomiton_runtime.storage.memory import MemoryEngine
from atomiton_runtime.values import Value, encode
from tests.doubles.flows import MIDNIGHT, RUN_ID

Behaviour = Callable[[NodeContext], dict[str, Value]]


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """No parameters."""


class Odd(NodeType):
    """Does what a test says."""

    name = "odd"
    ports = (Port("result", "What the test says."),)
    examples: ClassVar = ()
    Parameters = Nothing
    behaviour: Behaviour

    def execute(self, parameters: Any, context: NodeContext) -> dict[str, Value]:
        """Do it."""
        return self.behaviour(context)


class OddCatalogue(NodeCatalogue):
    """Knows the odd type besides the built-in ones, until it is told to forget it."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__()
        odd = Odd()
        odd.behaviour = behaviour
        self.odd: CataloguedType | None = CataloguedType(odd, "a test")

    def find(self, name: str) -> CataloguedType | None:
        """Return the type."""
        return self.odd if name == "odd" else super().find(name)


def loaded(text: str, catalogue: NodeCatalogue) -> Flow:
    """Return the flow written in `text`."""
    flow = load_flow(text.encode(), Path("/flows/odd.toml"), catalogue)
    assert isinstance(flow, Flow), flow
    return flow


def order_for(flow: Flow, node: int, inputs: tuple[msgspec.Raw | None, ...] = ()) -> ExecuteNode:
    """Return the order for the first attempt of a node."""
    request = StartRun(run_id=RUN_ID, flow=flow, variables={"n": 2}, trigger="tray")
    order = ActiveRun(request, MIDNIGHT, "").order(Execute(0, 1))
    return msgspec.structs.replace(order, node=node, inputs=inputs, hashes=(None,) * len(inputs))


def tools_for(catalogue: NodeCatalogue) -> Tools:
    """Return what attempts share, with a store in which nothing is."""
    engine = MemoryEngine()
    return Tools(catalogue, engine.large_values, Reusing(engine.results, engine.large_values, Fingerprints()))


def outcome_of(behaviour: Behaviour, text: str = '[nodes.a]\ntype = "odd"\n') -> Outcome:
    """Return what becomes of an attempt of the first node."""
    catalogue = OddCatalogue(behaviour)
    return attempt(order_for(loaded(text, catalogue), 0), tools_for(catalogue)).outcome


def raising(error: BaseException) -> Behaviour:
    """Return a behaviour that raises."""

    def behave(context: NodeContext) -> dict[str, Value]:
        raise error

    return behave


def test_the_result_is_packed() -> None:
    """What a node gives is encoded at its border."""
    outcome = outcome_of(lambda _: {"result": {"a": b"b"}})

    assert isinstance(outcome, Succeeded)
    assert {"result": msgspec.Raw(encode({"a": b"b"}))} == outcome.outputs


@pytest.mark.parametrize(
    ("error", "code", "final"),
    [
        (NodeError("NODE-099", "no"), "NODE-099", False),
        (ValueError("no"), "NODE-011", False),
        (SystemExit(3), "NODE-011", False),
        (KeyboardInterrupt(), "NODE-011", False),
        (MemoryError(), "NODE-011", False),
        (RecursionError(), "NODE-011", False),
    ],
)
def test_whatever_a_node_type_raises_is_a_failure_with_a_place(
    error: BaseException, code: str, final: bool
) -> None:
    """Nothing that a node type does reaches the actor."""
    outcome = outcome_of(raising(error))
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.error.node, outcome.final) == (code, "a", final)
    assert str(outcome.error.where) == "/flows/odd.toml:1:1"


def test_an_error_text_that_no_journal_could_keep_is_made_one() -> None:
    """A half of a character, as in a file name that is no UTF-8, becomes a question mark."""
    outcome = outcome_of(raising(NodeError("NODE-099", "no \udcff here")))
    assert isinstance(outcome, Failed)
    assert outcome.error.message == "no ? here"


def test_the_outside_may_ask_for_a_pause() -> None:
    """`retry_after_s` of an error reaches the scheduler."""
    outcome = outcome_of(raising(NodeError("NODE-099", "later", retry_after_s=7.0)))
    assert isinstance(outcome, Failed)
    assert outcome.retry_after_s == 7.0


def test_a_value_that_cannot_travel_fails_the_node() -> None:
    """A set is no value, and nothing is put in its place."""
    outcome = outcome_of(lambda _: {"result": {1, 2}})  # type: ignore[dict-item]  # the mistake under test
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "VALUE-001"


def test_an_expression_that_fails_is_final() -> None:
    """Another attempt on the same input would fail the same way."""
    outcome = outcome_of(
        lambda _: {"result": 1}, '[nodes.a]\ntype = "odd"\nwhen = "vars.n / 0"\n'.replace("vars.n", "2")
    )
    assert isinstance(outcome, Failed)
    assert outcome.final
    assert outcome.error.code.startswith("EXPR-")


def test_a_false_condition_skips_the_node() -> None:
    """The node type is not even asked."""
    outcome = outcome_of(raising(ValueError()), '[nodes.a]\ntype = "odd"\nwhen = "1 > 2"\n')
    assert outcome == Skipped("`when` is false: 1 > 2")


@pytest.mark.parametrize("timed_out", [False, True])
def test_a_stop_is_a_cancel_or_the_end_of_the_nodes_time(timed_out: bool) -> None:
    """What stopped the attempt decides what it was."""
    catalogue = OddCatalogue(raising(NodeCancelledError()))
    order = order_for(loaded('[nodes.a]\ntype = "odd"\ntimeout = "2s"\n', catalogue), 0)
    order.cancel.timed_out = timed_out
    order.cancel.cancel()
    outcome = attempt(order, tools_for(catalogue)).outcome
    if timed_out:
        assert isinstance(outcome, Failed)
        assert outcome.error.code == "NODE-010"
        assert "2 s" in outcome.error.message
    else:
        assert outcome == Cancelled()


def test_a_node_type_that_went_away_is_a_failure() -> None:
    """A plug-in's file may be deleted between loading and running."""
    catalogue = OddCatalogue(lambda _: {"result": 1})
    flow = loaded('[nodes.a]\ntype = "odd"\n', catalogue)
    catalogue.odd = None
    outcome = attempt(order_for(flow, 0), tools_for(catalogue)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "NODE-012"


@pytest.mark.parametrize(
    ("written", "inputs", "expected"),
    [
        ('"x"', ("1",), 1),
        ('"x"', (None,), None),
        ('["x", "y"]', ("1", None), [1, None]),
        ('{ one = "x", two = "y" }', ("1", "[2]"), {"one": 1, "two": [2]}),
    ],
)
def test_the_four_forms_of_input(written: str, inputs: tuple[str | None, ...], expected: Value) -> None:
    """A port, a list of ports, a table of ports; a port without a value gives null."""
    seen: list[Value] = []

    def note(context: NodeContext) -> dict[str, Value]:
        seen.append(context.input)
        assert context.has_input
        return {"result": None}

    catalogue = OddCatalogue(note)
    text = f'[nodes.x]\ntype = "odd"\n[nodes.y]\ntype = "odd"\n[nodes.a]\ntype = "odd"\ninput = {written}\n'
    raws = tuple(None if raw is None else msgspec.Raw(raw.encode()) for raw in inputs)
    answer = attempt(order_for(loaded(text, catalogue), 2, raws), tools_for(catalogue))
    assert isinstance(answer.outcome, Succeeded), answer.outcome
    assert seen == [expected]


def test_expressions_know_the_run_and_the_flow() -> None:
    """`run`, `flow`, `vars`, `env` and `now` are there, in the node's parameters."""
    catalogue = NodeCatalogue()
    text = """
[variables]
n = 1
[nodes.a]
type = "edit-fields"
[nodes.a.values]
run = "{{ run.id }} {{ run.trigger }}"
flow = "{{ flow.id }} {{ flow.folder }}"
n = "{{ vars.n }}"
path = "{{ env.PATH is defined }}"
now = "{{ now[:2] }}"
"""
    answer = attempt(order_for(loaded(text, catalogue), 0), tools_for(catalogue))
    assert isinstance(answer.outcome, Succeeded), answer.outcome
    assert msgspec.json.decode(answer.outcome.outputs["result"]) == {
        "run": f"{RUN_ID} tray",
        "flow": "odd /flows",
        "n": 2,
        "path": True,
        "now": "20",
    }
