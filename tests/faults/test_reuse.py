"""Whatever is edited, a save gives what a fresh run gives, and executes no more than the edit asks for."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atomiton_runtime.requests import Chosen
from tests.doubles.changing_flow import Box, ChangingFlow, Maker, taken, with_refs
from tests.doubles.reuse_world import NAMES, PATIENCE_S, Saved, World, is_executed_anyway
from tests.guards.campaign import note, sized

VALUES = {
    "n": [0, 4, 4, 8, 4, 1],
    "s": ["a", "b", "c"],
    "flag": [True, True, False],
    "list": [["p", "q"], ["q", "p"], ["p", "q", "r"], []],
}
totals: Counter[str] = Counter()


def new_flow(seeds: list[int], *, called: bool = False) -> ChangingFlow:
    """Return a flow with a box for each seed."""
    flow = ChangingFlow(variables={"n": 4, "s": "a", "flag": True, "list": ["p", "q"]})
    for seed in seeds:
        flow.boxes.append(Maker(flow, Random(seed), may_call=not called).box(flow.boxes))
    return flow


class Editing:
    """Edits of a flow and of what is around it, each by its own seed; those that change one box only return it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.versions: list[ChangingFlow] = [world.flow.copy()]

    # -- the flow ------------------------------------------------------------------------------------------------

    def change_parameters(self, rng: Random) -> Box | None:
        """One node gets other parameters."""
        flow = self.world.flow
        if not flow.boxes:
            return None
        place = rng.randrange(len(flow.boxes))
        box = rng.choice(list(flow.boxes[place].within()))
        inner = box is not flow.boxes[place]
        if box.kind not in ("call", "list") and box.slot == "":
            Maker(flow, rng).fill(box, flow.boxes[:place], loop=inner and self._in_loop(box), alone=inner)
            return flow.boxes[place]
        return None

    def _in_loop(self, box: Box) -> bool:
        return any(box in list(each.within())[1:] for each in self.world.flow.all() if each.kind == "loop")

    def change_variable(self, rng: Random) -> None:
        """A variable gets another default."""
        name = rng.choice(list(VALUES))
        self.world.flow.variables[name] = rng.choice(VALUES[name])

    def rewire(self, rng: Random) -> None:
        """One node takes something else."""
        flow = self.world.flow
        if flow.boxes:
            place = rng.randrange(len(flow.boxes))
            flow.boxes[place].input = Maker(flow, rng).input(flow.boxes[:place])

    def reshape_input(self, rng: Random) -> None:
        """What one node takes is put together in another way."""
        boxes = [box for box in self.world.flow.boxes if box.input is not None]
        if boxes:
            box = rng.choice(boxes)
            box.input = _reshaped(box.input, turned=rng.random() < 0.5)

    def add(self, rng: Random) -> None:
        """A node is added anywhere."""
        flow = self.world.flow
        place = rng.randint(0, len(flow.boxes))
        flow.boxes.insert(place, Maker(flow, rng).box(flow.boxes[:place]))

    def remove(self, rng: Random) -> None:
        """A node is removed."""
        flow = self.world.flow
        if len(flow.boxes) > 1:
            gone = flow.boxes.pop(rng.randrange(len(flow.boxes)))
            for box in flow.boxes:
                box.input = with_refs(box.input, lambda name: None if name == gone.id else name)

    def rename(self, rng: Random) -> None:
        """A node gets another name."""
        flow = self.world.flow
        if flow.boxes:
            flow.made += 1
            renamed, new = rng.choice(flow.boxes), f"r{flow.made}"
            for box in flow.boxes:
                box.input = with_refs(box.input, lambda name: new if name == renamed.id else name)
            renamed.id = new

    def swap(self, rng: Random) -> None:
        """Two nodes get each other's parameters."""
        flow = self.world.flow
        kinds = [box for box in flow.boxes if box.kind in ("fields", "map", "write", "append", "echo")]
        alike = [(a, b) for a in kinds for b in kinds if a is not b and a.kind == b.kind]
        if alike:
            a, b = rng.choice(alike)
            a.table, b.table, a.slot, b.slot = b.table, a.table, b.slot, a.slot

    def reorder_keys(self, rng: Random) -> None:
        """The keys of a table are written in another order."""
        boxes = [box for box in self.world.flow.all() if box.kind == "fields"]
        if boxes:
            values = rng.choice(boxes).table["values"]
            turned = dict(reversed(values.items()))
            values.clear()
            values.update(turned)

    def edit_called(self, rng: Random) -> None:
        """A flow that is called is edited: a comment, a variable, or a node."""
        called = self.world.called
        match rng.randrange(4):
            case 0:
                called.comments += 1
            case 1:
                name = rng.choice(list(VALUES))
                called.variables[name] = rng.choice(VALUES[name])
            case 2:
                called.boxes.append(Maker(called, rng, may_call=False).box(called.boxes))
            case _:
                place = rng.randrange(len(called.boxes))
                box = called.boxes[place]
                if not box.slot:
                    Maker(called, rng, may_call=False).fill(
                        box, called.boxes[:place], loop=False, alone=False
                    )

    def revert(self, rng: Random) -> None:
        """An earlier version comes back."""
        flow = self.world.flow
        made, flow = flow.made, rng.choice(self.versions[-6:]).copy()
        flow.made = max(made, flow.made)
        self.world.flow = flow

    def change_settings(self, rng: Random) -> None:
        """Nodes run at the same time, or do not; or the flow is called otherwise."""
        if rng.random() < 0.5:
            self.world.flow.max_parallel = 9 - self.world.flow.max_parallel
        else:
            self.world.flow.name = rng.choice(["It", "That"])

    # -- what is around it ---------------------------------------------------------------------------------------

    def change_file(self, rng: Random) -> None:
        """A file that is read changes, or is restored, or is gone."""
        place = rng.choice(["in/a.txt", "in/b.txt", "in/a.txt", "in/b.txt", "sub/in/a.txt", "in/t.csv"])
        if rng.random() < 0.25:
            (self.world.live / place).unlink(missing_ok=True)
        elif place.endswith("csv"):
            self.world.put(place, rng.choice(["b,a\n1,x\n2,y\n", "a,b\nx,1\ny,2\n", "a\n1\n"]))
        else:
            self.world.put(place, f"{place} {rng.randrange(3)}\n")

    def spoil(self, rng: Random) -> None:
        """What a node has left is changed, removed, or put there by somebody else."""
        left = [path for path in sorted(self.world.live.rglob("out/**/*")) if path.is_file()]
        if left:
            path = rng.choice(left)
            if rng.random() < 0.5:
                path.unlink()
            else:
                self.world.put(str(path.relative_to(self.world.live)), rng.choice(["spoiled\n", "t1\n"]))

    def change_environment(self, rng: Random) -> None:
        """The environment changes, or a file `.env`."""
        name, value = rng.choice(NAMES), rng.choice(["x", "y", ""])
        match rng.randrange(3):
            case 0:
                os.environ.pop(name, None)
                if rng.random() < 0.7:
                    os.environ[name] = value
            case 1:
                self.world.put(".env", f"{name}={value}\n")
            case _:
                self.world.put("sub/.env", f"{name}={value}\n")

    # -- what changes nothing ------------------------------------------------------------------------------------

    def comment(self, rng: Random) -> None:
        """A comment is added or removed, or the nodes stand in another order."""
        flow = self.world.flow
        if rng.random() < 0.5:
            flow.comments = rng.randrange(4)
        elif not any(len(box.children) > 1 for box in flow.all()):  # in a body, the last one gives the result
            flow.order = rng.randrange(5)

    def reorder(self, rng: Random) -> None:
        """The nodes stand in another order, those of bodies as well."""
        self.world.flow.order = rng.randrange(5)

    def touch(self, rng: Random) -> None:
        """A file is touched, or written with what is in it."""
        files = [path for path in sorted(self.world.live.rglob("*.txt")) if path.is_file()]
        if files:
            path = rng.choice(files)
            if rng.random() < 0.5:
                path.touch()
            else:
                self.world.put(str(path.relative_to(self.world.live)), path.read_text())

    # -- runs ----------------------------------------------------------------------------------------------------

    def run(self, rng: Random) -> None:
        """Somebody runs the flow, or some of it."""
        node = rng.choice(self.world.flow.boxes).id
        chosen = rng.choice(
            [Chosen(), Chosen(), Chosen(fresh=True), Chosen(from_node=node), Chosen(only_node=node)]
        )
        self.world.compared(self.world.choose(chosen), "cli")

    def cancel(self, rng: Random) -> None:
        """A run is cancelled after some of its events."""
        run = self.world.begin()
        for number, _ in enumerate(run.events(PATIENCE_S)):
            if number == rng.randrange(25):
                break
        run.cancel()
        self.world.appended.clear()
        self.world.unended = None if run.result(PATIENCE_S).status == "succeeded" else run.id

    def resume(self, rng: Random) -> None:
        """The last run that did not succeed is continued."""
        del rng
        self.world.resume()

    def restart(self, rng: Random) -> None:
        """Another runtime takes over the store."""
        del rng
        self.world.start()


def _reshaped(value: Any, *, turned: bool) -> Any:
    if isinstance(value, list):
        return {str(place): ref for place, ref in enumerate(cast("list[str]", value))}
    if isinstance(value, dict):
        table = cast("dict[str, str]", value)
        return dict(reversed(table.items())) if turned else list(table.values())
    return [value]


FREE = ("comment", "touch", "restart")
EDITS = (
    *("change_parameters", "change_parameters", "change_parameters", "change_variable", "change_variable"),
    *("rewire", "reshape_input", "add", "remove", "rename", "swap", "reorder_keys", "reorder", "edit_called"),
    *("edit_called", "revert", "revert", "change_settings", "change_file", "change_file", "spoil", "spoil"),
    *(
        "change_environment",
        "change_environment",
        "comment",
        "touch",
        "run",
        "run",
        "cancel",
        "resume",
        "restart",
    ),
)
Step = tuple[str, int]


def executed_although_unchanged(before: Saved, after: Saved, world: World, changed: Box | None) -> list[str]:
    """Return the nodes that were executed though neither they nor what they take has changed."""
    names = {box.id: box for box in world.flow.boxes}
    reached = _reached(changed, world.flow)
    return [
        node
        for node in after.executed
        if node in names
        and node not in reached
        and before.picture[node][0] == "succeeded"
        and not is_executed_anyway(names[node], world.flow, world.called)
        and not any(
            name.startswith(f"{node}/") and after.picture[name][0] == "failed" for name in after.picture
        )
        and all(before.picture[ref] == after.picture[ref] for ref in taken(names[node]))
    ]


def _reached(changed: Box | None, flow: ChangingFlow) -> Mapping[str, Box]:
    if changed is None:
        return {}
    reached = {changed.id: changed}
    for box in flow.boxes:
        slots = {slot for each in reached.values() for slot in each.slots()}
        if slots & box.slots() or any(name in reached for name in taken(box)):
            reached[box.id] = box
    return reached


def play(seeds: list[int], called: list[int], steps: list[Step], store: str) -> World:
    """Make a flow, save it, edit it step by step; after each step, compare."""
    world = World(new_flow(seeds), new_flow(called, called=True), store)
    try:
        editing = Editing(world)
        last: Saved | None = world.save()
        for name, seed in steps:
            edit: Callable[[Random], Box | None] = getattr(editing, name)
            changed = edit(Random(seed))
            editing.versions.append(world.flow.copy())
            after = world.save()
            free = name in FREE and not (name == "restart" and store == "memory")
            if free or changed is not None:
                assert last is not None
                if last.document.status == after.document.status == "succeeded":
                    wrong = executed_although_unchanged(last, after, world, changed)
                    assert not wrong, f"{wrong} after {name}:\n{world.flow.toml()}\n{world.called.toml()}"
            last = after
            world.totals["edits"] += 1
    finally:
        world.close()
    return world


@given(
    seeds=st.lists(st.integers(0, 9999), min_size=5, max_size=15),
    called=st.lists(st.integers(0, 9999), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 999)), min_size=10, max_size=30),
    store=st.sampled_from(["sqlite", "files", "memory"]),
)
@settings(
    max_examples=sized(6, 600),
    deadline=None,
    suppress_health_check=tuple(HealthCheck),
)
def test_a_save_gives_what_a_fresh_run_gives(
    seeds: list[int], called: list[int], steps: list[Step], store: str
) -> None:
    """After any edits a save gives the results and the files of a fresh run, and executes what they ask for alone."""
    totals.update(play(seeds, called, steps, store).totals)
    note("edits and saves", **totals, mismatches=0)  # the last line counts
