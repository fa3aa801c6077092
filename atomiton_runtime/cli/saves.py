"""Does something again whenever one of some files is saved, until a signal ends it."""

import hashlib
import queue
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import click

from atomiton_runtime.cli.failures import show_error
from atomiton_runtime.cli.following import INTERRUPTED, signals_into
from atomiton_runtime.cli.wording import dim
from atomiton_runtime.errors import UsageError

_LOOK_S = 0.25
"""A file counts as saved when it has been the same for so long."""
_RULE = "─"
_RULE_CHARS = 40


def each_save(paths: Sequence[str], act: Callable[[], int], *, announce: bool) -> int:
    """Do `act` at once and after each save; return the exit code once a signal has come.

    What is wrong with the files, or with what is done, is shown, and the next save waited for.

    Args:
        paths: of the files.
        act: returns the exit code of a command; 130: the user wants no more.
        announce: whether to print a line with the time before each but the first.
    """
    inbox: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
    with signals_into(inbox):
        done = None
        seen = _contents(paths)
        while True:
            now = _contents(paths)
            if now == seen and now != done:
                if done is not None and announce:
                    click.echo(dim(f"{_RULE * 2} {datetime.now():%H:%M:%S} {_RULE * _RULE_CHARS}"))
                if _acted(act) == INTERRUPTED:
                    return INTERRUPTED
                if done is None:
                    click.echo(dim("each save of the flow replays it; Ctrl-C ends that"), err=True)
                done = now
            seen = now
            with suppress(queue.Empty):
                number = inbox.get(timeout=_LOOK_S)
                return INTERRUPTED if number is signal.SIGINT else 0


def _acted(act: Callable[[], int]) -> int:
    try:
        return act()
    except UsageError as error:  # a broken file will be mended, and saved
        show_error(error)
        return 2


def _contents(paths: Sequence[str]) -> tuple[bytes | None, ...]:
    """Return the hash of each file; None: it cannot be read."""
    return tuple(_content(path) for path in paths)


def _content(path: str) -> bytes | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError:
        return None
