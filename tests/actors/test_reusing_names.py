"""What a result depends on besides parameters, inputs and files: environment, secrets, node types, servers, code."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atomiton_runtime.actors import system
from atomiton_runtime.actors.messages import FindReusable
from atomiton_runtime.actors.node_execution import NodeExecution
from atomiton_runtime.actors.workers import Workers
from atomiton_runtime.requests import Chosen, RunFlow
from atomiton_runtime.run import events as ev
from tests.doubles.addresses import Collected
from tests.doubles.fault_server import FaultServer, answer, answering
from tests.doubles.faulty_actors import Fuse, with_fuse
from tests.doubles.saving import FLOW, PATIENCE_S, Studio, executed, statuses

MAKES = 'type = "edit-fields"\nkeep_only_set = true\n'


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path) as started:
        yield started


def makes(value: str, head: str = "") -> str:
    return f'{head}\n[nodes.a]\n{MAKES}values = {{ x = "{{{{ {value} }}}}" }}\n'


# -- names -------------------------------------------------------------------------------------------------------


def test_the_environment_counts_by_the_names_that_are_used(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others do not; one that is gone is another value."""
    monkeypatch.setenv("SAID", "1")
    studio.save(makes("env.SAID"))
    monkeypatch.setenv("UNSAID", "1")
    assert executed(studio.save()) == set()
    monkeypatch.setenv("SAID", "2")
    assert executed(studio.save()) == {"a"}
    monkeypatch.setenv("SAID", "1")
    assert executed(studio.save()) == set()


def test_an_environment_that_is_no_text_harms_nobody(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What uses it has no key, and is executed each time; the rest is found before the run as ever."""
    monkeypatch.setenv("SAID", "half \udcff")
    text = makes("env.SAID | length") + f"[nodes.b]\n{MAKES}values = {{}}\n"
    assert studio.save(text).status == "succeeded"
    notices = Collected("notices")
    stop = studio.runtime.subscribe(notices.tell, kinds=("NoticeRaised",))
    again = studio.save()
    stop()

    assert statuses(again)["b"] == "reused"
    assert notices.all_so_far() == []


def test_a_file_of_the_environment_counts(studio: Studio) -> None:
    """`.env` beside the flow, by the names that are used."""
    studio.path(".env").write_text("SAID=1\n")
    studio.save(makes("env.SAID"))
    studio.path(".env").write_text("UNSAID=1\nSAID=1\n")
    assert executed(studio.save()) == set()
    studio.path(".env").write_text("SAID=2\n")
    assert executed(studio.save()) == {"a"}


def test_a_secret_counts_by_its_name(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its value does not; and it is in no key."""
    monkeypatch.setenv("ATOMITON_SECRET_KEY", "canary-7f3a91bc")
    monkeypatch.setenv("ATOMITON_SECRET_OTHER", "canary-7f3a91bc")
    first = studio.save(makes("secrets.KEY"))
    assert first.status == "succeeded", first.error
    monkeypatch.setenv("ATOMITON_SECRET_KEY", "canary-00000000")
    assert executed(studio.save()) == set()
    assert executed(studio.save(makes("secrets.OTHER"))) == {"a"}
    for event in studio.runtime.journal(first.run_id):
        assert "canary" not in str(event)


def test_a_secret_is_in_no_key_of_what_takes_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is a part of a text that is longer than what a key shows, so that its hash tells nothing."""
    monkeypatch.setenv("ATOMITON_SECRET_KEY", "canary-7f3a91bc")
    studio.save(makes("'x' * 100 + secrets.KEY"))
    monkeypatch.setenv("ATOMITON_SECRET_KEY", "canary-00000000")

    assert executed(studio.save(makes("'x' * 100 + secrets.KEY"))) == set()


def test_all_variables_count_where_all_are_used(studio: Studio) -> None:
    """As a whole, or by a key that is computed."""
    head = "[variables]\na = 1\nb = 1\n"
    for value in ("vars", "vars['a' ~ '']"):
        studio.save(makes(value, head))
        assert executed(studio.save()) == set()
    assert executed(studio.save(makes("vars", head.replace("b = 1", "b = 2")))) == {"a"}


EXPRESSION = """
[variables]
least = 1
other = 1
[nodes.a]
type = "transform"
operation = "filter"
data = [1, 2, 3]
expression = "item > vars.least"
"""


def test_a_variable_in_an_expression_counts(studio: Studio) -> None:
    """Which is evaluated only when the node is executed."""
    studio.save(EXPRESSION)
    assert executed(studio.save(EXPRESSION.replace("other = 1", "other = 2"))) == set()
    assert executed(studio.save(EXPRESSION.replace("least = 1", "least = 2"))) == {"a"}


PYTHON = """
[variables]
n = 1
[nodes.a]
type = "python"
code = '''
def run(input, vars):
    return vars["n"] + 0
'''
"""


def test_code_counts_with_all_variables(studio: Studio) -> None:
    """For it is given all of them."""
    studio.save(PYTHON)
    assert executed(studio.save()) == set()
    changed = studio.save(PYTHON.replace("n = 1", "n = 2"))
    assert executed(changed) == {"a"}
    assert changed.outputs["a"]["result"] == 2
    assert executed(studio.save(PYTHON.replace("n = 1", "n = 2").replace("+ 0", "+ 1"))) == {"a"}


def test_code_in_a_body_counts_with_all_variables(studio: Studio) -> None:
    """Also when nothing of the body is looked at before the run."""
    text = PYTHON.replace("[nodes.a]", '[nodes.it]\ntype = "group"\n[nodes.it.nodes.a]')
    studio.save(text)
    assert executed(studio.save()) == set()
    assert executed(studio.save(text.replace("n = 1", "n = 2"))) == {"it", "it/a"}


def test_a_file_of_code_counts_by_its_content(studio: Studio) -> None:
    """As a file that is read does."""
    studio.path("code.py").write_text("def run(input, vars):\n    return 1\n")
    studio.save('[nodes.a]\ntype = "python"\nfile = "code.py"\nfunction = "run"\n')
    assert executed(studio.save()) == set()
    studio.path("code.py").write_text("def run(input, vars):\n    return 2\n")
    assert executed(studio.save()) == {"a"}


# -- node types ----------------------------------------------------------------------------------------------------

TYPE = '''
from typing import Annotated
import msgspec
from atomiton_runtime.nodes.base import Example, NodeType, Port

class ShoutParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(description="What to shout.")]

class Shout(NodeType):
    """Says a text in capital letters."""
    name = "shout"
    version = 1
    ports = (Port("result", "The text."),)
    Parameters = ShoutParameters
    examples = (Example(title="Shout", toml='text = "hi"', outputs={"result": "HI!"}),)

    def execute(self, parameters, context):
        return {"result": parameters.text.upper() + "!"}
'''
SHOUTS = '[nodes.a]\ntype = "shout"\ntext = "hello"\n'


@pytest.mark.parametrize(
    ("old", "new"), [("version = 1", "version = 2"), ('.upper() + "!"', '.upper() + "!" + ""')]
)
def test_another_version_of_a_node_type_is_another_type(tmp_path: Path, old: str, new: str) -> None:
    """By its number, and by its file."""
    (tmp_path / "flows" / "nodes").mkdir(parents=True)
    file = tmp_path / "flows" / "nodes" / "shout.py"
    file.write_text(TYPE)
    with Studio(tmp_path, f"sqlite:///{tmp_path / 'store'}") as studio:
        assert studio.save(SHOUTS).status == "succeeded"
        assert executed(studio.save()) == set()
        file.write_text(TYPE.replace(old, new))
        studio.restart()
        assert executed(studio.save()) == {"a"}
        assert executed(studio.save()) == set()


def test_a_type_whose_declarations_fail_is_executed(tmp_path: Path) -> None:
    """It has no key, so each time; the failure is its author's, and no run's."""
    (tmp_path / "flows" / "nodes").mkdir(parents=True)
    bad = TYPE + "\n    def outside(self, parameters, context):\n        raise ValueError('no')\n"
    (tmp_path / "flows" / "nodes" / "shout.py").write_text(bad)
    with Studio(tmp_path) as studio:
        assert studio.save(SHOUTS).status == "succeeded"
        assert executed(studio.save()) == {"a"}


# -- servers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "reuse", "asked"), [("GET", "auto", 1), ("GET", "never", 2)])
def test_what_a_server_answered(studio: Studio, method: str, reuse: str, asked: int) -> None:
    """Is kept until the request is another, unless the flow wants it asked each time."""
    with FaultServer(answering(*[answer("1")] * 4)) as server:
        text = f'[nodes.a]\ntype = "http-request"\nmethod = "{method}"\nurl = "{server.url}"\nreuse = "{reuse}"\n'
        assert studio.save(text).status == "succeeded"
        studio.save()
        assert len(server.requests) == asked
        studio.save(text.replace("reuse", 'query = { a = "1" }\nreuse'))
        assert len(server.requests) == asked + 1


# -- looking before a run ------------------------------------------------------------------------------------------

WAITS = """
[nodes.wait]
type = "file-system"
operation = "read"
path = "in.txt"
"""


@pytest.mark.parametrize("fault", [ValueError("no"), MemoryError(), SystemExit("no")])
def test_who_looks_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    """Then each node looks for itself."""
    fuse = Fuse(FindReusable, fault)
    monkeypatch.setattr(system, "NodeExecution", with_fuse(NodeExecution, fuse))
    with Studio(tmp_path) as studio:
        studio.save(makes("1"))
        fuse.armed = True
        again = studio.save()
        assert fuse.blown.is_set()
        kinds = [type(event) for event in studio.runtime.journal(again.run_id)]

    assert ev.NodeStarted in kinds
    assert executed(again) == set()


def test_nobody_may_be_there_to_look(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no thread left; then each node looks for itself."""
    studio.save(makes("1"))
    place = Workers.place

    def refuse(workers: Workers, order: Any) -> Any:
        if isinstance(order, FindReusable):
            raise RuntimeError("can't start new thread")
        return place(workers, order)

    monkeypatch.setattr(Workers, "place", refuse)
    assert executed(studio.save()) == set()


def test_a_run_is_cancelled_while_somebody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never begins, and what is found comes too late for it; the next run begins."""
    looking, found = Collected("looking"), Collected("found")

    class Slow(NodeExecution):
        def receive(self, message: object) -> None:
            if isinstance(message, FindReusable):
                looking.tell(message)
                found.next()
            super().receive(message)  # pyright: ignore[reportArgumentType]

    Slow.__name__ = "NodeExecution"
    monkeypatch.setattr(system, "NodeExecution", Slow)
    with Studio(tmp_path) as studio:
        studio.write(makes("1"))
        run = studio.runtime.start_run(_from_a())
        looking.next()
        run.cancel()
        assert run.result(PATIENCE_S).status == "cancelled"
        again = studio.runtime.start_run(_from_a())
        looking.next()
        for _ in range(2):
            found.tell("go on")
        assert again.result(PATIENCE_S).status == "succeeded"
        assert [type(event) for event in studio.runtime.journal(run.id)] == [ev.RunQueued, ev.RunCancelled]


def _from_a() -> RunFlow:
    return RunFlow(flow=FLOW, chosen=Chosen(from_node="a"))


@pytest.mark.skipif(sys.platform == "win32", reason="it has no kill -9")
def test_a_write_that_was_cut_is_done_again(tmp_path: Path) -> None:
    """Its start was kept and its end was not: what it left, nobody knows, though its result was found before."""
    with Studio(tmp_path, f"sqlite:///{tmp_path / 'store'}") as studio:
        text = '[nodes.say]\ntype = "shell-command"\nshell = true\nprogram = "echo x >> said.txt"\n'
        first = studio.save(text)
        head = {"run_id": "Z" * 26, "at": studio.runtime.journal(first.run_id)[0].at}
        queued, *_ = studio.runtime.journal(first.run_id)
        cut = [
            msgspec.structs.replace(queued, **head),
            ev.RunStarted(seq=1, **head),
            ev.NodeStarted(seq=2, node="say", attempt=1, may_write=True, **head),
        ]
        assert executed(studio.save()) == set()
        studio.runtime._engine.append(cut)  # pyright: ignore[reportPrivateUsage]
        studio.restart()
        assert executed(studio.save()) == {"say"}
        assert executed(studio.save()) == set()
