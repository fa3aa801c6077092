"""Puts the actors of one runtime together: who they are, the order of their start and of their stop."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pykka

from atomiton_runtime.actors.attempt import Tools, attempt
from atomiton_runtime.actors.base import Address, Rank, stop_actor
from atomiton_runtime.actors.conductor import Conductor, ConductorBook
from atomiton_runtime.actors.event_bus import EventBus, EventBusActor, Subscriptions
from atomiton_runtime.actors.flow_shelf import FlowShelf, ShelfBook
from atomiton_runtime.actors.flow_watcher import FlowWatcher, WatcherBook
from atomiton_runtime.actors.messages import ExecuteNode, Ping
from atomiton_runtime.actors.node_execution import NodeExecution
from atomiton_runtime.actors.reusing import Reusing
from atomiton_runtime.actors.storage_keeper import KeeperBook, StorageKeeper
from atomiton_runtime.actors.supervisor import Supervisor
from atomiton_runtime.actors.workers import Workers
from atomiton_runtime.clock import SystemClock
from atomiton_runtime.nodes.fingerprints import Fingerprints
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run.given import Answer
from atomiton_runtime.secrecy.vault import Vault
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.storage.retention import Housekeeping, Retention

_LEAST_S = 0.2
"""Each gets so long, also when the time is over: what is not busy stops in less."""
Start: TypeAlias = Callable[[], pykka.ActorRef[Any]]


class ActorSystem:
    """All actors of one runtime. Books outlive the actors that write in them, addresses outlive both.

    Its constructor is long, because who is started with what, and in which order, is to be read on one screen.
    """

    def __init__(
        self,
        *,
        engine: StorageEngine,
        catalogue: NodeCatalogue,
        folder: Path,
        watch: bool,
        process: str,
        vault: Vault,
        keeps_sources: bool,
        retention: Retention,
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        reusing = Reusing(engine.results, engine.large_values, Fingerprints())
        self.tools = Tools(catalogue, engine.large_values, reusing, vault)
        """What all attempts share."""
        self._lock = threading.Lock()
        """Actors are started by the runtime's thread, the conductor (workers) and the supervisor (anew)."""
        self._factories: dict[str, tuple[Address, Start]] = {}
        self._alive: dict[str, pykka.ActorRef[Any]] = {}

        supervisor = Address("Supervisor", Rank.SUPERVISOR)
        bus = Address("EventBus", Rank.BUS)
        keeper = Address("StorageKeeper", Rank.KEEPER)
        self.conductor = conductor = Address("Conductor", Rank.CONDUCTOR)
        self.shelf = shelf = Address("FlowShelf", Rank.SHELF)
        watcher = Address("FlowWatcher", Rank.WATCHER)
        self.keeper = keeper
        self.bus = EventBus(bus)
        self._tell = tell = supervisor.tell

        subscriptions, keeper_book, shelf_book = Subscriptions(), KeeperBook(), ShelfBook()
        housekeeping = Housekeeping(engine, retention)
        conductor_book, watcher_book = ConductorBook(Workers(self._start_worker)), WatcherBook()

        # The start order, top down; the stop order is its reverse.
        self._add(supervisor, lambda: Supervisor.start(supervisor, bus=bus, restart=self._restart))
        self._add(bus, lambda: EventBusActor.start(bus, tell, subscriptions=subscriptions))
        self._add(
            keeper,
            lambda: StorageKeeper.start(
                keeper,
                tell,
                engine=engine,
                bus=bus,
                conductor=conductor,
                housekeeping=housekeeping,
                book=keeper_book,
            ),
        )
        self._add(
            conductor,
            lambda: Conductor.start(
                conductor,
                tell,
                keeper=keeper,
                book=conductor_book,
                clock=SystemClock(),
                process=process,
            ),
        )
        self._add(
            shelf,
            lambda: FlowShelf.start(
                shelf,
                tell,
                folder=folder,
                catalogue=catalogue,
                conductor=conductor,
                bus=bus,
                watcher=watcher if watch else None,
                book=shelf_book,
                sources=engine.large_values if keeps_sources else None,
            ),
        )
        if watch:
            self._add(
                watcher,
                lambda: FlowWatcher.start(watcher, tell, folder=folder, shelf=shelf, book=watcher_book),
            )

    def start(self) -> None:
        """Start every actor in order; each answers a ping before the next one starts.

        Raises:
            RuntimeUnusable: one does not answer (RUN-011).
        """
        for name, (address, _) in tuple(self._factories.items()):
            self._start(name)
            address.ask(Ping(), asker=Rank.CLIENT)

    def stop(self, timeout_s: float) -> list[str]:
        """Stop every actor in reverse order, within `timeout_s`; return the names of those that are still busy."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            for address, _ in self._factories.values():
                address.closing = True
            alive = [(name, ref, self._factories[name][0]) for name, ref in self._alive.items()]
        workers = [(name, ref) for name, ref, address in alive if address.rank is Rank.NODE]
        # All at once: one that is busy must not take the time of the others.
        stopping = [(name, ref, ref.stop(block=False)) for name, ref in workers]
        busy: list[str] = []
        for name, ref, stopped in stopping:
            with contextlib.suppress(pykka.Timeout):
                stopped.get(timeout=_left_s(deadline - timeout_s / 2))
            if ref.is_alive():
                busy.append(name)
        for name, ref, address in reversed(alive):
            if address.rank is not Rank.NODE and not stop_actor(ref, address, _left_s(deadline)):
                busy.append(name)
        self.bus.close(_left_s(deadline))
        # In a thread: a node type may hang here as well, and what it keeps dies with the process.
        closing = threading.Thread(target=self._catalogue.close, name="close-node-types", daemon=True)
        closing.start()
        closing.join(_left_s(deadline))
        return [*busy, *(["the end of a node type"] if closing.is_alive() else ())]

    def attempt(self, order: ExecuteNode) -> Answer:
        """Execute a step in the caller's thread: one that looks, and changes nothing."""
        tools = self.tools
        return attempt(order, tools)

    def _add(self, address: Address, start: Start) -> None:
        self._factories[address.name] = address, start

    def _start(self, name: str) -> None:
        with self._lock:
            address, start = self._factories[name]
            if not address.closing:
                self._alive[name] = start()

    def _restart(self, name: str) -> None:
        """Start another actor of this name; called by the supervisor. It has the mailbox and book of the last."""
        self._start(name)

    def _start_worker(self, number: int) -> Address:
        """Start a node execution; called by the conductor."""
        address = Address(f"NodeExecution {number}", Rank.NODE)
        self._add(
            address,
            lambda: NodeExecution.start(
                address,
                self._tell,
                number=number,
                conductor=self.conductor,
                tools=self.tools,
            ),
        )
        self._start(address.name)
        return address


def _left_s(deadline: float) -> float:
    return max(deadline - time.monotonic(), _LEAST_S)
