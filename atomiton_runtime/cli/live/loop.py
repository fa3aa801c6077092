"""Shows one flow until somebody has seen enough: as a tree on a terminal, as lines in a pipe."""

import os
import signal
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import click

from atomiton_runtime.cli.following import signals_into
from atomiton_runtime.cli.journal import RunLines, notice_lines
from atomiton_runtime.cli.live.inbox import Inbox
from atomiton_runtime.cli.live.picture import Picture
from atomiton_runtime.cli.live.source import Fact, Source, Target, open_source
from atomiton_runtime.cli.live.states import summary
from atomiton_runtime.cli.wording import dim, one_line, status
from atomiton_runtime.errors import AtomitonError, UsageError
from atomiton_runtime.flow.problems import FlowInvalid
from atomiton_runtime.ids import FlowId
from atomiton_runtime.ownership import Ownership
from atomiton_runtime.run.events import Event
from atomiton_runtime.run.notices import FlowBroken, FlowLoaded, FlowRemoved, Notice, NoticeRaised

if TYPE_CHECKING:
    # Loaded when there is a terminal to draw on.
    from atomiton_runtime.cli.live.screen import Screen

_INTERRUPTED = 130
_FRAME_S = 0.1
"""No two pictures come faster."""
_REST = 4
"""Of a huge flow they come more slowly: so many times as long as drawing one takes nothing is drawn."""
Item: TypeAlias = Fact | signal.Signals
_OF_SCREEN = tuple(
    getattr(signal, name) for name in ("SIGWINCH", "SIGTSTP", "SIGCONT") if hasattr(signal, name)
)


def watch_flow(target: Target, *, run_now: bool) -> int:
    """Show the flow and its runs until Ctrl-C, SIGTERM, SIGHUP or the key `q`; return the exit code.

    Raises:
        UsageError: there is no such flow (FLOW-404).
        RuntimeUnusable: the data folder has an owner with other flows (CLI-025), or the runtime cannot start.
    """
    ownership = Ownership(target.data)
    try:
        with Inbox[Item]() as inbox, signals_into(inbox):
            show = _show_tree if _has_screen() else _tell_lines
            return show(target, ownership, inbox, run_now)
    finally:
        ownership.release()


def _has_screen() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


# -- a terminal ------------------------------------------------------------------------------------------------


def _show_tree(target: Target, ownership: Ownership, inbox: Inbox[Item], run_now: bool) -> int:
    from atomiton_runtime.cli.live.screen import Screen

    picture = Picture(FlowId(target.path.stem), str(target.path))
    while True:
        with open_source(target, ownership, inbox.put) as source, Screen() as screen:
            code = _Loop(picture, source, screen, inbox).until_end(run_now)
            if code is not None and picture.run is not None:
                screen.leave()
                click.echo(f"{one_line(picture.id)} {status(picture.run.status)}: {summary(picture)}")
        if code is not None:
            return code
        run_now = False


class _Loop:
    """Takes what happens into the picture, and draws it."""

    def __init__(self, picture: Picture, source: Source, screen: "Screen", inbox: Inbox[Item]) -> None:
        self._picture, self._source, self._screen, self._inbox = picture, source, screen, inbox
        self._is_stale = True
        """Whether the screen shows something else than the picture."""
        self._drawn_at = self._looked_at = float("-inf")
        self._frame_s = _FRAME_S

    def until_end(self, run_now: bool) -> int | None:
        """Go on until somebody ends it, and return the exit code; None: the owner that was followed is gone."""
        with signals_into(self._inbox, _OF_SCREEN):
            self._load()
            for event in self._source.last_run():
                self._picture.take(event)
            if run_now:
                self._run()
            while self._looks():
                for item in self._inbox.take():
                    code = self._take(item)
                    if code is not None:
                        return code
                self._draw()
                if self._inbox.wait(self._pause_s(), self._screen.keys):
                    for key in self._screen.read_keys().lower():
                        if key == "q":
                            return 0
                        if key == "r":
                            self._run()
            return None

    def _looks(self) -> bool:
        """Look what the owner does, where there is another one, every now and then; return whether it is there."""
        now, every_s = time.monotonic(), self._source.look_s
        if every_s is None or now < self._looked_at + every_s:
            return True
        self._looked_at = now
        return self._source.look() == "same"

    def _draw(self) -> None:
        now = time.monotonic()
        if (self._is_stale or self._picture.is_active) and now >= self._drawn_at + self._frame_s:
            from atomiton_runtime.cli.live.drawing import draw

            moment = datetime.now().astimezone()
            self._screen.draw(draw(self._picture, self._screen.console, moment, footer=self._footer()))
            self._is_stale, self._drawn_at = False, now
            self._frame_s = max(_FRAME_S, (time.monotonic() - now) * (1 + _REST))

    def _pause_s(self) -> float | None:
        """Return how long there is nothing to do unless something happens; None: for ever."""
        ends: list[float] = []
        if self._is_stale or self._picture.is_active:
            ends.append(self._drawn_at + self._frame_s)
        if self._source.look_s is not None:
            ends.append(self._looked_at + self._source.look_s)
        return max(min(ends) - time.monotonic(), 0) if ends else None

    def _footer(self) -> str:
        flow, owner = self._picture.flow, self._source.owner
        if flow is not None and flow.settings.on_save == "off":
            saved = 'a save does not run it (on_save = "off")'
        elif owner is not None:
            saved = f"{owner.words} (process {owner.pid}) runs it when it is saved"
        else:
            saved = "a save runs it"
        keys = "r runs it now, q quits" if self._screen.keys is not None else "Ctrl-C quits"
        return f"{keys}; {saved}"

    # -- what happens ----------------------------------------------------------------------------------------

    def _take(self, item: Item) -> int | None:
        """Take one thing that has happened; return the exit code if it ends all of this."""
        match item:
            case signal.Signals() if item not in _OF_SCREEN:
                return _INTERRUPTED if item is signal.SIGINT else 0
            case signal.Signals():
                if item is signal.SIGTSTP:
                    self._screen.pause()
                self._is_stale = True
            case Event():
                self._is_stale |= self._picture.take(item)
            case _:
                self._notice(item)
        return None

    def _notice(self, notice: Notice) -> None:
        picture = self._picture
        match notice:
            case NoticeRaised():
                picture.notice = notice.error
            case FlowLoaded() if notice.path == picture.path or (picture.flow and picture.flow.subflows):
                self._load()
            case FlowBroken() if notice.path == picture.path:
                picture.spoil(notice.problems)
            case FlowRemoved() if notice.path == picture.path:
                picture.is_gone = True
            case _:
                return
        self._is_stale = True

    def _load(self) -> None:
        picture = self._picture
        try:
            flow, problems = self._source.flow()
        except UsageError:
            if picture.flow is None:
                raise
            picture.is_gone = True
            return
        if flow is not None and (picture.flow is None or flow != picture.flow):
            picture.load(flow)
        picture.is_gone = False
        picture.spoil(problems)

    def _run(self) -> None:
        self._is_stale = True
        try:
            self._source.run()
        except FlowInvalid as invalid:
            self._picture.spoil(invalid.problems)
        except AtomitonError as refused:
            self._picture.notice = refused.info()


# -- a pipe ----------------------------------------------------------------------------------------------------


def _tell_lines(target: Target, ownership: Ownership, inbox: Inbox[Item], run_now: bool) -> int:
    runs = RunLines(str(target.path))
    while True:
        with open_source(target, ownership, inbox.put) as source:
            source.flow()  # that there is no such flow is an error, not a line
            source.last_run()
            _greet(target, source)
            if run_now:
                source.run()
            while source.look() == "same":
                for item in inbox.take():
                    if isinstance(item, signal.Signals):
                        return _INTERRUPTED if item is signal.SIGINT else 0
                    for line in _lines(item, target, runs):
                        click.echo(line)
                inbox.wait(source.look_s)
        run_now = False


def _greet(target: Target, source: Source) -> None:
    click.echo(f"watching {target.path}")
    owner = source.owner
    who = f"{owner.words} (process {owner.pid}) runs it when it is saved" if owner else "save it to run it"
    click.echo(dim(f"{who}; Ctrl-C ends the watch"))


def _lines(fact: Fact, target: Target, runs: RunLines) -> list[str]:
    """Return what happened as lines; none, if it happened to another flow."""
    if isinstance(fact, Event):
        return runs.lines(fact)
    is_ours = isinstance(fact, NoticeRaised) or fact.path == str(target.path)
    return notice_lines(fact, datetime.now(UTC)) if is_ours else []
