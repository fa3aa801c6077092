import contextlib
import json
import signal
import tomllib
from pathlib import Path

import psutil
import pytest

from tests.doubles.flow_files import ALL, BROKEN, HELLO, write_flows
from tests.doubles.terminal import Terminal, atomiton, started, wait_for_file


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_flows(tmp_path)
    return tmp_path


# -- check -----------------------------------------------------------------------------------------------------


def test_check_is_silent_about_what_is_right(place: Path) -> None:
    """Valid flows give a summary on stderr and exit code 0; the data folder is not touched."""
    shown = atomiton(place, "check")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", f"{len(ALL)} flows, 0 problems\n")
    assert not (place / "data").exists()


@pytest.mark.parametrize(
    "arguments", [(), ("flows",), ("broken",), ("flows/broken.toml",), ("hello", "broken")]
)
def test_check_shows_every_problem(place: Path, arguments: tuple[str, ...]) -> None:
    """All problems are on stdout with place, source and caret, whether a folder, a file or an id is named."""
    write_flows(place, broken=BROKEN)
    shown = atomiton(place, "check", *arguments)
    assert shown.returncode == 2
    assert shown.stdout.count("flows/broken.toml:") == 3
    assert "flows/broken.toml:2:8: error[FLOW-008]: there is no node type `spreadshet`" in shown.stdout
    assert '  7 | input = "reed"\n' in shown.stdout
    assert shown.stderr.endswith(", 3 problems\n")


def test_check_as_json(place: Path) -> None:
    """`--json` gives the number of flows and each problem with its place."""
    write_flows(place, broken=BROKEN)
    document = json.loads(atomiton(place, "check", "hello", "broken", "--json").stdout)
    assert document["flows"] == 2
    assert [problem["line"] for problem in document["problems"]] == [2, 7, 9]


@pytest.mark.parametrize(("argument", "code"), [("nowhere", "FLOW-404"), ("nowhere.toml", "FLOW-404")])
def test_check_of_nothing(place: Path, argument: str, code: str) -> None:
    """What is not there is an error of its own."""
    shown = atomiton(place, "check", argument)
    assert shown.returncode == 2
    assert f"error[{code}]" in shown.stderr


def test_check_without_a_flows_folder(tmp_path: Path) -> None:
    """Without a flows folder `check` says what makes one."""
    shown = atomiton(tmp_path, "check")
    assert shown.returncode == 2
    assert "error[CLI-014]" in shown.stderr
    assert "atomiton new" in shown.stderr


# -- list, history, show, logs ---------------------------------------------------------------------------------


def test_list(place: Path) -> None:
    """`list` shows each flow with its state, its last run and its description; `--json` the same as data."""
    write_flows(place, broken=BROKEN)
    atomiton(place, "run", "hello")
    shown = atomiton(place, "list")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in shown.stdout.splitlines()}
    assert lines["FLOW"] == "STATE LAST RUN DESCRIPTION"
    assert lines["hello"] == "ready succeeded just now Greets somebody."
    assert lines["broken"] == "3 problems never"
    entries = json.loads(atomiton(place, "list", "--json").stdout)
    assert [entry["id"] for entry in entries] == sorted([*ALL, "broken"])
    assert {"name", "description", "path", "problems", "runnable", "variables"} <= set(entries[0])


def test_list_of_nothing(tmp_path: Path) -> None:
    """Without flows `list` says how to get one, on stderr."""
    shown = atomiton(tmp_path, "list")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "atomiton new hello" in shown.stderr
    assert json.loads(atomiton(tmp_path, "list", "--json").stdout) == []


def test_history(place: Path) -> None:
    """`history` lists the newest run first; a flow's name and a limit narrow it."""
    for flow in ("hello", "failing", "hello"):
        atomiton(place, "run", flow)
    runs = json.loads(atomiton(place, "history", "--json").stdout)
    assert [(run["flow"], run["status"]) for run in runs] == [
        ("hello", "succeeded"),
        ("failing", "failed"),
        ("hello", "succeeded"),
    ]
    assert len(json.loads(atomiton(place, "history", "hello", "--limit", "1", "--json").stdout)) == 1
    shown = atomiton(place, "history", "failing")
    assert runs[1]["run_id"] in shown.stdout
    assert "SHELL-003" in shown.stdout
    nothing = atomiton(place, "history", "text")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "no runs of text\n")


def test_show(place: Path) -> None:
    """`show` takes an id, the beginning of one, or `last`, and `--json` is the document that `run` printed."""
    printed = json.loads(atomiton(place, "run", "hello", "--json").stdout)
    for name in ("last", printed["run_id"], printed["run_id"][:20].lower()):
        assert json.loads(atomiton(place, "show", name, "--json").stdout) == printed
    shown = atomiton(place, "show", "last").stdout
    assert shown.startswith("hello succeeded in ")
    assert "greeting.result  " in shown
    assert "vars.who" in shown


@pytest.mark.parametrize("command", ["show", "logs", "cancel"])
def test_no_such_run(place: Path, command: str) -> None:
    """A run that is not there is an error with a hint, and exit code 2."""
    shown = atomiton(place, command, "01XXXX")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "error[RUN-001]" in shown.stderr


def test_several_runs_begin_so(place: Path) -> None:
    """The beginning of several ids is an error that says so."""
    atomiton(place, "run", "hello")
    atomiton(place, "run", "hello")
    shown = atomiton(place, "show", "01")
    assert shown.returncode == 2
    assert "error[RUN-003]" in shown.stderr


def test_logs(place: Path) -> None:
    """`logs` tells what programs printed, made harmless; `--json` gives the events, one a line."""
    atomiton(place, "run", "text")
    shown = atomiton(place, "logs", "last")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "    | one line\n" in shown.stdout
    assert r"    | two\x1b[31m lines" in shown.stdout
    assert "\x1b" not in shown.stdout
    events = [json.loads(line) for line in atomiton(place, "logs", "last", "--json").stdout.splitlines()]
    assert [event["kind"] for event in events] == [
        "RunQueued",
        "RunStarted",
        "NodeStarted",
        "NodeSucceeded",
        "RunSucceeded",
    ]


def test_logs_of_a_failure(place: Path) -> None:
    """The error of a node is in the log with its code and hint, once."""
    atomiton(place, "run", "failing")
    shown = atomiton(place, "logs", "last").stdout
    assert shown.count("error[SHELL-003]") == 1
    assert "run failed after" in shown


def test_logs_follow_another_process(place: Path) -> None:
    """`logs --follow` shows what another process does, until the run ends."""
    with started(place, "run", "slow") as running:
        wait_for_file(place / "flows" / "started")
        with Terminal(place, "logs", "last", "--follow") as terminal:
            terminal.wait_for("wait running")
            assert atomiton(place, "cancel", "last").returncode == 0
            assert terminal.wait() == 0
            assert "wait cancelled after" in terminal.text
            assert "run cancelled after" in terminal.text
        assert running.wait(30) == 3


TIDYING = """
[nodes.work]
type = "shell-command"
shell = true
program = "echo y > started; sleep 60"
[nodes.tidy]
type = "shell-command"
shell = true
program = "echo y > tidying; until [ -e go ]; do sleep 0.05; done"
after = "work"
always = true
"""


def test_history_names_what_a_cancelled_run_waits_for(place: Path) -> None:
    """A run of which something is left is `cancelling`, never `cancelled`, and what is left is named."""
    write_flows(place, tidying=TIDYING)
    with started(place, "run", "tidying") as running:
        wait_for_file(place / "flows" / "started")
        running.send_signal(signal.SIGTERM)
        wait_for_file(place / "flows" / "tidying")
        line = atomiton(place, "history").stdout.splitlines()[1]
        assert " cancelling " in line
        assert line.endswith("waits for tidy")
        (place / "flows" / "go").touch()
        assert running.wait(30) == 3
    assert " cancelled " in atomiton(place, "history").stdout.splitlines()[1]


# -- watch -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_watch(place: Path, number: signal.Signals, code: int) -> None:
    """A save runs the flow, a broken save is explained, and a signal ends the watch."""
    with started(place, "watch") as watching:
        assert watching.stdout is not None

        def read_until(text: str) -> None:
            while text not in (line := watching.stdout.readline()):
                assert line, f"{text!r} never came"

        read_until("watching ")
        read_until("two loaded")
        (place / "flows" / "hello.toml").write_text(HELLO.replace("Hello {{", "Welcome {{"))
        read_until("hello succeeded in ")
        (place / "flows" / "hello.toml").write_text(BROKEN)
        read_until("hello has 3 problems; its last valid version stays runnable")
        watching.send_signal(number)
        assert watching.wait(30) == code
        assert watching.stderr is not None
        assert watching.stderr.read() == ""


# -- new, nodes, schema, autostart -----------------------------------------------------------------------------


def test_new_writes_a_flow_that_works(tmp_path: Path) -> None:
    """The starter is valid, runs, and brings the schema that its first line names."""
    shown = atomiton(tmp_path, "new", "my-first")
    path = tmp_path / "flows" / "my-first.toml"
    assert (shown.returncode, shown.stdout) == (0, f"{path}\n")
    assert path.read_text().startswith("#:schema ./.flow.schema.json\n")
    assert "properties" in json.loads((path.parent / ".flow.schema.json").read_text())
    assert tomllib.loads(path.read_text())["name"] == "My first"
    assert atomiton(tmp_path, "check").stderr == "1 flow, 0 problems\n"
    assert atomiton(tmp_path, "run", "my-first", "--who", "you", "--loud").returncode == 0
    assert json.loads((path.parent / "out" / "my-first.json").read_text())["text"] == "HELLO YOU!"


def test_new_never_overwrites(place: Path) -> None:
    """A flow that exists stays as it is."""
    shown = atomiton(place, "new", "hello")
    assert shown.returncode == 2
    assert "error[CLI-010]" in shown.stderr
    assert (place / "flows" / "hello.toml").read_text() == HELLO


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "../a", "a b", ".a", "-", "con", "COM1", "nul.toml", "ä", "a" * 65, "a\n", "a.b"],
)
def test_new_takes_only_safe_names(tmp_path: Path, name: str) -> None:
    """A name that is no plain file name on every system is refused, and nothing is written."""
    shown = atomiton(tmp_path, "new", "--", name)
    assert shown.returncode == 2
    assert "error[CLI-011]" in shown.stderr
    assert not (tmp_path / "flows").exists()


def test_new_in_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A flows folder that is a file is an error with its reason."""
    (tmp_path / "flows").write_text("")
    shown = atomiton(tmp_path, "new", "hello")
    assert shown.returncode == 2
    assert "error[CLI-012]" in shown.stderr or "error[CLI-010]" in shown.stderr


def test_nodes(tmp_path: Path) -> None:
    """`nodes` lists the types, `nodes TYPE` describes one, an unknown one is an error with "did you mean"."""
    assert "transform" in atomiton(tmp_path, "nodes").stdout
    assert "### Parameters" in atomiton(tmp_path, "nodes", "transform").stdout
    document = json.loads(atomiton(tmp_path, "nodes", "transform", "--json").stdout)
    assert next(iter(document["outputs"])) == "result"
    assert document["parameters"]["operation"]["required"] is True
    assert document["parameters"]["depth"]["default"] == 1
    assert document["effects"] == {"all": ["pure"], "decided_by": None, "by_choice": {}}
    assert document["repeatable"]["all"] == [True]
    assert '[nodes.example]\ntype = "transform"' in document["examples"][0]["toml"]
    assert {each["error"] for each in document["examples"]} > {None}
    document = json.loads(atomiton(tmp_path, "nodes", "file-system", "--json").stdout)
    assert document["effects"]["decided_by"] == "operation"
    reading = [choice for choice, effects in document["effects"]["by_choice"].items() if effects == ["reads"]]
    assert reading == ["exists", "list", "read"]
    assert {"shell-command", "transform"} <= {
        each["name"] for each in json.loads(atomiton(tmp_path, "nodes", "--json").stdout)
    }
    shown = atomiton(tmp_path, "nodes", "transfrom")
    assert shown.returncode == 2
    assert (
        shown.stderr == "error[CLI-013]: there is no node type `transfrom`\n  hint: did you mean transform?\n"
    )


def test_schema(tmp_path: Path) -> None:
    """`schema` prints a JSON Schema that knows the node types."""
    schema = json.loads(atomiton(tmp_path, "schema").stdout)
    assert "type.transform" in json.dumps(schema)


def test_autostart(tmp_path: Path) -> None:
    """`autostart` switches the start at login on and off, with the folders of its command line."""
    config = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "share")}

    def tell(*arguments: str) -> str:
        shown = atomiton(tmp_path, "--flows", "mine", "autostart", *arguments, **config)
        assert (shown.returncode, shown.stderr) == (0, "")
        return shown.stdout

    assert tell("status") == "disabled\n"
    assert tell("enable").startswith("the tray starts at login: ")
    status = json.loads(tell("status", "--json"))
    assert (status["enabled"], status["usable"]) == (True, True)
    assert str(tmp_path / "mine") in Path(status["place"]).read_text()
    assert tell("disable") == "the tray does not start at login any more\n"
    assert tell("disable") == "the tray did not start at login\n"


# -- tray ------------------------------------------------------------------------------------------------------


def test_tray_without_a_desktop(place: Path) -> None:
    """Without a desktop the tray says so, goes on, and ends with 0 at SIGTERM; `--run` runs a flow at once."""
    with started(place, "tray", "--run", "slow") as tray:
        assert tray.stderr is not None
        assert "TRAY-001" in tray.stderr.readline()
        wait_for_file(place / "flows" / "started")
        tray.send_signal(signal.SIGTERM)
        assert tray.wait(30) == 0
    assert json.loads(atomiton(place, "show", "last", "--json").stdout)["status"] == "cancelled"


def test_cancel_reaches_the_tray(place: Path) -> None:
    """A run that the tray executes is cancelled from a terminal, and the tray goes on."""
    with started(place, "tray", "--run", "slow") as tray:
        wait_for_file(place / "flows" / "started")
        assert json.loads(atomiton(place, "cancel", "last", "--json").stdout)["status"] == "cancelled"
        assert tray.poll() is None
        tray.send_signal(signal.SIGTERM)
        assert tray.wait(30) == 0


def test_the_run_of_a_killed_process_is_interrupted(place: Path) -> None:
    """After `kill -9` the run is found to be interrupted, and `cancel` says that it has ended."""
    with started(place, "run", "slow") as running:
        sleeper = psutil.Process(int(wait_for_file(place / "flows" / "started")))
        running.kill()
        running.wait(30)
        assert json.loads(atomiton(place, "show", "last", "--json").stdout)["status"] == "interrupted"
        shown = atomiton(place, "cancel", "last")
        assert shown.returncode == 2
        assert "error[RUN-002]" in shown.stderr
        with contextlib.suppress(psutil.NoSuchProcess):
            sleeper.kill()
