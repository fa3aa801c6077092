"""Holds the nodes that one node of the original becomes, while it is not known yet how they are connected."""

import msgspec

from atomiton_runtime.importing.pieces import Piece
from atomiton_runtime.importing.yaml_file import Data

OWN = ""
"""The reference to what comes into the original node; other references are the names of parts."""
MARK = "\0"
"""Encloses a reference in an expression; no text of an imported file holds it."""


class Part(msgspec.Struct, kw_only=True):
    """One node of several."""

    name: str
    """`OWN` for the last one, which gives the result."""
    reads: tuple[str, ...]
    """References to what it takes: `OWN`, or names of parts before it."""
    keys: dict[str, Data]
    """Its type and parameters, with references enclosed in marks."""
    child: dict[str, Data] | None = None
    """The keys of the one node in its body."""


def marked(reference: str) -> Piece:
    """Return the piece that stands for a reference."""
    return Piece(f"{MARK}{reference}{MARK}")


def reference_of(piece: Piece | None) -> str | None:
    """Return the reference that a piece is, and nothing besides; or None."""
    if piece is None or piece.text.count(MARK) != 2:
        return None
    reference = piece.text.strip(MARK)
    return reference if piece.text == marked(reference).text else None


def references(*texts: str) -> tuple[str, ...]:
    """Return the references in texts, each once, in order; `OWN` if there is none."""
    return tuple(dict.fromkeys(each for text in texts for each in text.split(MARK)[1::2])) or (OWN,)


def resolved(value: Data, names: dict[str, str]) -> Data:
    """Return a value with each reference replaced by the expression that `names` has for it."""
    match value:
        case str() if MARK in value:
            pieces = value.split(MARK)
            return "".join(names[piece] if place % 2 else piece for place, piece in enumerate(pieces))
        case list():
            return [resolved(entry, names) for entry in value]
        case dict():
            return {key: resolved(entry, names) for key, entry in value.items()}
        case _:
            return value
