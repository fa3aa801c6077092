"""Finds out whether the result of an earlier execution still holds."""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from atomiton_runtime.actors.keying import LOOKS, READS, descendants, input_hash, written_key
from atomiton_runtime.actors.messages import Reuse
from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.graph import parents_first
from atomiton_runtime.flow.model import Flow, Node, PortRef
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.nodes.fingerprints import Fingerprints
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept, kept_of
from atomiton_runtime.run.reuse import Key
from atomiton_runtime.storage.large_values import LargeValues, large_value
from atomiton_runtime.storage.results import Execution, Place, Results, place_of, recorded
from atomiton_runtime.values import Value

log = logging.getLogger(__name__)

_LOOKED_AT_RUNS = 4
"""Of a flow: the newest may have been cancelled before it came to some nodes."""
_SEARCHED_RUNS = 20
"""Of a flow: where there are more, nobody can say that no result of a node is left."""
_REMEMBERED_RUNS = 8
Pulse = Callable[[], None]
"""Raises when the work is to be given up."""


def reuse_of_save(flow: Flow) -> Reuse:
    """Return which earlier results stand in for executions when a flow is saved."""
    return Reuse(mode="auto" if flow.settings.on_save == "changed" else "declared")


def _go_on() -> None:
    pass


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is to be executed, unless a result of it holds."""

    flow_path: str
    """Of the file of the flow that runs."""
    node: Node
    flow: Flow
    """In whose file the node is written."""
    node_id: NodeId
    """The whole id."""
    execution: Execution | None = None
    """The attempt that looks: it has begun, and so is the last one itself. None: nothing has begun yet."""


class Stale(msgspec.Struct, frozen=True):
    """An earlier result has the same key, but does not hold."""

    reason: str


class Reusing:
    """Looks for results that hold. Usable from every thread."""

    def __init__(self, results: Results, large_values: LargeValues, fingerprints: Fingerprints) -> None:
        self._results = results
        self._large_values = large_values
        self.fingerprints = fingerprints
        self._lock = threading.Lock()
        self._before: dict[RunId, Mapping[Place, Execution]] = {}
        """What the last runs that asked were told of the executions before them."""

    def find(self, wanted: Wanted, key: Key, pulse: Pulse = _go_on) -> Kept | Stale | None:
        """Return the result of an earlier execution with this key, or why it does not hold; None: there is none."""
        try:
            found = self._results.find(wanted.flow_path, wanted.node_id, key.hash)
            if found is None:
                return None
            kept = kept_of(found)
            reason = self.why_not(wanted, kept, pulse)
            return kept if reason is None else Stale(reason)
        except AtomitonError as error:
            log.warning("earlier results could not be looked at, so the node is executed: %s", error.message)
            return None

    def why_not(self, wanted: Wanted, kept: Kept, pulse: Pulse = _go_on) -> str | None:
        """Return why a result does not hold although its key is the same; None: it holds.

        Raises:
            AtomitonError: something outside cannot be looked at.
        """
        if kept.key is None or kept.error is not None:
            return "what its result depends on is not known"
        if LOOKS in kept.key.parts:
            return "only looking again tells whether its result still holds"
        for path, fingerprint in kept.left.items():
            now = self.fingerprints.of(Path(path), pulse)
            if now != fingerprint:
                return f"{path} {'is not there any more' if now == 'absent' else 'was changed since'}"
        if kept.wrote and not self._was_latest(wanted, kept):
            return "another execution has changed the outside since"
        if any(self._is_gone(raw) for raw in (kept.outputs or {}).values()):
            return "a large value of its result is gone"
        if wanted.node.body is not None or wanted.node.calls is not None:
            return self._why_not_within(wanted, kept, pulse)
        return None

    def _was_latest(self, wanted: Wanted, kept: Kept) -> bool:
        its = Execution(kept.source, kept.attempt, kept.executed_as or wanted.node_id)
        latest = self._results.latest(wanted.flow_path, wanted.node_id)
        if wanted.execution is None or latest != wanted.execution:
            return latest == its
        if wanted.execution.attempt > 1:
            return False  # the attempt before this one may have changed something
        before = self._executions_before(wanted.flow_path, wanted.execution.run_id)
        return before.get(place_of(wanted.flow_path, wanted.node_id)) == its

    def _executions_before(self, flow_path: str, run_id: RunId) -> Mapping[Place, Execution]:
        """Return place -> the last execution there before a run, as far as the newest runs have some.

        All of a run's at once: each of the ten thousand iterations of a loop may ask.
        """
        with self._lock:
            if run_id not in self._before:
                found: dict[Place, Execution] = {}
                for earlier in self._results.newest_runs(flow_path, limit=_LOOKED_AT_RUNS + 1):
                    if earlier == run_id:
                        continue
                    told = (recorded(flow_path, event) for event in self._results.journal(earlier))
                    latest = dict(each.execution for each in told if each is not None and each.execution)
                    found = latest | found
                while len(self._before) >= _REMEMBERED_RUNS:
                    del self._before[next(iter(self._before))]
                self._before[run_id] = found
            return self._before[run_id]

    def _is_gone(self, raw: msgspec.Raw) -> bool:
        marker = large_value(raw)
        return marker is not None and not self._large_values.has(marker)

    def _why_not_within(self, wanted: Wanted, kept: Kept, pulse: Pulse) -> str | None:
        """Return why what was executed within a body does not hold."""
        within = tuple(descendants(wanted.node, wanted.flow))
        if any(node.reuse == "never" for node in within):
            return 'a node within has `reuse = "never"`'
        if not any(node.may_write for node in within):
            return None  # nothing outside has a say
        before = f"{kept.executed_as or wanted.node_id}/"
        settled = Settled()
        for event in self._results.journal(kept.source):
            if getattr(event, "node", "").startswith(before):
                settled.take(event)
        if settled.failed:
            return f"{settled.failed[0]} had failed"
        for node_id, inner in settled.kept.items():
            now = NodeId(f"{wanted.node_id}/{node_id.removeprefix(before)}")
            reason = self._why_not_inner(wanted, now, inner, pulse)
            if reason is not None:
                return f"{now}: {reason}"
        return None if settled.kept else "what was executed within is not known any more"

    def _why_not_inner(self, wanted: Wanted, node_id: NodeId, kept: Kept, pulse: Pulse) -> str | None:
        leaf = Wanted(flow_path=wanted.flow_path, node=_LEAF, flow=wanted.flow, node_id=node_id)
        reason = self.why_not(leaf, kept, pulse)
        return reason or self.changed_read(kept, pulse)

    def changed_read(self, kept: Kept, pulse: Pulse = _go_on) -> str | None:
        """Return which file that an execution has read is not the same any more, in words; None: none.

        Raises:
            AtomitonError: one cannot be looked at.
        """
        parts = {} if kept.key is None else kept.key.parts
        for name, fingerprint in parts.items():
            if not name.startswith(READS):
                continue
            path = name.removeprefix(READS)
            if self.fingerprints.of(Path(path), pulse) != fingerprint:
                return f"{path} was changed since"
        return None

    # -- a whole flow ----------------------------------------------------------------------------------------

    def reusable(
        self,
        flow: Flow,
        variables: Mapping[str, Value],
        catalogue: NodeCatalogue,
        *,
        forced: frozenset[NodeId] = frozenset(),
        before: RunId | None = None,
    ) -> dict[NodeId, Kept]:
        """Return what of a flow certainly need not be executed: nodes that are as they were, and all before them.

        Nothing is evaluated for that, so it may leave nodes out whose result holds nevertheless.

        Args:
            flow: in its present version.
            variables: of the run.
            catalogue: the node types.
            forced: nodes that are to be executed in any case.
            before: the run that asks, which is no earlier one.
        """
        records = self.records(flow, before=before)
        kept: dict[NodeId, Kept] = {}
        for index in parents_first(flow):
            node = flow.nodes[index]
            record = records.get(node.id)
            if record is None or record.key is None or node.reuse == "never" or node.id in forced:
                continue
            if not all(flow.nodes[parent].id in kept for parent in flow.parents[index]):
                continue
            type_found = catalogue.find(node.type)
            if type_found is None:
                continue
            written = written_key(
                node,
                flow,
                identity=type_found.identity,
                variables=variables,
                inputs=[_kept_hash(kept[ref.node], ref) for ref in node.refs],
            )
            if written is not None and written == record.key.written and self._holds(flow, node, record):
                kept[node.id] = record
        return kept

    def _holds(self, flow: Flow, node: Node, record: Kept) -> bool:
        wanted = Wanted(flow_path=flow.path, node=node, flow=flow, node_id=node.id)
        try:
            return (self.changed_read(record) or self.why_not(wanted, record)) is None
        except AtomitonError as error:
            log.warning("%s is executed: what it depends on cannot be looked at: %s", node.id, error.message)
            return False

    def records(self, flow: Flow, *, before: RunId | None = None) -> dict[NodeId, Kept]:
        """Return node of the flow itself -> its last result, as far as the newest runs have some."""
        found: dict[NodeId, Kept] = {}
        try:
            for run_id in self._results.newest_runs(flow.path, limit=_LOOKED_AT_RUNS):
                if run_id == before:
                    continue
                settled = Settled()
                for event in self._results.journal(run_id):
                    if "/" not in getattr(event, "node", "/"):
                        settled.take(event)
                found = settled.kept | found
                if all(node.id in found for node in flow.nodes):
                    break
        except AtomitonError as error:
            log.warning("earlier runs cannot be looked at: %s", error.message)
        return found

    def parts_of_all(self, flow: Flow) -> dict[NodeId, list[Mapping[str, str]]] | None:
        """Return node of the flow itself -> the parts of the key of each result there is; None: they are too many."""
        found: dict[NodeId, list[Mapping[str, str]]] = {}
        try:
            run_ids = self._results.newest_runs(flow.path, limit=_SEARCHED_RUNS + 1)
            if len(run_ids) > _SEARCHED_RUNS:
                return None
            for run_id in run_ids:
                for event in self._results.journal(run_id):
                    if isinstance(event, ev.NodeSucceeded | ev.NodeReused) and event.key is not None:
                        found.setdefault(event.node, []).append(event.key.parts)
        except AtomitonError as error:
            log.warning("earlier runs cannot be looked at: %s", error.message)
            return None
        return found


class Settled:
    """What a journal says of the nodes that have given results."""

    def __init__(self) -> None:
        self.kept: dict[NodeId, Kept] = {}
        self.failed: list[NodeId] = []

    def take(self, event: RunEvent) -> None:
        """Take in the next event."""
        match event:
            case ev.NodeSucceeded() | ev.NodeReused():
                self.kept[event.node] = kept_of(event)
            case ev.NodeFailed():
                self.failed.append(event.node)
            case _:
                return


def _kept_hash(kept: Kept, ref: PortRef) -> str:
    outputs = kept.outputs
    raw = _NULL if outputs is None else outputs.get(ref.port, _NULL)
    return input_hash(raw, kept.hashes.get(ref.port))


_NULL = msgspec.Raw(b"null")
_LEAF = Node(id=NodeId(""), index=0, type="", parameters={})
"""Stands for a node within a body, of which only the record counts."""
