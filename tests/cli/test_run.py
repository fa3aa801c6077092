import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.doubles.flow_files import HELLO, SLOW, write_flows
from tests.doubles.terminal import DEADLINE_S, Terminal, atomiton, environment, started, wait_for_file

DOCUMENT_KEYS = [
    "run_id",
    "flow",
    "status",
    "trigger",
    "started_at",
    "duration_s",
    "flow_hash",
    "variables",
    "outputs",
    "nodes",
    "error",
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_flows(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (("hello",), {"text": "Hello World!", "times": 1, "loud": False}),
        (("flows/hello.toml", "--who", "you"), {"text": "Hello you!", "times": 1, "loud": False}),
        (("hello", "--times", "3", "--loud"), {"text": "Hello World!", "times": 3, "loud": True}),
        (("hello", "--var", "who=me", "--var", "json=x"), {"text": "Hello me!", "times": 1, "loud": False}),
        (("--", "hello"), {"text": "Hello World!", "times": 1, "loud": False}),
        (("two",), {"a": {"n": 1}, "b": {"n": 2}}),
    ],
)
def test_results_go_to_stdout(place: Path, arguments: tuple[str, ...], result: object) -> None:
    """A pipe gets the primary results as JSON and nothing else; flags and `--var` set variables."""
    shown = atomiton(place, "run", *arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout) == result


def test_a_text_result_is_printed_as_it_is(place: Path) -> None:
    """The text of a single sink goes to a pipe byte by byte."""
    shown = atomiton(place, "run", "text")
    assert (shown.returncode, shown.stdout) == (0, "one line\ntwo\x1b[31m lines\n")


def test_the_document(place: Path) -> None:
    """`--json` prints the run document with its keys in the order of the contract."""
    shown = atomiton(place, "run", "hello", "--json", "--who", "you")
    document = json.loads(shown.stdout)
    assert list(document) == DOCUMENT_KEYS
    assert document["flow"] == "hello"
    assert document["status"] == "succeeded"
    assert document["trigger"] == "cli"
    assert document["variables"]["who"] == "you"
    assert document["outputs"]["greeting"]["result"]["text"] == "Hello you!"
    assert list(document["nodes"]["greeting"]) == ["status", "attempts", "duration_s", "outputs", "error"]
    assert document["error"] is None
    assert document["started_at"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("failing",), 1, "error[SHELL-"),
        (("nowhere",), 2, "error[FLOW-404]"),
        (
            ("hello", "--whom", "x"),
            2,
            "error[CLI-001]: no such option `--whom`\n  hint: did you mean --who or --from?\n",
        ),
        (("hello", "--times", "many"), 2, "error[VAR-013]: variable `times` must be an integer"),
        (("hello", "--times", "9"), 2, "error[VAR-014]: variable `times` must be at most 5, not 9"),
        (("hello", "--var", "wo=x"), 2, "error[VAR-011]: the flow has no variable `wo`"),
        (("required",), 2, "error[VAR-012]: variable `source` is required"),
        (("late",), 4, "error[RUN-008]"),
    ],
)
def test_what_goes_wrong(place: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Every failure has its exit code, an error on stderr, and nothing on stdout."""
    shown = atomiton(place, "run", *arguments)
    assert (shown.returncode, shown.stdout) == (code, ""), shown.stderr
    assert message in shown.stderr
    assert "Traceback" not in shown.stderr
    assert list((place / "data" / "processes").iterdir()) == []


def test_a_failed_run_with_json_is_a_document_too(place: Path) -> None:
    """`--json` gives the document of a failed run on stdout, and the exit code says that it failed."""
    shown = atomiton(place, "run", "failing", "--json")
    document = json.loads(shown.stdout)
    assert shown.returncode == 1
    assert document["status"] == "failed"
    assert document["error"]["node"] == "look"


def test_an_invalid_flow_shows_all_its_problems(tmp_path: Path) -> None:
    """A flow with problems is not run; every problem is shown as a compiler would."""
    from tests.doubles.flow_files import BROKEN

    write_flows(tmp_path, broken=BROKEN)
    shown = atomiton(tmp_path, "run", "broken")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.count("flows/broken.toml:") >= 3
    assert "^" in shown.stderr


def test_help_is_made_from_the_variables(place: Path) -> None:
    """`run FLOW --help` describes the flow and its flags; a variable whose name is taken is set with `--var`."""
    shown = atomiton(place, "run", "hello", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Hello: Greets somebody." in shown.stdout
    assert "--times INTEGER" in shown.stdout
    assert "how often  [default: 1; 1 to 5]" in " ".join(shown.stdout.split()).replace("often [", "often  [")
    assert "--loud / --no-loud" in shown.stdout
    assert shown.stdout.count("--json") == 1


def test_a_store_that_cannot_be_used_is_5(place: Path) -> None:
    """A data folder that is a file is an error of the store or the runtime: exit code 5."""
    (place / "data").write_text("")
    shown = atomiton(place, "run", "hello")
    assert shown.returncode == 5
    assert shown.stderr.startswith("error[")


def test_ctrl_c_cancels_and_exits_130(place: Path) -> None:
    """SIGINT ends what runs, `always` nodes still run, and the command exits 130 after that."""
    with started(place, "run", "slow") as process:
        sleeper = psutil.Process(int(wait_for_file(place / "flows" / "started")))
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
        assert not sleeper.is_running()
    assert (place / "flows" / "tidied").exists()
    assert json.loads(atomiton(place, "show", "last", "--json").stdout)["status"] == "cancelled"


def test_more_ctrl_c_is_harder(place: Path) -> None:
    """The second SIGINT ends clean-up nodes as well; nothing of the run is alive afterwards."""
    flow = SLOW.replace("echo tidy > tidied", "echo $$ > tidied; exec sleep 60")
    (place / "flows" / "slow.toml").write_text(flow)
    with started(place, "run", "slow") as process:
        wait_for_file(place / "flows" / "started")
        process.send_signal(signal.SIGINT)
        tidying = psutil.Process(int(wait_for_file(place / "flows" / "tidied")))
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
        assert not tidying.is_running()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_cancels_and_exits_3(place: Path, number: signal.Signals) -> None:
    """Who ends the command from outside gets a cancelled run."""
    with started(place, "run", "slow", "--json") as process:
        sleeper = psutil.Process(int(wait_for_file(place / "flows" / "started")))
        process.send_signal(number)
        out, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 3
        assert json.loads(out)["status"] == "cancelled"
        assert not sleeper.is_running()


def test_cancel_reaches_the_run_of_another_process(place: Path) -> None:
    """`atomiton cancel` ends a run that another terminal executes, and waits for its end."""
    with started(place, "run", "slow") as process:
        wait_for_file(place / "flows" / "started")
        told = atomiton(place, "cancel", "last")
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout.startswith("slow cancelled after ")
        assert process.wait(DEADLINE_S) == 3
    again = atomiton(place, "cancel", "last")
    assert again.returncode == 2
    assert "error[RUN-002]" in again.stderr


def test_progress_on_a_terminal(place: Path) -> None:
    """A terminal sees the nodes as they settle, and the result afterwards."""
    with Terminal(place, "run", "hello") as terminal:
        assert terminal.wait() == 0
        assert "✓ greeting" in terminal.text
        assert "✓ Hello succeeded in" in terminal.text
        assert '"text": "Hello World!"' in terminal.text


def test_ctrl_c_on_a_terminal(place: Path) -> None:
    """Ctrl-C on a terminal shows that the run is being ended, and the cursor is back in the end."""
    with Terminal(place, "run", "slow") as terminal:
        terminal.wait_for(r"wait .*\n.*0 of 2 nodes, .*Ctrl-C cancels")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert "cancelling" in terminal.text
        assert "■ wait" in terminal.text
        assert "✓ tidy" in terminal.text
        assert terminal.screen.rfind("\x1b[?25h") > terminal.screen.rfind("\x1b[?25l")


def test_a_flow_file_is_a_program(tmp_path: Path) -> None:
    """A flow file with the shebang line and the right to be executed runs by its own name, with its flags."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "atomiton").write_text(
        f"#!{sys.executable}\nfrom atomiton_runtime.__main__ import main\nmain()\n", encoding="utf-8"
    )
    (programs / "atomiton").chmod(0o755)
    flow = tmp_path / "greet.toml"
    flow.write_text(f"#!/usr/bin/env -S atomiton run\n{HELLO}", encoding="utf-8")
    flow.chmod(0o755)
    environ = environment(tmp_path, PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    shown = subprocess.run(
        [str(flow), "--who", "you"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["text"] == "Hello you!"


def test_a_large_result_is_printed_whole(place: Path) -> None:
    """A result that the document only names as a file goes to a pipe whole."""
    script = "head -c 2000000 /dev/zero | tr '\\\\0' x"
    big = f'[nodes.big]\ntype = "shell-command"\nprogram = "sh"\nargs = ["-c", "{script}"]\n'
    (place / "flows" / "big.toml").write_text(big)
    shown = atomiton(place, "run", "big")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == "x" * 2_000_000 + "\n"
    document = json.loads(atomiton(place, "show", "last", "--json").stdout)
    assert list(document["outputs"]["big"]["stdout"]) == ["$file", "size_bytes"]
