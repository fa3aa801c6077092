"""Gives menu entries their numbers and tells two versions of a menu apart: the pure part of com.canonical.dbusmenu.

A number belongs to a key for as long as the key is in the menu and is never given to another one. So a click that was
on its way while the menu changed means what its reader saw, or nothing.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

Property: TypeAlias = str | bool | int | bytes
Properties: TypeAlias = dict[str, Property]

ROOT = 0
_ROOT_PROPERTIES: Properties = {"children-display": "submenu"}


class Node(msgspec.Struct, frozen=True):
    """A line of a menu as its owner describes it."""

    key: str
    properties: Properties
    children: tuple["Node", ...] = ()


class Placed(msgspec.Struct, frozen=True):
    """A line of a menu with its number."""

    id: int
    key: str
    properties: Properties
    children: tuple["Placed", ...] = ()

    def walk(self) -> Iterator["Placed"]:
        """Yield this line and all below it, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()


class Difference(msgspec.Struct, frozen=True):
    """What turns one version of a menu into another one."""

    structure: bool
    """Whether lines came, went, or changed place."""
    updated: tuple[tuple[int, Properties], ...]
    removed: tuple[tuple[int, tuple[str, ...]], ...]


class Numbers:
    """Knows the number of each key of the present menu. Used by one thread."""

    def __init__(self) -> None:
        self._next = ROOT + 1
        self._ids: dict[str, int] = {}

    def place(self, nodes: Iterable[Node]) -> Placed:
        """Return the menu with its numbers; keys that are no longer in it lose theirs for ever.

        Raises:
            ValueError: a key is there twice.
        """
        ids: dict[str, int] = {}

        def placed(node: Node) -> Placed:
            if node.key in ids:
                raise ValueError(f"the menu has the key {node.key!r} twice")
            number = ids[node.key] = self._number(node.key)
            return Placed(number, node.key, node.properties, tuple(placed(child) for child in node.children))

        root = Placed(ROOT, "", _ROOT_PROPERTIES, tuple(placed(node) for node in nodes))
        self._ids = ids
        return root

    def _number(self, key: str) -> int:
        if key in self._ids:
            return self._ids[key]
        self._next += 1
        return self._next - 1


def difference(old: Placed, new: Placed) -> Difference:
    """Return what changed; of lines that came or went nothing but the structure is reported."""
    before = {line.id: line for line in old.walk()}
    updated: list[tuple[int, Properties]] = []
    removed: list[tuple[int, tuple[str, ...]]] = []
    structure = len(before) != sum(1 for _ in new.walk())
    for line in new.walk():
        known = before.get(line.id)
        if known is None:
            structure = True
            continue
        structure = structure or _order(known) != _order(line)
        changed = {
            name: value for name, value in line.properties.items() if known.properties.get(name) != value
        }
        gone = tuple(name for name in known.properties if name not in line.properties)
        updated += [(line.id, changed)] if changed else []
        removed += [(line.id, gone)] if gone else []
    return Difference(structure, tuple(updated), tuple(removed))


def in_old_shape(old: Placed, new: Placed) -> Placed:
    """Return `old` with the texts of `new`: what may be shown while its reader has the menu open.

    A line that is gone stays, but can no longer be clicked.
    """
    present = {line.id: line for line in new.walk()}

    def refreshed(line: Placed) -> Placed:
        fresh = present.get(line.id)
        properties = fresh.properties if fresh else {**line.properties, "enabled": False}
        return Placed(line.id, line.key, properties, tuple(refreshed(child) for child in line.children))

    return refreshed(old)


def _order(line: Placed) -> tuple[int, ...]:
    return tuple(child.id for child in line.children)
