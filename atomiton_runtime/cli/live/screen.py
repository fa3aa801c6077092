"""Is a terminal that is drawn on as a whole, whose keys are read one by one, and that is given back as it was."""

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from typing import Self, TypeAlias

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

_Modes: TypeAlias = "list[int | list[bytes | int]]"


class Screen:
    """A context manager: within it the terminal shows what `draw` was given, in its second buffer."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        # Without a thread: nothing is drawn while nothing happens. What others print would be in the picture.
        self._live = Live(
            console=self.console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.keys: int | None = None
        """The file that keys are read from; None: there is no keyboard here."""
        self._modes: _Modes | None = None

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(self, *exc: object) -> None:
        self.leave()

    def draw(self, lines: Sequence[Text]) -> None:
        """Show these lines, no more than there are on the screen."""
        self._live.update(Group(*lines), refresh=True)

    def read_keys(self) -> str:
        """Return the keys that were pressed; call it when `keys` can be read."""
        if self.keys is None:
            return ""
        try:
            pressed = os.read(self.keys, 1024)
        except OSError:
            pressed = b""
        if not pressed:
            self.keys = None  # the keyboard is gone
        return pressed.decode(errors="replace")

    def pause(self) -> None:
        """Give the terminal back, and stop this process until somebody continues it."""
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.enter()

    def enter(self) -> None:
        """Take the terminal."""
        self._live.start()
        number = _keyboard()
        if number is not None:
            with contextlib.suppress(termios.error, OSError):
                modes = termios.tcgetattr(number)
                tty.setcbreak(number)
                self.keys, self._modes = number, modes

    def leave(self) -> None:
        """Give the terminal back as it was; a second time changes nothing."""
        if self._modes is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._modes)
        self.keys = self._modes = None
        with contextlib.suppress(OSError):  # a terminal that is gone needs no tidying
            self._live.stop()


def _keyboard() -> int | None:
    """Return stdin, if it is a terminal in whose foreground we are: another one's modes are not ours to set."""
    try:
        number = sys.stdin.fileno()
        is_ours = os.isatty(number) and os.tcgetpgrp(number) == os.getpgrp()
    except (OSError, ValueError):
        return None
    return number if is_ours else None
