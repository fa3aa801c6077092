"""Starts anew what stops by accident, and says aloud what went wrong inside."""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import assert_never

from atomiton_runtime.actors.base import Address, GuardedActor
from atomiton_runtime.actors.messages import (
    ActorFaulted,
    ActorStopped,
    Publish,
    Raise,
    SupervisorMessage,
    TimeIsUp,
)
from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.run.notices import NoticeRaised

log = logging.getLogger(__name__)

RESTARTS_A_MINUTE = 10
"""An actor that stops more often than this is started anew after a pause, so that it does not burn the machine."""
PAUSE_S = 0.1
"""None stays down: without its conductor, or its keeper, a runtime would be a shell that accepts and does nothing."""


class Supervisor(GuardedActor[SupervisorMessage]):
    """Keeps the others alive.

    Owns: when it started whom anew, and who waits for that. Receives: `ActorFaulted`, `ActorStopped`, `Raise`,
    `TimeIsUp`. Sends: notices to the bus.
    Rank: SUPERVISOR. When it dies it starts its own successor.
    """

    def __init__(self, address: Address, *, bus: Address, restart: Callable[[str], None]) -> None:
        super().__init__(address, self._about_itself)
        self._bus = bus
        self._restart = restart
        self._restarts: dict[str, deque[float]] = {}
        self._waiting: set[str] = set()
        self._storms: dict[str, float] = {}
        """Actor -> when it was said last that it stops all the time."""

    def receive(self, message: SupervisorMessage) -> None:
        """Handle one message."""
        match message:
            case ActorFaulted(actor=actor, message=handled, fault=fault):
                self._say(f"{actor} failed on {handled} and goes on: {fault}")
            case ActorStopped(actor=actor):
                self._start_anew(actor)
            case TimeIsUp():
                waiting, self._waiting = self._waiting, set()
                for actor in waiting:
                    self._restart(actor)
            case Raise(notice=notice):
                self._bus.tell(Publish(facts=(notice,)))
            case _:
                assert_never(message)

    def _start_anew(self, actor: str) -> None:
        now = time.monotonic()
        recent = self._restarts.setdefault(actor, deque(maxlen=RESTARTS_A_MINUTE))
        often = len(recent) == RESTARTS_A_MINUTE and now - recent[0] < 60
        recent.append(now)
        if often:
            self._waiting.add(actor)
            self.address.mailbox.deadline = now + PAUSE_S
            if now - self._storms.get(actor, -60.0) >= 60:
                self._storms[actor] = now
                self._say(
                    f"{actor} stopped more than {RESTARTS_A_MINUTE} times within a minute, and is kept alive"
                )
            return
        self._restart(actor)
        self._say(f"{actor} stopped by accident and was started anew")

    def _say(self, message: str) -> None:
        log.error(message)
        hint = "nothing is lost; please report this, with the log"
        error = ErrorInfo("RUN-012", message, hint=hint)
        self._bus.tell(Publish(facts=(NoticeRaised(level="error", error=error),)))

    def _about_itself(self, message: object) -> None:
        """Handle what the door reports of this very actor; it runs in the actor's last moments."""
        if isinstance(message, ActorStopped):
            self._restart(message.actor)
        else:
            self.address.tell(message)
