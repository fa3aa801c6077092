import subprocess
import sys
from pathlib import Path

import pytest

from atomiton_runtime.cli import app
from atomiton_runtime.errors import AtomitonError, RuntimeUnusable, StorageError
from tests.doubles.terminal import Terminal, atomiton, command, environment

HEAVY = (
    "pykka",
    "jinja2",
    "rich",
    "watchdog",
    "pystray",
    "filelock",
    "PIL",
    "dbus_fast",
    "tree_sitter",
    "psutil",
)


def test_without_a_command_there_is_help(tmp_path: Path) -> None:
    """`atomiton` alone shows the same as `atomiton --help`, on stdout, and that is no error."""
    alone, asked = atomiton(tmp_path), atomiton(tmp_path, "--help")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert alone.stdout == asked.stdout
    assert all(f"  {name} " in alone.stdout for name in app.COMMANDS)


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    """The help is there before the actors, the template engine or the drawing library could be loaded."""
    script = "import sys\nfrom atomiton_runtime.cli.app import run_command\nrun_command(['--help'])\n"
    script += f"sys.exit(', '.join(set({HEAVY!r}) & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", script], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert shown.stderr.strip() == ""


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help(tmp_path: Path, name: str) -> None:
    """The line of the table is the first sentence of the command's own help, or says the same in short."""
    shown = atomiton(tmp_path, name, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"Usage: atomiton {name} ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("lst",), 2, "error[CLI-001]: no such command `lst`\n  hint: did you mean list?\n"),
        (
            ("xyzzy",),
            2,
            "error[CLI-001]: no such command `xyzzy`\n  hint: `atomiton --help` shows what there is\n",
        ),
        (("--flws",), 2, "error[CLI-001]: no such option `--flws`\n  hint: did you mean --flows?\n"),
        (
            ("show",),
            2,
            "error[CLI-001]: missing argument `RUN`\n  hint: `atomiton show --help` shows what there is\n",
        ),
        (
            ("history", "--limit", "0"),
            2,
            "error[CLI-002]: invalid value for `--limit`: 0 is not in the range",
        ),
        (("run",), 2, "error[CLI-001]: missing argument `FLOW`"),
        (("run", "--limit", "3", "hello"), 2, "error[CLI-001]: no such option `--limit`"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """A wrong command line exits 2 with an error in our own form on stderr, and nothing on stdout."""
    shown = atomiton(tmp_path, *arguments)
    assert (shown.returncode, shown.stdout) == (code, "")
    assert shown.stderr.startswith(message)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageError("STORE-001", "no"), 5),
        (RuntimeUnusable("CLI-020", "no"), 5),
        (AtomitonError("X-1", "no"), 5),
    ],
)
def test_an_unusable_store_or_runtime_is_5(error: AtomitonError, code: int) -> None:
    """What the user cannot have caused by the command line exits 5."""
    assert app.exit_code(error) == code


def test_a_fault_shows_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """An exception that nobody foresaw is one line, an invitation to report, and exit code 5."""

    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(app.Installation, "__init__", broken)
    assert app.run_command(["list"]) == 5
    shown = capsys.readouterr().err
    assert "error[CLI-099]: a fault of atomiton itself: RuntimeError: unforeseen" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("arguments", [("--help",), ("list", "--json")])
def test_a_reader_that_left_is_no_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """`atomiton ... | head -0` prints nothing on stderr."""
    with subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", "é日".encode()), ("latin-1", b"\xe9\\u65e5"), ("utf-8", "é日".encode())]
)
def test_a_terminal_without_unicode_fails_no_command(tmp_path: Path, encoding: str, shown: bytes) -> None:
    """Where a character cannot be shown its code is; ASCII is taken for a forgotten locale, and gets UTF-8."""
    environ = environment(tmp_path, PYTHONIOENCODING=encoding, LC_ALL="C.UTF-8")
    told = subprocess.run(command("é日"), env=environ, capture_output=True, check=False)
    assert told.returncode == 2
    assert b"no such command `%b`" % shown in told.stderr


def test_colours_are_for_terminals(tmp_path: Path) -> None:
    """A terminal gets colours, a pipe does not."""
    assert "\x1b" not in atomiton(tmp_path, "lst").stderr
    with Terminal(tmp_path, "lst") as terminal:
        assert terminal.wait() == 2
        assert "\x1b[31m" in terminal.screen
        assert "error[CLI-001]: no such command `lst`" in terminal.text


def test_version(tmp_path: Path) -> None:
    """The version is that of the installed package."""
    assert atomiton(tmp_path, "--version").stdout.startswith("atomiton")
