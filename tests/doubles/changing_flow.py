"""Makes flows of any shape out of a random generator, as values that can be edited and written to a file."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import tomli_w

BODIES = ("group", "loop", "parallel")
HISTORIC = ("append", "delete", "move")
"""What these leave and give depends on what was there before them: a second execution is another thing."""
LOOKING = ("list", "exists")
_LEAVES = (
    *(
        "fields",
        "fields",
        "fields",
        "map",
        "map",
        "rows",
        "read",
        "read",
        "write",
        "write",
        "append",
        "delete",
    ),
    *("copy", "move", "list", "exists", "csv-read", "csv-write"),
)
_PROGRAMS = ("echo", "pipe", "cat", "fail", "fail", "python")
"""Each execution starts a process, so there are few of them."""


@dataclass
class Box:
    """A node that can be edited."""

    id: str
    kind: str
    table: dict[str, Any]
    input: Any = None
    slot: str = ""
    """The folder that it touches; those that touch the same one wait for each other."""
    children: list["Box"] = field(default_factory=list)

    def slots(self) -> set[str]:
        """Return the slots that it touches, or something within it."""
        return {self.slot, *(slot for child in self.children for slot in child.slots())} - {""}

    def within(self) -> Iterator["Box"]:
        """Yield it and what is within it, at any depth."""
        yield self
        for child in self.children:
            yield from child.within()


@dataclass
class ChangingFlow:
    """A flow that can be edited. Each box takes only what stands before it, whatever the order in the file."""

    name: str = "It"
    variables: dict[str, Any] = field(default_factory=dict)
    boxes: list[Box] = field(default_factory=list)
    max_parallel: int = 1
    comments: int = 0
    order: int = 0
    """Seed of the order of the tables in the file."""
    made: int = 0

    def all(self) -> list[Box]:
        """Return all boxes, at any depth."""
        return [each for box in self.boxes for each in box.within()]

    def copy(self) -> "ChangingFlow":
        """Return a copy that shares nothing."""
        return copy.deepcopy(self)

    def toml(self) -> str:
        """Return the text of the file."""
        settings = {"max_parallel": self.max_parallel, "max_runs_per_minute": 1_000}
        head = {"name": self.name, "settings": settings, "variables": self.variables}
        nodes = _tables(self.boxes, Random(self.order) if self.order else None)
        comment = "".join(f"# comment {number}\n\n" for number in range(self.comments))
        return comment + tomli_w.dumps({**head, "nodes": nodes})


def _tables(boxes: Sequence[Box], order: Random | None, *, side_by_side: bool = False) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    last: dict[str, str] = {}
    for box in boxes:
        after = sorted({last[slot] for slot in box.slots() if slot in last})
        last |= dict.fromkeys(box.slots(), box.id)
        table = dict(box.table)
        if box.input is not None and not side_by_side:
            table["input"] = box.input
        if after and not side_by_side:
            table["after"] = after
        if box.children:
            table["nodes"] = _tables(box.children, order, side_by_side=box.kind == "parallel")
        tables[box.id] = table
    if order is None:
        return tables
    names = list(tables)
    order.shuffle(names)
    return {name: tables[name] for name in names}


def with_refs(value: Any, change: Callable[[str], str | None]) -> Any:
    """Return an `input` with every reference changed; None is left out."""
    if isinstance(value, str):
        name, dot, port = value.partition(".")
        changed = change(name)
        return None if changed is None else f"{changed}{dot}{port}"
    if isinstance(value, list):
        refs = [with_refs(ref, change) for ref in cast("list[str]", value)]
        return [ref for ref in refs if ref is not None] or None
    if isinstance(value, dict):
        named = {name: with_refs(ref, change) for name, ref in cast("dict[str, str]", value).items()}
        return {name: ref for name, ref in named.items() if ref is not None} or None
    return None


def taken(box: Box) -> list[str]:
    """Return the boxes that a box takes something of."""
    names: list[str] = []
    with_refs(box.input, lambda name: names.append(name) or name)
    return names


class Maker:
    """Makes boxes for a flow."""

    def __init__(self, flow: ChangingFlow, rng: Random, *, may_call: bool = True) -> None:
        self._flow = flow
        self._rng = rng
        self._may_call = may_call

    def box(self, before: Sequence[Box], *, depth: int = 0, loop: bool = False, alone: bool = False) -> Box:
        """Return a new box that may take what is in `before`.

        Args:
            before: its siblings that do not wait for it.
            depth: how many bodies are around it.
            loop: whether one of them is a loop.
            alone: whether it is executed side by side with others.
        """
        rng = self._rng
        kinds = [*_LEAVES, *(BODIES * 2 if depth < 2 else ())]
        kinds += ["call", "call"] if self._may_call and not alone else []
        if (
            depth or not self._may_call
        ):  # when files were modified must be nobody's input: a copy has other times
            kinds = [kind for kind in kinds if kind != "list"]
        kind = rng.choice(kinds if rng.random() < 0.95 else _PROGRAMS)
        self._flow.made += 1
        box = Box(id=f"n{self._flow.made}", kind=kind, table={})
        if not alone:
            box.input = self.input(before)
        if kind in BODIES:
            inner = kind == "loop" or loop
            for _ in range(rng.randint(1, 3)):
                box.children.append(
                    self.box(box.children, depth=depth + 1, loop=inner, alone=kind == "parallel")
                )
        self.fill(box, before, loop=loop, alone=alone)
        return box

    def input(self, before: Sequence[Box]) -> Any:
        """Return an `input`, or none."""
        rng = self._rng
        known = [box for box in before if box.kind != "list"]
        if not known or rng.random() < 0.25:
            return None
        refs = [self._ref(box) for box in rng.choices(known, k=rng.randint(1, 3))]
        form = rng.randrange(6)
        if form < 4:
            return refs[0]
        return refs if form == 4 else {str(place): ref for place, ref in enumerate(refs)}

    def _ref(self, box: Box) -> str:
        return f"{box.id}.error" if self._rng.random() < 0.1 else box.id

    def fill(self, box: Box, before: Sequence[Box], *, loop: bool, alone: bool) -> None:
        """Give a box other parameters, as its kind has them."""
        rng = self._rng
        box.table = {"type": "", **self._common(box)}
        if box.kind in ("write", "append", "delete", "copy", "move", "csv-write") or (
            box.kind in LOOKING and rng.random() < 0.6
        ):
            box.slot = box.slot or self._slot(before, alone=alone)
        box.table |= self._parameters(box, loop)

    def _slot(self, before: Sequence[Box], *, alone: bool) -> str:
        known = sorted({box.slot for box in before} - {"", "called"})
        if known and not alone and self._rng.random() < 0.4:
            return self._rng.choice(known)
        self._flow.made += 1
        return f"out/s{self._flow.made}"

    def _common(self, box: Box) -> dict[str, Any]:
        rng, keys = self._rng, dict[str, Any]()
        if rng.random() < 0.12:
            keys["when"] = rng.choice(
                ["vars.flag", "vars.n > 3", "env.ATOM_A | default('') != 'x'", "vars.s != 'a'"]
            )
        if rng.random() < 0.15:
            keys["on_error"] = "continue"
        if rng.random() < 0.05:
            keys["always"] = True
        if box.kind == "cat":
            keys["reuse"] = "never"  # nobody knows that the program reads a file
        elif rng.random() < 0.15:
            keys["reuse"] = rng.choice(["always", "never"])
        return keys

    def text(self, loop: bool) -> str:
        """Return a text for a parameter."""
        texts = [
            *(
                f"t{self._rng.randrange(4)}",
                "{{ vars.n }}",
                "{{ vars.s }}-x",
                "{{ vars.n + 1 }}",
                "<{{ input }}>",
            ),
            *("<{{ input }}>", "{{ env.ATOM_A | default('none') }}", "{{ env.ATOM_B | default('no') }}"),
            *(
                "{{ env.ATOM_C | default('no') }}",
                "{{ flow.name }}",
                "{{ vars | length }}",
                "{{ vars['s'] }}",
            ),
        ]
        if self._rng.random() < 0.03:
            return self._rng.choice(["{{ run.id | length }}", "{{ now | length }}", "{{ run.id[0:1] }}"])
        return self._rng.choice([*texts, *(["{{ item }}-{{ index }}", "{{ item }}"] * 2 if loop else ())])

    def _parameters(self, box: Box, loop: bool) -> dict[str, Any]:
        rng, slot = self._rng, box.slot
        name = rng.choice(["a", "b"]) + (rng.choice(["", "{{ item }}", "{{ index }}"]) if loop else "")
        if rng.random() < 0.1:
            name += "{{ vars.s }}"
        touched, given = f"{slot}/{name}.txt", rng.choice(["in/a.txt", "in/b.txt", "in/{{ vars.s }}.txt"])
        files = {"type": "file-system"}
        match box.kind:
            case "fields":
                keys = ["a", "b", "c"][: rng.randint(1, 3)]
                rng.shuffle(keys)
                return {
                    "type": "edit-fields",
                    "values": {key: self.text(loop) for key in keys},
                    "keep_only_set": rng.random() < 0.9,
                }
            case "map":
                return {"type": "transform", **self._transform()}
            case "rows":
                expression = rng.choice(
                    ["{'a': item, 'b': vars.n}", "{'b': vars.n, 'a': item}", "{'a': item}"]
                )
                return {
                    "type": "transform",
                    "operation": "map",
                    "data": self._items(),
                    "expression": expression,
                }
            case "read":
                return {**files, "operation": "read", "path": given}
            case "write" | "append":
                content = {} if rng.random() < 0.4 and box.input else {"content": self.text(loop) + "\n"}
                return {**files, "operation": box.kind, "path": touched, **content}
            case "delete":
                return {**files, "operation": "delete", "path": touched}
            case "copy":
                return {**files, "operation": "copy", "path": given, "target": touched}
            case "move":
                return {**files, "operation": "move", "path": touched, "target": f"{slot}/moved.txt"}
            case "list":
                return {**files, "operation": "list", "path": slot or "in"}
            case "exists":
                return {**files, "operation": "exists", "path": touched if slot else given}
            case "csv-read":
                return {"type": "spreadsheet", "operation": "read", "path": "in/t.csv"}
            case "csv-write":
                return {"type": "spreadsheet", "operation": "write", "path": f"{slot}/t.csv"}
            case "echo":
                return {
                    "type": "shell-command",
                    "program": "echo",
                    "args": [self.text(loop), self.text(loop)],
                }
            case "pipe":
                return {"type": "shell-command", "program": "cat", "stdin": self.text(loop)}
            case "cat":
                return {"type": "shell-command", "program": "cat", "args": ["in/a.txt"]}
            case "fail":
                return {"type": "shell-command", "program": "sh", "args": ["-c", "exit {{ vars.n % 4 }}"]}
            case "python":
                code = f"def run(input, vars):\n    return [vars['n'], str(input), {rng.randrange(3)}]\n"
                return {"type": "python", "code": code}
            case "call":
                box.slot = "called"
                return {
                    "type": "flow",
                    "flow": "sub/called.toml",
                    "variables": {"s": "{{ vars.s }}" + str(rng.randrange(3))},
                }
            case "loop":
                items = rng.choice([self._items(), ["x", "y"], ["y", "x", "z"]])
                collect = {"on_item_error": "collect"} if rng.random() < 0.3 else {}
                return {"type": "loop", "items": items, **collect}
            case "parallel":
                return {"type": "parallel", "strategy": rng.choice(["all", "all-settled"])}
            case _:
                return {"type": box.kind}

    def _items(self) -> Any:
        return self._rng.choice(["{{ vars.list }}", "{{ vars.list }}", [1, 2], [2, 1], ["q"]])

    def _transform(self) -> dict[str, Any]:
        rng, data = self._rng, self._items()
        match rng.randrange(5):
            case 0:
                return {"operation": "filter", "data": data, "expression": "item != vars.s"}
            case 1:
                return {"operation": "limit", "data": data, "count": "{{ vars.n }}"}
            case 2:
                return {"operation": "reverse", "data": data}
            case 3:
                return {
                    "operation": "reduce",
                    "data": data,
                    "initial": self.text(False),
                    "expression": "acc ~ item",
                }
            case _:
                expression = rng.choice(
                    ["item ~ vars.s", "[item, index]", "[item, input]", "item ~ (env.ATOM_B | default('-'))"]
                )
                return {"operation": "map", "data": data, "expression": expression}
