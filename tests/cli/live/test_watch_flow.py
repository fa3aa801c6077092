"""`atomiton watch FLOW` as its users have it: a real process on a real terminal, or with a pipe."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from atomiton_runtime.ownership import owner_of
from tests.doubles.flow_files import HELLO
from tests.doubles.terminal import DEADLINE_S, Terminal, atomiton, started

SMALL = HELLO.replace('json = "a name that the command has taken"\n', "")
TWO = SMALL + '\n[nodes.again]\ntype = "edit-fields"\ninput = "greeting"\nvalues = { more = 1 }\n'
BROKEN = TWO.replace('input = "greeting"', 'input = "greting"')
SHOWN, GONE = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    save(tmp_path, TWO)
    (tmp_path / "flows" / "other.toml").write_text(SMALL)
    return tmp_path


def save(place: Path, text: str) -> None:
    (place / "flows" / "hello.toml").write_text(text)


def wait_for_owner(place: Path, pid: int | None = None) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (owner := owner_of(place / "data")) is None or pid not in (None, owner.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["hello", "flows/hello.toml"])
def test_the_loop_of_save_and_see(place: Path, name: str) -> None:
    """A save runs and shows the results, a broken one shows its caret, `q` ends it with 0 and gives all back."""
    with Terminal(place, "watch", name) as terminal:
        before = terminal.modes()
        shown = terminal.wait_for("q quits; a save runs it")
        assert "it has not run yet" in shown
        assert "greeting" in shown
        assert before != terminal.modes()
        save(place, TWO.replace("Hello {{", "Welcome {{"))
        terminal.wait_for(r"succeeded in .* by save at .*2 run(.|\n)*Welcome World!")
        save(place, BROKEN)
        shown = terminal.wait_for(
            r"flows/hello.toml:15:10: error\[FLOW-009\](.|\n)*\^\^\^\^\^\^\^(.|\n)*hint:"
        )
        save(place, TWO.replace("Hello {{", "Goodbye {{"))
        terminal.wait_for("Goodbye World!")
        frame = terminal.screen.rpartition("Goodbye World!")[0].rpartition("\x1b[H")[2]
        assert "FLOW-009" not in frame
        terminal.type("q")
        assert terminal.wait() == 0
        assert before == terminal.modes()
        assert terminal.screen.rindex(SHOWN) < terminal.screen.rindex(GONE)
        assert "hello succeeded: 2 run\n" in terminal.text[-80:]


def test_run_resize_and_history(place: Path) -> None:
    """`r` and `--run` run it, another size of the terminal is followed, and the next start shows the last run."""
    with Terminal(place, "watch", "hello", "--run") as terminal:
        terminal.wait_for("succeeded in .* by cli")
        terminal.resize(40, 6)
        terminal.wait_for("… *\n(.|\n)*more node")
        terminal.resize(100, 24)
        terminal.type("r")
        deadline = time.monotonic() + DEADLINE_S
        while len(atomiton(place, "history", "hello").stdout.splitlines()) < 3:
            assert time.monotonic() < deadline
        terminal.type("q")
        assert terminal.wait() == 0
    with Terminal(place, "watch", "hello") as terminal:
        terminal.wait_for("succeeded in .* by cli .*2 run")
        terminal.type("q")
        assert terminal.wait() == 0
    assert len(atomiton(place, "history", "hello").stdout.splitlines()) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_signals_give_the_terminal_back(place: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C, SIGTERM and SIGHUP end the watch, and the terminal is as before."""
    with Terminal(place, "watch", "hello") as terminal:
        before = terminal.modes()
        terminal.wait_for("q quits")
        terminal.type("\x03") if number is signal.SIGINT else terminal.send_signal(number)
        assert terminal.wait() == code
        assert before == terminal.modes()
        assert terminal.screen.rindex(SHOWN) < terminal.screen.rindex(GONE)


def test_a_stop_gives_the_terminal_back_for_a_while(place: Path) -> None:
    """Ctrl-Z leaves the terminal as it was; continued, the tree is there again."""
    with Terminal(place, "watch", "hello") as terminal:
        before = terminal.modes()
        terminal.wait_for("q quits")
        terminal.send_signal(signal.SIGTSTP)
        deadline = time.monotonic() + DEADLINE_S
        while before != terminal.modes():
            assert time.monotonic() < deadline
        terminal.send_signal(signal.SIGCONT)
        while before == terminal.modes():
            assert time.monotonic() < deadline
            terminal.send_signal(signal.SIGCONT)  # one may have come before the process was stopped
        terminal.type("q")
        assert terminal.wait() == 0


def test_what_cannot_run_is_said_on_the_screen(place: Path) -> None:
    """A flow that was never valid shows its problems; one that needs a variable says so when it is to run."""
    save(place, BROKEN)
    with Terminal(place, "watch", "hello") as terminal:
        terminal.wait_for("FLOW-009")
        terminal.type("r")
        save(place, SMALL.replace('who = "World"', 'who = { type = "string", required = true }'))
        terminal.wait_for("·.* greeting")
        terminal.type("r")
        terminal.wait_for(r"note\[VAR-012\]")
        (place / "flows" / "hello.toml").unlink()
        terminal.wait_for("the file is gone")
        terminal.type("q")
        assert terminal.wait() == 0


def test_a_pipe_gets_lines_of_this_flow_alone(place: Path) -> None:
    """Without a terminal what happens to this flow is told line by line, and nothing of the others."""
    with started(place, "watch", "hello", "--run") as watching:
        assert watching.stdout is not None
        lines: list[str] = []

        def read_until(text: str) -> None:
            while text not in (line := watching.stdout.readline()):
                assert line, f"{text!r} never came"
                lines.append(line)

        read_until("watching ")
        read_until("hello succeeded in ")
        (place / "flows" / "other.toml").write_text(SMALL.replace("Hello {{", "Hi {{"))
        save(place, BROKEN)
        read_until("hello has 1 problem")
        read_until("^^^^")
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(30) == 0
        assert watching.stderr is not None
        assert watching.stderr.read() == ""
        assert "other" not in "".join(lines)


def test_the_runs_of_an_owner_are_shown(place: Path) -> None:
    """Beside an owner its runs are shown, and asked for; when it ends, its place is taken."""
    with started(place, "watch") as owner:
        wait_for_owner(place, owner.pid)
        with Terminal(place, "watch", "hello") as terminal:
            terminal.wait_for(f"`atomiton watch` .process {owner.pid}. runs it")
            save(place, TWO.replace("Hello {{", "Welcome {{"))
            terminal.wait_for("succeeded in .* by save(.|\n)*Welcome World!")
            terminal.type("r")
            terminal.wait_for("succeeded in .* by cli")
            save(place, BROKEN)
            terminal.wait_for("FLOW-009")
            (place / "flows" / "hello.toml").unlink()
            terminal.wait_for("the file is gone")
            save(place, TWO)
            owner.send_signal(signal.SIGTERM)
            owner.communicate(timeout=DEADLINE_S)
            terminal.wait_for("q quits; a save runs it")
            save(place, TWO.replace("Hello {{", "Goodbye {{"))
            terminal.wait_for("Goodbye World!")
            terminal.type("q")
            assert terminal.wait() == 0


def test_the_owner_of_another_folder_is_named(place: Path, tmp_path: Path) -> None:
    """A flow of a folder that the owner does not watch is refused, with who it is; so is one that is not there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.toml").write_text(TWO)
    with started(place, "watch") as owner:
        wait_for_owner(place, owner.pid)
        refused: subprocess.CompletedProcess[str] = atomiton(place, "watch", "elsewhere/mine.toml")
        assert (5, True) == (refused.returncode, "error[CLI-025]" in refused.stderr)
        assert f"process {owner.pid}" in refused.stderr
        owner.send_signal(signal.SIGTERM)
        owner.communicate(timeout=DEADLINE_S)
    missing = atomiton(place, "watch", "helo")
    assert (2, True) == (missing.returncode, "error[FLOW-404]" in missing.stderr)
    assert "did you mean" in missing.stderr
    assert 2 == atomiton(place, "watch", "--run").returncode


def test_a_flow_outside_of_the_flows_folder(place: Path, tmp_path: Path) -> None:
    """The folder that a path is in is watched; nothing of the flows folder is run."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.toml").write_text(TWO)
    with Terminal(place, "watch", "elsewhere/mine.toml") as terminal:
        terminal.wait_for("it has not run yet")
        (tmp_path / "elsewhere" / "mine.toml").write_text(TWO.replace("Hello {{", "Welcome {{"))
        terminal.wait_for("Welcome World!")
        terminal.type("q")
        assert terminal.wait() == 0
