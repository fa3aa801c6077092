"""Wrong files and foreign streams: whatever is there, the answer is a flow or problems, never a traceback."""

import os
import resource
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from atomiton_runtime.flow.loader import load_flow
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.nodes.registry import NodeCatalogue
from tests.doubles.terminal import DEADLINE_S, atomiton, command, environment

VALID = b"""\
name = "All of it"

[variables]
limit = { type = "integer", default = 10, min = 1 }

[settings]
timeout = "1h"

[nodes.read]
type = "edit-fields"
values = { n = "{{ vars.limit }}", list = [1, 2] }

[nodes.active]
type = "transform"
input = "read"
operation = "map"
expression = "item.n"
"""
LEAST = b'[nodes.a]\ntype = "edit-fields"\nvalues = { n = 1 }\n'

GOOD = {
    "bom": b"\xef\xbb\xbf" + LEAST,
    "crlf": LEAST.replace(b"\n", b"\r\n"),
}
WRONG: dict[str, tuple[bytes, str]] = {
    "nul": (LEAST + b"#\0", "TOML-004"),
    "utf16": (LEAST.decode().encode("utf-16"), "TOML-003"),
    "bytes": (LEAST + b"# \xff", "TOML-002"),
    "empty": (b"", "FLOW-001"),
    "large": (b"#" * (1024 * 1024 + 1), "TOML-005"),
    "deep": (b"x = " + b"[" * 10_000 + b"]" * 10_000, "TOML-006"),
    "dotted": (b".".join([b"a"] * 10_000) + b" = 1", "TOML-006"),
    "no-nodes": (b"[nodes]\n", "FLOW-001"),
    "names": ('[nodes."a b"]\ntype = "edit-fields"\nvalues = {}\n[nodes."ü"]\n'.encode(), "FLOW-006"),
    "list": (b'[[nodes]]\ntype = "edit-fields"\n', "FLOW-003"),
    "self": (LEAST + b'input = "a"\n', "FLOW-011"),
    "circle": (
        LEAST + b'input = "b"\n[nodes.b]\ntype = "edit-fields"\nafter = "a"\nvalues = {}\n',
        "FLOW-012",
    ),
    "twice": (LEAST + LEAST, "TOML-007"),
}


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (os.mkfifo, "WATCH-002"),
    "socket": (make_socket, "WATCH-002"),
    "folder": (Path.mkdir, "WATCH-002"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "WATCH-002"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "WATCH-003"),
    "loop": (lambda path: path.symlink_to(path.name), "WATCH-003"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the flow `hello`; the current folder, since a socket's path must be short."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "hello.toml").write_bytes(LEAST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_any_beginning_of_a_flow_is_a_flow_or_has_problems(tmp_path: Path) -> None:
    """A half-written file, cut at whatever byte, is judged; each problem has a code, a place and words."""
    catalogue = NodeCatalogue(tmp_path)
    for length in range(len(VALID) + 1):
        loaded = load_flow(VALID[:length], tmp_path / "cut.toml", catalogue)
        if not isinstance(loaded, Flow):
            assert loaded
            assert all(each.code and each.message and each.line > 0 and each.column > 0 for each in loaded)
    assert isinstance(load_flow(VALID, tmp_path / "whole.toml", catalogue), Flow)


def test_wrong_files_are_named_and_hurt_no_other(place: Path) -> None:
    """`check` names every wrong file with its code and place; `run` refuses each and runs its neighbours."""
    flows = place / "flows"
    for name, content in GOOD.items():
        (flows / f"{name}.toml").write_bytes(content)
    for name, (content, _) in WRONG.items():
        (flows / f"{name}.toml").write_bytes(content)
    for name, (make, _) in ODD.items():
        make(Path("flows", f"{name}.toml"))

    checked = atomiton(place, "check")
    neighbour = atomiton(place, "run", "crlf")
    refused = atomiton(place, "run", "fifo")

    assert checked.returncode == 2
    # A folder is looked into when its path is given, so only the flows folder's own files are flows.
    for name, (_, code) in {**WRONG, **ODD}.items():
        assert f"flows/{name}.toml:" in checked.stdout
        line = next(each for each in checked.stdout.splitlines() if each.startswith(f"flows/{name}.toml:"))
        assert f"error[{code}]" in line
    for name in GOOD:
        assert f"flows/{name}.toml" not in checked.stdout
    assert (neighbour.returncode, neighbour.stdout) == (0, '{"n":1}\n')
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Traceback" not in checked.stdout + checked.stderr + refused.stderr


@pytest.mark.parametrize(
    ("streams", "code", "said"),
    [
        (">&-", 0, ""),
        ("2>&-", 0, '{"n":1}\n'),
        ("<&- >&- 2>&-", 0, ""),
        (
            ">/dev/full",
            5,
            "error[CLI-016]: the output cannot be written: No space left on device\n"
            "  hint: a run that was executed is kept: `atomiton show last --json` prints it again\n",
        ),
    ],
)
def test_closed_and_full_streams(place: Path, streams: str, code: int, said: str) -> None:
    """A run whose streams are closed is a run; output that cannot be written is an error with a code."""
    done = in_shell(place, f'"$@" {streams}', "run", "hello")
    assert (done.returncode, done.stdout) == (code, said)
    assert '"status":"succeeded"' in atomiton(place, "show", "last", "--json").stdout


def test_an_error_that_cannot_be_shown_keeps_its_exit_code(place: Path) -> None:
    """With stderr on a full disk the exit code still says that there is no such flow."""
    assert in_shell(place, '"$@" 2>/dev/full', "run", "nowhere").returncode == 2


def test_a_locale_without_letters(place: Path) -> None:
    """With LC_ALL=C the results are UTF-8 all the same."""
    (place / "flows" / "snow.toml").write_text(
        '[nodes.a]\ntype = "edit-fields"\nvalues = { n = "é☃" }\n', "utf-8"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"}
    done = atomiton(place, "run", "snow", **plain)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"n":"é☃"}\n', "")


@pytest.mark.parametrize("words", [("list",), ("run", "hello")])
def test_a_flows_folder_that_is_a_file(place: Path, words: tuple[str, ...]) -> None:
    """A file where the flows folder should be is not taken for an empty folder."""
    done = atomiton(place, "--flows", "flows/hello.toml", *words)
    assert (done.returncode, done.stdout) == (5, "")
    assert "error[WATCH-001]: the flows folder" in done.stderr
    assert "Not a directory\n  hint: name a folder with --flows" in done.stderr


def test_a_flows_folder_that_may_not_be_read(place: Path) -> None:
    """A folder without the right to read it is not taken for one without problems."""
    locked = place / "locked"
    locked.mkdir()
    program = (
        "import sys, os, atomiton_runtime.cli.app as app, atomiton_runtime.runtime\n"
        "if os.geteuid() == 0: os.setresuid(54321, 54321, 54321)\n"
        "sys.exit(app.run_command(['--flows', 'locked', 'check']))"
    )
    (place / "data").mkdir(mode=0o777)
    (place / "data").chmod(0o777)
    for folder in (place, *place.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    locked.chmod(0)
    done = subprocess.run(
        [*command()[:1], "-c", program],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    locked.chmod(0o700)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "error[CLI-014]: the folder" in done.stderr
    assert "Permission denied\n  hint: " in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the rights of POSIX")
def test_nobody_at_home(place: Path) -> None:
    """Without HOME, and as a user nobody knows, the error says what to set."""
    program = (
        "import sys, os, platformdirs, atomiton_runtime.cli.run, atomiton_runtime.cli.app as app\n"
        "if os.geteuid() == 0: os.setresuid(54321, 54321, 54321)\n"
        "import pwd; pwd.getpwuid = lambda uid: {}[uid]\n"
        "sys.exit(app.run_command(['run', 'hello']))"
    )
    homeless = {
        name: value
        for name, value in environment(place).items()
        if name not in ("HOME", "ATOMITON_FLOWS", "ATOMITON_DATA") and not name.startswith("XDG_")
    }
    done = subprocess.run(
        [*command()[:1], "-c", program],
        env=homeless,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error[RUN-015]: your home folder cannot be found")
    assert "  hint: set HOME" in done.stderr


@pytest.mark.parametrize(
    ("limit", "value"),
    [("RLIMIT_NOFILE", count) for count in (8, 10, 12, 32)]
    + [("RLIMIT_AS", size * 2**20) for size in (100, 400, 1000)],
)
def test_small_limits(place: Path, limit: str, value: int) -> None:
    """With few files or little memory a run succeeds, or a reason is given; never that a flow is not there."""
    number = getattr(resource, limit)
    done = subprocess.run(
        command("run", "hello"),
        cwd=place,
        env=environment(place),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(number, (value, value)),  # no thread is alive
    )
    if done.returncode == 0:
        assert done.stdout == '{"n":1}\n'
    else:
        assert done.returncode in (1, 5), done.stderr
        assert "error[" in done.stderr
        assert "  hint: " in done.stderr
        assert "CLI-099" not in done.stderr
        assert "FLOW-404" not in done.stderr
    assert "Traceback" not in done.stderr


def in_shell(place: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a shell script that names it `"$@"`; both streams come as one."""
    return subprocess.run(
        ["sh", "-c", script, "sh", *command(*arguments)],
        cwd=place,
        env=environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
