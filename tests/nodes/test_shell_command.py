"""A command gets what it was given, tells what it did, and nothing of it outlives its node (faults 2, 21, 22)."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from atomiton_runtime.nodes import processes, streams
from atomiton_runtime.nodes.base import CancelToken, NodeCancelledError, NodeError
from atomiton_runtime.nodes.streams import Capture
from tests.doubles.attempts import executed, failure

DEADLINE_S = 20.0
ESCAPES = {
    "a grandchild": "sleep 300 & echo $! >> pids",
    "nohup": "nohup sleep 300 > /dev/null 2>&1 & echo $! >> pids",
    "setsid": "setsid sh -c 'echo $$ >> pids; exec sleep 300' &",
    "a double fork": "(setsid sh -c 'sleep 300 & echo $! >> pids' &)",
    "a cleared environment": "env -i /bin/sh -c 'setsid sh -c \"sleep 300 & echo \\$! >> pids\" &'",
    "closed streams": "sleep 300 < /dev/null > /dev/null 2>&1 & echo $! >> pids",
    "stopped": "sleep 300 & echo $! >> pids; kill -STOP $!",
    "SIGTERM ignored": "sh -c 'trap \"\" TERM INT HUP; echo $$ >> pids; while :; do sleep 300; done' &",
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder; whatever a failed test left alive is killed by its process id."""
    yield tmp_path
    for pid in alive(tmp_path):
        psutil.Process(pid).kill()


def pids(folder: Path) -> list[int]:
    """Return the process ids that the scripts wrote down."""
    noted = folder / "pids"
    return [int(word) for word in noted.read_text().split()] if noted.exists() else []


def wait_for(condition: Any) -> None:
    """Wait until something is true, or fail."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        pause.wait(0.01)


def script(folder: Path, text: str, **more: Any) -> dict[str, Any]:
    """Run a script of the shell."""
    return executed("shell-command", folder, shell=True, program=text, env={"SHELL": "/bin/sh"}, **more)


def alive(folder: Path) -> list[int]:
    """Return which of the written-down processes run; one that waits for the system to bury it does not."""
    return [pid for pid in pids(folder) if runs(pid)]


def runs(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES.keys())
def test_cancel_ends_whoever_tries_to_get_away(folder: Path, escape: str) -> None:
    """When execute has returned from a cancel, nobody of the tree is alive."""
    token = CancelToken()
    ended: list[type[BaseException] | None] = []

    def attempt() -> None:
        try:
            script(folder, f"{escape}\nsleep 300", cancel=token)
        except NodeCancelledError:
            ended.append(NodeCancelledError)

    thread = threading.Thread(target=attempt)
    thread.start()
    wait_for(lambda: pids(folder))
    token.cancel()
    thread.join(DEADLINE_S)

    assert ([NodeCancelledError], []) == (ended, alive(folder))
    assert len(pids(folder)) == 1


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES.keys())
def test_the_end_of_a_command_is_the_end_of_its_tree(folder: Path, escape: str) -> None:
    """What a command leaves in the background ends with it, and cannot hold the node up by an open pipe."""
    waiting = "while [ ! -s pids ]; do sleep 0.01; done"
    outputs = script(folder, f"{escape}\n{waiting}\necho done")

    assert outputs["stdout"] == "done\n"
    assert (len(pids(folder)), alive(folder)) == (1, [])


@pytest.mark.parametrize("after_ms", [0, 1, 3, 5, 8, 12, 20])
def test_a_cancel_at_any_moment_of_the_start(folder: Path, after_ms: int) -> None:
    """Whenever the cancel comes, before the supervisor is ready or after, it counts and nobody is left."""
    token = CancelToken()
    timer = threading.Timer(after_ms / 1000, token.cancel)
    timer.start()
    with pytest.raises(NodeCancelledError):
        script(folder, "echo $$ >> pids; sleep 300 & echo $! >> pids; wait", cancel=token)
    timer.join()

    assert alive(folder) == []


def test_a_cancelled_attempt_starts_nothing(folder: Path) -> None:
    """A token that is set already keeps the command from being started."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(NodeCancelledError):
        script(folder, "echo $$ > pids", cancel=token)

    assert pids(folder) == []


def test_a_killed_supervisor_is_a_failure_and_leaves_nobody(folder: Path) -> None:
    """When somebody kills the supervisor, the node fails, and the mark finds the tree."""
    failures: list[NodeError] = []

    def attempt() -> None:
        try:
            script(folder, "sleep 300 & echo $! >> pids; wait")
        except NodeError as error:
            failures.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    wait_for(lambda: pids(folder))
    (supervisor,) = psutil.Process().children()
    supervisor.kill()
    thread.join(DEADLINE_S)

    assert (["SHELL-004"], []) == ([error.code for error in failures], alive(folder))
    assert "SIGKILL" in failures[0].message


def test_nobody_outlives_a_killed_runtime(folder: Path) -> None:
    """After `kill -9` of the process that runs the node, its tree ends by itself."""
    code = (
        "import sys; from pathlib import Path; from tests.doubles.attempts import executed; "
        "executed('shell-command', Path(sys.argv[1]), shell=True, program='setsid sleep 300 & echo $! >> pids; wait')"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code, folder], cwd=root) as runtime:
        wait_for(lambda: pids(folder))
        runtime.kill()
    wait_for(lambda: not alive(folder))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("printf 'a\\nb'", {"stdout": "a\nb", "stderr": "", "exit_code": 0}),
        ("echo x >&2", {"stdout": "", "stderr": "x\n", "exit_code": 0}),
        ("exit 7", {"stdout": "", "stderr": "", "exit_code": 7}),
        ("kill -KILL $$", {"stdout": "", "stderr": "", "exit_code": 137}),
        ("printf '\\377\\000a'", {"stdout": "\ufffd\0a", "stderr": "", "exit_code": 0}),
        ("exec 0<&- 1>&- 2>&-; exit 0", {"stdout": "", "stderr": "", "exit_code": 0}),
        ("cat", {"stdout": "", "stderr": "", "exit_code": 0}),
        ("trap", {"stdout": "", "stderr": "", "exit_code": 0}),
    ],
)
def test_outputs(folder: Path, text: str, expected: dict[str, Any]) -> None:
    """Output, errors and exit code arrive as they were; signals are as the shell counts them."""
    assert script(folder, text, check=False) == expected


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        (
            {"shell": True, "program": "echo one >&2; echo two >&2; exit 3"},
            "SHELL-003",
            ("exit code 3", "one\ntwo"),
        ),
        ({"shell": True, "program": "kill -SEGV $$"}, "SHELL-004", ("SIGSEGV",)),
        ({"program": "sleeep"}, "SHELL-001", ("sleeep",)),
        ({"program": "ls -l"}, "SHELL-001", ("ls -l",)),
        ({"program": "./plain"}, "SHELL-002", ("plain",)),
        ({"program": "./"}, "SHELL-002", ()),
        ({"program": "./missing"}, "SHELL-001", ("missing",)),
        ({"program": "./no-interpreter"}, "SHELL-002", ("no-interpreter",)),
        ({"program": "./no-format"}, "SHELL-002", ("no-format",)),
        ({"program": "ls", "args": ["a\0b"]}, "SHELL-002", ("NUL",)),
        ({"program": "ls", "args": ["x" * 3_000_000]}, "SHELL-002", ("too long",)),
        ({"program": "ls", "cwd": "missing"}, "SHELL-005", ("does not exist",)),
        ({"program": "ls", "cwd": "plain"}, "SHELL-005", ("is not a folder",)),
        ({"program": "ls", "max_output": "lots"}, "PARAM-006", ("lots",)),
    ],
)
def test_faults(folder: Path, written: dict[str, Any], code: str, words: tuple[str, ...]) -> None:
    """A failure says what was wrong with which program."""
    (folder / "plain").write_text("x")
    for name, text in {"no-interpreter": "#!/no/such/program\n", "no-format": "\x01\x02"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    error = failure("shell-command", folder, **written)

    assert code == error.code, error.message
    assert [word for word in words if word.lower() not in error.message.lower()] == []


@pytest.mark.parametrize(
    ("program", "hint"), [("slep", "did you mean `sleep`?"), ("ls | wc", "set shell = true")]
)
def test_hints(folder: Path, program: str, hint: str) -> None:
    """A program that is not there comes with what was probably meant."""
    assert hint in (failure("shell-command", folder, program=program).hint or "")


def test_arguments_and_environment_are_never_interpreted(folder: Path) -> None:
    """What a shell would take for code arrives as text."""
    nasty = "$(touch owned); `touch owned` '\" \\ * ü"
    printed = executed("shell-command", folder, program="printf", args=["%s", nasty])["stdout"]
    by_shell = script(folder, 'printf "%s" "$1"', args=[nasty])["stdout"]

    assert (nasty, nasty) == (printed, by_shell)
    assert not (folder / "owned").exists()


def _mask(*signals: signal.Signals) -> int:
    return sum(1 << (number - 1) for number in signals)


def test_the_command_starts_like_any_other(folder: Path) -> None:
    """It leads its own session; signals do what they do by default, and no file is open of ours."""
    own = Path("/proc/self/status").read_text(encoding="utf-8")
    # What is ignored by Python, by the supervisor or by a terminal's `nohup` is not handed on.
    reset = _mask(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGHUP)
    ignored = int(own.split("SigIgn:\t")[1].split()[0], 16) & ~reset
    script(
        folder,
        "ls -l /proc/self/fd | wc -l > fds; cat /proc/self/status > status; ps -o sid= -p $$ > sid; echo $$ > pid",
    )
    status = dict(
        line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line
    )

    assert {name: int(status[name], 16) for name in ("SigBlk", "SigIgn")} == {"SigBlk": 0, "SigIgn": ignored}
    assert (folder / "sid").read_text().strip() == (folder / "pid").read_text().strip()
    assert int((folder / "fds").read_text()) <= 6


@pytest.mark.parametrize("program", ["true", "head"])
def test_input_that_is_not_read_is_no_fault(folder: Path, program: str) -> None:
    """A program that closes its input early, or never reads it, does not hold the node up."""
    args = ["-c", "1"] if program == "head" else []
    outputs = executed("shell-command", folder, program=program, args=args, stdin="x" * 5_000_000)

    assert outputs["stdout"] == ("x" if program == "head" else "")


@pytest.mark.parametrize(
    ("given", "expected"), [("a\n", b"a\n"), (b"\0\xff", b"\0\xff"), ([1], b"[\n  1\n]\n"), ("", b"")]
)
def test_input_arrives(folder: Path, given: Any, expected: bytes) -> None:
    """Text, bytes and data reach the program."""
    script(folder, "cat > copy", stdin="{{ input }}" if given == "{{" else given)

    assert (folder / "copy").read_bytes() == expected


def test_a_megabyte_goes_through_and_back(folder: Path) -> None:
    """Input and output larger than the pipes flow at the same time."""
    text = "0123456789" * 300_000

    assert executed("shell-command", folder, program="cat", stdin=text)["stdout"] == text


def test_endless_output_is_cut_and_memory_stays_bounded(folder: Path) -> None:
    """A second of `yes` is read and dropped beyond the limit, which a line at the end tells."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    printed = script(folder, "timeout 1 yes; exit 0", max_output="1MiB")["stdout"]
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    kept, _, mark = printed.partition("\n[cut here: ")

    assert len(kept) == pytest.approx(1024 * 1024, abs=2)
    assert int(mark.split()[0]) > 10 * 1024 * 1024
    assert grown_kib < 40 * 1024


def test_waiting_costs_nothing(folder: Path) -> None:
    """While a command is silent, the node's thread sleeps."""
    began = time.thread_time()
    executed("shell-command", folder, program="sleep", args=[0.5])

    assert time.thread_time() - began < 0.1


def test_a_cut_never_hides_itself() -> None:
    """A capture keeps the beginning, counts everything, and remembers the last lines."""
    capture = Capture(4)
    for chunk in (b"ab", b"cdef", "ü\nlast\n".encode()):
        capture.add(chunk)

    assert capture.text() == "abcd\n[cut here: 10 more bytes were dropped]\n"
    assert (14, "last") == (capture.size_bytes, capture.last_lines(1))


@pytest.mark.parametrize(
    "text", ["cat; echo err >&2; exit 3", "sleep 300 & echo $! >> pids; cat", "kill -KILL $$"]
)
def test_the_way_of_other_systems(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a supervisor and with threads for the streams, the outputs are the same and nobody is left."""
    supervised = script(folder, text, check=False, stdin="in")
    monkeypatch.setattr(processes, "_SUPERVISED", False)
    monkeypatch.setattr(streams, "_converse", streams._with_threads)
    other = script(folder, text, check=False, stdin="in")

    assert supervised == other
    assert alive(folder) == []


def test_cancel_on_other_systems(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel ends whoever carries the mark, and their children."""
    monkeypatch.setattr(processes, "_SUPERVISED", False)
    token = CancelToken()
    timer = threading.Thread(target=lambda: (wait_for(lambda: pids(folder)), token.cancel()))
    timer.start()
    with pytest.raises(NodeCancelledError):
        script(folder, "setsid sleep 300 & echo $! >> pids; sleep 300", cancel=token)
    timer.join()

    assert alive(folder) == []


def test_the_mark_is_gone_from_our_own_environment() -> None:
    """Only what an attempt starts carries the mark."""
    assert processes.MARK not in os.environ
