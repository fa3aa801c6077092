"""The one API: what a program that embeds the runtime sees."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atomiton_runtime import Runtime
from atomiton_runtime.errors import RuntimeUnusable, StorageError, UsageError
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.ids import RunId
from atomiton_runtime.requests import CancelAccepted, CancelRun, Refused, RunAccepted, RunFlow
from atomiton_runtime.run.events import NodeStarted, RunEvent

WriteFlow = Callable[[str, str], Path]

GREETING = """
[variables]
who = "world"
times = { type = "integer", default = 1, min = 1, max = 3 }

[nodes.greet]
type = "edit-fields"
values = { text = "hello {{ vars.who }}", times = "{{ vars.times }}" }
"""
SLEEPER = """
[nodes.sleep]
type = "shell-command"
program = "sleep"
args = ["60"]
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture
def write_flow(flows: Path) -> WriteFlow:
    def write(name: str, text: str) -> Path:
        path = flows / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def runtime(flows: Path, tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(flows, data=tmp_path / "data") as running:
        yield running


def wait_for_start(events: Iterator[RunEvent]) -> None:
    """Read events until a node has started."""
    next(event for event in events if isinstance(event, NodeStarted))


def test_a_run_gives_the_document_of_the_contract(runtime: Runtime, write_flow: WriteFlow) -> None:
    """A flow is executed with its variables, and the document says all of it."""
    write_flow("hello", GREETING)
    run = runtime.run("hello", who="Ada", times=2)
    document = run.result(10)
    assert document.status == "succeeded"
    assert document.run_id == run.id
    assert document.trigger == "api"
    assert document.variables == {"who": "Ada", "times": 2}
    assert document.outputs == {"greet": {"result": {"text": "hello Ada", "times": 2}}}
    assert document.nodes["greet"].status == "succeeded"
    assert document.nodes["greet"].attempts == 1
    assert document.duration_s is not None
    assert run.done
    assert runtime.show(run.id) == document


def test_a_path_runs_a_file_outside_of_the_folder(runtime: Runtime, tmp_path: Path) -> None:
    """A flow may be anywhere."""
    path = tmp_path / "elsewhere.toml"
    path.write_text(GREETING)
    assert runtime.run(str(path)).result(10).flow == "elsewhere"


@pytest.mark.parametrize("storage", ["memory:", "sqlite:///{}/runs.sqlite3", "files:///{}/runs"])
def test_every_engine_keeps_the_same_story(
    flows: Path, write_flow: WriteFlow, tmp_path: Path, storage: str
) -> None:
    """The engine changes where a journal is, not what is in it."""
    write_flow("hello", GREETING)
    with Runtime(flows, storage.format(tmp_path), data=tmp_path / "data") as runtime:
        run = runtime.run("hello")
        seen = [type(event).__name__ for event in run.events(10)]
        assert seen == ["RunQueued", "RunStarted", "NodeStarted", "NodeSucceeded", "RunSucceeded"]
        assert [type(event).__name__ for event in runtime.journal(run.id)] == seen
        assert [summary.run_id for summary in runtime.history()] == [run.id]


def test_wrong_requests_say_what_is_wrong(runtime: Runtime, write_flow: WriteFlow) -> None:
    """Nothing is executed for a flow that is not there or broken, or a variable that is wrong."""
    write_flow("hello", GREETING)
    write_flow("broken", "[nodes.a]\ntype = 'edit-feilds'\n")
    with pytest.raises(UsageError, match="helo"):
        runtime.run("helo")
    with pytest.raises(FlowInvalid) as invalid:
        runtime.run("broken")
    assert invalid.value.problems[0].line == 2
    with pytest.raises(UsageError, match="times"):
        runtime.run("hello", times=7)
    with pytest.raises(UsageError, match="whoo"):
        runtime.run("hello", whoo="x")
    assert runtime.history() == ()


def test_submit_answers_and_never_raises(runtime: Runtime, write_flow: WriteFlow) -> None:
    """A client's mistake is an answer."""
    write_flow("hello", GREETING)
    accepted = runtime.submit(RunFlow(flow="hello", trigger="tray"))
    assert isinstance(accepted, RunAccepted)
    refused = [
        runtime.submit(RunFlow(flow="nothing")),
        runtime.submit(RunFlow(flow="hello", variables={"times": 9, "hwo": 1})),
        runtime.submit(CancelRun(run_id=RunId("01NOTHING"))),
    ]
    assert all(isinstance(answer, Refused) for answer in refused)
    second = refused[1]
    assert isinstance(second, Refused)
    assert len(second.errors) == 2


def test_a_cancel_ends_the_process_of_a_node(runtime: Runtime, write_flow: WriteFlow) -> None:
    """A cancelled run is cancelled, and says so, in an instant."""
    write_flow("sleeper", SLEEPER)
    run = runtime.run("sleeper")
    wait_for_start(run.events(10))
    assert [summary.run_id for summary in runtime.active()] == [run.id]
    assert runtime.submit(CancelRun(run_id=run.id)) == CancelAccepted(run_id=run.id)
    document = run.result(10)
    assert document.status == "cancelled"
    assert document.nodes["sleep"].status == "cancelled"
    assert runtime.active() == ()
    with pytest.raises(UsageError, match="has ended"):
        runtime.cancel(run.id)


def test_timeouts_end_attempts_and_runs(runtime: Runtime, write_flow: WriteFlow) -> None:
    """A node's timeout fails the node; a run's timeout ends the run."""
    write_flow("node", SLEEPER + 'timeout = "100ms"\n')
    write_flow("whole", '[settings]\ntimeout = "100ms"\n' + SLEEPER)
    failed = runtime.run("node").result(10)
    assert (failed.status, failed.error and failed.error.code) == ("failed", "NODE-010")
    assert failed.error is not None
    assert failed.error.where is not None
    timed_out = runtime.run("whole").result(10)
    assert (timed_out.status, timed_out.nodes["sleep"].status) == ("timed_out", "cancelled")


def test_a_retry_is_another_attempt_and_always_runs_after_all(
    runtime: Runtime, write_flow: WriteFlow
) -> None:
    """A failing node is tried as often as it says; the clean-up follows whatever happened."""
    write_flow(
        "flaky",
        """
[nodes.work]
type = "shell-command"
program = "false"
retry = { attempts = 3, delay = "1ms" }
[nodes.later]
type = "edit-fields"
input = "work"
values = {}
[nodes.cleanup]
type = "edit-fields"
after = "later"
always = true
values = { cleaned = true }
""",
    )
    document = runtime.run("flaky").result(10)
    assert document.status == "failed"
    assert document.nodes["work"].attempts == 3
    assert document.nodes["later"].status == "skipped"
    assert document.nodes["cleanup"].status == "succeeded"
    assert document.error is not None
    assert document.error.node == "work"


def test_a_failure_that_is_taken_is_handled(runtime: Runtime, write_flow: WriteFlow) -> None:
    """A node that takes the error port gets the error, and the run succeeds."""
    write_flow(
        "handled",
        """
[nodes.work]
type = "shell-command"
program = "false"
[nodes.report]
type = "edit-fields"
input = "work.error"
values = { seen = "{{ input.code }} after {{ input.attempts }}" }
""",
    )
    document = runtime.run("handled").result(10)
    assert document.status == "succeeded"
    result = document.outputs["report"]["result"]
    assert isinstance(result, dict)
    assert result["seen"] == "SHELL-003 after 1"


@pytest.mark.parametrize(
    ("on_busy", "second", "third"),
    [
        ("queue-latest", "cancelled", "succeeded"),
        ("queue", "succeeded", "succeeded"),
        ("skip", "cancelled", "cancelled"),
    ],
)
def test_a_busy_flow_does_what_on_busy_says(
    runtime: Runtime, write_flow: WriteFlow, tmp_path: Path, on_busy: str, second: str, third: str
) -> None:
    """A click while the flow runs waits, replaces what waits, or is explained away."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    write_flow(
        "busy",
        f'[settings]\non_busy = "{on_busy}"\n'
        f'[nodes.wait]\ntype = "shell-command"\nprogram = "cat"\nargs = ["{gate}"]\n',
    )
    runs = [runtime.start_run(RunFlow(flow="busy", trigger="tray")) for _ in range(3)]
    wait_for_start(runs[0].events(10))
    for run, status in zip(runs, ("succeeded", second, third), strict=True):
        if status == "succeeded":
            wait_for_start(run.events(10))
            gate.write_text("go")
        assert run.result(10).status == status


def test_a_restart_cancels_what_runs(runtime: Runtime, write_flow: WriteFlow) -> None:
    """With `restart` the newest request wins at once."""
    write_flow("busy", '[settings]\non_busy = "restart"\n' + SLEEPER)
    first = runtime.run("busy")
    wait_for_start(first.events(10))
    second = runtime.run("busy")
    replaced = first.result(10)
    assert (replaced.status, replaced.error and replaced.error.code) == ("cancelled", "RUN-005")
    second.cancel()
    assert second.result(10).status == "cancelled"


def test_subscribers_get_what_they_asked_for(runtime: Runtime, write_flow: WriteFlow) -> None:
    """A subscription has kinds, ends when told to, and one that raises disturbs nobody."""
    write_flow("hello", GREETING)
    kinds: list[str] = []
    ended = threading.Event()

    def note(fact: object) -> None:
        kinds.append(type(fact).__name__)
        if kinds[-1] == "RunSucceeded":
            ended.set()

    def fail(fact: object) -> None:
        raise RuntimeError(f"no {fact}")

    runtime.subscribe(fail)
    stop = runtime.subscribe(note, kinds=("NodeSucceeded", "RunSucceeded"))
    assert runtime.run("hello").result(10).status == "succeeded"
    assert ended.wait(10)
    assert kinds == ["NodeSucceeded", "RunSucceeded"]
    stop()
    assert runtime.run("hello").result(10).status == "succeeded"
    assert len(kinds) == 2


def test_runs_are_found_by_a_prefix(runtime: Runtime, write_flow: WriteFlow) -> None:
    """`last`, a prefix and a whole id name a run; what is unknown or ambiguous is said."""
    write_flow("hello", GREETING)
    with pytest.raises(UsageError, match="no run last"):
        runtime.find_run("last")
    first, second = (runtime.run("hello") for _ in range(2))
    second.result(10)
    assert runtime.find_run("last") == second.id
    assert runtime.find_run(first.id.lower()) == first.id
    with pytest.raises(UsageError, match="several runs"):
        runtime.find_run(first.id[:2])
    with pytest.raises(UsageError, match="no run 7ZZ"):
        runtime.find_run("7ZZ")


def test_stopping_cancels_what_runs_and_refuses_the_rest(
    flows: Path, write_flow: WriteFlow, tmp_path: Path
) -> None:
    """After the stop no run goes on, and the runtime says that it is stopped."""
    write_flow("sleeper", SLEEPER)
    with Runtime(flows, data=tmp_path / "data") as runtime:
        run = runtime.run("sleeper")
        wait_for_start(run.events(10))
    document = run.result(1)
    assert (document.status, document.error and document.error.code) == ("cancelled", "RUN-006")
    with pytest.raises(RuntimeUnusable, match="stopped"):
        runtime.history()
    runtime.stop()


def test_a_killed_process_leaves_an_interrupted_run(
    flows: Path, write_flow: WriteFlow, tmp_path: Path
) -> None:
    """After `kill -9` the next start tells the truth, and the lock is no obstacle."""
    write_flow("sleeper", SLEEPER.replace('"60"', '"3"'))
    script = (
        "import sys; from atomiton_runtime import Runtime\n"
        "with Runtime(sys.argv[1], data=sys.argv[2]) as runtime:\n"
        "    run = runtime.run('sleeper')\n"
        "    for event in run.events():\n"
        "        print(type(event).__name__, flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(flows), str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("NodeStarted"))
        with Runtime(flows, data=tmp_path / "data") as beside:
            assert [summary.status for summary in beside.history()] == ["running"]
        process.send_signal(signal.SIGKILL)
    with Runtime(flows, data=tmp_path / "data") as runtime:
        document = runtime.show(runtime.find_run("last"))
        assert document.status == "interrupted"
        assert document.nodes["sleep"].status == "running"
        assert runtime.run("sleeper").flow == "sleeper"


def test_a_data_folder_that_cannot_be_written_can_still_be_read(
    flows: Path, write_flow: WriteFlow, tmp_path: Path
) -> None:
    """Where no door can be opened, the runtime starts all the same, and says why others cannot reach it."""
    write_flow("hello", GREETING)
    with Runtime(flows, data=tmp_path / "data") as runtime:
        runtime.run("hello").result(10)
    (tmp_path / "data" / "processes").rmdir()
    (tmp_path / "data" / "processes").write_text("a file where the folder should be")
    with Runtime(flows, data=tmp_path / "data") as runtime:
        assert [summary.status for summary in runtime.history()] == ["succeeded"]
        assert runtime.run("hello").result(10).status == "succeeded"


def test_a_start_that_fails_leaves_nothing_behind(flows: Path, tmp_path: Path) -> None:
    """A store that is no store is an error with its path; no actor, thread or lock stays."""
    (tmp_path / "runs.sqlite3").write_text("this is no database, and long enough to be taken for one " * 20)
    with (
        pytest.raises(StorageError, match=r"runs\.sqlite3"),
        Runtime(flows, f"sqlite:///{tmp_path}/runs.sqlite3"),
    ):
        pass


CLEANING = """
[nodes.sleep]
type = "shell-command"
program = "sleep"
args = ["60"]
[nodes.tidy]
type = "shell-command"
program = "sleep"
args = ["60"]
after = "sleep"
always = true
"""


def test_what_keeps_a_run_from_being_cancelled_is_asked_of_who_executes_it(
    runtime: Runtime, write_flow: WriteFlow, flows: Path, tmp_path: Path
) -> None:
    """Here and from another process alike; of a run that is not being cancelled, or has ended, there is nothing."""
    write_flow("cleaning", CLEANING)
    run = runtime.run("cleaning")
    starts = (event.node for event in run.events(20) if isinstance(event, NodeStarted))
    with Runtime(flows, data=tmp_path / "data", only_read=True) as other:
        assert next(starts) == "sleep"
        assert (runtime.left(run.id), other.left(run.id)) == (None, None)
        run.cancel()
        assert next(starts) == "tidy"
        assert (runtime.left(run.id), other.left(run.id)) == (("tidy",), ("tidy",))
        run.cancel()
        assert run.result(20).status == "cancelled"
        assert (runtime.left(run.id), other.left(run.id)) == (None, None)
        with pytest.raises(UsageError, match="no run"):
            other.left(RunId("01NOTHING"))
        with pytest.raises(UsageError, match="no run"):
            other.first_event(RunId("01NOTHING"))
