"""What a plan says of a save is what the save then does, and nothing is done by saying it."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atomiton_runtime import Runtime
from atomiton_runtime.actors.messages import StartRun
from atomiton_runtime.actors.reusing import reuse_of_save
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.ids import new_run_id
from atomiton_runtime.requests import Chosen
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.run.reason import FlowPlan

TIMEOUT_S = 20
EXAMPLES = int(os.environ.get("ATOMITON_TEST_PLANS", "25"))
BECAME = {"succeeded": "run", "failed": "run", "reused": "reuse", "skipped": "skip"}

CHAIN = """
[variables]
limit = 10
on = true

[nodes.read]
type = "file-system"
operation = "read"
path = "a.txt"

[nodes.few]
type = "edit-fields"
input = { text = "read" }
values = { text = "{{ input.text[:vars.limit] }}" }

[nodes.keep]
type = "file-system"
input = "few"
operation = "write"
path = "out/{{ input.text|length }}.json"

[nodes.told]
type = "edit-fields"
when = "vars.on"
values = { n = 1 }

[nodes.after]
type = "edit-fields"
input = "told"
values = { n = "{{ input.n + 1 }}" }
"""


class Place:
    """A folder of flows with a runtime, and what saves of them do."""

    def __init__(self, folder: Path, storage: str) -> None:
        self.flows = folder / "flows"
        self.flows.mkdir(parents=True, exist_ok=True)
        self.runtime = Runtime(self.flows, storage, data=folder / "data")

    def move(self, folder: Path) -> None:
        """Go on in another folder, where nothing has run yet."""
        folder.mkdir()
        self.flows = folder

    @property
    def ref(self) -> str:
        """The path of the flow."""
        return str(self.flows / "x.toml")

    def write(self, text: str, name: str = "x") -> None:
        """Write a flow file."""
        (self.flows / f"{name}.toml").write_text(text, encoding="utf-8")

    def plan(self, chosen: Chosen | None = None, **variables: object) -> FlowPlan:
        """Return what a save of the flow would do."""
        return self.runtime.plan(self.ref, variables, chosen)

    def save(self) -> RunDocument:
        """Run the flow as a save of its file does, and wait for the end."""
        flow = self.runtime.flow(self.ref)
        order = StartRun(
            run_id=new_run_id(),
            flow=flow,
            variables=check_variables(flow.variables, {}, from_text=False),
            trigger="save",
            reuse=reuse_of_save(flow),
        )
        return self.runtime._begin(order).result(TIMEOUT_S)

    def seen(self) -> tuple[object, ...]:
        """Return all that a plan must not change: the files beside the flows, and the history."""
        files = {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else None
            for path in sorted(self.flows.rglob("*"))
        }
        return files, [run.run_id for run in self.runtime.history()]


@pytest.fixture(params=["memory:", "sqlite"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    storage = request.param if request.param == "memory:" else f"sqlite:///{tmp_path}/runs.db"
    made = Place(tmp_path, storage)
    with made.runtime:
        yield made


def said(told: FlowPlan) -> dict[str, tuple[str, str]]:
    """Return node -> its verdict, and why."""
    return {
        node: (
            each.verdict,
            "; ".join(f"{why.message}{f' :{why.line}' if why.line else ''}" for why in each.reasons),
        )
        for node, each in told.nodes.items()
    }


def verdicts(told: FlowPlan) -> dict[str, str]:
    """Return node -> its verdict."""
    return {node: each.verdict for node, each in told.nodes.items()}


def became(document: RunDocument) -> dict[str, str]:
    """Return node -> what became of it, in the words of a plan."""
    return {node: BECAME[each.status] for node, each in document.nodes.items()}


def agrees(told: FlowPlan, document: RunDocument) -> bool:
    """Return whether a run did what the plan says; behind a failure nodes may be skipped."""
    done = became(document)
    failed = any(each.status == "failed" for each in document.nodes.values())
    return all(
        verdict in ("perhaps", done[node]) or (done[node] == "skip" and failed)
        for node, verdict in verdicts(told).items()
    )


def touch(place: Place) -> None:
    (place.flows / "a.txt").write_text("another text")


def edit(old: str, new: str) -> Callable[[Place], None]:
    """Return an edit of the chain."""

    def edited(place: Place) -> None:
        assert old in CHAIN
        place.write(CHAIN.replace(old, new))

    return edited


def remove(place: Place) -> None:
    next((place.flows / "out").iterdir()).unlink()


REUSED = {"read": "reuse", "few": "reuse", "keep": "reuse", "told": "reuse", "after": "reuse"}
EDITS: dict[str, tuple[Callable[[Place], None], dict[str, tuple[str, str]]]] = {
    "nothing": (lambda place: None, {}),
    "a comment": (edit("[nodes.few]", "# why\n[nodes.few]"), {}),
    "a variable": (
        edit("limit = 10", "limit = 3"),
        {
            "few": ("run", 'parameter `values` {"text":"some text"} -> {"text":"som"} :14'),
            "keep": ("perhaps", "if the result of few is another one"),
        },
    ),
    "a file that is read": (
        touch,
        {
            "read": ("run", "FLOWS/a.txt was changed"),
            "few": ("perhaps", "if the result of read is another one"),
            "keep": ("perhaps", "if the result of few is another one"),
        },
    ),
    "a file that was written": (
        remove,
        {"keep": ("run", "FLOWS/out/9.json is not there any more")},
    ),
    "a parameter, with what comes before it": (
        edit('path = "a.txt"', 'path = "./a.txt"'),
        {
            "read": ("run", 'parameter `path` "a.txt" -> "./a.txt" :9'),
            "few": ("perhaps", "if the result of read is another one"),
            "keep": ("perhaps", "if the result of few is another one"),
        },
    ),
    "two nodes": (
        lambda place: place.write(
            CHAIN.replace('path = "a.txt"', 'path = "./a.txt"').replace(
                'operation = "write"', 'operation = "append"'
            )
        ),
        {
            "read": ("run", 'parameter `path` "a.txt" -> "./a.txt" :9'),
            "few": ("perhaps", "if the result of read is another one"),
            "keep": ("run", 'parameter `operation` "write" -> "append" :19'),
        },
    ),
    "a condition": (
        edit("on = true", "on = false"),
        {
            "told": ("skip", "`when` is false: vars.on"),
            "after": ("skip", "its input told is skipped"),
        },
    ),
    "a constant": (
        edit("{ n = 1 }", "{ n = 2 }"),
        {
            "told": ("run", 'parameter `values` {"n":1} -> {"n":2} :25'),
            "after": ("perhaps", "if the result of told is another one"),
        },
    ),
    "never": (
        edit("[nodes.told]", '[nodes.told]\nreuse = "never"'),
        {
            "told": ("run", 'it has `reuse = "never"`'),
            "after": ("perhaps", "if the result of told is another one"),
        },
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_gives_each_node_its_verdict_and_its_reason(place: Place, name: str) -> None:
    """What was edited is run for that reason, what depends on it perhaps, the rest is reused; then so it happens."""
    (place.flows / "a.txt").write_text("some text")
    place.write(CHAIN)
    assert place.save().status == "succeeded"
    change, others = EDITS[name]
    change(place)
    before = place.seen()
    told = place.plan()
    assert before == place.seen()
    expected = {node: others.get(node, (verdict, "")) for node, verdict in REUSED.items()}
    assert expected == {
        node: (verdict, why.replace(str(place.flows), "FLOWS")) for node, (verdict, why) in said(told).items()
    }
    assert agrees(told, place.save())


def test_a_flow_that_never_ran(place: Place) -> None:
    """Everything is run, for it has no result yet."""
    place.write(CHAIN)
    (place.flows / "a.txt").write_text("some text")
    told = place.plan()
    assert {"read", "few", "keep", "told", "after"} == {
        node for node, each in said(told).items() if each == ("run", "it has no result yet")
    }
    assert ("writes out/{{ input.text|length }}.json", "") == (
        told.nodes["keep"].does,
        told.nodes["read"].does,
    )
    assert agrees(told, place.save())


def test_what_was_written_is_not_written_again_behind_a_node_that_ran(place: Place) -> None:
    """That a node has begun to look for its result does not make that result an old one."""
    place.write(CHAIN.replace("limit = 10", "limit = 4"))
    (place.flows / "a.txt").write_text("some text")
    place.save()
    (place.flows / "a.txt").write_text("some more text")
    told = place.plan()
    document = place.save()
    assert ("run", "reuse") == (became(document)["few"], became(document)["keep"])
    assert agrees(told, document)


# -- whatever the flow, and whatever was edited -------------------------------------------------------------------

KINDS = (
    "constant",
    "takes",
    "lists",
    "reads",
    "writes",
    "looks",
    "catches",
    "loops",
    "waits",
    "calls",
    "breaks",
)
NAMES = "abcde"


@st.composite
def nodes(draw: st.DrawFn, index: int) -> str:
    """Draw a node of one of the kinds, that takes of the nodes before it."""
    name, number = NAMES[index], draw(st.integers(1, 2))
    before = draw(st.sampled_from(NAMES[:index])) if index else ""
    other = draw(st.sampled_from(NAMES[:index])) if index else ""
    kind = draw(st.sampled_from(KINDS if index else ("constant", "reads", "looks", "writes")))
    lines = [f"[nodes.{name}]"]
    match kind:
        case "constant":
            lines += ['type = "edit-fields"', f"values = {{ n = {number} }}"]
        case "takes":
            lines += ['type = "edit-fields"', f'input = {{ x = "{before}" }}', f"values = {{ n = {number} }}"]
        case "lists":
            lines += ['type = "transform"', f'input = ["{before}", "{other}"]', 'operation = "map"']
            lines += [f'expression = "[item, vars.v, {number}]"']
        case "reads":
            lines += ['type = "file-system"', 'operation = "read"', f'path = "in{number}.txt"']
        case "writes":
            lines += ['type = "file-system"', 'operation = "write"', f'path = "out{number}-{name}.txt"']
            lines += [f'input = "{before}"'] if before else ['content = "{{ vars.v }}"']
        case "looks":
            lines += ['type = "file-system"', 'operation = "exists"', f'path = "in{number}.txt"']
        case "catches":
            lines += ['type = "edit-fields"', f'input = "{before}.error"', f"values = {{ n = {number} }}"]
        case "waits":
            lines += ['type = "edit-fields"', f'after = "{before}"', f"values = {{ n = {number} }}"]
        case "breaks":
            lines += ['type = "edit-fields"', f'input = {{ x = "{before}" }}', 'on_error = "continue"']
            lines += ['values = { n = "{{ 1 // (vars.v - 1) }}" }']
        case "calls":
            lines += ['type = "flow"', 'flow = "inner"', 'variables = { v = "{{ vars.v }}" }']
        case _:
            lines += ['type = "loop"', 'items = [1, "{{ vars.v }}"]', f'after = "{before}"']
            lines += [f"[nodes.{name}.nodes.{name}w]", 'type = "file-system"', 'operation = "write"']
            lines += [f'path = "loop-{name}-{{{{ item }}}}.txt"', f'content = "{number}"']
            lines = [*lines[:1], *draw(extras(index)), *lines[1:]]
            return "\n".join(lines)
    return "\n".join([*lines, *draw(extras(index))])


@st.composite
def extras(draw: st.DrawFn, index: int) -> list[str]:
    """Draw what may stand in the table of any node."""
    return draw(
        st.sampled_from(
            [
                [],
                [],
                [],
                ['when = "vars.on"'],
                ['reuse = "never"'],
                ["always = true"],
                ['when = "vars.v > 1"'],
            ]
            + ([['when = "input"']] if index else [])
        )
    )


@st.composite
def moments(draw: st.DrawFn) -> list[tuple[list[str], int, bool, str, str]]:
    """Draw versions of a flow: nodes of which each is one of two, the variables, and what is in a file."""
    choices = [(draw(nodes(index)), draw(nodes(index))) for index in range(draw(st.integers(2, len(NAMES))))]
    versions: list[tuple[list[str], int, bool, str, str]] = []
    for _ in range(draw(st.integers(2, 4))):
        texts = [draw(st.sampled_from(two)) for two in choices]
        number, on = draw(st.integers(1, 2)), draw(st.booleans())
        content, gone = (
            draw(st.sampled_from(["1", "2"])),
            draw(st.sampled_from(["", "", "out1-a.txt", "loop-b-1.txt"])),
        )
        versions.append((texts, number, on, content, gone))
    return versions


INNER = """
[variables]
v = 1
[nodes.keep]
type = "file-system"
operation = "write"
path = "inner.txt"
content = "{{ vars.v }}"
"""


def test_a_plan_is_true(tmp_path: Path) -> None:
    """Of any flow, after any edits, a save runs, reuses and skips what the plan says; the plan itself does nothing."""
    place = Place(tmp_path, "memory:")
    numbers = itertools.count()

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
    @given(versions=moments())
    def holds(versions: list[tuple[list[str], int, bool, str, str]]) -> None:
        place.move(tmp_path / f"{next(numbers)}")
        place.write(INNER, "inner")
        for texts, number, on, content, gone in versions:
            place.write(f"[variables]\nv = {number}\non = {str(on).lower()}\n" + "\n".join(texts))
            (place.flows / "in1.txt").write_text(content)
            if gone:
                (place.flows / gone).unlink(missing_ok=True)
            before = place.seen()
            told = place.plan()
            assert before == place.seen()
            document = place.save()
            assert agrees(told, document), (said(told), became(document), document.error)

    with place.runtime:
        holds()
