"""A flow that is saved again and again, over a whole runtime: what each save has executed, and what it has reused."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atomiton_runtime import Runtime
from atomiton_runtime.actors.messages import FlowSaved
from atomiton_runtime.ids import RunId
from atomiton_runtime.requests import Chosen, RunFlow
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunDocument, document

PATIENCE_S = 20.0
FLOW = "it"


class Studio:
    """The folder of one flow, and a runtime over it. The watcher is left out: a save is told to the conductor."""

    def __init__(self, folder: Path, storage: str = "memory:") -> None:
        self.folder = folder / "flows"
        self.folder.mkdir(exist_ok=True)
        self._storage = storage
        self._data = folder / "data"
        self.runtime = self._new_runtime()

    def __enter__(self) -> "Studio":
        self.runtime.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.runtime.stop()

    def restart(self) -> None:
        """Stop the runtime, and start another one on the same store."""
        self.runtime.stop()
        self.runtime = self._new_runtime().start()

    def _new_runtime(self) -> Runtime:
        return Runtime(flows=self.folder, storage=self._storage, data=self._data)

    # -- runs ----------------------------------------------------------------------------------------------

    def save(self, text: str | None = None) -> RunDocument:
        """Save the flow (None: as it is), and return what came of it."""
        if text is not None:
            self.write(text)
        ended, runs = threading.Event(), list[RunId]()

        def note(event: object) -> None:
            if isinstance(event, ev.FINAL_EVENTS):
                runs.append(event.run_id)
                ended.set()

        stop = self.runtime.subscribe(note, kinds=[kind.__name__ for kind in ev.FINAL_EVENTS])
        self.begin_save()
        assert ended.wait(PATIENCE_S)
        stop()
        return document(self.runtime.journal(runs[0]))

    def begin_save(self) -> None:
        """Let the conductor know of the flow as it is saved; returns at once."""
        flow = self.runtime.flow(FLOW)
        self.runtime._system.conductor.tell(FlowSaved(flow=flow))  # pyright: ignore[reportPrivateUsage]

    def run(self, text: str | None = None, chosen: Chosen | None = None, **variables: Any) -> RunDocument:
        """Run the flow (None: as it is) as a person would, and return what came of it."""
        if text is not None:
            self.write(text)
        request = RunFlow(flow=FLOW, variables=variables)
        if chosen is not None:
            request = RunFlow(flow=FLOW, variables=variables, chosen=chosen)
        return self.runtime.start_run(request).result(PATIENCE_S)

    # -- files ---------------------------------------------------------------------------------------------

    def write(self, text: str, flow: str = FLOW) -> None:
        """Write a flow's file."""
        (self.folder / f"{flow}.toml").write_text(text, encoding="utf-8")

    def path(self, name: str) -> Path:
        """Return a file beside the flow."""
        return self.folder / name


def executed(run: RunDocument) -> set[str]:
    """Return the nodes, at any depth, that were executed in a run."""
    assert run.status in ("succeeded", "failed"), run.error
    return {name for name, node in run.nodes.items() if node.status in ("succeeded", "failed")}


def statuses(run: RunDocument) -> Mapping[str, str]:
    """Return node -> its status."""
    return {name: node.status for name, node in run.nodes.items()}
