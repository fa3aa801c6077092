"""Counts what became of the nodes of a run: how many were executed, and how many reused."""

from collections.abc import Mapping

import msgspec

from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import NodeDocument
from atomiton_runtime.run.events import RunEvent


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the nodes of a flow itself; those within a body count as their body."""

    ran: int = 0
    """Those that this run has executed to an end, whatever it was."""
    failed: int = 0
    """Of these."""
    reused: int = 0
    skipped: int = 0
    continues: bool = False
    """Whether the run continues another one: what that one has executed is reused whatever has changed."""

    @property
    def words(self) -> str:
        """These numbers for people, `1 run, 9 reused`; empty where nothing was reused, which is how runs mostly are."""
        if not self.reused:
            return ""
        if not self.ran and not self.skipped and not self.continues:
            return f"nothing had changed, {self.reused} reused"
        failed = f" ({self.failed} failed)" if self.failed else ""
        words = [f"{self.ran} run{failed}"] if self.ran else []
        words.append(f"{self.reused} reused")
        return ", ".join([*words, f"{self.skipped} skipped"] if self.skipped else words)


def counted_in(tally: Tally, event: RunEvent) -> Tally:
    """Return the tally of a run after its next event."""
    match event:
        case ev.RunQueued():
            return msgspec.structs.replace(tally, continues=event.resumes is not None)
        case ev.NodeReused() if "/" not in event.node:
            return msgspec.structs.replace(tally, reused=tally.reused + 1)
        case ev.NodeSucceeded() if "/" not in event.node:
            return msgspec.structs.replace(tally, ran=tally.ran + 1)
        case ev.NodeFailed() if "/" not in event.node:
            return msgspec.structs.replace(tally, ran=tally.ran + 1, failed=tally.failed + 1)
        case ev.NodeCancelled() if event.attempt and "/" not in event.node:
            return msgspec.structs.replace(tally, ran=tally.ran + 1)
        case ev.NodeSkipped() if "/" not in event.node:
            return msgspec.structs.replace(tally, skipped=tally.skipped + 1)
        case _:
            return tally


def tally_of(nodes: Mapping[str, NodeDocument], *, continues: bool = False) -> Tally:
    """Return the tally of a run from its document.

    Args:
        nodes: whole id -> what became of the node, as in `RunDocument.nodes`.
        continues: whether the run continues another one.
    """
    own = [state for node, state in nodes.items() if "/" not in node]
    executed = [state for state in own if state.reused_from is msgspec.UNSET and state.attempts]
    return Tally(
        ran=sum(1 for state in executed if state.status in ("succeeded", "failed", "cancelled")),
        failed=sum(1 for state in executed if state.status == "failed"),
        reused=sum(1 for state in own if state.reused_from is not msgspec.UNSET),
        skipped=sum(1 for state in own if state.status == "skipped"),
        continues=continues,
    )
