"""Answers what a runtime knows: its flows, the runs that are kept, what differs between them, what a save would do."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from atomiton_runtime.actors.base import ASK_TIMEOUT_S, Rank
from atomiton_runtime.actors.messages import (
    FindRuns,
    GetFlow,
    GetLeft,
    Left,
    ListFlows,
    ReadJournal,
    ReadPart,
    ReadSummaries,
    ReadSummary,
)
from atomiton_runtime.actors.reusing import reuse_of_save
from atomiton_runtime.actors.system import ActorSystem
from atomiton_runtime.choosing import Choice, choose
from atomiton_runtime.errors import RuntimeUnusable, UsageError
from atomiton_runtime.flow.entry import FlowEntry
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.ids import FlowId, NodeId, RunId
from atomiton_runtime.opening import UnkeptEnds
from atomiton_runtime.requests import (
    Chosen,
)
from atomiton_runtime.run.document import RunDocument, RunSummary, document
from atomiton_runtime.run.events import RunEvent, RunStatus
from atomiton_runtime.run.reason import FlowPlan, Why
from atomiton_runtime.run.run_difference import RunDifference
from atomiton_runtime.secrecy.vault import Vault
from atomiton_runtime.serving import left_there
from atomiton_runtime.storage.engine import StorageEngine
from atomiton_runtime.versions import text_of

LAST_RUN = "last"
PART_BYTES = 512 * 1024
"""Of events, as they are kept, that are read at once; decoded they take some four times as much."""
_LISTING_S = 60.0
"""To read ten thousand flows takes two seconds of a processor, many more seconds on a busy machine."""


class Archive:
    """What of a `Runtime` only reads. Usable from every thread, from its start to its stop."""

    def __init__(
        self,
        engine: StorageEngine,
        system: ActorSystem,
        vault: Vault,
        process: str,
        meeting_place: Path | None,
    ) -> None:
        self.process = process
        """Names this process to others: the stem of its lock and its door."""
        self._engine = engine
        self._system = system
        self._vault = vault
        self._meeting_place = meeting_place
        self._ends = UnkeptEnds()
        self._stopped = False

    # -- flows -----------------------------------------------------------------------------------------------

    def flow(self, ref: str) -> Flow:
        """Return a flow by its id or the path of its file. Raises as `run` does."""
        self._must_live()
        return cast(Flow, self._system.shelf.ask(GetFlow(ref=ref), asker=Rank.CLIENT))

    def plan(
        self, ref: str, variables: Mapping[str, object] | None = None, chosen: Chosen | None = None
    ) -> FlowPlan:
        """Return what a save of a flow would execute now, and why; nothing is executed. Raises as `run` does.

        Args:
            ref: a flow's id, or the path of its file.
            variables: for the flow's `[variables]`; those left out have their defaults.
            chosen: as for a run; without it, whatever still holds is reused.
        """
        flow = self.flow(ref)
        checked = check_variables(flow.variables, dict(variables or {}), from_text=False)
        choice = Choice(reuse=reuse_of_save(flow)) if chosen is None else choose(flow, chosen)
        # Imported here, as in what follows: who looks into the texts of files needs what no start should wait for.
        from atomiton_runtime.planning import plan

        return plan(flow, checked, choice, self._system.tools, self._engine.results)

    def why(self, ref: str, node: str) -> Why:
        """Return why a node of a flow's last run was executed, or was not.

        Args:
            ref: a flow's id, or the path of its file.
            node: the whole id of the node: `read`, or `each/3/resize`.

        Raises:
            UsageError: there is no such flow (FLOW-404), or no run of it speaks of such a node (RUN-025).
            FlowInvalid: the file has problems, and no earlier version of it is loaded.
        """
        from atomiton_runtime.explaining import explain

        return explain(NodeId(node), self.flow(ref), self._engine.results, self._system.tools.large_values)

    def flows(self, only: Iterable[str] | None = None) -> tuple[FlowEntry, ...]:
        """Return what the flows folder holds, broken flows included, sorted by id.

        Args:
            only: the ids of the flows to look at, one file each; those that the folder does not hold are left out.
                Without it every file of the folder is looked at, and read if it has changed.
        """
        self._must_live()
        wanted = ListFlows(only=None if only is None else frozenset(map(FlowId, only)))
        patience_s = ASK_TIMEOUT_S if only is not None else _LISTING_S
        answer = self._system.shelf.ask(wanted, asker=Rank.CLIENT, timeout_s=patience_s)
        return cast("tuple[FlowEntry, ...]", answer)

    # -- history ---------------------------------------------------------------------------------------------

    def history(
        self, flow: str | None = None, *, limit: int = 50, statuses: Sequence[RunStatus] = ()
    ) -> tuple[RunSummary, ...]:
        """Return the newest runs first, at most `limit`, of every process that shares the store."""
        self._must_live()
        wanted = ReadSummaries(flow=FlowId(flow) if flow else None, statuses=tuple(statuses), limit=limit)
        return self._ends.told(wanted, self._summaries)

    def _summaries(self, wanted: ReadSummaries) -> tuple[RunSummary, ...]:
        return cast("tuple[RunSummary, ...]", self._system.keeper.ask(wanted, asker=Rank.CLIENT))

    def find_run(self, prefix: str) -> RunId:
        """Return the run whose id begins with `prefix`, or for `last` the newest.

        Raises:
            UsageError: there is none (RUN-001), or more than one (RUN-003).
        """
        if prefix == LAST_RUN:
            found = [summary.run_id for summary in self.history(limit=1)]
        else:
            self._must_live()
            answer = self._system.keeper.ask(FindRuns(prefix=prefix), asker=Rank.CLIENT)
            found = list(cast("tuple[RunId, ...]", answer))
        if not found:
            raise _no_such_run(prefix)
        if len(found) > 1:
            names = ", ".join(found[:3])
            raise UsageError(
                "RUN-003", f"several runs begin with {prefix}", hint=f"write more of it: {names}"
            )
        return found[0]

    def show(self, run_id: RunId) -> RunDocument:
        """Return the document of a run, of whatever process.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        return document(self.journal(run_id))

    def journal(self, run_id: RunId) -> tuple[RunEvent, ...]:
        """Return the events of a run, of whatever process.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        self._must_live()
        events = cast(
            "tuple[RunEvent, ...]", self._system.keeper.ask(ReadJournal(run_id=run_id), asker=Rank.CLIENT)
        )
        if not events:
            raise _no_such_run(run_id)
        return self._ends.whole(events)

    def part(self, run_id: RunId, place: int) -> tuple[RunEvent, ...]:
        """Return some of the events of a run from the `seq` `place` on; none: there are no more, or no such run.

        What is read at once, and so what it costs, is bounded, however many events the run has.
        """
        return self._part(run_id, place, PART_BYTES)

    def first_event(self, run_id: RunId) -> RunEvent:
        """Return the first event of a run, of whatever process.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        events = self._part(run_id, 0, 0)
        if not events:
            raise _no_such_run(run_id)
        return events[0]

    def _part(self, run_id: RunId, place: int, limit_bytes: int) -> tuple[RunEvent, ...]:
        self._must_live()
        wanted = ReadPart(run_id=run_id, place=place, limit_bytes=limit_bytes)
        events = cast("tuple[RunEvent, ...]", self._system.keeper.ask(wanted, asker=Rank.CLIENT))
        return self._ends.part(run_id, place, events)

    def source(self, run_id: RunId) -> str | None:
        """Return the text of the flow's file as a run had it; None: it is not kept, or no longer.

        Secrets that this process has used are hidden in it.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        text = text_of(self.first_event(run_id), self._engine.large_values.read)
        return text if text is None or self._vault.mask is None else self._vault.mask.text(text)

    def last_success(self, run_id: RunId) -> RunId | None:
        """Return the last run of the same flow before this one that has succeeded; None: there is none.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        from atomiton_runtime.comparing import last_success_before

        return last_success_before(self.summary(run_id), self.history)

    def difference(self, old: RunId, new: RunId) -> RunDifference:
        """Return what differs between two runs, of whatever process, usually of the same flow.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        from atomiton_runtime.comparing import difference_of

        return difference_of(self.journal(old), self.journal(new), self.source)

    def since_success(self, run_id: RunId) -> str | None:
        """Return what has changed since the last success of the flow of a run that failed, as one short line.

        None: it never succeeded before, or the runs are too large to be compared just for that.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        from atomiton_runtime.comparing import since_success

        return since_success(self.summary(run_id), self.history, self.part, self.source)

    def summary(self, run_id: RunId) -> RunSummary:
        """Return a run as lists show it, of whatever process.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        self._must_live()
        kept = self._system.keeper.ask(ReadSummary(run_id=run_id), asker=Rank.CLIENT)
        if kept is None:
            raise _no_such_run(run_id)
        return self._ends.true(cast(RunSummary, kept))

    def left(self, run_id: RunId) -> tuple[str, ...] | None:
        """Return the nodes that keep a run from being cancelled, the flow's own first; None: it is not, or has ended.

        The process that executes the run is asked. One that does not answer in time has nothing to say of it.

        Raises:
            UsageError: there is no such run (RUN-001).
        """
        here = {left.run_id: left.nodes for left in self._left_here()}
        if run_id in here:
            return here[run_id]
        summary = self.summary(run_id)
        if summary.process == self.process or summary.status != "running" or self._meeting_place is None:
            return None
        return left_there(self._meeting_place, summary.process, run_id)

    def left_here(self, run_id: RunId) -> tuple[str, ...] | None:
        """Return what `left` does, of a run of this runtime; None: it is not being cancelled, or is not of this one."""
        return next((left.nodes for left in self._left_here() if left.run_id == run_id), None)

    def _left_here(self, timeout_s: float = ASK_TIMEOUT_S) -> tuple[Left, ...]:
        answer = self._system.conductor.ask(GetLeft(), asker=Rank.CLIENT, timeout_s=timeout_s)
        return cast("tuple[Left, ...]", answer)

    def is_kept(self, run_id: RunId) -> bool:
        """Return whether anything of a run is in the store."""
        return bool(self._system.keeper.ask(FindRuns(prefix=run_id), asker=Rank.CLIENT))

    def _must_live(self) -> None:
        if self._stopped:
            raise RuntimeUnusable("RUN-011", "the runtime is stopped")


def _no_such_run(prefix: str) -> UsageError:
    return UsageError("RUN-001", f"there is no run {prefix}", hint="`atomiton history` lists the runs")
