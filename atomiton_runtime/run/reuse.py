"""Makes the keys by which results are found again: what the result of a node depends on, as hashes.

A key is made of named parts, so that two keys can be compared part by part: that is how `why` can say what changed.
A part that is short is kept as it is, the others as hashes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NewType

import msgspec

from atomiton_runtime.ids import NodeId
from atomiton_runtime.values import encode

Digest = NewType("Digest", str)
"""32 hex digits: BLAKE2b with 16 bytes, enough to tell apart whatever is not made to collide."""

SHOWN_CHARS = 80
"""A part of at most so many characters is kept as it is."""
_SORTED = msgspec.json.Encoder(order="sorted")
"""JSON keeps texts apart, and is made in a tenth of the time that joining them takes."""
_HASHED = "#"
"""What a hashed part begins with: no JSON does."""


class Key(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the result of an execution depends on."""

    hash: Digest
    """Of all parts."""
    parts: dict[str, str]
    """Name -> JSON, or the hash of it: `type`, `parameter limit`, `input`, `reads /data/a.csv`, ..."""
    written: Digest | None = None
    """Of the node as it is written and of what it is given, nothing evaluated: where this is the same, the key is, as
    long as what it reads outside is. None: its templates give something else each time (`now`)."""


def digest(content: bytes) -> Digest:
    """Return the hash of some bytes."""
    return Digest(hashlib.blake2b(content, digest_size=16).hexdigest())


def result_hash(raw: bytes | msgspec.Raw) -> Digest:
    """Return the hash of a value that `values.encode` wrote.

    The order of keys counts: it is that of the columns of a table, and of what is written as JSON. `1` and `1.0`
    differ, as they do in a text.
    """
    return digest(bytes(memoryview(raw)))


def part(value: object) -> str:
    """Return a value as a part of a key.

    Raises:
        UnsupportedValue: it holds something that has no JSON form (VALUE-001).
    """
    content = encode(value)
    return _shown(content) or f"{_HASHED}{digest(content)}"


def hidden_part(value: object) -> str:
    """Return a value as a part of a key that does not show it."""
    return f"{_HASHED}{digest(encode(value))}"


def _shown(content: bytes) -> str | None:
    return content.decode() if len(content) <= SHOWN_CHARS else None


def shown_part(text: str | None) -> str | None:
    """Return what a part shows of its value; None: nothing, it is a hash, or there is none."""
    return None if text is None or text.startswith(_HASHED) else text


def make_key(parts: Mapping[str, str], *, folder: str = "", written: Digest | None = None) -> Key:
    """Return the key of these parts.

    Args:
        parts: name -> part.
        folder: where relative paths begin.
        written: see `Key`.
    """
    try:
        content = _SORTED.encode([folder, parts])
    except UnicodeEncodeError:  # the name of a file that is no text
        content = _plainly([folder, sorted(parts.items())])
    return Key(hash=digest(content), parts=dict(parts), written=written)


def together(texts: Sequence[str]) -> Digest:
    """Return the hash of texts, none of which runs into the next."""
    try:
        return digest(_SORTED.encode(texts))
    except UnicodeEncodeError:
        return digest(_plainly(texts))


def _plainly(texts: object) -> bytes:
    return repr(texts).encode("utf-8", "surrogatepass")


def changed_parts(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the parts that differ, in the order of `after`, then those that are gone."""
    changed = [name for name, text in after.items() if before.get(name) != text]
    return (*changed, *(name for name in before if name not in after))


def without_indexes(node: NodeId) -> str:
    """Return the id of a node whichever iteration it is of: `each/*/resize` for `each/3/resize`.

    An item that moved within its list is then found again. That a node may be called `3` does no harm: what is found
    by a key has the same type, parameters and inputs, wherever it stands.
    """
    if "/" not in node:
        return node
    first, *rest = node.split("/")
    return "/".join((first, *("*" if each.isdecimal() else each for each in rest)))
