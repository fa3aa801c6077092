"""A node type beside the flows, from its first saving to its removal, in a runtime that goes on meanwhile."""

import json
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.actors.event_bus import Fact
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, NoticeRaised
from tests.doubles.terminal import atomiton

TYPE = '''
from typing import Annotated, Any
import msgspec
from atomiton_runtime.nodes.base import Example, NodeType, Port

class ShoutParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(description="What to shout.")]

class Shout(NodeType):
    """Says a text in capital letters."""
    name = "shout"
    ports = (Port("result", "The text."),)
    Parameters = ShoutParameters
    examples = (Example(title="Shout", toml='text = "hi"', outputs={"result": "HI!"}),)

    def execute(self, parameters, context):
        return {"result": parameters.text.upper() + "!"}
'''
FLOW = """
[settings]
on_save = "off"

[nodes.say]
type = "shout"
text = "hello"
"""
PATIENCE_S = 20.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a flow that uses a type of its own."""
    (tmp_path / "flows" / "nodes").mkdir(parents=True)
    (tmp_path / "flows" / "greet.toml").write_text(FLOW, encoding="utf-8")
    return tmp_path


def save(place: Path, source: str, name: str = "shout.py") -> Path:
    """Write the file of the type."""
    path = place / "flows" / "nodes" / name
    path.write_text(source, encoding="utf-8")
    return path


def output(runtime: Runtime) -> object:
    """Return what a run of the flow gives."""
    document = runtime.run("greet").result(timeout_s=PATIENCE_S)
    return document.outputs["say"]["result"] if document.status == "succeeded" else document.error


def test_an_edited_type_is_used_at_the_next_run(place: Path) -> None:
    """Nobody starts anything anew: the next run after a saving executes the new code."""
    save(place, TYPE)
    with Runtime(place / "flows", "memory:") as runtime:
        first = output(runtime)
        save(place, TYPE.replace('"!"', '"!!!"'))
        second = output(runtime)
        save(place, TYPE.replace("text: Ann", "words: Ann").replace("rs.text", "rs.words"))
        with Runtime(place / "flows", "memory:") as fresh, pytest.raises(FlowInvalid) as invalid:
            fresh.run("greet")
        third = [problem.code for problem in runtime.flows()[0].problems]

    assert (first, second) == ("HELLO!", "HELLO!!!")
    assert [problem.code for problem in invalid.value.problems] == ["PARAM-005", "PARAM-001"] == third


class Heard:
    """What a watching runtime says, in order."""

    def __init__(self, runtime: Runtime) -> None:
        self._facts: queue.SimpleQueue[Fact] = queue.SimpleQueue()
        self.stop = runtime.subscribe(
            self._facts.put, kinds=("NoticeRaised", "FlowBroken", "FlowLoaded", "FlowRemoved")
        )

    def next(self) -> tuple[str, str]:
        """Return the next fact: its kind, and its first code or its flow."""
        match self._facts.get(timeout=PATIENCE_S):
            case NoticeRaised(level=level, error=ErrorInfo(code=code)):
                return level, code
            case FlowBroken(problems=problems):
                return "broken", problems[0].code
            case FlowLoaded(flow=flow):
                return "loaded", flow
            case other:
                raise AssertionError(other)


@pytest.fixture
def heard(place: Path) -> Iterator[Heard]:
    """Watch a folder whose type is broken from the start."""
    save(place, "def")
    runtime = Runtime(place / "flows", "memory:", watch=True)
    heard = Heard(runtime)
    with runtime:
        yield heard
        heard.stop()


def test_flows_and_warnings_follow_the_type(place: Path, heard: Heard) -> None:
    """A broken type is a warning; what uses it is broken while it is missing, and loaded once it is mended."""
    assert sorted([heard.next(), heard.next()]) == [("broken", "FLOW-008"), ("warning", "NODE-001")]

    # What is said of a file and of its flows comes in either order: each sees the newest saving.
    save(place, TYPE)
    assert sorted([heard.next(), heard.next()]) == [("info", "NODE-004"), ("loaded", "greet")]

    save(place, TYPE.replace("execute", "exceute"))
    assert heard.next() == ("warning", "NODE-001")

    save(place, TYPE.replace("text:", "words:"))
    assert sorted([heard.next(), heard.next()]) == [("broken", "PARAM-005"), ("info", "NODE-004")]

    (place / "flows" / "nodes" / "shout.py").unlink()
    assert heard.next() == ("broken", "FLOW-008")


def test_check_shows_broken_types_with_their_flows(place: Path) -> None:
    """The flows folder, a flow that lacks its type, and the type's file: each shows the type's problem first."""
    path = save(place, TYPE.replace('"shout"', '"Shout!"'))
    for arguments in [(), ("greet",), (str(path),)]:
        shown = atomiton(place, "check", *arguments)
        assert (shown.returncode, "Traceback" in shown.stderr) == (2, False)
        assert shown.stdout.startswith(
            "flows/nodes/shout.py:11:5: error[NODE-001]: `name` must be lower-case words joined by hyphens, "
            "not 'Shout!'\n     |\n  11 |     name = \"Shout!\"\n     |     ^^^^^^^^^^^^^^^\n"
        )
        assert ("FLOW-008" in shown.stdout) == (arguments != (str(path),))


def test_check_as_json_counts_types_as_problems(place: Path) -> None:
    """For programs a broken type is a problem of its file, like a broken flow."""
    save(place, "def")
    document = json.loads(atomiton(place, "check", "--json").stdout)

    assert document["flows"] == 1
    assert [Path(problem["file"]).name for problem in document["problems"]] == ["shout.py", "greet.toml"]


def test_check_is_silent_about_types_in_order(place: Path) -> None:
    """Flows whose types are in order have no problems, and the file alone has none."""
    path = save(place, TYPE)

    assert (atomiton(place, "check").stdout, atomiton(place, "check", str(path)).stdout) == ("", "")


def test_a_broken_type_that_nobody_uses_fails_check_and_no_run(place: Path) -> None:
    """A neighbour's fault is said, and the flow runs."""
    save(place, TYPE)
    save(place, "raise SystemExit(9)", "other.py")

    assert atomiton(place, "check").returncode == 2
    assert atomiton(place, "run", "greet").stdout == "HELLO!\n"
