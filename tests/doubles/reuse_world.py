"""Is a folder with a flow that is edited, run and compared: what a save gives must be what a fresh run gives."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from atomiton_runtime import Runtime
from atomiton_runtime.actors.messages import Reuse, StartRun
from atomiton_runtime.choosing import Choice, choose
from atomiton_runtime.errors import UsageError
from atomiton_runtime.flow.model import Flow
from atomiton_runtime.flow.variables import check_variables
from atomiton_runtime.ids import NodeId, RunId, new_run_id
from atomiton_runtime.requests import Chosen
from atomiton_runtime.run import events as ev
from atomiton_runtime.run.document import RunDocument
from atomiton_runtime.run.events import RunEvent
from atomiton_runtime.run.kept import Kept
from atomiton_runtime.running import Run
from tests.doubles.changing_flow import HISTORIC, LOOKING, Box, ChangingFlow, taken

NAMES = ("ATOM_A", "ATOM_B", "ATOM_C")
PATIENCE_S = 20
_MEMORY = Path("/dev/shm")
"""Folders are copied and removed thousands of times, which a disk that others use takes its time for."""
_MOVING = re.compile(r"\b(now|run)\b")
NodePicture = tuple[str, Any, str | None]
"""Status, outputs, code of the error."""
Picture = Mapping[str, NodePicture]


class World:
    """The folder, the runtime that reuses, and one that does not. Close it."""

    def __init__(self, flow: ChangingFlow, called: ChangingFlow, store: str) -> None:
        self.root = Path(
            tempfile.mkdtemp(prefix="atomiton-reuse-", dir=_MEMORY if _MEMORY.is_dir() else None)
        )
        self.live, self.fresh = self.root / "live", self.root / "copy"  # of one length: texts may hold them
        self.flow, self.called, self.store = flow, called, store
        self.totals: Counter[str] = Counter()
        self.unended: RunId | None = None
        self.appended: dict[str, bytes] = {}
        """Node -> what it has added to its file when it was executed last."""
        self.told: Picture = {}
        """Of the last fresh run."""
        self.runtime: Runtime | None = None
        self.oracle: Runtime | None = None
        self._environ = dict(os.environ)
        for folder in ("in", "out", "sub/in"):
            (self.live / folder).mkdir(parents=True)
        for place in ("in/a.txt", "in/b.txt", "sub/in/a.txt", "sub/in/b.txt"):
            self.put(place, f"{place} 0\n")
        for place in ("in/t.csv", "sub/in/t.csv"):
            self.put(place, "b,a\n1,x\n2,y\n")
        self.put(".env", "ATOM_B=beside\n")
        self.put("sub/.env", "ATOM_B=below\nATOM_C=below\n")
        self.fresh.mkdir()
        self.start()
        self.oracle = Runtime(self.fresh, "memory:", data=self.root / "none").start()

    def start(self) -> None:
        """Start the runtime, or another one in its place, over the same store."""
        if self.runtime is not None:
            self.runtime.stop()
        url = {
            "memory": "memory:",
            "sqlite": f"sqlite:///{self.root}/store/a.db",
            "files": f"files:///{self.root}/store",
        }
        self.runtime = Runtime(self.live, url[self.store], data=self.root / "data").start()

    def close(self) -> None:
        """Stop everything and put the environment back."""
        try:
            for runtime in (self.runtime, self.oracle):
                if runtime is not None:
                    runtime.stop()
        finally:
            os.environ.clear()
            os.environ.update(self._environ)
            shutil.rmtree(self.root, ignore_errors=True)

    # -- files ---------------------------------------------------------------------------------------------------

    def put(self, place: str, text: str) -> None:
        """Write a file of the folder, as an editor does: by another file that takes its place."""
        path = self.live / place
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.write_text(text)
        draft.chmod(0o644)
        draft.replace(path)

    def _save(self) -> None:
        for place, flow in (("it.toml", self.flow), ("sub/called.toml", self.called)):
            path, text = self.live / place, flow.toml()
            if not path.exists() or path.read_text() != text:
                self.put(place, text)

    def files(self, folder: Path) -> dict[str, bytes]:
        """Return what is in the live folder or the copy: relative path -> content, with the paths of the live one."""
        return {
            str(path.relative_to(folder)): b"<folder>" if path.is_dir() else self._plain(path.read_bytes())
            for path in sorted(folder.rglob("*"))
        }

    def _plain(self, content: bytes) -> bytes:
        return content.replace(os.fsencode(self.fresh), os.fsencode(self.live))

    # -- runs ----------------------------------------------------------------------------------------------------

    def _load(self, runtime: Runtime, folder: Path) -> Flow:
        flow = runtime.flow(str(folder / "it.toml"))
        assert flow.hash == hashlib.sha256((folder / "it.toml").read_bytes()).hexdigest(), (
            "the flow is invalid"
        )
        return flow

    def begin(self, choice: Choice | None = None, trigger: ev.Trigger = "save") -> Run:
        """Execute the flow as a save does, or as somebody has chosen."""
        assert self.runtime is not None
        self._save()
        chosen = choice or Choice(reuse=Reuse(mode="auto"))
        return self._begin(self.runtime, self._load(self.runtime, self.live), chosen, trigger)

    def _begin(
        self,
        runtime: Runtime,
        flow: Flow,
        choice: Choice,
        trigger: ev.Trigger,
        kept: Mapping[NodeId, Kept] = {},
    ) -> Run:
        order = StartRun(
            run_id=new_run_id(),
            flow=flow,
            variables=check_variables(flow.variables, {}, from_text=False),
            trigger=trigger,
            kept={**choice.left_out, **kept},
            reuse=choice.reuse,
        )
        return runtime._begin(order)  # what the conductor does when a file is saved

    def choose(self, chosen: Chosen) -> Choice:
        """Return what `run` does with such flags."""
        assert self.runtime is not None
        self._save()
        return choose(self._load(self.runtime, self.live), chosen)

    def save(self) -> "Saved":
        """Execute the flow as a save does, and compare."""
        return self.compared(Choice(reuse=Reuse(mode="auto")), "save")

    def compared(self, choice: Choice, trigger: ev.Trigger) -> "Saved":
        """Execute the flow and compare with a fresh run of the same version in a copy of the folder.

        What adds to files, or removes them, is executed once for a key: what a reused one gave is given to the fresh
        run as well, where the folder has its effect already.
        """
        self._save()
        before = self.root / "before"
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(self.live, before, symlinks=True)
        run = self.begin(choice, trigger)
        document = run.result(PATIENCE_S)
        events = tuple(run.events(PATIENCE_S))
        self.unended = None if document.status == "succeeded" else run.id
        saved = Saved(events, document, self._picture(document), self.files(self.live))
        self.totals.update(runs=1, reused=len(saved.reused), executed=len(saved.executed))
        old = self.files(before)
        wrong = self._differences(saved, before, choice, {})
        wrongly_kept = self._wrongly_kept(saved, old)
        historic = self._historic(events)
        if wrong and historic:
            wrong = self._differences(saved, before, choice, historic)
        wrong += wrongly_kept
        assert not wrong, "\n".join([self.flow.toml(), self.called.toml(), *map(str, saved.what()), *wrong])
        return saved

    def _historic(self, events: tuple[RunEvent, ...]) -> dict[NodeId, Kept]:
        return {
            event.node: Kept(
                source=event.run_id,
                attempt=1,
                outputs={
                    port: msgspec.Raw(bytes(raw).replace(os.fsencode(self.live), os.fsencode(self.fresh)))
                    for port, raw in (event.outputs or {}).items()
                },
            )
            for event in events
            if isinstance(event, ev.NodeReused) and _is_historic(event.node, self.flow.boxes, self.called)
        }

    def _differences(
        self, saved: "Saved", before: Path, choice: Choice, kept: Mapping[NodeId, Kept]
    ) -> list[str]:
        assert self.oracle is not None
        shutil.rmtree(self.fresh)
        shutil.copytree(before, self.fresh, symlinks=True)
        flow = self._load(self.oracle, self.fresh)
        choice = Choice(reuse=Reuse(mode="none"), left_out=choice.left_out)
        document = self._begin(self.oracle, flow, choice, "save", kept).result(PATIENCE_S)
        fresh, wrong = self._picture(document), list[str]()
        self.told = fresh
        if saved.document.status != document.status:
            wrong.append(
                f"the run: {saved.document.status} {saved.document.error}, fresh {document.status} {document.error}"
            )
        failed = document.status != "succeeded"
        if failed and self.flow.max_parallel > 1:
            return wrong  # what has begun before a failure is a matter of moments
        shared = [(node, picture, fresh[node]) for node, picture in saved.picture.items() if node in fresh]
        if failed:  # what found its result has no turn, and so others have theirs before something fails
            moments = self._of_moments(each[0] for each in shared if _has_skipped(*each[1:]))
            wrong += [_line(*each) for each in shared if each[1] != each[2] and _box(each[0]) not in moments]
            executed = frozenset(saved.executed)
            if any(
                _has_skipped(*each[1:]) and (each[0] in executed or each[1][0] == "skipped")
                for each in shared
            ):
                return wrong  # so files differ too
        else:
            wrong += [_line(*each) for each in shared if each[1] != each[2]]
        files = self.files(self.fresh)
        wrong += [
            f"{name}: {saved.files.get(name)}\n   fresh: {files.get(name)}"
            for name in sorted({*saved.files, *files})
            if saved.files.get(name) != files.get(name)
        ]
        return wrong

    def _of_moments(self, skipped: Iterable[str]) -> frozenset[str]:
        """Return the boxes of nodes that only one of two failing runs came to, and those that take of them."""
        found = {_box(node) for node in skipped}
        for box in self.flow.boxes:  # each stands after those that it takes something of
            if not found.isdisjoint(taken(box)):
                found.add(box.id)
        return frozenset(found)

    def _wrongly_kept(self, saved: "Saved", before: Mapping[str, bytes]) -> list[str]:
        """Return which reused nodes have added something else than they would now, as a fresh run has shown."""
        wrong, fresh = list[str](), self.files(self.fresh)
        for box in self.flow.boxes:
            if box.kind != "append" or _shared(box, self.flow):
                continue
            if box.id in saved.executed:
                self.appended[box.id] = _added(box, before, saved.files)
            elif box.id in saved.reused and box.id in self.appended and self._would_be_alike(saved, box):
                now, then = _added(box, before, fresh), self.appended[box.id]
                wrong += [f"{box.id} has added {then}, and would add {now}"] if now != then else []
        return wrong

    def _would_be_alike(self, saved: "Saved", box: Box) -> bool:
        """Return whether a node was executed in the last fresh run, with what it is given in this one."""
        alike = all(saved.picture.get(name) == self.told.get(name) for name in taken(box))
        return alike and self.told[box.id][0] == "succeeded"

    def _picture(self, document: RunDocument) -> Picture:
        return {
            name: (
                "succeeded" if node.status == "reused" else node.status,
                _told(self._plain(msgspec.json.encode(node.outputs))),
                None if node.error is None else node.error.code,
            )
            for name, node in document.nodes.items()
        }

    def resume(self) -> None:
        """Continue the last run that did not succeed, where that is possible; what is in doubt is executed again."""
        assert self.runtime is not None
        if self.unended is None:
            return
        self._save()
        try:
            self.runtime.resume(self.unended).result(PATIENCE_S)
        except UsageError:
            self.totals["resumes refused"] += 1
        self.unended = None
        self.appended.clear()


class Saved(msgspec.Struct, frozen=True):
    """A run that came to its end."""

    events: tuple[RunEvent, ...]
    document: RunDocument
    picture: Picture
    files: dict[str, bytes]

    @property
    def reused(self) -> list[str]:
        """The nodes that were not executed."""
        return [event.node for event in self.events if isinstance(event, ev.NodeReused)]

    @property
    def executed(self) -> list[str]:
        """The nodes that gave something new, bodies included."""
        return [event.node for event in self.events if isinstance(event, ev.NodeSucceeded | ev.NodeFailed)]

    def what(self) -> list[str]:
        """Return what became of each node, for a failure's message."""
        return [f"{name}: {node.status}" for name, node in self.document.nodes.items()]


def _told(content: bytes) -> Any:
    return json.dumps(_without_times(json.loads(content)))  # as a text, the order of keys counts


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {key: _without_times(entry) for key, entry in table.items() if key != "modified_at"}
    return [_without_times(entry) for entry in cast("list[Any]", value)] if isinstance(value, list) else value


def _line(node: str, saved: NodePicture, fresh: NodePicture) -> str:
    return f"{node}: {saved}\n   fresh: {fresh}"


def _added(box: Box, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bytes:
    changed = [name for name in after if name.startswith(f"{box.slot}/") and before.get(name) != after[name]]
    return b"".join(name.encode() + b":" + after[name][len(before.get(name, b"")) :] for name in changed)


def _has_skipped(saved: NodePicture, fresh: NodePicture) -> bool:
    return (saved[0] == "skipped") != (fresh[0] == "skipped")


def _box(node: str) -> str:
    return node.partition("/")[0]


def _is_historic(node: str, boxes: list[Box], called: ChangingFlow) -> bool:
    """Return whether a node, or something within it, depends on what was there before."""
    first, *rest = [each for each in node.split("/") if not each.isdecimal()]
    box = next((box for box in boxes if box.id == first), None)
    if box is None:
        return False
    if rest:
        return _is_historic("/".join(rest), called.boxes if box.kind == "call" else box.children, called)
    kinds = {each.kind for each in box.within()}
    if "call" in kinds:
        kinds |= {each.kind for each in called.all()}
    return not kinds.isdisjoint(HISTORIC)


def is_executed_anyway(box: Box, flow: ChangingFlow, called: ChangingFlow) -> bool:
    """Return whether a box may be executed although nothing has changed."""
    boxes = list(box.within())
    if any(each.kind == "call" for each in boxes):
        boxes += called.all()
    if any(each.kind in LOOKING or each.table.get("reuse") == "never" for each in boxes):
        return True
    if any(each.kind == "loop" and each.slots() for each in boxes):
        return True  # its iterations may write to one file, and then none has left it as it is
    if any(_MOVING.search(json.dumps(each.table)) for each in boxes):
        return True
    return bool(_shared(box, flow) or any(_shared(each, called) for each in boxes[len(list(box.within())) :]))


def _shared(box: Box, flow: ChangingFlow) -> set[str]:
    touched = Counter(each.slot for each in flow.all())
    return {slot for slot in box.slots() if touched[slot] > 1}
