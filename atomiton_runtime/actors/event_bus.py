"""Hands facts to whoever subscribed. A subscriber that raises, blocks or is slow hurts only itself."""

import itertools
import logging
from collections.abc import Callable, Sequence
from typing import assert_never

import pykka

from atomiton_runtime.actors.backlog import Backlog, Fact
from atomiton_runtime.actors.base import Address, GuardedActor, Rank, stop_actor
from atomiton_runtime.actors.messages import BusMessage, Publish, Sink, Subscribe, TellNews, Unsubscribe
from atomiton_runtime.ids import RunId
from atomiton_runtime.run.events import is_final

log = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 2.0
_TELL_NEWS = TellNews()


class Subscriptions:
    """Who listens to what: the state that outlives an incarnation of the bus."""

    def __init__(self) -> None:
        self.general: dict[int, Subscribe] = {}
        self.by_run: dict[RunId, dict[int, Subscribe]] = {}

    def add(self, subscription: Subscribe) -> None:
        """Add a subscription."""
        if subscription.run_id is None:
            self.general[subscription.key] = subscription
        else:
            self.by_run.setdefault(subscription.run_id, {})[subscription.key] = subscription

    def remove(self, key: int) -> None:
        """Remove a subscription, if it is there."""
        self.general.pop(key, None)
        for run_id, listeners in tuple(self.by_run.items()):
            if listeners.pop(key, None) is not None and not listeners:
                del self.by_run[run_id]

    def addressed(self, facts: Sequence[Fact]) -> list[tuple[Subscribe, Sequence[Fact]]]:
        """Return who wants what of `facts`; a run's own listeners leave with its last event."""
        of_run: dict[RunId, list[Fact]] = {}
        for fact in facts:
            run_id: RunId | None = getattr(fact, "run_id", None)
            if run_id is not None and run_id in self.by_run:
                of_run.setdefault(run_id, []).append(fact)
        addressed = [(entry, _wanted(entry, facts)) for entry in self.general.values()]
        for run_id, events in of_run.items():
            listeners = self.by_run.pop(run_id) if is_final(events[-1]) else self.by_run[run_id]
            addressed += [(entry, _wanted(entry, events)) for entry in listeners.values()]
        return addressed


def _wanted(entry: Subscribe, facts: Sequence[Fact]) -> Sequence[Fact]:
    return [fact for fact in facts if type(fact).__name__ in entry.kinds] if entry.kinds else facts


class EventBusActor(GuardedActor[BusMessage]):
    """The one place where facts are handed out.

    Owns: the subscriptions. Receives: `Subscribe`, `Unsubscribe`, `Publish`. Sends: nothing; it calls sinks,
    which only enqueue. Rank: BUS. When it dies its successor has the same subscriptions and mailbox.
    """

    def __init__(
        self, address: Address, supervisor: Callable[[object], None], *, subscriptions: Subscriptions
    ) -> None:
        super().__init__(address, supervisor)
        self._subscriptions = subscriptions

    def receive(self, message: BusMessage) -> None:
        """Handle one message."""
        match message:
            case Publish(facts=facts):
                self._hand_out(facts)
            case Subscribe():
                self._subscriptions.add(message)
            case Unsubscribe(key=key):
                self._subscriptions.remove(key)
            case _:
                assert_never(message)

    def on_fault(self, message: object, error: BaseException) -> None:
        """Hand the facts out all the same: somebody may wait for the end of a run among them."""
        del error
        if isinstance(message, Publish):
            self._hand_out(message.facts)

    def _hand_out(self, facts: Sequence[Fact]) -> None:
        for listener, wanted in self._subscriptions.addressed(facts):
            try:
                listener.sink(wanted)
            except BaseException:  # a border: the subscriber's fault is not the bus's
                log.exception("a subscriber failed and is no longer called")
                self._subscriptions.remove(listener.key)


class Subscriber(GuardedActor[TellNews]):
    """Calls one subscriber's function in a thread of its own.

    Owns: the function. Receives: `TellNews`. Sends: nothing. Rank: NODE. It is never started anew.
    """

    def __init__(self, address: Address, callback: Callable[[Fact], object], backlog: Backlog) -> None:
        super().__init__(address, _nobody)
        self._callback = callback
        self._backlog = backlog

    def receive(self, message: TellNews) -> None:
        """Call the function with each fact that waits, also after one with which it raised."""
        del message
        while (fact := self._backlog.take()) is not None:
            try:
                self._callback(fact)
            except BaseException as error:  # noqa: BLE001  # the door: SystemExit here would stop every actor
                self._faulted(fact, error)


def _nobody(message: object) -> None:
    """Pass over what a door reports: a subscriber's faults are its own, and already in the log."""


class EventBus:
    """What the rest of the process sees of the bus."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._keys = itertools.count(1)
        self._subscribers: dict[int, tuple[pykka.ActorRef[Subscriber], Address, Backlog]] = {}

    def publish(self, *facts: Fact) -> None:
        """Hand facts to the subscribers, in this order, later and in another thread."""
        self._address.tell(Publish(facts=facts))

    def subscribe(
        self, callback: Callable[[Fact], object], *, kinds: Sequence[str] = (), run_id: RunId | None = None
    ) -> Callable[[], None]:
        """Call `callback` with each fact that matches, in a thread of its own; return what ends that.

        Args:
            callback: may be slow or raise; it delays and hurts nobody else. One that is so slow that thousands of
                facts wait for it misses some, those of nodes first; a `NoticeRaised` (RUN-023) says how many, whatever
                its kinds.
            kinds: class names such as `"NodeFailed"`; empty means all.
            run_id: only the events of this run.
        """
        key = next(self._keys)
        address = Address(f"Subscriber {key}", Rank.NODE)
        address.closing = True
        backlog = Backlog()
        self._subscribers[key] = Subscriber.start(address, callback, backlog), address, backlog

        def add(facts: Sequence[Fact]) -> None:
            if backlog.add(facts):
                address.tell(_TELL_NEWS)

        self._listen(key, add, kinds, run_id)

        def end() -> None:
            self._address.tell(Unsubscribe(key=key))
            self._end(key)

        return end

    def listen(self, sink: Sink, *, run_id: RunId) -> int:
        """Call `sink` in the bus's own thread with the events of a run, until its last; it only enqueues."""
        key = next(self._keys)
        self._listen(key, sink, (), run_id)
        return key

    def forget(self, key: int) -> None:
        """End what `listen` began, before the run's last event."""
        self._address.tell(Unsubscribe(key=key))

    def _listen(self, key: int, sink: Sink, kinds: Sequence[str], run_id: RunId | None) -> None:
        self._address.tell(Subscribe(key=key, sink=sink, kinds=frozenset(kinds), run_id=run_id))

    def _end(self, key: int) -> None:
        known = self._subscribers.pop(key, None)
        if known is not None:
            ref, address, backlog = known
            # Without waiting: a subscriber may end its own subscription from inside its function.
            backlog.close()
            address.closing = True
            ref.stop(block=False)

    def close(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """End all subscriptions, after what is on its way has been delivered."""
        for key in tuple(self._subscribers):
            ref, address, backlog = self._subscribers.pop(key)
            backlog.close()
            stop_actor(ref, address, timeout_s)


class StandaloneBus(EventBus):
    """A bus with an actor of its own, for programs that want the bus and no runtime."""

    def __init__(self) -> None:
        address = Address("EventBus", Rank.BUS)
        super().__init__(address)
        self._bus_address = address
        self._actor = EventBusActor.start(address, _nobody, subscriptions=Subscriptions())

    def close(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """End the bus after what it has been given, then all subscriptions."""
        stop_actor(self._actor, self._bus_address, timeout_s)
        super().close(timeout_s)

    def __enter__(self) -> "StandaloneBus":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def create_event_bus() -> StandaloneBus:
    """Return a running event bus; end it with `close()` or a `with` block."""
    return StandaloneBus()
