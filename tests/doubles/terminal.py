"""Runs the `atomiton` command as its users do: as a process, with pipes or with a terminal."""

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Generator, Sequence
from fcntl import ioctl
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
_SEQUENCES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")


def command(*arguments: str) -> list[str]:
    """Return the command line of `atomiton` with these arguments."""
    return [sys.executable, "-m", "atomiton_runtime", *arguments]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a user whose flows and data are in `folder`."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ATOMITON_FLOWS": str(folder / "flows"),
        "ATOMITON_DATA": str(folder / "data"),
        "PYTHONIOENCODING": "utf-8",
        **more,
    }


def atomiton(folder: Path, *arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command with pipes in `folder`, `given` as its stdin, and wait for its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder, **more),
        input=given,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )


@contextlib.contextmanager
def started(folder: Path, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """Start the command with pipes in `folder`; it is killed if it has not ended in the end."""
    with subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_file(path: Path) -> str:
    """Return what a process of the test wrote there, as soon as it is there."""
    deadline = time.monotonic() + DEADLINE_S
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)
    return path.read_text().strip()


class Terminal:
    """A terminal of 80 columns with the command in its foreground."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        self.screen = ""
        """All that was written so far, with its escape sequences."""
        self.code: int | None = None
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            self._become(folder, command(*arguments), environment(folder, TERM="xterm-256color", **more))
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    @staticmethod
    def _become(folder: Path, words: Sequence[str], environ: dict[str, str]) -> None:
        try:
            os.chdir(folder)
            os.execvpe(words[0], words, environ)
        finally:
            os._exit(127)

    def wait_for(self, pattern: str) -> str:
        """Read until the plain text of the screen matches; return it."""
        deadline = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.text):
            assert self._read(deadline), f"{pattern!r} never came; on the screen: {self.text}"
        return self.text

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size, as a user does who drags its edge."""
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def modes(self) -> list[object]:
        """Return how the terminal treats what is typed, as `termios.tcgetattr` has it."""
        return termios.tcgetattr(self._fd)

    def send_signal(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        os.kill(self._pid, number)

    def type(self, keys: str) -> None:
        """Type, e.g. `\\x03` for Ctrl-C."""
        os.write(self._fd, keys.encode())

    def wait(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self._read(deadline):
            pass
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self.code

    @property
    def text(self) -> str:
        """What was written, without escape sequences."""
        return _SEQUENCES.sub("", self.screen).replace("\r\n", "\n")

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exc: object) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError(f"the command goes on; on the screen: {self.text}")
        try:
            piece = os.read(self._fd, 65536)
        except OSError:  # Linux: the other side of the terminal is closed
            return False
        self.screen += piece.decode(errors="replace")
        return bool(piece)
