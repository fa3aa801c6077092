"""Makes an actor that no message can kill: one guarded door, a mailbox that outlives it, asks that end.

Measured with pykka 4.x: an exception in a told message kills the actor, `SystemExit` in one handler stops every
actor of the process, `on_start` fails silently, an ask without a timeout may wait for ever. Here nothing that a
handler raises passes the door, so pykka never sees it.
"""

import abc
import contextlib
import logging
import queue
import time
from collections.abc import Callable
from enum import IntEnum
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar, cast

import msgspec
import pykka
from pykka._envelope import Envelope  # private: the only way to put into an inbox that outlives its actor

from atomiton_runtime.actors.messages import ActorFaulted, ActorStopped, Ping, TimeIsUp
from atomiton_runtime.errors import RuntimeUnusable

log = logging.getLogger(__name__)

ASK_TIMEOUT_S = 10.0
M = TypeVar("M")
_TIME_IS_UP = TimeIsUp()


class Rank(IntEnum):
    """Who may ask whom: only a higher rank a lower one, so no two can wait for each other."""

    NODE = 1
    KEEPER = 2
    BUS = 3
    WATCHER = 4
    SHELF = 5
    CONDUCTOR = 6
    SUPERVISOR = 7
    CLIENT = 8


class Mailbox:
    """The inbox of one actor's name. It stays when the actor behind it is started anew, with all it holds.

    `SimpleQueue` is a third faster a message than `Queue`. The deadline saves a timer thread: when it passes
    before a message comes, the actor receives `TimeIsUp` instead.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Envelope[object]] = queue.SimpleQueue()
        self.put = self._queue.put
        self.deadline: float | None = None
        """By the monotonic clock; set by the actor itself, cleared when it has passed."""

    def get(self) -> Envelope[object]:
        """Return the next message, or `TimeIsUp` once the deadline has passed."""
        if self.deadline is None:
            return self._queue.get()
        left_s = self.deadline - time.monotonic()
        if left_s > 0:
            try:
                return self._queue.get(timeout=left_s)
            except queue.Empty:
                pass
        self.deadline = None
        return Envelope(_TIME_IS_UP)

    def empty(self) -> bool:
        """Return True: an actor that stops leaves what has come to the one that follows it."""
        return True


class _Asked(msgspec.Struct, frozen=True):
    message: object


class _Raised(msgspec.Struct, frozen=True):
    error: Exception


class Address:
    """Where an actor is reached, whichever incarnation of it is alive. Usable from every thread."""

    def __init__(self, name: str, rank: Rank) -> None:
        self.name = name
        self.rank = rank
        self.mailbox = Mailbox()
        self.closing = False
        """True once its stop is wanted, so that it is not taken for an accident."""

    def tell(self, message: object) -> None:
        """Put a message into the mailbox and go on."""
        self.mailbox.put(Envelope(message))

    def ask(self, message: object, *, asker: Rank, timeout_s: float = ASK_TIMEOUT_S) -> object:
        """Return the answer to a message.

        Raises:
            RuntimeUnusable: no answer in time (RUN-011).
            Exception: what the handler raised.
        """
        if asker <= self.rank:
            raise AssertionError(f"{asker.name} must not ask {self.name}")
        future: pykka.ThreadingFuture[object] = pykka.ThreadingFuture()
        self.mailbox.put(Envelope(_Asked(message), reply_to=future))
        try:
            answer = future.get(timeout=timeout_s)
        except pykka.Timeout:
            raise RuntimeUnusable(
                "RUN-011",
                f"no answer from {self.name} within {timeout_s:g} s",
                hint="the runtime is stopped, or busy beyond measure; try again",
            ) from None
        if isinstance(answer, _Raised):
            raise answer.error
        return answer


class GuardedActor(pykka.ThreadingActor, Generic[M]):
    """The base of every actor; `M` is what it receives.

    Subclasses write `receive`, and `begin`, `end` and `on_fault` where they need them.
    """

    # A handler that never returns must not keep the process alive.
    use_daemon_thread: ClassVar[bool] = True

    def __init__(self, address: Address, supervisor: Callable[[object], None]) -> None:
        self.address = address
        self._supervisor = supervisor
        super().__init__()

    def _create_actor_inbox(self) -> Mailbox:  # type: ignore[override]  # pykka has a static method: it knows no address
        return self.address.mailbox

    @abc.abstractmethod
    def receive(self, message: M) -> object:
        """Handle one message; all of the actor's state changes or nothing does."""

    def begin(self) -> None:
        """Prepare, in the actor's own thread, before the first message."""

    def end(self) -> None:
        """Clean up, in the actor's own thread, after the last message."""

    def on_fault(self, message: object, error: BaseException) -> None:
        """Make good what a handler that raised has left undone, e.g. answer in its place."""

    # -- the door ------------------------------------------------------------------------------------------

    def on_receive(self, message: object) -> object:
        """Let a message in; let nothing that its handler raises out."""
        if type(message) is _Asked:
            return self._answer(message.message)
        try:
            self.receive(cast(M, message))
        except BaseException as error:  # noqa: BLE001  # the door: SystemExit here would stop every actor
            self._faulted(message, error)
        return None

    def _answer(self, message: object) -> object:
        if type(message) is Ping:
            return True
        try:
            return self.receive(cast(M, message))
        except Exception as error:  # noqa: BLE001  # it is raised again where it is understood: at the asker's
            return _Raised(error)
        except BaseException as error:  # noqa: BLE001  # the door, as above
            self._faulted(message, error)
            return _Raised(RuntimeUnusable("RUN-012", f"{self.address.name} failed: {error!r}"))

    def _faulted(self, message: object, error: BaseException) -> None:
        try:
            log.error("actor %s failed on %s", self.address.name, type(message).__name__, exc_info=error)
            self._supervisor(
                ActorFaulted(actor=self.address.name, message=type(message).__name__, fault=repr(error))
            )
            self.on_fault(message, error)
        except BaseException:  # noqa: BLE001  # the door, as above; e.g. memory ran out again
            log.error("actor %s could not make good a fault", self.address.name)

    def on_start(self) -> None:
        """Begin; a failure is reported as one of any message is."""
        try:
            self.begin()
        except BaseException as error:  # noqa: BLE001  # the door: pykka would stop the actor without a word
            self._faulted("start", error)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End as after any stop: pykka itself failed between two messages, and this incarnation is gone."""
        del exception_type, exception_value, traceback
        self.on_stop()

    def on_stop(self) -> None:
        """End; a stop that nobody wanted is reported, so that the supervisor starts another."""
        try:
            self.end()
        except BaseException as error:  # noqa: BLE001  # the door, as above
            self._faulted("stop", error)
        if not self.address.closing:
            self._supervisor(ActorStopped(actor=self.address.name))


def stop_actor(ref: pykka.ActorRef[Any], address: Address, timeout_s: float) -> bool:
    """Stop an actor after what its mailbox holds; return False if it is still busy after `timeout_s`."""
    address.closing = True
    # A stop that nobody reads: an earlier one may have ended the actor all the same.
    with contextlib.suppress(pykka.Timeout):
        ref.stop(timeout=timeout_s)
    return not ref.is_alive()
