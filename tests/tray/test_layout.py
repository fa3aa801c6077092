"""Menu numbers never lie, and a difference says exactly what changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from atomiton_runtime.tray.status_notifier.layout import (
    Node,
    Numbers,
    Placed,
    Properties,
    difference,
    in_old_shape,
)


def menus() -> SearchStrategy[tuple[Node, ...]]:
    """Return menus of up to two levels over a few keys, no key twice."""

    def menu(keys: list[str], labels: list[str], split: int) -> tuple[Node, ...]:
        nodes = [Node(key, {"label": label}) for key, label in zip(keys, labels, strict=False)]
        if split and len(nodes) > split:
            return (*nodes[split:], Node("sub", {}, tuple(nodes[:split])))
        return tuple(nodes)

    keys = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)
    labels = st.lists(st.sampled_from(["x", "y"]), min_size=6, max_size=6)
    return st.builds(menu, keys, labels, st.integers(0, 3))


def keys_by_id(menu: Placed) -> dict[int, str]:
    """Return number -> key."""
    return {line.id: line.key for line in menu.walk()}


@given(st.lists(menus(), max_size=12))
def test_a_number_means_one_key_for_ever(history: list[tuple[Node, ...]]) -> None:
    """However a menu changes, a number never comes to mean another key; a key keeps its number while it is there."""
    numbers = Numbers()
    ever: dict[int, str] = {}
    before: dict[int, str] = {}
    for nodes in history:
        now = keys_by_id(numbers.place(nodes))
        assert all(ever.get(number, key) == key for number, key in now.items())
        stayed = set(before.values()) & set(now.values())
        assert {k: n for n, k in before.items() if k in stayed} == {
            k: n for n, k in now.items() if k in stayed
        }
        gone = set(before) - set(now)
        assert not gone & set(keys_by_id(numbers.place(nodes)))
        ever |= now
        before = now


@given(menus(), menus())
def test_a_difference_applied_gives_the_new_menu(
    old_nodes: tuple[Node, ...], new_nodes: tuple[Node, ...]
) -> None:
    """Without a change of structure, the changed properties turn the old menu into the new one."""
    numbers = Numbers()
    old, new = numbers.place(old_nodes), numbers.place(new_nodes)
    change = difference(old, new)
    updated, removed = dict(change.updated), dict(change.removed)

    def patched(line: Placed) -> Placed:
        properties: Properties = {
            name: value for name, value in line.properties.items() if name not in removed.get(line.id, ())
        }
        properties |= updated.get(line.id, {})
        return Placed(line.id, line.key, properties, tuple(patched(child) for child in line.children))

    same_shape = [line.id for line in old.walk()] == [line.id for line in new.walk()]
    assert change.structure or same_shape
    if not change.structure:
        assert patched(old) == new


@given(menus(), menus())
def test_old_shape_moves_nothing(old_nodes: tuple[Node, ...], new_nodes: tuple[Node, ...]) -> None:
    """An open menu keeps its lines in place; lines that are gone are dead, the others show the new texts."""
    numbers = Numbers()
    old, new = numbers.place(old_nodes), numbers.place(new_nodes)
    kept = in_old_shape(old, new)
    fresh = {line.id: line.properties for line in new.walk()}
    assert [line.id for line in kept.walk()] == [line.id for line in old.walk()]
    assert not difference(old, kept).structure
    for line in kept.walk():
        assert line.properties == fresh[line.id] if line.id in fresh else line.properties["enabled"] is False


def test_a_key_twice_is_an_error() -> None:
    """Two lines about one thing would make a click ambiguous."""
    with pytest.raises(ValueError, match="twice"):
        Numbers().place([Node("a", {}), Node("a", {})])
