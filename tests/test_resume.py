"""`Runtime.resume` over a whole runtime: what is refused, what is decided by whom, and what a start does by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.clock import SystemClock
from atomiton_runtime.errors import ErrorInfo, UsageError
from atomiton_runtime.ids import NodeId, RunId, new_run_id
from atomiton_runtime.requests import Refused, ResumeRun, RunAccepted
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.storage.create import create_storage

SEND = """\
[nodes.send]
type = "{type}"
{keys}
[nodes.end]
type = "edit-fields"
after = "send"
values = {{ n = 1 }}
"""
SHELL = 'shell = true\nprogram = "echo sent >> ../sent"\n'


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """A folder for flows."""
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture
def runtime(flows: Path, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime over that folder."""
    with Runtime(flows=flows, data=tmp_path / "data") as started:
        yield started


def save(flows: Path, keys: str = SHELL, kind: str = "shell-command", head: str = "") -> None:
    (flows / "it.toml").write_text(head + SEND.format(type=kind, keys=keys))


def cut(runtime: Runtime, *, at: str = "send", trigger: ev.Trigger = "cli") -> RunId:
    """Put a run into the store whose process died while the node `send` was under way."""
    flow = runtime.flow("it")
    run_id, now = new_run_id(), SystemClock().now()
    head = {"run_id": run_id, "at": now}
    events: list[RunEvent] = [
        ev.RunQueued(
            seq=0,
            flow=flow.id,
            flow_hash=flow.hash,
            flow_path=flow.path,
            trigger=trigger,
            variables={"x": "a"},
            nodes=tuple(node.id for node in flow.nodes),
            sinks=(NodeId("end"),),
            process="dead",
            **head,
        ),
        ev.RunStarted(seq=1, **head),
        ev.NodeStarted(seq=2, node=NodeId(at), attempt=1, **head),
        ev.RunInterrupted(seq=3, duration_s=0.0, error=ErrorInfo("RUN-010", "died"), **head),
    ]
    storage = create_storage(runtime.places.storage_url)
    storage.open()
    storage.append(events)
    storage.close()
    return run_id


@pytest.mark.parametrize(
    ("kind", "keys", "safe"),
    [
        ("shell-command", SHELL, False),
        ("shell-command", f"{SHELL}repeatable = true\n", True),
        ("edit-fields", "values = { a = 1 }\n", True),
        ("edit-fields", "values = { a = 1 }\nrepeatable = false\n", False),
        ("file-system", 'operation = "write"\npath = "{{ vars.x }}"\ncontent = "a"\n', True),
        ("file-system", 'operation = "write"\npath = "a"\ncontent = "a"\noverwrite = false\n', False),
        ("file-system", 'operation = "append"\npath = "a"\ncontent = "a"\n', False),
        (
            "http-request",
            'method = "PUT"\nurl = "http://127.0.0.1:1"\nretry = 1\non_error = "continue"\n',
            True,
        ),
        ("http-request", 'method = "POST"\nurl = "http://127.0.0.1:1"\non_error = "continue"\n', False),
        (
            "http-request",
            'method = "{{ vars.x }}"\nurl = "http://127.0.0.1:1"\non_error = "continue"\n',
            False,
        ),
        (
            "image",
            'operation = "resize"\npath = "{{ vars.x }}"\noutput = "b.png"\nwidth = 1\non_error = "continue"\n',
            False,
        ),
    ],
)
def test_who_may_be_repeated(runtime: Runtime, flows: Path, kind: str, keys: str, safe: bool) -> None:
    """A node that changes the outside is in doubt, unless its type, or the flow, says that it may be repeated."""
    save(flows, keys, kind, head='[variables]\nx = "a"\n')
    run_id = cut(runtime)
    if safe:
        assert runtime.resume(run_id).result(timeout_s=30).status == "succeeded"
        return
    with pytest.raises(UsageError) as refused:
        runtime.resume(run_id)
    assert refused.value.code == "RUN-017"
    assert "--rerun send" in (refused.value.hint or "")
    assert len(runtime.history()) == 1, "nothing was executed"


def test_a_person_decides_what_is_in_doubt(runtime: Runtime, flows: Path, tmp_path: Path) -> None:
    """Execute it again, or go on without it."""
    save(flows)
    run_id = cut(runtime)
    skipped = runtime.resume(run_id, skip=["send"])
    document = skipped.result(timeout_s=30)
    assert (document.status, document.nodes["send"].status) == ("succeeded", "skipped")
    assert document.trigger == "resume"
    assert not (tmp_path / "sent").exists()

    with pytest.raises(UsageError) as again:
        runtime.resume(run_id, rerun=["send"])
    assert again.value.code == "RUN-019"
    assert skipped.id in again.value.message

    other = cut(runtime)
    assert runtime.resume(other, rerun=["send"]).result(timeout_s=30).nodes["send"].status == "succeeded"
    assert (tmp_path / "sent").read_text() == "sent\n"


def test_what_cannot_be_continued(runtime: Runtime, flows: Path) -> None:
    """Each refusal has a code of its own, and nothing is executed."""
    save(flows, "values = { a = 1 }\n", "edit-fields")
    done = runtime.run("it")
    done.result(timeout_s=30)
    run_id = cut(runtime)
    refusals = [
        (lambda: runtime.resume(RunId("nobody")), "RUN-001"),
        (lambda: runtime.resume(done.id), "RUN-016"),
        (lambda: runtime.resume(run_id, rerun=["send"]), "RUN-020"),
    ]
    for ask, code in refusals:
        with pytest.raises(UsageError) as refused:
            ask()
        assert refused.value.code == code
    save(flows, "values = { a = 2 }\n", "edit-fields")
    response = runtime.submit(ResumeRun(run_id=run_id))
    assert isinstance(response, Refused)
    assert response.errors[0].code == "RUN-018"


def test_a_run_that_goes_on_cannot_be_continued(runtime: Runtime, flows: Path) -> None:
    """It has somebody who continues it already."""
    save(flows, 'program = "sleep"\nargs = ["30"]\n')
    run = runtime.run("it")
    next(event for event in run.events(30) if isinstance(event, ev.NodeStarted))
    with pytest.raises(UsageError) as refused:
        runtime.resume(run.id)
    assert refused.value.code == "RUN-016"
    run.cancel()
    assert run.result(timeout_s=30).status == "cancelled"
    with pytest.raises(UsageError) as doubtful:
        runtime.resume(run.id)
    assert doubtful.value.code == "RUN-017", "a cancel may have met it in the middle of its work"


def test_a_flow_that_is_called_is_part_of_it(runtime: Runtime, flows: Path) -> None:
    """Its nodes that were settled stand, and a change of its file counts as one of the flow."""
    (flows / "inner.toml").write_text(
        f'[nodes.one]\ntype = "shell-command"\n{SHELL}[nodes.two]\ntype = "file-system"\noperation = "read"\n'
        'path = "later"\nafter = "one"\n'
    )
    (flows / "outer.toml").write_text('[nodes.call]\ntype = "flow"\nflow = "inner"\n')
    run = runtime.run("outer")
    assert run.result(timeout_s=30).status == "failed"
    (flows / "later").write_text("now")
    again = runtime.resume(run.id).result(timeout_s=30)
    assert again.status == "succeeded"
    assert again.nodes["call/one"].status == "reused"
    assert again.nodes["call/one"].reused_from == run.id
    assert (flows.parent / "sent").read_text() == "sent\n"

    (flows / "later").unlink()
    failed = runtime.run("outer")
    failed.result(timeout_s=30)
    (flows / "inner.toml").write_text((flows / "inner.toml").read_text() + "# changed\n")
    with pytest.raises(UsageError) as refused:
        runtime.resume(failed.id)
    assert refused.value.code == "RUN-018"


def test_a_request_to_continue(runtime: Runtime, flows: Path) -> None:
    """The same by message, as a client in another process would ask."""
    save(flows)
    response = runtime.submit(ResumeRun(run_id=cut(runtime), skip=("send",)))

    assert isinstance(response, RunAccepted)


AUTO = '[settings]\nresume = "auto"\n'


@pytest.mark.parametrize(
    ("head", "keys", "trigger", "resumed", "said"),
    [
        (AUTO, f"{SHELL}repeatable = true\n", "save", True, None),
        (AUTO, SHELL, "save", False, "RUN-017"),
        ("", f"{SHELL}repeatable = true\n", "save", False, None),
        (AUTO, f"{SHELL}repeatable = true\n", "resume", False, None),
    ],
)
def test_a_resident_runtime_continues_by_itself(
    flows: Path, tmp_path: Path, head: str, keys: str, trigger: ev.Trigger, resumed: bool, said: str | None
) -> None:
    """Where the flow wants that, nothing is in doubt, and the run was not itself a second try."""
    save(flows, keys, head=head)
    with Runtime(flows=flows, data=tmp_path / "data") as before:
        run_id = cut(before, trigger=trigger)
    heard: list[str] = []
    runtime = Runtime(flows=flows, data=tmp_path / "data", watch=True)
    stop = runtime.subscribe(lambda fact: heard.append(fact.error.code), kinds=("NoticeRaised",))  # pyright: ignore
    with runtime:
        runtime.active()  # what was told to the conductor before is done when it answers
        newest = runtime.history(limit=1)[0]
        assert (newest.resumes == run_id) == resumed
    stop()
    assert heard == ([said] if said else [])


def test_a_broken_flow_is_not_continued_by_itself(flows: Path, tmp_path: Path) -> None:
    """Its problems are told as such, and the start goes on."""
    save(flows, head=AUTO)
    with Runtime(flows=flows, data=tmp_path / "data") as before:
        run_id = cut(before)
    (flows / "it.toml").write_text("[nodes")
    with Runtime(flows=flows, data=tmp_path / "data", watch=True) as runtime:
        assert [summary.run_id for summary in runtime.history()] == [run_id]
