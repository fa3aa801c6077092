"""Finds the line and column of a key or value: parses the file once more, and only when there is a problem."""

from collections.abc import Iterator
from typing import NamedTuple

import tomli
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from atomiton_runtime.flow.findings import KeyPath

_KEYS = ("bare_key", "quoted_key", "dotted_key")
_MAX_PATH = 300
"""What is deeper counts as being where it begins: time and memory grow with the square."""
_TABLES = ("table", "table_array_element")


class Span(NamedTuple):
    """A piece of a file, in characters counted from 0; it may end on a later line."""

    start: int
    end: int


class Place(NamedTuple):
    """Where a key is, and its value."""

    key: Span
    value: Span


class Positions:
    """The places of everything in one file."""

    def __init__(self, text: str) -> None:
        self._raw = text.encode()
        self._offsets = _Offsets(text, self._raw)
        self._places: dict[KeyPath, Place] = {}
        tree = Parser(Language(tree_sitter_toml.language())).parse(self._raw)
        self._read(tree.root_node)

    def find(self, path: KeyPath) -> Place | None:
        """Return the place of a key path, or of the nearest thing around it; None: there is nothing around it."""
        for length in range(len(path), 0, -1):
            place = self._places.get(path[:length])
            if place is not None:
                return place
        return None

    def _read(self, root: Node) -> None:
        # The stack stands for recursion: a file may be nested as deep as the parser got.
        waiting: list[tuple[Node, KeyPath]] = []
        arrays: dict[KeyPath, int] = {}
        for child in root.children:
            if child.type in _TABLES:
                waiting.extend(self._table(child, arrays))
            elif child.type == "pair":
                waiting.append((child, ()))
        while waiting:
            node, path = waiting.pop()
            if len(path) <= _MAX_PATH:
                waiting.extend(self._pair(node, path) if node.type == "pair" else self._below(node, path))

    def _table(self, node: Node, arrays: dict[KeyPath, int]) -> Iterator[tuple[Node, KeyPath]]:
        key = next(child for child in node.children if child.type in _KEYS)
        path: KeyPath = ()
        for part in _parts(key):
            path = (*path, self._name(part))
            span = self._span(part if part is not key else key)
            self._places.setdefault(path, Place(span, span))
            if path in arrays and not (node.type == "table_array_element" and part == _parts(key)[-1]):
                path = (*path, arrays[path])
        if node.type == "table_array_element":
            arrays[path] = arrays.get(path, -1) + 1
            path = (*path, arrays[path])
        header = self._span(key)
        self._places[path] = Place(header, header)
        yield from ((child, path) for child in node.children if child.type == "pair")

    def _pair(self, node: Node, path: KeyPath) -> Iterator[tuple[Node, KeyPath]]:
        named = [child for child in node.named_children if child.type != "comment"]
        key, value = named[0], named[-1]
        value_span = self._span(value)
        for part in _parts(key):
            path = (*path, self._name(part))
            self._places.setdefault(path, Place(self._span(part), value_span))
        yield value, path

    def _below(self, node: Node, path: KeyPath) -> Iterator[tuple[Node, KeyPath]]:
        if node.type == "inline_table":
            yield from ((child, path) for child in node.children if child.type == "pair")
        elif node.type == "array":
            entries = [child for child in node.named_children if child.type != "comment"]
            for place, entry in enumerate(entries):
                span = self._span(entry)
                self._places.setdefault((*path, place), Place(span, span))
                yield entry, (*path, place)

    def _span(self, node: Node) -> Span:
        return Span(self._offsets.of(node.start_byte), self._offsets.of(node.end_byte))

    def _name(self, part: Node) -> str:
        written = self._raw[part.start_byte : part.end_byte].decode()
        if part.type == "bare_key":
            return written
        return next(iter(tomli.loads(f"{written} = 0")))


def _parts(key: Node) -> list[Node]:
    parts: list[Node] = []
    waiting = [key]
    while waiting:
        node = waiting.pop()
        if node.type == "dotted_key":
            waiting.extend(child for child in reversed(node.children) if child.type in _KEYS)
        else:
            parts.append(node)
    return parts


class _Offsets:
    """Converts places in the bytes of a text to places in its characters."""

    def __init__(self, text: str, raw: bytes) -> None:
        self._of: list[int] | None = None
        if len(text) != len(raw):
            self._of = [place for place, char in enumerate(text) for _ in char.encode()]
            self._of.append(len(text))

    def of(self, byte: int) -> int:
        return byte if self._of is None else self._of[byte]
