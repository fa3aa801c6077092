"""Finds out whether the result of an earlier execution still holds."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from atomiton_runtime.actors.keying import LOOKS, READS
from atomiton_runtime.actors.messages import Reuse
from atomiton_runtime.actors.within import descendants, written_at
from atomiton_runtime.actors.written_keys import Names, input_hash, written_key
from atomiton_runtime.errors import AtomitonError
from atomiton_runtime.flow.graph import parents_first
from atomiton_runtime.flow.model import Flow, Node, PortRef
from atomiton_runtime.ids import NodeId, RunId
from atomiton_runtime.nodes.fingerprints import Fingerprints
from atomiton_runtime.nodes.registry import NodeCatalogue
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.decide import ERROR_PORT
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept, kept_of
from atomiton_runtime.run.reuse import Key
from atomiton_runtime.storage.large_values import LargeValues, large_value
from atomiton_runtime.storage.results import Execution, Results
from atomiton_runtime.values import Value

log = logging.getLogger(__name__)

_LOOKED_AT_RUNS = 4
"""Of a flow: the newest may have been cancelled before it came to some nodes."""
_PASSED_OVER_RUNS = 12
"""So many replays among them do not keep earlier results from being found."""
_SEARCHED_RUNS = 20
"""Of a flow: where there are more, nobody can say that no result of a node is left."""
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
    asking: Execution | None = None
    """The attempt that would execute it, where one has begun."""


class Stale(msgspec.Struct, frozen=True):
    """An earlier result has the same key, but does not hold."""

    reason: str


class Reusing:
    """Looks for results that hold. Usable from every thread."""

    def __init__(self, results: Results, large_values: LargeValues, fingerprints: Fingerprints) -> None:
        self._results = results
        self._large_values = large_values
        self.fingerprints = fingerprints

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
        mine = Execution(kept.source, kept.attempt, kept.executed_as or wanted.node_id)
        return self._results.latest(wanted.flow_path, wanted.node_id, but=wanted.asking) == mine

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
        settled = self._settled_within(kept, wanted.node_id, (wanted.node, wanted.flow), {})
        if settled.failed:
            return f"{settled.failed[0]} had failed"
        for node_id, inner in settled.kept.items():
            reason = self._why_not_inner(wanted, node_id, inner, pulse)
            if reason is not None:
                return f"{node_id}: {reason}"
        return None if settled.known else "what was executed within is not known any more"

    def _settled_within(
        self,
        kept: Kept,
        node_id: NodeId,
        written: tuple[Node, Flow],
        journals: dict[RunId, tuple[RunEvent, ...]],
    ) -> "Settled":
        """Return what was settled within a body, at any depth, by the ids that it would have now."""
        if kept.source not in journals:
            journals[kept.source] = self._results.journal(kept.source)
        before, settled = f"{kept.executed_as or node_id}/", Settled()
        for event in journals[kept.source]:
            if getattr(event, "node", "").startswith(before):
                settled.take(event)
        named = Settled()
        named.known, named.failed = bool(journals[kept.source]), settled.failed
        for inner_id, inner in settled.kept.items():
            path = inner_id.removeprefix(before)
            now = NodeId(f"{node_id}/{path}")
            named.kept[now] = inner
            if inner.source == kept.source:
                continue
            # It was reused there: what is within it, if it has a body, is told by another journal.
            found = written_at(*written, path)
            if found is not None and (found[0].body is not None or found[0].calls is not None):
                within = self._settled_within(inner, now, found, journals)
                named.kept |= within.kept
                named.failed += within.failed
                named.known = named.known and within.known
        return named

    def _why_not_inner(self, wanted: Wanted, node_id: NodeId, kept: Kept, pulse: Pulse) -> str | None:
        leaf = Wanted(flow_path=wanted.flow_path, node=_LEAF, flow=wanted.flow, node_id=node_id)
        return self.why_not(leaf, kept, pulse) or self.changed_read(kept, pulse)

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
        names = Names(flow, variables)
        kept: dict[NodeId, Kept] = {}
        for index in parents_first(flow):
            node = flow.nodes[index]
            record = records.get(node.id)
            if record is None or record.key is None or node.reuse == "never" or node.id in forced:
                continue
            if not all(flow.nodes[parent].id in kept for parent in flow.parents[index]):
                continue
            if any(ref.port == ERROR_PORT for ref in node.refs):
                continue  # what is kept did not fail, so it will hardly run at all
            type_found = catalogue.find(node.type)
            if type_found is None:
                continue
            written = written_key(
                node,
                flow,
                identity=type_found.identity,
                names=names,
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
            looked_at = 0
            for run_id in self._results.newest_runs(flow.path, limit=_LOOKED_AT_RUNS + _PASSED_OVER_RUNS):
                if run_id == before:
                    continue
                journal = self._results.journal(run_id)
                if not journal or _is_replay(journal[0]):
                    continue  # what it took was of a run that may be old; its own result is found by its key
                looked_at += 1
                settled = Settled()
                for event in journal:
                    if "/" not in getattr(event, "node", "/"):
                        settled.take(event)
                found = settled.kept | found
                if looked_at == _LOOKED_AT_RUNS or all(node.id in found for node in flow.nodes):
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
        self.known = True
        """Whether the journal is there at all: nothing may have been executed, where all was skipped."""

    def take(self, event: RunEvent) -> None:
        """Take in the next event."""
        match event:
            case ev.NodeSucceeded() | ev.NodeReused():
                self.kept[event.node] = kept_of(event)
            case ev.NodeFailed():
                self.failed.append(event.node)
            case _:
                return


def _is_replay(event: RunEvent) -> bool:
    return isinstance(event, ev.RunQueued) and event.trigger == "replay"


def _kept_hash(kept: Kept, ref: PortRef) -> str:
    outputs = kept.outputs
    raw = _NULL if outputs is None else outputs.get(ref.port, _NULL)
    return input_hash(raw, kept.hashes.get(ref.port))


_NULL = msgspec.Raw(b"null")
_LEAF = Node(id=NodeId(""), index=0, type="", parameters={})
"""Stands for a node within a body, of which only the record counts."""
